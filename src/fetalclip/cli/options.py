"""Options that several commands have, worded once."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Model = Annotated[str, typer.Option("--model", metavar="M", help="A name from 'models list', or a model folder.")]
