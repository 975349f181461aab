"""The commands of the protocols that score masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, Model, Plot, ReportFile, Root, Side, Versus, WriteCard
from fetalclip.cli.output import Voice
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

Counts = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Counts of pixels: both, said, true by structure, and group."),
]


def head_segmentation(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    head: Annotated[str, typer.Option("--head", metavar="H", help="A head of the model, or a head folder.")] = "head",
    predictions: Counts = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``head-segmentation``."""
    task = Task("head-segmentation", root, model, predictions, versus, n, plot, report, card, as_json)

    def ready() -> None:
        from fetalclip.bench.protocol import check

        _no_plot(plot)
        check(split, n)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.head_segmentation import Options, run

        return run(loaded, folder(root, "--root"), Options(split, n, head))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.head_segmentation import from_predictions

        return from_predictions(path)

    told = ([] if split == "test" else [f"--split {split}"]) + ([] if head == "head" else [f"--head {Path(head).name}"])
    perform(task, measure, saved, Voice(), ready=ready, options=told)


def structures(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    heads: Annotated[
        Path | None,
        typer.Option("--heads", metavar="DIR", help="Run folder of train segment.yaml structures=brain data.folds=5."),
    ] = None,
    simulated: Annotated[
        list[str] | None,
        typer.Option("--simulated", metavar="SET", help="Also score the model's head of this set on simulated views."),
    ] = None,
    predictions: Counts = None,
    versus: Versus = None,
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``structures``."""
    task = Task("structures", root, model, predictions, versus, n, plot, report, card, as_json)

    def ready() -> None:
        _no_plot(plot)
        if predictions is None:
            from fetalclip.bench.structures import fold_heads

            fold_heads(heads)
        elif simulated:
            raise UsageError("--simulated with --predictions", "a model", "--root DIR")

    told = ([] if heads is None else ["--heads DIR"]) + [f"--simulated {name}" for name in simulated or ()]

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.structures import Options, run

        return run(loaded, folder(root, "--root"), Options(limit=n, heads=heads, simulated=tuple(simulated or ())))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.structures import from_predictions

        return from_predictions(path)

    perform(task, measure, saved, Voice(), ready=ready, options=told)


def _no_plot(plot: Path | None) -> None:
    """Masks have no reliability diagram; told before a model is loaded."""
    if plot is not None:
        raise UsageError("--plot of masks", "planes, subplanes or ga", "no --plot")


MASK_COMMANDS: dict[str, Callable[..., None]] = {"head-segmentation": head_segmentation, "structures": structures}
