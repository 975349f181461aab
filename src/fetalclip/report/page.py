"""The report: results gathered with small pictures, saved as one file, whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from fetalclip.errors import OutputError, UsageError
from fetalclip.frame import Frame
from fetalclip.report.draw import thumbnail
from fetalclip.report.heat import heat_thumbnail, score_words
from fetalclip.report.hidden import without_banner
from fetalclip.report.html import Entry, page
from fetalclip.report.text import printable
from fetalclip.result import AgeEstimate, Analysis, Attribution, Exam, InputInfo, Measurement, PlaneScores

Item = Analysis | PlaneScores | AgeEstimate | Measurement | Exam
"""What a page takes."""

_SIDE, _MANY, _SMALL_SIDE = 320, 500, 200  # pixels; after so many pictures thumbnails get smaller


class Report:
    """Results on one page.

    Args:
        items: results to show, in this order: ``Analysis``, ``PlaneScores``, ``AgeEstimate``, ``Measurement``; every
            ``Exam`` stands before the pictures.
        title: the page's title.
        note: a sentence shown as a banner (for example that the pictures are simulated), or empty.
        created: when; the moment of saving if not given.

    Raises:
        UsageError: an item is something else.
    """

    def __init__(
        self,
        *items: Item,
        title: str = "Fetal ultrasound report",
        note: str = "",
        created: datetime | None = None,
    ) -> None:
        self.title, self.note, self.created = title, note, created
        self._entries: list[Entry] = []
        self._exams: list[Exam] = []
        for item in items:
            self.add(item)

    def __len__(self) -> int:
        return len(self._entries) + len(self._exams)

    def add(self, item: Item, frame: Frame | None = None, attribution: Attribution | None = None) -> None:
        """Add one result, with its picture where there is one; only small encoded thumbnails are kept.

        Args:
            item: the result.
            frame: its picture; of DICOM it is shown without its banner.
            attribution: of the frame, shown beside it.

        Raises:
            UsageError: an item of another type.
        """
        if isinstance(item, Exam):
            self._exams.append(item)
            return
        item = _as_analysis(item, frame)
        frame = None if frame is None else without_banner(frame)  # once, for both
        side = _SIDE if len(self._entries) < _MANY else _SMALL_SIDE
        small = None if frame is None else thumbnail(frame, side, item.measured)
        entry = Entry(_undrawn(item), small)
        if frame is not None and attribution is not None:
            heat = heat_thumbnail(frame, attribution, side)
            entry = replace(entry, heat=heat, heat_words=f"{attribution.text}, {score_words(attribution)}")
        self._entries.append(entry)

    def html(self) -> str:
        """The whole page."""
        return "".join(self._pieces())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; what was there before is replaced only when all is written.

        Returns:
            The path.

        Raises:
            OutputError: it is a folder or a device, its folder is missing, or it cannot be written.
        """
        target = Path(path)
        try:
            _write_whole(target, self._pieces())
        except (OSError, ValueError, RuntimeError) as error:  # full disk, zero byte in a name, loop of links
            why = getattr(error, "strerror", None) or str(error)
            raise OutputError(
                f"the report {printable(target)} cannot be written ({printable(why)})",
                "a file in a folder that can be written to",
                "another path, such as report.html",
            ) from error
        return target

    def _pieces(self) -> Iterable[str]:
        return page(self.title, self.note, self.created or datetime.now().astimezone(), self._entries, self._exams)


def _as_analysis(item: Item, frame: Frame | None) -> Analysis:
    """One result as the analysis of its picture.

    Raises:
        UsageError: an item of another type.
    """
    if isinstance(item, PlaneScores):
        return Analysis(_read_as(frame), plane=item)
    if isinstance(item, Measurement):
        return Analysis(_read_as(frame), biometry=(item,))
    if isinstance(item, AgeEstimate):
        if item.method == "biometry":
            return Analysis(_read_as(frame), warnings=item.warnings, biometry_age=item)
        return Analysis(_read_as(frame), warnings=item.warnings, age=item)
    if not isinstance(item, Analysis):
        raise UsageError(
            f"a report item of type {type(item).__name__}",
            "Analysis, PlaneScores, AgeEstimate, Measurement or Exam",
            "Report(*model.analyze(paths))",
        )
    return item


def _undrawn(item: Analysis) -> Analysis:
    """The analysis without outlines, which the small picture holds already: a page may have thousands."""
    if not item.biometry:
        return item
    return replace(item, biometry=tuple(replace(one, drawing=()) for one in item.biometry))


def _read_as(frame: Frame | None) -> InputInfo:
    if frame is None:
        return InputInfo("")
    return InputInfo(frame.source, "image", frame.width, frame.height, 1, frame.mm_per_pixel)


def _write_whole(path: Path, pieces: Iterable[str]) -> None:
    target = path.resolve()  # through a link: the file it points to is replaced, the link stays
    if target.is_symlink():
        raise OSError(errno.ELOOP, "links that lead in a circle")
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "not a plain file"
        raise OutputError(f"{printable(path)} is {what}", "a file", "a file name such as report.html")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected")
    beside = target.with_name(f".unfinished-{secrets.token_hex(6)}.html")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as stream:
            stream.writelines(pieces)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
