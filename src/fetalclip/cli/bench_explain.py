"""The command of the protocol of attribution maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, Model, ReportFile, Root, Side, WriteCard
from fetalclip.cli.output import Voice

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

SavedRows = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="F.json", help="Saved rows: curves, sanity, heads; see docs/explain.md."),
]


def explain(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="A method of 'fetalclip explain'.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference/--no-reference", help="Occlusion too, on every tenth picture.")
    ] = True,
    predictions: SavedRows = None,
    split: Side = "test",
    n: First = None,
    report: ReportFile = None,
    card: WriteCard = False,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``explain``."""
    task = Task("explain", root, model, predictions, None, n, None, report, card, as_json)

    def ready() -> None:
        from fetalclip.bench.protocol import check
        from fetalclip.explain.registry import method_named

        check(split, n)
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
