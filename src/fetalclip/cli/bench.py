"""``fetalclip bench``: named protocols, each a table with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetalclip.cli.analyze import load
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


@app.command("planes", no_args_is_help=True)
def planes(  # noqa: PLR0913
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Folder that holds fetal_planes_db and hc18.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="M", help="A name from 'models list', or a model folder.")
    ] = "fetalclip-open",
    supervised: Annotated[
        Path | None,
        typer.Option("--supervised", metavar="FOLDER", help="The supervised baseline, for the same table."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="F.json", help="Score saved answers: {prediction: [...], label: [...]}."),
    ] = None,
    far: Annotated[
        Path | None,
        typer.Option("--far", metavar="DIR", help="More pictures that are not fetal ultrasound."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", metavar="N", min=1, help="Only the first N pictures, for a quick look."),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the numbers into the card of the measured model's folder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Standard planes of the test patients, with intervals.

    FETAL_PLANES_DB's test side, burned-in text masked (the headline), as it is, and alone; first-trimester and
    later heads of HC18; pictures that should get no plane. Intervals are by patient.
    """
    voice = Voice()
    if (root is None) == (predictions is None):
        raise UsageError(
            "neither --root nor --predictions" if root is None else "both --root and --predictions",
            "one of them",
            "fetalclip bench planes --root DIR",
        )
    if card and (n is not None or predictions is not None):
        raise UsageError("--card with --n or --predictions", "a whole measurement of a model", "fetalclip bench planes")
    if predictions is not None:
        from fetalclip.bench import planes_from_predictions

        result = planes_from_predictions(predictions)
    else:
        result = _measure(_folder(root, "--root"), model, supervised, far, n, voice)
    voice.data(json_line(result) if as_json else str(result))
    if card:
        from fetalclip.bench.card import write_card
        from fetalclip.cards import get_card

        options = [("--supervised FOLDER", supervised), ("--far DIR", far)]
        said = " ".join(["fetalclip bench planes --root DIR", *(word for word, given in options if given)])
        write_card(get_card(model), result.to_dict(), said)
    for missed in result.missed:
        voice.talk(f"Goal not reached: {printable(missed.section)}: {printable(missed.title)}")


def _measure(
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
