"""The command of the protocol that scores findings on clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.bench_run import Task, perform
from fetalclip.cli.options import AsJson, Model, Plot, ReportFile, Versus
from fetalclip.cli.output import Voice
from fetalclip.errors import DataMissing, UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult


def heart(  # noqa: PLR0913  (one parameter per option)
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Folder with clips.csv, or the table itself.")
    ] = None,
    model: Model = "fetalclip-open",
    head: Annotated[str | None, typer.Option("--head", metavar="H", help="A heart head folder.")] = None,
    single: Annotated[
        str | None,
        typer.Option("--single-frame", metavar="H", help="A head of single frames (data.still=true) for their rows."),
    ] = None,
    simulated: Annotated[
        int, typer.Option("--simulated", metavar="N", min=0, help="N simulated hearts of each finding and severity.")
    ] = 0,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="F.json", help="Saved answers: findings, probability, label, patient."),
    ] = None,
    versus: Versus = None,
    n: Annotated[int | None, typer.Option("--n", metavar="N", min=1, help="At most N clips, for a quick look.")] = None,
    plot: Plot = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """The command of protocol ``heart``; ``--versus`` is a second head here, or a second file."""
    if simulated and root is not None:
        raise UsageError("both --simulated and --root", "one of them", "fetalclip bench heart --simulated 10")
    place = Path() if simulated else root
    if predictions is None and place is not None and not place.exists():
        raise DataMissing(f"--root {place} is not there", "a folder with clips.csv, or a table", "--root DIR")
    folder = None if place is None else place if place.is_dir() else place.absolute().parent
    rival = versus if predictions is not None else None
    task = Task("heart", folder, model, predictions, rival, n, plot, report, False, as_json)

    def measure(loaded: Any) -> BenchResult:
        from fetalclip.bench.heart import Options, run
        from fetalclip.bench.versus import compare

        assert place is not None  # `Task.check`
        options = Options(limit=n, head=head, single=single, simulated=simulated)
        found = run(loaded, place, options)
        if versus is None:
            return found
        other = run(loaded, place, Options(limit=n, head=versus, simulated=simulated))
        return compare(found, other, Path(versus).name)

    def saved(path: Path) -> BenchResult:
        from fetalclip.bench.heart import from_predictions

        return from_predictions(path)

    perform(task, measure, saved, Voice())
