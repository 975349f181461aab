"""Keeps what libraries would say of a file from everybody: their warnings and log lines repeat its values.

Pillow logs each EXIF field with its value at DEBUG, pydicom warns and logs with values of the header. What matters of a
file is an error of ours.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

_LOGGERS = ("pydicom", "PIL.TiffImagePlugin", "PIL.PngImagePlugin", "PIL.ImageFile")

_lock = threading.Lock()
_caught: list[warnings.catch_warnings[None]] = []
_depth = 0
_thread = threading.local()


class _Silent(logging.Filter):
    """Lets nothing through from a thread that is reading a file."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_thread, "depth", 0)


for _name in _LOGGERS:  # a filter holds for the lines of its own logger, and not for those of the loggers below it
    logging.getLogger(_name).addFilter(_Silent())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings and the log of Pillow and pydicom while a file is read.

    The log is silent in this thread alone. The warning filters belong to the whole process, so threads that read at
    the same time share one change: the first in sets it and the last out restores it.
    """
    _thread.depth = getattr(_thread, "depth", 0) + 1
    try:
        with _no_warnings():
            yield
    finally:
        _thread.depth -= 1


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    global _depth
    if getattr(sys.flags, "context_aware_warnings", False):  # Python 3.14: the filters belong to the thread
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    with _lock:
        _depth += 1
        if _depth == 1:
            _caught.append(warnings.catch_warnings())
            _caught[0].__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _caught.pop().__exit__(None, None, None)
