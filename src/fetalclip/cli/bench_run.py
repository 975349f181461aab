"""What the command of every protocol does: check the call, measure or read, compare, tell, draw, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.bench.registry import title
from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import DataMissing, UsageError

if TYPE_CHECKING:
    from fetalclip.bench import BenchResult


@dataclass(frozen=True)
class Task:
    """What was asked for, of whichever protocol.

    Attributes:
        predictions: a file of saved answers, scores or ages, or None for a model.
        versus: name or folder of a second model, or a second file; the others as the options.
        rootless: the protocol needs no data set.
    """

    protocol: str
    root: Path | None
    model: str
    predictions: Path | None
    versus: str | None
    n: int | None
    plot: Path | None
    report: Path | None
    card: bool
    as_json: bool
    rootless: bool = False

    def check(self) -> None:
        """Everything cheap that can be wrong, before a model is loaded.

        Raises:
            UsageError: options that do not go together.
            OutputError: a plot or page cannot be written where asked.
        """
        command = f"fetalclip bench {self.protocol}"
        both = self.root is not None and self.predictions is not None
        if both or (self.root is None and self.predictions is None and not self.rootless):
            saved = "--scores nor --predictions" if self.protocol == "ga" else "--predictions"
            found = f"neither --root nor {saved}" if self.root is None else "both --root and --predictions"
            raise UsageError(found, "one of them", f"{command} --root DIR")
        if self.card and (self.n is not None or self.predictions is not None or self.versus is not None):
            raise UsageError("--card with --n, --versus or --predictions", "a whole measurement of a model", command)
        if self.plot is not None:
            if self.plot.suffix.lower() != ".png":
                raise UsageError(f"--plot {self.plot}", "a file name that ends in .png", "--plot reliability.png")
            files.check_file(self.plot, "--plot")
        if self.report is not None:
            files.check_file(self.report, "--report")


def perform(
    task: Task,
    measure: Callable[[Any], BenchResult],
    saved: Callable[[Path], BenchResult],
    voice: Voice,
    ready: Callable[[], None] = lambda: None,
    options: Sequence[str] = (),
) -> None:
    """Do a task and tell the result.

    Args:
        task: what was asked for.
        measure: the protocol on a loaded model.
        saved: the protocol on a file.
        voice: where data and talk go.
        ready: what else can be wrong before a model is loaded.
        options: of the protocol's own, as they stand in the card.
    """
    task.check()
    ready()
    if task.predictions is not None:
        result = saved(task.predictions)
        other = saved(Path(task.versus)) if task.versus is not None else None
    else:
        if task.root is not None or not task.rootless:
            folder(task.root, "--root")
        if task.versus is not None:
            from fetalclip.cards import get_card

            get_card(task.versus).require()
        result = measure(load(task.model, voice))
        other = measure(load(task.versus, voice)) if task.versus is not None else None
    if other is not None:
        from fetalclip.bench.versus import compare

        result = compare(result, other, Path(str(task.versus)).name)
    _tell(task, result, options, voice)


def folder(path: Path | None, option: str) -> Path:
    """The folder itself.

    Raises:
        DataMissing: it is none.
    """
    if path is None or not path.is_dir():
        raise DataMissing(f"{option} {path} is not a folder", "a folder that exists", f"{option} DIR")
    return path


def _tell(task: Task, result: BenchResult, options: Sequence[str], voice: Voice) -> None:
    """The table or JSON on stdout; plot, page and card where asked; missed goals on stderr."""
    if task.plot is not None and not (result.reliability or result.differences or result.curves):
        raise UsageError(
            '--plot of answers without "scores"', '"scores": [{class: probability}, ...] in the file', "no --plot"
        )
    voice.data(json_line(result) if task.as_json else str(result))
    if task.plot is not None:
        _draw(task.plot, result)
        voice.talk(f"Written: {printable(task.plot)}")
    if task.report is not None:
        _write_page(task.report, result)
        voice.talk(f"Written: {printable(task.report)}")
    if task.card:
        from fetalclip.bench.card import write_card
        from fetalclip.cards import get_card

        said = " ".join([f"fetalclip bench {task.protocol} --root DIR", *options])
        write_card(get_card(task.model), result.to_dict(), said)
    for missed in result.missed:
        voice.talk(f"Goal not reached: {printable(missed.section)}: {printable(missed.title)}")


def _draw(path: Path, result: BenchResult) -> None:
    from fetalclip.report.bench import calibration_facts, curve_facts, difference_facts
    from fetalclip.report.curves import draw_curves
    from fetalclip.report.plots import draw_differences
    from fetalclip.report.reliability import draw_reliability

    told = result.to_dict()
    head = f"{title(result.protocol)}: {result.provenance.get('model') or 'saved answers'}"
    with files.whole(path, "--plot") as temporary:
        if result.differences is not None:
            temporary.write_bytes(draw_differences(told["differences"], head, difference_facts(told), "png"))
        elif result.curves:
            temporary.write_bytes(draw_curves(told["curves"], title(result.protocol), curve_facts(told), "png"))
        else:
            picture = draw_reliability(result.reliability, head, calibration_facts(told))
            picture.save(temporary, format="PNG")


def _write_page(path: Path, result: BenchResult) -> None:
    from datetime import datetime

    from fetalclip.report.bench import bench_page

    with files.whole(path, "--report") as temporary:
        pieces = bench_page(result.to_dict(), title(result.protocol), datetime.now().astimezone())
        temporary.write_text("".join(pieces), encoding="utf-8")
