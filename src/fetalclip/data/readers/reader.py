"""What a reader of a public data set says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fetalclip.data.manifest import Row
from fetalclip.data.published import License


@dataclass(frozen=True)
class Reader:
    """A data set that is read in its published layout.

    Attributes:
        name: what the user types.
        read: ``(root, strict)`` to rows.
        license: licence, citation, address.
        folders: names its folder may have.
        needed: files and folders by which it is known.
        record: number of its Zenodo record, or empty.
    """

    name: str
    read: Callable[[str | Path, bool], list[Row]]
    license: License
    folders: tuple[str, ...]
    needed: tuple[str, ...]
    record: str = ""
