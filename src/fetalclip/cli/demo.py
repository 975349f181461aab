"""``fetalclip demo``: a simulated exam, drawn here, through the same path as a real one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.cli.pictures import Pictures
from fetalclip.errors import OutputError

if TYPE_CHECKING:
    from fetalclip.frame import Frame
    from fetalclip.result import Analysis

MODEL = "fetalclip-open"
PICTURES = 10
SEED = 20_240  # any fixed number: the demo shows everybody the same exam
TITLE = "Simulated exam"
NOTE = "These pictures are simulated: drawn by this program, no patient was scanned."
NEXT = "analyze your-scan.png"


def _program() -> str:
    """What the reader types to call this program: its name, or where it lies when it is not on the path."""
    called = Path(sys.argv[0])
    if called.name == "fetalclip" and shutil.which("fetalclip") is None:
        return str(called)
    return "fetalclip"


@dataclass(frozen=True)
class Scan:
    """One simulated picture: where it lies, what it shows in truth, and its pixels."""

    path: Path
    plane: str
    frame: Frame


def demo(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for report.html and the pictures; default: here."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per picture, then one for the whole.")
    ] = False,
) -> None:
    """Draw a simulated exam, analyse it, and write report.html.

    The pictures are drawn by this program: no patient, no download, no network.
    """
    voice = Voice()
    page = (files.check_folder(out, "--out") if out is not None else Path()) / "report.html"
    files.check_file(page, "--out")
    _spare(page)
    say = voice.talk if as_json else voice.data
    model = load(MODEL, voice)
    say(NOTE)
    with _place(out) as folder:
        scans = draw_exam(folder)
        right = _analyse(model, scans, page, voice, as_json)
    summary = f"{right} of {len(scans)} simulated planes named right."
    if as_json:
        planes = [{"name": scan.path.name, "plane": scan.plane} for scan in scans]
        whole = {"simulated": True, "n": len(scans), "right": right, "report": page, "planes": planes}
        voice.data(json_line({"schema": "fetalclip.demo/1", **whole}))
    say(summary)
    say(f"Report: {printable(page)}")
    say("Now your own file:")
    say(f"  {_program()} {NEXT}")


def _spare(page: Path) -> None:
    """Refuse to replace a report of real pictures, which ``analyze --report`` may have written here."""
    if not page.exists():
        return
    with page.open("rb") as stream:
        head = stream.read(2000)
    if f"<title>{TITLE}</title>".encode() not in head:
        raise OutputError(
            f"there is a {printable(page)} here already, and it is not a demo's",
            "a folder without one",
            "fetalclip demo --out demo",
        )


def draw_exam(folder: Path) -> list[Scan]:
    """Draw the exam and save it as PNG.

    Args:
        folder: where the pictures go; it exists.

    Returns:
        ``PICTURES`` scans; the planes take turns.
    """
    from PIL import Image

    from fetalclip import phantom

    scans = []
    for number in range(PICTURES):
        plane = phantom.PLANES[number % len(phantom.PLANES)]
        drawn = phantom.draw(plane, SEED + number, profile="demo")
        path = folder / f"simulated-{number + 1:02d}.png"  # the name does not tell the answer
        with files.whole(path, "--out") as temporary:
            Image.fromarray(drawn.frame.pixels).save(temporary, format="PNG")
        scans.append(Scan(path, plane, drawn.frame))
    return scans


def _analyse(model: Any, scans: list[Scan], page: Path, voice: Voice, as_json: bool) -> int:
    """Analyse the saved files as ``analyze`` would, say each, write the page; how many were right."""
    from fetalclip.cli import rows

    spacing = {scan.path.name: scan.frame.mm_per_pixel for scan in scans}
    found = model.analyze([scan.path for scan in scans], tasks=("planes",), spacing_table=spacing)
    written = Pictures(None, page, title=TITLE, note=NOTE)
    width = rows.name_width(scan.path.name for scan in scans)
    right = 0
    for scan, analysis in zip(scans, voice.progress(found, len(scans), "demo"), strict=True):
        named = replace(analysis, input=replace(analysis.input, path=scan.path.name))
        right += _is_right(scan, analysis)
        if as_json:
            voice.data(json_line(named))
        else:
            first, *more = rows.lines(named, width)
            for line in [f"{first.ljust(width + 49)}  drawn as {scan.plane}", *more]:
                voice.data(line)
        written.add(named, scan.frame)
    written.finish()
    return right


def _is_right(scan: Scan, analysis: Analysis) -> bool:
    plane = analysis.plane
    return plane is not None and not plane.abstained and plane.label == scan.plane


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    """The folder for the pictures: below ``out``, or one that is gone afterwards."""
    if out is not None:
        yield files.check_folder(out / "pictures", "--out")
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="fetalclip-demo-") as name:
        yield Path(name)
