"""One number, a numpy array or a pandas Series in; the same kind out. numpy is loaded only where an array comes.

Arrays are worked off in blocks that stay in the processor's cache: twice as fast as whole columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fetalclip.clinical.growth.arithmetic import ONE, many
from fetalclip.errors import BadValue

BLOCK = 16_384  # elements
Answer = Callable[[Any, Any, Any], Any]  # (value, days, arithmetic) -> value


def is_single(value: Any) -> bool:
    """Whether it is one number; numpy's own scalars count."""
    return isinstance(value, (int, float)) or (getattr(value, "shape", None) == () and not hasattr(value, "index"))


def at_ages(answer: Answer, value: Any, days: Any, span: tuple[float, float], missing: str = "refuse") -> Any:
    """``answer`` where the age is inside ``span``, else None (NaN in arrays).

    Args:
        answer: called with value, days and the arithmetic; only with ages inside the span.
        value: sizes or centiles, above zero.
        days: ages; broadcast against ``value``.
        span: first and last day, both included.
        missing: ``"refuse"`` or ``"keep"`` NaN in arrays.

    Raises:
        BadValue: a value or age that is not a number or not above zero; in arrays the first such row is named.
    """
    if missing not in ("refuse", "keep"):
        raise BadValue(f"missing={missing!r}", "'refuse' or 'keep'")
    if is_single(value) and is_single(days):
        return _single(answer, float(value), float(days), span)
    import numpy as np

    like = _index_of(value, days)
    values, ages = np.broadcast_arrays(_floats(value), _floats(days))
    _check(values, missing, "size")
    _check(ages, missing, "age")
    on = many()
    out = np.full(values.shape, np.nan)
    flat_values, flat_ages, flat_out = values.reshape(-1), ages.reshape(-1), out.reshape(-1)
    for start in range(0, flat_out.size, BLOCK):
        part = slice(start, start + BLOCK)
        block = flat_ages[part]
        inside = (block >= span[0]) & (block <= span[1])
        if inside.all():
            flat_out[part] = answer(flat_values[part], block, on)
        elif inside.any():
            filled = answer(flat_values[part], np.where(inside, block, span[0]), on)
            flat_out[part] = np.where(inside, filled, np.nan)
    return _wrap(out, like)


def each(single: Callable[[float], float | None], block: Callable[[Any], Any], value: Any) -> Any:
    """A function of one variable: ``single`` on a number, ``block`` on the elements of an array."""
    if is_single(value):
        number = float(value)
        if not (math.isfinite(number) and number > 0):
            raise BadValue(f"a size of {number:g}", "a number above zero")
        return single(number)
    values = _floats(value)
    _check(values, "keep", "size")
    return _wrap(block(values), _index_of(value))


def _single(answer: Answer, value: float, days: float, span: tuple[float, float]) -> float | None:
    for number, what in ((value, "a size"), (days, "an age")):
        if not (math.isfinite(number) and number > 0):
            raise BadValue(f"{what} of {number:g}", "a number above zero")
    if not span[0] <= days <= span[1]:
        return None
    found = answer(value, days, ONE)
    return found if math.isfinite(found) else None


def _floats(value: Any) -> Any:
    """As an array of float64; pandas' own missing value is NaN."""
    import numpy as np

    try:
        if hasattr(value, "to_numpy"):
            return value.to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadValue(f"a column that does not hold numbers ({error})", "numbers, mm or days") from error


def _check(values: Any, missing: str, what: str) -> None:
    import numpy as np

    good = np.isfinite(values) & (values > 0)
    if missing == "keep":
        good |= np.isnan(values)
    if not good.all():
        row = int(np.argmin(good))
        fix = "leave the row out, or missing='keep'" if np.isnan(values.reshape(-1)[row]) else "correct the row"
        raise BadValue(f"row {row} has the {what} {values.reshape(-1)[row]:g}", "a number above zero", fix)


def _index_of(*given: Any) -> Any:
    """The first pandas Series among the arguments, or None.

    Raises:
        BadValue: two Series with different indices: pandas would pair rows that do not belong together.
    """
    if any(hasattr(one, "columns") for one in given):
        raise BadValue("a whole table of columns", "one column", "table['HC']")
    found = [one for one in given if hasattr(one, "to_numpy") and hasattr(one, "index")]
    if any(not found[0].index.equals(other.index) for other in found[1:]):
        raise BadValue("sizes and ages with different row labels", "one index", "ages.reindex(sizes.index)")
    return found[0] if found else None


def _wrap(out: Any, like: Any) -> Any:
    return out if like is None else type(like)(out, index=like.index, name=like.name)


def columns(block: Callable[..., Any], values: list[Any]) -> Any:
    """A function of several columns, worked off in blocks; NaN in, NaN out.

    Raises:
        BadValue: a value that is infinite or not above zero; its row is named.
    """
    import numpy as np

    like = _index_of(*values)
    arrays = np.broadcast_arrays(*(_floats(value) for value in values))
    for array in arrays:
        _check(array, "keep", "size")
    out = np.empty(arrays[0].shape)
    flat, sources = out.reshape(-1), [array.reshape(-1) for array in arrays]
    for start in range(0, flat.size, BLOCK):
        part = slice(start, start + BLOCK)
        flat[part] = block(*(source[part] for source in sources))
    return _wrap(out, like)
