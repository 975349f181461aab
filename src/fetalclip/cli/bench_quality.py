"""The command of the protocol that draws its own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, Model, Plot, ReportFile, Root, Side, Versus, WriteCard
from fetalclip.cli.output import Voice
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

SavedVerdicts = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Saved verdicts: check, verdict, faulty, perhaps group."),
]


def quality(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    predictions: SavedVerdicts = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``quality``."""
    task = Task("quality", root, model, predictions, versus, n, plot, report, card, as_json, rootless=True)

    def ready() -> None:
        from fetalclip.bench.protocol import check

        check(split, n)
        for option, given in (("--plot", plot), ("--versus", versus)):
            if given is not None:
                raise UsageError(f"{option} of checks of quality", "the table alone", f"no {option}")

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.quality import Options, run

        return run(loaded, None if root is None else folder(root, "--root"), Options(split, n))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.quality import from_predictions

        return from_predictions(path)

    perform(task, measure, saved, Voice(), ready=ready, options=[] if split == "test" else [f"--split {split}"])
