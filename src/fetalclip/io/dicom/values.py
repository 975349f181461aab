"""Values of a data set, read without trust: what is damaged, or of another kind than asked for, is not told.

pydicom decodes a value when it is asked for, raises what it likes then, and warns and logs with the value in the
text. Nothing here raises, and nothing is said.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fetalclip.io.quiet import quiet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def get(dataset: Dataset, keyword: str) -> Any:
    """The value of a field, or None."""
    try:
        with quiet():
            return dataset.get(keyword)
    except Exception:  # as above
        return None


def number(dataset: Dataset, keyword: str) -> float:
    """One number, or NaN."""
    value = get(dataset, keyword)
    try:
        return float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:  # a whole number with too many digits
        return math.nan


def whole(dataset: Dataset, keyword: str) -> int | None:
    """One whole number, or None."""
    value = number(dataset, keyword)
    return int(value) if math.isfinite(value) and value == int(value) else None


def code(dataset: Dataset, keyword: str) -> int:
    """One whole number, or -1."""
    value = whole(dataset, keyword)
    return -1 if value is None else value


def wholes(dataset: Dataset, keyword: str) -> tuple[int, ...]:
    """Several whole numbers; none where one of them is not."""
    value = get(dataset, keyword)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return ()
    found = tuple(value)
    return tuple(map(int, found)) if all(isinstance(one, int) for one in found) else ()


def text(dataset: Dataset, keyword: str) -> str:
    """A text of one value, without blanks around it; empty where there is none."""
    value = get(dataset, keyword)
    return str(value).strip(" \0") if isinstance(value, str) else ""


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The numbers of a field of decimal strings, as they stand in the file; empty where one is none."""
    try:
        with quiet():
            raw = dataset.get_item(keyword)
            body = raw.value if raw is not None else b""
            parts = (
                body.split(b"\\") if isinstance(body, bytes) else body if isinstance(body, (list, tuple)) else [body]
            )
            if hasattr(body, "_list"):  # decoded before
                parts = list(body)
            found = [float(part) for part in parts]
    except Exception:  # as above
        return []
    return found if all(map(math.isfinite, found)) else []


def blob(dataset: Dataset, keyword: str) -> bytes:
    """The bytes of a field, empty where there are none."""
    value = get(dataset, keyword)
    return bytes(value) if isinstance(value, (bytes, bytearray)) else b""
