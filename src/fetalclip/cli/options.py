"""Options that several commands have, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Model = Annotated[str, typer.Option("--model", metavar="M", help="A name from 'models list', or a model folder.")]
Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Folder that holds the data sets.")]
Predictions = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Score saved answers: {prediction: [...], label: [...]}."),
]
Versus = Annotated[
    str | None,
    typer.Option(
        "--versus",
        metavar="M2",
        help="A second model, or a second file of answers: paired differences in the same table.",
    ),
]
First = Annotated[
    int | None, typer.Option("--n", metavar="N", min=1, help="Only the first N pictures, for a quick look.")
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="F.png", help="Draw the reliability diagram: probability against share right."),
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="F.html", help="Write one page: tables, plots, provenance, checklist."),
]
WriteCard = Annotated[
    bool, typer.Option("--card", help="Write the numbers into the card of the measured model's folder.")
]
PixelSpacing = Annotated[
    str | None,
    typer.Option("--pixel-spacing", metavar="MM", help="Millimetres per pixel; X,Y where they differ."),
]
SpacingTable = Annotated[
    Path | None,
    typer.Option("--spacing-csv", metavar="F", help="Table with filename and mm_per_pixel."),
]
KnownAge = Annotated[
    str | None,
    typer.Option("--ga", metavar="AGE", help="Age known without the pictures, such as 20w3d: adds centiles."),
]
LastPeriod = Annotated[
    str | None,
    typer.Option("--lmp", metavar="DATE", help="First day of the last period, for pictures of today; as --ga."),
]
ExamKey = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="F", help="With --exam: a key that makes keys of studies and patients last."),
]
Heads = Annotated[
    list[str] | None,
    typer.Option("--head", metavar="H", help="Head that measures, or judges hearts: a name or a folder. Repeatable."),
]
Side = Annotated[str, typer.Option("--split", metavar="SIDE", help="test, or val while choosing something.")]
HeatMaps = Annotated[
    str | None,
    typer.Option("--explain", metavar="METHOD", help="In the report, where each plane comes from; auto or a method."),
]
MapMethod = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="erasing, hires-cam, score-cam, score-cam-centred, grad-cam, rollout, occlusion. Default: by tower.",
    ),
]
