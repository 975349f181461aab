"""Every error this package raises on purpose.

::

    FetalclipError                 exit code
    ├── UsageError                 2   the call is wrong: option, name, recipe key
    │   ├── BadRecipe              2   a recipe has an unknown key or a value of the wrong kind
    │   ├── BadValue               2   a size, age, date or chart name that cannot be meant
    │   └── CircularAge            2   a centile was asked with an age read off the same fetus
    ├── InputError                 1   one input could not be used; the others go on
    │   ├── UnreadableInput        1   missing, empty, truncated, not an image
    │   ├── InputTooLarge          1   more pixels than the guard allows
    │   ├── NoCalibration          1   a measurement needs mm per pixel and there is none
    │   └── NotVerified            1   a de-identified file could not be proved clean, and is not there
    ├── OutputError                2   a result could not be written where asked
    ├── NotAvailable               3   something that must be there is not
    │   ├── ModelNotFound          3   no card and no folder of that name
    │   ├── BadCheckpoint          3   a model folder or weight file is damaged or of another shape
    │   ├── DataMissing            3   a data set folder is absent or incomplete
    │   └── MissingPackage         3   an optional package is not installed

A message has three parts: what was found, what was expected, what to type next. It never holds pixel
values, patient names or other identifiers.
"""

from __future__ import annotations


class FetalclipError(Exception):
    """Base of all errors raised on purpose.

    Args:
        found: what was found.
        expected: what was expected instead, or empty.
        fix: what to type or do next, or empty.
    """

    exit_code = 1

    def __init__(self, found: str, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        parts = [found.rstrip(".") + "."]
        if expected:
            parts.append(f"Expected {expected.rstrip('.')}.")
        if fix:
            parts.append(f"Try: {fix}")
        super().__init__(" ".join(parts))


class UsageError(FetalclipError):
    """The call itself is wrong."""

    exit_code = 2


class BadRecipe(UsageError):
    """A recipe has an unknown key or a value of the wrong kind."""


class BadValue(UsageError):
    """A size, an age, a date or the name of a chart that cannot be meant."""


class CircularAge(UsageError):
    """A centile was asked with an age that was read off the same fetus."""


class InputError(FetalclipError):
    """One input could not be used."""

    exit_code = 1


class UnreadableInput(InputError):
    """A file is missing, empty, truncated or not an image."""


class InputTooLarge(InputError):
    """A picture has more pixels than the guard allows."""


class NoCalibration(InputError):
    """A measurement needs millimetres per pixel and none is known."""


class NotVerified(InputError):
    """A de-identified file could not be proved clean; nothing of it is left."""


class OutputError(FetalclipError):
    """A result could not be written."""

    exit_code = 2


class NotAvailable(FetalclipError):
    """A model, data set or package is not there."""

    exit_code = 3


class ModelNotFound(NotAvailable):
    """No card and no folder of that name."""


class BadCheckpoint(NotAvailable):
    """A model folder or weight file is damaged or of another shape."""


class DataMissing(NotAvailable):
    """A data set folder is absent or incomplete."""


class MissingPackage(NotAvailable):
    """An optional package is not installed."""
