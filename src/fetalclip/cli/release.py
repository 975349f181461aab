"""``fetalclip models release`` and ``card``: a model as a folder to publish, and what is written about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetalclip.cli.options import AsJson, Model
from fetalclip.cli.output import Voice, json_line, printable, table

if TYPE_CHECKING:
    from fetalclip.bench.openness import Openness


def release(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it must be new.")],
    model: Model = "fetalclip-open",
    as_json: AsJson = False,
) -> None:
    """Make a release folder of a model, and say how open it is.

    Weights, model card, data card, results, recipe, split, licences and sums. Every component of the Model Openness
    Framework is looked for, with its licence; a class is claimed only when nothing it asks for is missing.
    """
    from fetalclip.bench.release import release as make
    from fetalclip.cards import get_card

    voice = Voice()
    made = make(get_card(model), folder)
    if as_json:
        voice.data(json_line(made))
    else:
        for line in _openness(made.openness):
            voice.data(line)
    voice.talk(f"Written: {printable(folder)}, {len(made.files) + 1} files. Check them: sha256sum --check SHA256SUMS")


def card(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from the list, or a model folder.")],
    data: Annotated[bool, typer.Option("--data", help="The data card: what it was trained and measured on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a model's card, or its data card, as Markdown."""
    from fetalclip.cards import get_card
    from fetalclip.errors import NotAvailable

    found = get_card(name)
    if found.folder is None or not found.config or not (data or found.readme):
        why = f": {found.note}" if found.note else ""
        raise NotAvailable(f"the model {found.name} has no card here{why}", "", f"fetalclip models show {name}")
    text = found.readme
    if data:
        from fetalclip.bench.datacard import render_data

        text = render_data(found.config)
    told = {"schema": "fetalclip.text/1", "name": found.name, "kind": "data" if data else "model", "text": text}
    voice = Voice()
    if as_json:
        voice.data(json_line(told))
        return
    for line in text.rstrip().splitlines():
        voice.data(printable(line))


def _openness(found: Openness) -> list[str]:
    """The components as a table, then the verdict and what each class lacks."""
    rows = []
    for line in found.lines:
        there = "yes" if line.good else "not open" if line.found.present else "missing"
        level = line.component.level + ("" if line.component.required else " (o)")
        rows.append((line.component.name, level, there, ", ".join(line.found.licenses), "; ".join(line.found.where)))
    lines = table(rows, header=("component", "class", "there", "licence", "where"))
    lines += ["", *map(printable, found.remarks), found.verdict]
    for title, lacks in found.gaps():
        lines += [f"{title} lacks:", *(f"  {printable(what)}" for what in lacks)]
    return lines
