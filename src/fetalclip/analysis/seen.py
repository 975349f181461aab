"""One file as it is read for ``analyze``: a still, or frames spread over a clip, by one road from here on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip.analysis.asked import Asked
from fetalclip.clinical.age import TOLERANCE, IndependentAge
from fetalclip.encoder.engine import Normalisation
from fetalclip.frame import Cine, Frame
from fetalclip.io import is_clip, read, read_cine
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.overlay.raster import Gray
from fetalclip.overlay.remains import text_left
from fetalclip.preprocess import Prepared, prepare
from fetalclip.preprocess.cine import prepare_cine
from fetalclip.result import ClipFrame, InputInfo

Spacing = tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Seen:
    """One file as it was read.

    Attributes:
        info: what the answer tells of it.
        pictures: its pictures for the tower, in order; one of a still.
        warnings: what the user should know.
        overlay: burned-in marks and sector, the same for all its pictures; None where nothing asked looks at them.
        native: a picture at its own size, by its place among ``pictures``.
        cine: the clip; None of a still.
        places: of a clip, where its pictures lie in it.
    """

    info: InputInfo
    pictures: tuple[Prepared, ...]
    warnings: tuple[str, ...]
    overlay: Overlay | None
    native: Callable[[int], Frame]
    cine: Cine | None = None
    places: tuple[ClipFrame, ...] = ()


def see(path: Path, shown: str, spacing: Spacing, asked: Asked, wanted: Normalisation) -> Seen:
    """Read a file and prepare its pictures; burned-in marks are looked for once.

    Args:
        path: the file.
        shown: how the answer names it.
        spacing: mm per native pixel (x, y), before the file's own.
        asked: the call.
        wanted: what the tower takes.

    Raises:
        FetalclipError: the file cannot be read.
    """
    return (_clip if is_clip(path) else _still)(path, shown, spacing, asked, wanted)


def _still(path: Path, shown: str, spacing: Spacing, asked: Asked, wanted: Normalisation) -> Seen:
    frame = read(path, mm_per_pixel=spacing)
    gray = frame.gray
    overlay = find_overlay(gray) if asked.looks_at_marks else None
    ready = prepare(frame, wanted.image_size, asked.overlay, wanted.colour, overlay)
    age, differs = _known(frame.info, asked)
    info = InputInfo(shown, "image", frame.width, frame.height, 1, frame.mm_per_pixel, age=age)
    text = _text(gray, overlay, asked, frame.info) if asked.shows(clip=False) else ()
    told = (*frame.info.get("warnings", ()), *ready.warnings, *text, *differs)
    return Seen(info, (ready,), told, overlay, lambda place: frame)


def _clip(path: Path, shown: str, spacing: Spacing, asked: Asked, wanted: Normalisation) -> Seen:
    cine = read_cine(path, spacing)
    ready = prepare_cine(cine, wanted.image_size, asked.overlay, wanted.colour)
    age, differs = _known(cine.info, asked)
    info = InputInfo(shown, "cine", cine.width, cine.height, ready.count, cine.mm_per_pixel, age=age)
    places = tuple(map(ClipFrame, ready.indices, ready.seconds))

    def native(place: int) -> Frame:
        return cine.at(ready.indices[place]).frame

    text = _text(ready.middle.gray, ready.overlay, asked, cine.info) if asked.shows(clip=True) else ()
    return Seen(info, ready.pictures, (*ready.warnings, *text, *differs), ready.overlay, native, cine, places)


def _known(info: Mapping[str, Any], asked: Asked) -> tuple[IndependentAge | None, tuple[str, ...]]:
    """The age that a file's header tells, and a warning where it is not the one that was given."""
    told = info.get("age")
    if told is None:
        return None, ()
    age = IndependentAge(told["days"], told["source"])
    apart = 0 if asked.age is None else abs(asked.age.days - age.days)
    if apart <= TOLERANCE:
        return age, ()
    return age, (f"the age that was given and that of the header ({age.source}) lie {apart:.0f} days apart",)


def _text(gray: Gray, overlay: Overlay | None, asked: Asked, info: Mapping[str, Any]) -> tuple[str, ...]:
    """A warning where text is left in what the tower sees; never the text. None where the marks alone are shown.

    Args:
        gray: the picture, of a clip one of them, nothing masked.
        overlay: its marks.
        asked: the call.
        info: what the reader saw; ``burned_in`` is what a DICOM header says of text in the pictures.
    """
    if asked.overlay == "only":
        return ()
    masked = asked.overlay == "mask"
    count = len(text_left(gray, overlay if masked else None))
    if not count:
        return ()
    where = "1 place" if count == 1 else f"{count} places"
    said = f"burned-in text in {where}" + (" that the overlay mask left" if masked else "")
    header: dict[object, str] = {True: " (the header says so too)", False: " (the header says that there is none)"}
    said += header.get(info.get("burned_in"), "") + ": answers may follow it and not the anatomy; "
    return (said + ("crop or blank the picture" if masked else "--overlay mask hides it"),)
