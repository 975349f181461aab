"""From finished parts to one file, row by row: NumPy's ``.npz``, or Parquet through pyarrow."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from fetalclip.embeddings.parts import Parts
from fetalclip.errors import UsageError
from fetalclip.optional import require

SUFFIXES = (".npz", ".parquet")
FEATURE = "files of embeddings as Parquet"
_CHUNK = 1 << 20  # bytes copied at a time
_GROUP = 4096  # rows of a Parquet row group
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every member: the same embeddings make the same file, byte for byte


def check_suffix(out: Path) -> None:
    """Refuse a file that `write_embeddings` could not write, before anything is computed.

    Raises:
        UsageError: another suffix.
        MissingPackage: Parquet without pyarrow.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o {out}", "a file name that ends in .npz or .parquet", "-o embeddings.npz")
    if out.suffix.lower() == ".parquet":
        require("pyarrow.parquet", FEATURE, "parquet")


def write_embeddings(path: Path, parts: Parts, kind: str, facts: Mapping[str, str]) -> None:
    """Write what is finished as one file; neither the rows nor their names are ever in memory as a whole.

    An ``.npz`` has ``embeddings`` (n, d) float32, an array of text named ``kind``, and each fact as an array of one
    text. A ``.parquet`` has one row for each embedding, ``path`` (or ``text``) and ``embedding``, a list of d float32;
    its facts are the schema's metadata.

    Args:
        path: ends in one of `SUFFIXES`.
        parts: finished or not; what is there is written.
        kind: ``paths`` or ``texts``: what the rows belong to.
        facts: how they were made.

    Raises:
        UsageError, MissingPackage: see `check_suffix`.
        OSError: it could not be written.
    """
    check_suffix(path)
    if path.suffix.lower() == ".parquet":
        _write_parquet(path, parts, kind, facts)
    else:
        _write_npz(path, parts, kind, facts)


def _write_npz(path: Path, parts: Parts, kind: str, facts: Mapping[str, str]) -> None:
    longest = max(map(len, parts.names()), default=0)
    dtype = np.dtype(f"<U{max(1, longest)}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with _member(archive, "embeddings", "<f4", (parts.rows, parts.width)) as stream, parts.vectors() as rows:
            shutil.copyfileobj(rows, stream, _CHUNK)
        with _member(archive, kind, dtype.str, (parts.rows,)) as stream:
            for name in parts.names():
                stream.write(name.encode("utf-32-le", "surrogatepass").ljust(dtype.itemsize, b"\0"))
        for word, value in facts.items():
            one = np.array(value, dtype=np.str_)
            with _member(archive, word, one.dtype.str, ()) as stream:
                stream.write(one.tobytes())


def _member(archive: zipfile.ZipFile, name: str, descr: str, shape: tuple[int, ...]) -> IO[bytes]:
    """A member of an ``.npz``, open for the bytes behind its header."""
    stream = archive.open(zipfile.ZipInfo(f"{name}.npy", _WHEN), "w", force_zip64=True)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream


def _write_parquet(path: Path, parts: Parts, kind: str, facts: Mapping[str, str]) -> None:
    arrow, parquet = require("pyarrow", FEATURE, "parquet"), require("pyarrow.parquet", FEATURE, "parquet")
    vector = arrow.list_(arrow.float32(), parts.width)
    schema = arrow.schema([(kind.removesuffix("s"), arrow.string()), ("embedding", vector)], metadata=dict(facts))
    names = parts.names()
    with parts.vectors() as rows, parquet.ParquetWriter(path, schema) as writer:
        while some := [_utf8(name) for name in islice(names, _GROUP)]:
            values = np.frombuffer(rows.read(4 * parts.width * len(some)), "<f4")
            columns: list[Any] = [arrow.array(some, arrow.string())]
            columns.append(arrow.FixedSizeListArray.from_arrays(arrow.array(values), parts.width))
            writer.write_table(arrow.table(columns, schema=schema))


def _utf8(name: str) -> str:
    """The name as UTF-8 can carry it: bytes of a path that are no text become visible escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
