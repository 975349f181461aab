"""``fetalclip analyze``: pictures in, one honest line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fetalclip.cli import files
from fetalclip.cli.ages import known_age, warned_of_day
from fetalclip.cli.exams import Exams, find_exams, tell_refused, walk_exams
from fetalclip.cli.heat import Heat, check_heat
from fetalclip.cli.keys import any_key, check_apart
from fetalclip.cli.options import ExamKey, Heads, HeatMaps, KnownAge, LastPeriod, Model, PixelSpacing, SpacingTable
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.errors import FetalclipError, UsageError

if TYPE_CHECKING:
    from fetalclip.frame import Frame
    from fetalclip.result import Analysis

TASKS = ("planes", "age", "biometry", "heart", "probes")


@dataclass
class Request:
    """A checked call: everything that can be wrong about it has been found before any picture is read."""

    files: list[Path]
    tasks: tuple[str, ...] | None
    spacing: tuple[float, float] | None
    spacing_table: Mapping[str, tuple[float, float]] | None
    drawings: Path | None
    report: Path | None
    exams: Exams
    heat: Heat | None = None
    counted: bool = False  # whether the age was counted to today


Tasks = Annotated[
    str | None,
    typer.Option(
        "--tasks", metavar="LIST", help="By commas: planes, age, biometry, heart, probes. Default: all it can."
    ),
]


def analyze(  # noqa: PLR0913  (one parameter per option)
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Pictures, clips, or folders of them.")],
    model: Model = "fetalclip-open",
    tasks: Tasks = None,
    pixel_spacing: PixelSpacing = None,
    spacing_csv: SpacingTable = None,
    ga: KnownAge = None,
    lmp: LastPeriod = None,
    head: Heads = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", metavar="F", help="Candidate planes: JSON {class: [prompt, ...]}."),
    ] = None,
    drawings: Annotated[
        Path | None,
        typer.Option("--drawings", metavar="DIR", help="Save each picture with its answer drawn on it."),
    ] = None,
    exam: Annotated[
        bool, typer.Option("--exam", help="Each folder, or DICOM study in it, is an exam: measures, views, triage.")
    ] = False,
    key_file: ExamKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file on stdout.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="F.html", help="Write a self-contained page.")
    ] = None,
    explain: HeatMaps = None,
    overlay: Annotated[
        Literal["mask", "keep"],
        typer.Option("--overlay", help="Burned-in text and rulers: hidden from the model, or kept."),
    ] = "mask",
) -> int:
    """Name the standard plane of each picture, date and measure each head, or abstain.

    A clip is named as a whole; age, measures and quality are of its best frame. A heart head judges clips only.
    An age and millimetres need the millimetres per pixel: the file's own, --pixel-spacing or --spacing-csv.
    A centile needs an age known without the pictures: --ga, --lmp, or the dates in a DICOM header.
    A folder is walked; every file in it gets its line. A file that cannot be read is told and does not stop
    the others (exit code 1).
    """
    voice = Voice()
    request = _check(paths, tasks, (pixel_spacing, spacing_csv), (drawings, report), (exam, key_file), voice)
    chosen, age, request.counted = _prompts(prompts), known_age(ga, lmp), lmp is not None
    check_heat(explain, report, prompts)
    request.exams.age = age
    network = load(model, voice)
    request.heat = None if explain is None else Heat(network, explain, overlay)
    found = network.analyze(
        request.files,
        tasks=request.tasks,
        spacing=request.spacing,
        spacing_table=request.spacing_table,
        prompts=chosen,
        overlay=overlay,
        heads=head or None,
        ga=request.exams.age_of_files,
        quality=exam,
    )
    return _tell(found, request, voice, as_json)


def load(model: str, voice: Voice, precision: str | None = None) -> Any:
    """The model by name or folder; what is missing is told before torch is loaded, which takes seconds.

    Raises:
        NotAvailable: there is no such model, or it is not on this machine.
    """
    from fetalclip.cards import get_card
    from fetalclip.settings import device_choice, precision_choice

    card = get_card(model).require()
    device_choice(), precision_choice(precision)  # a wrong word is told here, before seconds are spent
    if card.folder is None and card.note:
        voice.talk(f"Note: {card.name}: {card.note}.")
    import warnings

    from fetalclip import api

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said above, in the card's own words
        network = api.load(model, precision=precision)
    if expected := network.expected():
        voice.talk(expected)
    return network


def _check(
    paths: list[Path],
    tasks: str | None,
    spacing: tuple[str | None, Path | None],
    written: tuple[Path | None, Path | None],
    exam: tuple[bool, Path | None],
    voice: Voice,
) -> Request:
    """Everything cheap that can be wrong, cheapest first; the model comes after."""
    words = None if tasks is None else _tasks(tasks)
    (given, table_file), (drawings, report), (whole, key_file) = spacing, written, exam
    if key_file is not None and not whole:
        raise UsageError("--key-file without --exam", "both: the key is for keys of exams", "--exam")
    if given is not None and table_file is not None:
        raise UsageError("both --pixel-spacing and --spacing-csv", "one of them")
    millimetres = None if given is None else parse_spacing(given)
    if report is not None:
        if report.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--report {report}", "a file name that ends in .html", "--report report.html")
        files.check_file(report, "--report")
    if drawings is not None:
        files.check_folder(drawings, "--drawings")
    from fetalclip import io

    table = None if table_file is None else io.read_spacing_table(table_file)
    check_apart(key_file, paths)
    exams = Exams(find_exams(walk_exams(paths), any_key(voice, key_file)) if whole else ())
    inputs = exams.files if whole else list(io.walk(paths))
    if drawings is not None:
        _apart(drawings, inputs)
    return Request(inputs, words, millimetres, table, drawings, report, exams)


def _tasks(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    available = ", ".join(TASKS)
    for word in words:
        if word not in TASKS:
            near = get_close_matches(word, TASKS, n=1)
            raise UsageError(
                f"--tasks {word}: no such task", available, f"--tasks {near[0]}" if near else "--tasks planes"
            )
    if not words:
        raise UsageError("--tasks names no task", available, "--tasks planes")
    return words


def parse_spacing(text: str) -> tuple[float, float]:
    """``0.07`` or ``0.07,0.08`` as (x, y) millimetres per pixel.

    Raises:
        UsageError: not one or two numbers above 0 and at most 10.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 < number <= 10 for number in numbers):
        raise UsageError(
            f"--pixel-spacing {text}",
            "millimetres per pixel, one number or X,Y, above 0 and at most 10",
            "--pixel-spacing 0.07",
        )
    return numbers[0], numbers[-1]


def _prompts(name: str | None) -> Any:
    if name is None:
        return None
    from fetalclip.clinical.prompts import load_prompts

    load_prompts(name)  # a broken file is told before the model is loaded
    return name


def _apart(drawings: Path, inputs: list[Path]) -> None:
    """Drawings never share a folder with inputs: the next run would read them as pictures, or replace one."""
    folder = drawings.resolve()
    if any(path.parent.resolve() == folder for path in inputs):
        raise UsageError(
            f"--drawings {drawings} holds input files",
            "another folder",
            f"--drawings {drawings / 'drawings'}",
        )


def _tell(found: Iterable[Analysis], request: Request, voice: Voice, as_json: bool) -> int:
    """Say every analysis as it comes; write drawings and the report; return the exit code."""
    from fetalclip.cli import rows
    from fetalclip.cli.pictures import Pictures

    width = rows.name_width(request.files)
    output = Pictures(request.drawings, request.report)
    failed = abstained = 0
    count = len(request.files)
    if request.counted:
        found = map(warned_of_day, found)
    for analysis in map(request.exams.warned, voice.progress(found, count, "analyze")):
        for line in [json_line(analysis)] if as_json else rows.lines(analysis, width):
            voice.data(line)
        if analysis.error is not None:
            failed += 1
            voice.talk(failure(analysis.input.path, analysis.error))
        elif analysis.plane is not None and analysis.plane.abstained:
            abstained += 1
        frame = _frame(analysis, request) if output.wanted else None
        output.add(analysis, frame, request.heat(analysis, frame) if request.heat else None)
        if (exam := request.exams.add(analysis)) is not None:
            for line in [json_line(exam)] if as_json else rows.exam_lines(exam):
                voice.data(line)
            tell_refused(exam, voice)
            output.add_exam(exam)
    for line in [] if as_json else rows.triage_lines(request.exams.done):
        voice.data(line)
    for path in output.finish():
        voice.talk(f"Written: {printable(path)}")
    if count > 1 or failed:
        named = count - failed - abstained
        voice.talk(f"{count} files: {named} named, {abstained} abstained, {failed} not read.")
    return 1 if failed or request.exams.refused else 0


def _frame(analysis: Analysis, request: Request) -> Frame | None:
    """The picture, or a clip's best frame, else its first, once more, for drawing; None when it has gone since."""
    if analysis.error is not None:
        return None
    from fetalclip import io

    try:
        if analysis.input.kind == "cine":
            best = analysis.input.best_frame
            return io.read_cine(analysis.input.path, analysis.input.mm_per_pixel).at(best.index if best else 0).frame
        return io.read(analysis.input.path, mm_per_pixel=analysis.input.mm_per_pixel)
    except FetalclipError:
        return None
