"""``fetalclip bench``: named protocols, each a table with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import AsJson, Model
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import DataMissing, UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

app = typer.Typer(
    no_args_is_help=True,
    help="Measure a model by a named protocol.",
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Measure a model by a named protocol."""


Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Folder that holds the data sets.")]
Predictions = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Score saved answers: {prediction: [...], label: [...]}."),
]
First = Annotated[
    int | None, typer.Option("--n", metavar="N", min=1, help="Only the first N pictures, for a quick look.")
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="F.png", help="Draw the reliability diagram: probability against share right."),
]
WriteCard = Annotated[
    bool, typer.Option("--card", help="Write the numbers into the card of the measured model's folder.")
]


@app.command("planes", no_args_is_help=True)
def planes(  # noqa: PLR0913
    root: Root = None,
    model: Model = "fetalclip-open",
    supervised: Annotated[
        Path | None,
        typer.Option("--supervised", metavar="FOLDER", help="The supervised baseline, for the same table."),
    ] = None,
    predictions: Predictions = None,
    far: Annotated[
        Path | None,
        typer.Option("--far", metavar="DIR", help="More pictures that are not fetal ultrasound."),
    ] = None,
    n: First = None,
    plot: Plot = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """Standard planes of the test patients, with intervals.

    FETAL_PLANES_DB's test side, burned-in text masked (the headline), as it is, and alone; first-trimester and
    later heads of HC18; pictures that should get no plane. Intervals are by patient.
    """
    task = Task("planes", root, model, predictions, n, plot, card)
    task.check()
    voice = Voice()
    if predictions is not None:
        from fetalclip.bench import planes_from_predictions

        result = planes_from_predictions(predictions)
    else:
        result = _measure_planes(_folder(root, "--root"), model, supervised, far, n, voice)
    options = [("--supervised FOLDER", supervised), ("--far DIR", far)]
    _tell(task, result, [word for word, given in options if given], voice, as_json)


@app.command("subplanes", no_args_is_help=True)
def subplanes(
    root: Root = None,
    model: Model = "fetalclip-open",
    predictions: Predictions = None,
    n: First = None,
    plot: Plot = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """Planes of the brain of the test patients, with intervals.

    The brains of FETAL_PLANES_DB's test side that are trans-thalamic, trans-cerebellum or trans-ventricular,
    burned-in text masked (the headline), as it is, and alone. Intervals are by patient.
    """
    task = Task("subplanes", root, model, predictions, n, plot, card)
    task.check()
    voice = Voice()
    if predictions is not None:
        from fetalclip.bench import subplanes_from_predictions

        result = subplanes_from_predictions(predictions)
    else:
        folder, loaded = _folder(root, "--root"), load(model, voice)
        from fetalclip.bench import subplanes as protocol

        result = protocol.run(loaded, folder, protocol.Options(limit=n))
    _tell(task, result, [], voice, as_json)


@app.command("rows", no_args_is_help=True)
def rows(
    file: Annotated[Path, typer.Argument(metavar="F.json", help="{command, note, rows: [{name, changes, ...}]}.")],
    card: Annotated[str, typer.Option("--card", metavar="PART", help="The part of the card: ablations or language.")],
    model: Model = "fetalclip-open",
    as_json: AsJson = False,
) -> None:
    """Put a table about other models of the same split into a model's card."""
    from fetalclip.bench.card import write_rows
    from fetalclip.bench.rows import read
    from fetalclip.cards import get_card

    block = read(file)
    written = write_rows(get_card(model), card, block)
    told = {"schema": "fetalclip.rows/1", "part": card, "rows": len(block["rows"]), "card": written}
    Voice().data(json_line(told) if as_json else printable(written))


@dataclass(frozen=True)
class Task:
    """What was asked for, of whichever protocol."""

    protocol: str
    root: Path | None
    model: str
    predictions: Path | None
    n: int | None
    plot: Path | None
    card: bool

    def check(self) -> None:
        """Everything cheap that can be wrong, before a model is loaded.

        Raises:
            UsageError: options that do not go together.
            OutputError: the diagram cannot be written where asked.
        """
        command = f"fetalclip bench {self.protocol}"
        if (self.root is None) == (self.predictions is None):
            raise UsageError(
                "neither --root nor --predictions" if self.root is None else "both --root and --predictions",
                "one of them",
                f"{command} --root DIR",
            )
        if self.card and (self.n is not None or self.predictions is not None):
            raise UsageError("--card with --n or --predictions", "a whole measurement of a model", command)
        if self.plot is not None:
            if self.plot.suffix.lower() != ".png":
                raise UsageError(f"--plot {self.plot}", "a file name that ends in .png", "--plot reliability.png")
            files.check_file(self.plot, "--plot")


def _tell(task: Task, result: BenchResult, options: list[str], voice: Voice, as_json: bool) -> None:
    """The table or JSON on stdout; diagram and card where asked; missed goals on stderr."""
    if task.plot is not None and not result.reliability:
        raise UsageError(
            '--plot of answers without "scores"', '"scores": [{class: probability}, ...] in the file', "no --plot"
        )
    voice.data(json_line(result) if as_json else str(result))
    if task.plot is not None:
        _draw(task.plot, result)
        voice.talk(f"Written: {printable(task.plot)}")
    if task.card:
        from fetalclip.bench.card import write_card
        from fetalclip.cards import get_card

        said = " ".join([f"fetalclip bench {task.protocol} --root DIR", *options])
        write_card(get_card(task.model), result.to_dict(), said)
    for missed in result.missed:
        voice.talk(f"Goal not reached: {printable(missed.section)}: {printable(missed.title)}")


def _draw(path: Path, result: BenchResult) -> None:
    from fetalclip.report.reliability import draw_reliability

    what = {"planes": "Standard planes", "subplanes": "Sub-planes of the brain"}[result.protocol]
    plain, corrected = result["ece"].found.value, result["ece_corrected"].found.value
    facts = f"{result.n} pictures, calibration error {plain:.3f} in 15 bins, {corrected:.3f} bias-corrected"
    title = f"{what}: {result.provenance.get('model') or 'saved answers'}"
    with files.whole(path, "--plot") as temporary:
        draw_reliability(result.reliability, title, facts).save(temporary, format="PNG")


def _measure_planes(
    root: Path, model: str, supervised: Path | None, far: Path | None, n: int | None, voice: Voice
) -> BenchResult:
    """Load what is to be measured and measure it; a folder that is not there is told before torch loads."""
    if far is not None:
        _folder(far, "--far")
    if supervised is not None:
        from fetalclip.cards import get_card

        get_card(supervised).require()
    loaded = load(model, voice)
    baseline = None if supervised is None else load(str(supervised), voice)
    from fetalclip.bench.planes import Options, run

    return run(loaded, root, Options(limit=n, far_dir=far), supervised=baseline)


def _folder(path: Path | None, option: str) -> Path:
    if path is None or not path.is_dir():
        raise DataMissing(f"{option} {path} is not a folder", "a folder that exists", f"{option} DIR")
    return path
