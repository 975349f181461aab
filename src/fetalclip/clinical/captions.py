"""What a caption says and what is known of a picture, and whether the one is true of the other."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Facts:
    """What is known of a picture, or what a caption says of it. None: unknown, or not said.

    Attributes:
        plane: a key of ``PLANES`` or of ``REJECTS``.
        subplane: a key of ``SUBPLANES``.
        age_days: gestational age.
        spacing: mm per pixel of the picture the tower sees (after padding and resizing), two decimals.
    """

    plane: str
    subplane: str | None = None
    age_days: int | None = None
    spacing: float | None = None


def truth(said: Facts, known: Facts) -> bool | None:
    """Whether a caption is true of a picture: True, False, or None when the picture's row does not tell.

    A caption for another plane is false whatever else is unknown.
    """
    unknown = False
    for item in fields(Facts):
        claim, fact = getattr(said, item.name), getattr(known, item.name)
        if claim is None:
            continue
        if fact is None:
            unknown = True
        elif claim != fact:
            return False
    return None if unknown else True
