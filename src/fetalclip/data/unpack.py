"""Zip archives of strangers: nothing outside the folder, no links, no bombs, the whole or nothing."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fetalclip.disk import free_bytes
from fetalclip.errors import DataMissing, OutputError

MAX_FILES = 500_000
MAX_BYTES = 200 * 2**30
MAX_RATIO = 200  # of unpacked to packed size, beyond the first 100 MB
_FREE = 100 * 2**20
_PIECE = 2**20
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{i}" for name in ("com", "lpt") for i in range(1, 10))}


def is_archive(path: Path) -> bool:
    """Whether a file is one that `unpack` knows, by its content."""
    return zipfile.is_zipfile(path)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack into a folder; what is there is replaced file by file, once the whole archive has been unpacked beside it.

    An archive with files at its root gets a folder of its own name, as `training_set` for `training_set.zip`.

    Returns:
        The number of files.

    Raises:
        DataMissing: damaged, encrypted, or an entry that has no business in a data set; the entry is named.
        OutputError: no space, or not writable.
    """
    beside = folder.with_name(f".{folder.name}.unpacking")
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened, archive)
            _check_space(folder, sum(entry.file_size for entry, _ in entries))
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            for entry, name in entries:
                _write(opened, entry, beside / name, archive)
        is_flat = any(len(name.parts) == 1 for _, name in entries)
        _move(beside, folder / archive.stem if is_flat else folder, [name for _, name in entries])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError: zipfile's word for a password, and for a compression it does not know or was built without.
        raise _bad(archive, f"cannot be unpacked ({type(error).__name__})") from None
    except OSError as error:
        raise OutputError(f"'{folder}' cannot be written ({error.strerror})", "a folder with enough space") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return len(entries)


def _checked(opened: zipfile.ZipFile, archive: Path) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files of an archive and where each goes, all of them looked at before any is written."""
    listed = opened.infolist()
    if len(listed) > MAX_FILES:
        raise _bad(archive, f"has {len(listed)} entries, more than {MAX_FILES}")
    total = sum(entry.file_size for entry in listed)
    if total > MAX_BYTES or (total > _FREE and total > MAX_RATIO * archive.stat().st_size):
        raise _bad(archive, f"would become {total} bytes")
    kept, seen = [], set()
    for entry in listed:
        if entry.is_dir():
            continue
        name = PurePosixPath(entry.filename)
        if reason := _wrong(entry, name):
            raise _bad(archive, f"has an entry {entry.filename!r:.120} ({reason})")
        if name.as_posix().lower() in seen:
            raise _bad(archive, f"has '{name}' twice")
        seen.add(name.as_posix().lower())
        kept.append((entry, name))
    return kept


def _wrong(entry: zipfile.ZipInfo, name: PurePosixPath) -> str:
    """Why an entry is refused, or empty."""
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or a device"
    if entry.flag_bits & 1:
        return "encrypted"
    if name.is_absolute() or ".." in name.parts or not name.parts:
        return "outside the folder"
    if "\\" in entry.filename or ":" in entry.filename or not entry.filename.isprintable():
        return "a name no folder should hold"
    if any(part.partition(".")[0].lower() in _DEVICES or len(part.encode()) > 255 for part in name.parts):
        return "a name no folder should hold"
    return ""


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, archive: Path) -> None:
    """One file, and not a byte more than the archive's list says (zipfile checks its CRC at the end)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with opened.open(entry) as source, path.open("xb") as target:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise _bad(archive, f"has more in {entry.filename!r:.120} than it lists")
            target.write(piece)
    if left:
        raise _bad(archive, f"has less in {entry.filename!r:.120} than it lists")


def _move(source: Path, folder: Path, names: list[PurePosixPath]) -> None:
    for name in names:
        target = folder / name
        for parent in list(target.parents)[: len(name.parts)]:
            if parent.is_symlink():  # a link that was there before would lead out of the folder
                raise OutputError(f"'{parent}' is a link", "a plain folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        (source / name).replace(target)


def _check_space(folder: Path, size: int) -> None:
    free = free_bytes(folder)
    if size + _FREE > free:
        raise OutputError(f"'{folder}' has {free / 1e9:.1f} GB free", f"{(size + _FREE) / 1e9:.1f} GB to unpack")


def _bad(archive: Path, what: str) -> DataMissing:
    return DataMissing(f"{archive.name} {what}; nothing was unpacked", "a plain zip archive", "tell who published it")
