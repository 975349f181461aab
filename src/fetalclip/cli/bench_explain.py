"""The command of the protocol of attribution maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, MapMethod, Model, Plot, ReportFile, Root, Side, Versus, WriteCard
from fetalclip.cli.output import Voice
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

SavedRows = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Saved rows: curves, sanity, heads; see docs/explain.md."),
]


def explain(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    method: MapMethod = None,
    reference: Annotated[
        bool, typer.Option("--reference/--no-reference", help="Occlusion too, on every tenth picture.")
    ] = True,
    predictions: SavedRows = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``explain``."""
    task = Task("explain", root, model, predictions, versus, n, plot, report, card, as_json)

    def ready() -> None:
        from fetalclip.bench.protocol import check
        from fetalclip.explain.registry import method_named

        check(split, n)
        if plot is not None:
            raise UsageError("--plot of attribution maps", "the table alone", "no --plot")
        if method is not None:
            method_named(method)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.explain import Options, run

        return run(loaded, folder(root, "--root"), Options(split, n, method, reference))

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.explain import from_predictions

        return from_predictions(path, method or "")

    told = [] if split == "test" else [f"--split {split}"]
    told += [] if method is None else [f"--method {method}"]
    told += [] if reference else ["--no-reference"]
    perform(task, measure, saved, Voice(), ready=ready, options=told)
