"""From the paths a user types to the files to read: folders are walked, nothing is left out silently."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fetalclip.errors import UsageError
from fetalclip.io.dicom.directory import NAME, is_directory, referenced
from fetalclip.io.source import shown

PathLike = str | os.PathLike[str]


def walk(paths: PathLike | Iterable[PathLike]) -> Iterator[Path]:
    """Every file of the given paths, once each, in an order that does not depend on the machine.

    A folder gives all its files, of whatever kind and hidden ones too, in the order of their paths; linked
    folders inside it come after its own tree. Links to files are followed and keep their own name. A folder
    is walked once however many links lead to it, so loops end. What cannot be walked (a missing path, a
    broken link, a folder without permission) is given as it is, so that reading it gives its error.

    A DICOMDIR gives the pictures it names that lie below its own folder; in a folder that is walked it gives nothing,
    as they come anyway. It is given itself when it names none, or leads elsewhere, so that reading it says so.

    Args:
        paths: one path or several.

    Raises:
        UsageError: an empty path at once; no file at all at the end.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if any(os.fspath(path) == "" for path in given):
        raise UsageError("an empty path", "a picture, or a folder with pictures", ". for the current folder")
    walker = _Walker()
    found = False
    for path in given:
        for file in walker.files(Path(path)):
            found = True
            yield file
    if not found:
        names = ", ".join(shown(os.fspath(path)) for path in given[:3]) + (", …" if len(given) > 3 else "")
        raise UsageError(
            f"no file in {names}" if given else "no path given",
            "a picture, or a folder with pictures",
            "fetalclip analyze FOLDER, with a folder that has files",
        )


class _Walker:
    """What has been given so far: only folders and files named one by one, so that memory stays small."""

    def __init__(self) -> None:
        self.folders: set[str] = set()  # real paths that were listed
        self.singles: set[str] = set()  # files given by name: real folder and name

    def files(self, start: Path) -> Iterator[Path]:
        """Files of one path that were not given before."""
        if not _is_folder(start):
            if start.name.upper() == NAME and (index := referenced(start)) is not None:
                yield from self._indexed(start, *index)
                return
            # a link is an entry of its own: only the folder part is resolved
            folder, entry = os.path.realpath(start.parent), self._entry(start)
            if folder not in self.folders and entry not in self.singles:
                self.singles.add(entry)
                yield start
            return
        linked = [start]
        while linked:
            yield from self._tree(linked.pop(0), linked)

    def _indexed(self, index: Path, named: list[Path], whole: bool) -> Iterator[Path]:
        """The pictures that a DICOMDIR names and that were not given before."""
        for file in [*named, *([] if named and whole else [index])]:
            entry = self._entry(file)
            if entry not in self.singles and os.path.dirname(entry) not in self.folders:
                self.singles.add(entry)
                yield file

    def _tree(self, folder: Path, linked: list[Path]) -> Iterator[Path]:
        """Files below ``folder``; linked folders are put off by adding them to ``linked``."""
        stack = [folder]
        while stack:
            path = stack.pop()
            if not _is_folder(path):
                known = bool(self.singles) and self._entry(path) in self.singles
                if not known and not (path.name.upper() == NAME and is_directory(path)):
                    yield path
                continue
            if path is not folder and path.is_symlink():
                linked.append(path)
                continue
            real = os.path.realpath(path)
            if real in self.folders:
                continue
            try:
                entries = sorted(path.iterdir(), key=lambda entry: entry.name, reverse=True)
            except OSError:  # not permitted: reading it says so
                yield path
                continue
            self.folders.add(real)
            stack.extend(entries)

    @staticmethod
    def _entry(file: Path) -> str:
        return os.path.join(os.path.realpath(file.parent), file.name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a loop of links, a name no system allows
        return False
