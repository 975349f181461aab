"""The commands of the protocols that learn probes: on all training patients, and on few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.analyze import load
from fetalclip.cli.bench_run import Task, folder, perform
from fetalclip.cli.options import AsJson, First, Model, Plot, Predictions, ReportFile, Root, Side, Versus
from fetalclip.cli.output import Voice
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult

Others = Annotated[
    list[str] | None,
    typer.Option(
        "--with", metavar="M2", help="A further model in the same table, with paired differences. Repeatable."
    ),
]


def probe(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    others: Others = None,
    method: Annotated[
        str, typer.Option("--method", metavar="M", help="logistic, published, prompt-mean or tip-adapter.")
    ] = "logistic",
    predictions: Predictions = None,
    versus: Versus = None,
    split: Side = "test",
    n: First = None,
    plot: Plot = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``probe``."""
    task, voice = Task("probe", root, model, predictions, versus, n, plot, report, False, as_json), Voice()

    def ready() -> None:
        from fetalclip.fit.few import check_method

        check_method(method)
        _there(others)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.probe import Options, run

        more = [load(name, voice) for name in others or ()]
        return run(loaded, folder(root, "--root"), Options(method, split, n), more)

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.probe import from_predictions

        return from_predictions(path)

    perform(task, measure, saved, voice, ready=ready)


def few_shot(  # noqa: PLR0913  (one parameter per option)
    root: Root = None,
    model: Model = "fetalclip-open",
    others: Others = None,
    target: Annotated[str, typer.Option("--target", metavar="T", help="planes or subplanes.")] = "planes",
    shots: Annotated[
        str, typer.Option("--shots", metavar="K,K", help="Patients of each class, in rising order.")
    ] = "1,2,4,8,16,32,64",
    sets: Annotated[int, typer.Option("--sets", metavar="N", min=1, help="Support sets of each size.")] = 10,
    seeds: Annotated[int, typer.Option("--seeds", metavar="M", min=1, help="Seeds of each, where they matter.")] = 5,
    method: Annotated[
        list[str] | None, typer.Option("--method", metavar="M", help="As of bench probe. Repeatable: a line for each.")
    ] = None,
    end_to_end: Annotated[
        str | None,
        typer.Option("--end-to-end", metavar="M", help="Also train the whole tower of this model: the supervised row."),
    ] = None,
    end_to_end_sets: Annotated[
        int, typer.Option("--end-to-end-sets", metavar="N", min=1, help="On how many of the support sets: it is slow.")
    ] = 3,
    predictions: Predictions = None,
    versus: Annotated[str | None, typer.Option("--versus", metavar="M2", help="As --with.")] = None,
    split: Side = "test",
    n: First = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="F.png", help="Draw the curves.")] = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``few-shot``."""
    task, voice = Task("few-shot", root, model, predictions, None, n, plot, report, False, as_json), Voice()
    names = [*([] if versus is None else [versus]), *(others or ())]

    def ready() -> None:
        _there([*names, *([] if end_to_end is None else [end_to_end])])
        if end_to_end is not None and end_to_end != "imagenet" and ":" in end_to_end and not Path(end_to_end).is_dir():
            raise UsageError(f"--end-to-end {end_to_end:.80}", "a model of this package, or imagenet")
        options().check()

    def options() -> Any:
        from fetalclip.bench.few_shot import Options

        methods = tuple(method or ("logistic",))
        return Options(target, _shots(shots), sets, seeds, methods, end_to_end, end_to_end_sets, split, n)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.few_shot import run

        more = [load(name, voice) for name in names]
        return run(loaded, folder(root, "--root"), options(), more)

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.few_shot import from_predictions

        return from_predictions(path)

    perform(task, measure, saved, voice, ready=ready)


def _there(names: list[str] | None) -> None:
    """Told before the first model is loaded."""
    from fetalclip.cards import get_card

    for name in names or ():
        get_card(name).require()


def _shots(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--shots {text:.60}", "whole numbers with commas between", "--shots 2,8,32") from None


PROBE_COMMANDS: dict[str, Callable[..., None]] = {"probe": probe, "few-shot": few_shot}
