"""``fetalclip bench``: named protocols, each a table with intervals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.bench.registry import PROTOCOLS, Protocol
from fetalclip.cli import bench_compare
from fetalclip.cli.analyze import load
from fetalclip.cli.bench_explain import explain
from fetalclip.cli.bench_heart import heart
from fetalclip.cli.bench_masks import MASK_COMMANDS
from fetalclip.cli.bench_probe import PROBE_COMMANDS
from fetalclip.cli.bench_quality import quality
from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, Model, Plot, Predictions, ReportFile, Root, Side, Versus, WriteCard
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import UsageError

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


def planes(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    supervised: Annotated[
        Path | None,
        typer.Option("--supervised", metavar="FOLDER", help="The supervised baseline, for the same table."),
    ] = None,
    predictions: Predictions = None,
    versus: Versus = None,
    far: Annotated[
        Path | None,
        typer.Option("--far", metavar="DIR", help="More pictures that are not fetal ultrasound."),
    ] = None,
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``planes``."""
    task = Task("planes", root, model, predictions, versus, n, plot, report, card, as_json)
    voice = Voice()
    baseline: list[Any] = []  # loaded once, for both models

    def ready() -> None:
        if far is not None:
            folder(far, "--far")
        if supervised is not None:
            from fetalclip.cards import get_card

            get_card(supervised).require()

    def measure(loaded: Any) -> BenchResult:
        if supervised is not None and not baseline:
            baseline.append(load(str(supervised), voice))
        from fetalclip.bench.planes import Options, run

        return run(loaded, folder(root, "--root"), Options(limit=n, far_dir=far), supervised=next(iter(baseline), None))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench import planes_from_predictions

        return planes_from_predictions(path)

    options = [("--supervised FOLDER", supervised), ("--far DIR", far)]
    perform(task, measure, saved, voice, ready=ready, options=[word for word, given in options if given])


SavedScores = Annotated[
    Path | None,
    typer.Option("--scores", metavar="F.npz", help="The published rule on saved scores (n, 175) with days (175)."),
]
SavedAges = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F", help="Saved ages, CSV or JSON: days, optionally low and high."),
]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="F.csv",
        help="Of --scores or --predictions: filename, pixel size(mm), head circumference (mm).",
    ),
]
BlandAltman = Annotated[
    Path | None, typer.Option("--plot", metavar="F.png", help="Draw the Bland-Altman plot: error against size.")
]
Templates = Annotated[
    str | None,
    typer.Option("--templates", metavar="T", help="Of the published rule on --root: a bundled set or a file."),
]


def ga(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    scores: SavedScores = None,
    predictions: SavedAges = None,
    truth: Truth = None,
    templates: Templates = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: BlandAltman = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``ga``."""
    if scores is not None and predictions is not None:
        raise UsageError("both --scores and --predictions", "one of them", "fetalclip bench ga --scores F.npz")
    file = scores or predictions
    task = Task("ga", root, model, file, versus, n, plot, report, card, as_json)

    def ready() -> None:
        if (file is None) != (truth is None):
            found = "--truth with --root" if file is None else "no --truth"
            raise UsageError(found, "--truth with --scores or --predictions, and only there", "--truth truth.csv")
        if file is not None and templates is not None:
            raise UsageError("--templates with saved answers", "--templates with --root", "--root DIR")
        if file is None:
            from fetalclip.bench.protocol import check
            from fetalclip.clinical.age_prompts import load_age_templates

            check(split, n)
            if templates is not None:
                load_age_templates(templates)  # told before a model is loaded

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.ga import Options, run

        return run(loaded, folder(root, "--root"), Options(split, n, templates))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.ga import from_predictions, from_scores

        assert truth is not None  # `ready`
        return (from_predictions if scores is None else from_scores)(path, truth)

    told = [] if split == "test" else [f"--split {split}"]
    told += [] if templates is None else [f"--templates {Path(templates).name}"]
    perform(task, measure, saved, Voice(), ready=ready, options=told)


SavedSizes = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F", help="Saved HC, CSV or JSON: hc_mm, optionally low, high, filename."),
]
TrueSizes = Annotated[
    Path | None,
    typer.Option("--truth", metavar="F.csv", help="Of --predictions: filename, head circumference (mm)."),
]


def biometry(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    predictions: SavedSizes = None,
    truth: TrueSizes = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: BlandAltman = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``biometry``."""
    task = Task("biometry", root, model, predictions, versus, n, plot, report, card, as_json)

    def ready() -> None:
        from fetalclip.bench.protocol import check

        if (predictions is None) != (truth is None):
            found = "--truth with --root" if predictions is None else "no --truth"
            raise UsageError(found, "--truth with --predictions, and only there", "--truth truth.csv")
        check(split, n)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.biometry import Options, run

        return run(loaded, folder(root, "--root"), Options(split, n))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.biometry import from_predictions

        assert truth is not None  # `ready`
        return from_predictions(path, truth)

    perform(task, measure, saved, Voice(), ready=ready, options=[] if split == "test" else [f"--split {split}"])


def _plain(protocol: Protocol) -> Callable[..., None]:
    """The command of a protocol without options of its own."""

    def command(  # noqa: PLR0913  (one parameter per option)
        root: Root = None,
        model: Model = "fetalclip-open",
        predictions: Predictions = None,
        versus: Versus = None,
        n: First = None,
        plot: Plot = None,
        report: ReportFile = None,
        card: WriteCard = False,
        as_json: AsJson = False,
    ) -> None:
        def measure(loaded: Any) -> BenchResult:
            module = protocol.load()
            found: BenchResult = module.run(loaded, folder(root, "--root"), module.Options(limit=n))
            return found

        def saved(path: Path) -> BenchResult:
            found: BenchResult = protocol.load().from_predictions(path)
            return found

        task = Task(protocol.name, root, model, predictions, versus, n, plot, report, card, as_json)
        perform(task, measure, saved, Voice())

    return command


_OWN: dict[str, Callable[..., None]] = {
    "planes": planes,
    "ga": ga,
    "biometry": biometry,
    "quality": quality,
    "heart": heart,
    "explain": explain,
    **MASK_COMMANDS,
    **PROBE_COMMANDS,
}
for _protocol in PROTOCOLS.values():
    _command = _OWN.get(_protocol.name) or _plain(_protocol)
    app.command(_protocol.name, help=_protocol.about, no_args_is_help=_protocol.name != "quality")(_command)

app.command("compare", help=bench_compare.ABOUT, no_args_is_help=True)(bench_compare.compare)


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
