"""A contact sheet: rows and columns of small pictures under a title, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from fetalclip.frame import Pixels
from fetalclip.report.pens import PngPen
from fetalclip.report.text import sentence

_PAPER, _INK, _FAINT = (18, 26, 33), (255, 255, 255), (176, 190, 201)
_GAP, _LEFT = 6, 34  # pixels between pictures; for the rows' numbers
_TITLE, _HEAD, _FOOT = 44, 26, 30  # pixels of the title, of the columns' names, of the foot
_WIDE_LETTER = 0.62  # of a letter's size: width of a wide one


def contact_sheet(title: str, columns: Sequence[str], rows: Sequence[Sequence[Pixels]], note: str = "") -> bytes:
    """The pictures as a PNG.

    Args:
        title: above them.
        columns: a name for each column.
        rows: at least one; in each a grey uint8 (S, S) for each column, of one S.
        note: below them.

    Returns:
        The file. Rows are numbered from 1 and not named: names can hold identifiers.
    """
    side = rows[0][0].shape[0]
    step = side + _GAP
    width, top = _LEFT + len(columns) * step + _GAP, _TITLE + _HEAD
    page = PngPen(width, top + len(rows) * step + _FOOT, _PAPER)
    page.text((_LEFT, _TITLE / 2 + 2), _cut(sentence(title), width - _LEFT, 20), 20, _INK)
    for across, name in enumerate(columns):
        middle = _LEFT + across * step + side / 2
        page.text((middle, _TITLE + _HEAD / 2 - 2), _cut(sentence(name), side, 15), 15, _FAINT, "middle")
    for down, pictures in enumerate(rows):
        page.text((_LEFT / 2, top + down * step + side / 2), str(down + 1), 15, _FAINT, "middle")
        for across, picture in enumerate(pictures):
            page.picture((_LEFT + across * step, top + down * step), picture)
    page.text((_LEFT, top + len(rows) * step + _FOOT / 2 - 3), _cut(sentence(note), width - _LEFT, 13), 13, _FAINT)
    return page.done()


def _cut(words: str, room: float, size: int) -> str:
    """The words, cut with three dots where they may be wider than ``room`` pixels."""
    most = max(3, int(room / (_WIDE_LETTER * size)))
    return words if len(words) <= most else words[: most - 3].rstrip() + "..."
