"""Files of embeddings, read as if their writer were hostile: no pickle, no size that was not checked first."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UnreadableInput, UsageError
from fetalclip.optional import require

Array = npt.NDArray[np.float32]

KINDS = ("paths", "texts")
_FACTS = ("model", "model_sha256", "version", "engine", "overlay")
_MAX_BYTES = 8 * 2**30  # of one array, unpacked
_MAX_FACT = 4096  # bytes
_FIX = "fetalclip embed FOLDER -o embeddings.npz"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A file's content.

    Attributes:
        vectors: (n, d) float32, finite, none of them all zero.
        names: what each row belongs to, n.
        kind: ``paths`` or ``texts``.
        facts: how they were made, as far as the file says: model, model_sha256, version, engine, overlay.
    """

    vectors: Array
    names: tuple[str, ...]
    kind: str = "paths"
    facts: Mapping[str, str] = field(default_factory=dict)


def read_embeddings(path: Path) -> Embeddings:
    """Read what ``fetalclip embed`` wrote, or an array and a list of names that someone else laid out like it.

    Raises:
        UsageError: another suffix.
        MissingPackage: Parquet without pyarrow.
        UnreadableInput: no such file, a damaged one, an array of objects, a shape other than (n, d) and n names, a
            number that is not finite, a row of zeros.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".parquet"):
        raise UsageError(f"the file {path}", "embeddings in a file that ends in .npz or .parquet", _FIX)
    try:
        if not path.is_file():
            raise UnreadableInput(f"there is no file {path}", "a file of embeddings", _FIX)
    except ValueError:
        raise UsageError("a file name with a zero byte", "a file name") from None
    try:
        found = _read_npz(path) if suffix == ".npz" else _read_parquet(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnreadableInput(f"{path} could not be read ({why})", "a file of embeddings", _FIX) from None
    return _checked(path, found)


def _checked(path: Path, found: Embeddings) -> Embeddings:
    n = len(found.vectors)
    if len(found.names) != n:
        raise UnreadableInput(
            f"{path.name} has {n} embeddings and {len(found.names)} {found.kind}", "one for each", _FIX
        )
    finite = np.isfinite(found.vectors).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        what = (
            f"{path.name} has NaN or infinite numbers in {n - int(finite.sum())} of {n} rows, the first is row {first}"
        )
        raise UnreadableInput(what, "finite numbers", "embed those pictures again, with --precision fp32")
    zero = ~found.vectors.any(axis=1)
    if zero.any():
        what = f"{path.name} has {int(zero.sum())} rows of zeros, the first is row {int(np.argmax(zero))}"
        raise UnreadableInput(what, "embeddings, which have a direction", _FIX)
    return found


def _read_npz(path: Path) -> Embeddings:
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
            kind = next((word for word in KINDS if word in there), None)
            if "embeddings" not in there or kind is None:
                names = ", ".join(sorted(there)[:8]) or "nothing"
                raise UnreadableInput(f"{path.name} holds {names:.200}", "embeddings, and paths or texts", _FIX)
            vectors = _array(archive, "embeddings", path, "f", 2, _MAX_BYTES)
            words = _array(archive, kind, path, "U", 1, _MAX_BYTES)
            facts = {w: str(_array(archive, w, path, "U", 0, _MAX_FACT)) for w in _FACTS if w in there}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
        why = type(error).__name__
        raise UnreadableInput(f"{path.name} is not an .npz file, or damaged ({why})", "embeddings", _FIX) from None
    return Embeddings(vectors.astype(np.float32), tuple(words.tolist()), kind, facts)


def _array(archive: zipfile.ZipFile, name: str, path: Path, kind: str, axes: int, limit: int) -> npt.NDArray[Any]:
    """One member, once its header has been believed."""
    member = archive.getinfo(f"{name}.npy")
    words = {"f": "numbers", "U": "texts"}[kind]
    try:
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(stream)
        if dtype.hasobject:
            raise UnreadableInput(f"{name} in {path.name} is an array of objects, which is a pickle", words, _FIX)
        if dtype.kind != kind or len(shape) != axes or (axes == 2 and shape[1] < 1):
            wanted = f"{words} of shape " + {0: "()", 1: "(n,)", 2: "(n, d)"}[axes]
            raise UnreadableInput(f"{name} in {path.name} is {dtype} of shape {shape}", wanted, _FIX)
        size = prod(shape) * dtype.itemsize
        if size > limit or size > member.file_size:
            raise UnreadableInput(f"{name} in {path.name} would take {size} bytes", f"at most {limit}, and all there")
        with archive.open(member) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, SyntaxError, TypeError) as error:  # numpy's for a header that is none
        why = type(error).__name__
        raise UnreadableInput(f"{name} in {path.name} is damaged ({why})", f"an array of {words}", _FIX) from None


def _read_parquet(path: Path) -> Embeddings:
    arrow = require("pyarrow", "reading embeddings from Parquet", "parquet")
    parquet = require("pyarrow.parquet", "reading embeddings from Parquet", "parquet")
    try:
        file = parquet.ParquetFile(path)
        there = file.schema_arrow
        kind = next((word for word in KINDS if word.removesuffix("s") in there.names), None)
        if kind is None or "embedding" not in there.names:
            columns = ", ".join(there.names[:8])
            raise UnreadableInput(f"{path.name} has the columns {columns:.200}", "path (or text) and embedding", _FIX)
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        if size > _MAX_BYTES:
            raise UnreadableInput(f"{path.name} would take {size} bytes", f"at most {_MAX_BYTES}")
        table = file.read(columns=[kind.removesuffix("s"), "embedding"])
        names = tuple(str(name) for name in table[kind.removesuffix("s")].to_pylist())
        vectors = _matrix(arrow, table["embedding"].combine_chunks(), len(names), path)
        facts = {k.decode(): v.decode()[:_MAX_FACT] for k, v in (there.metadata or {}).items() if k.decode() in _FACTS}
    except UnreadableInput:
        raise
    except Exception as error:  # pyarrow's own kinds, OSError and ValueError, for every damaged file another
        why = type(error).__name__
        raise UnreadableInput(f"{path.name} cannot be read ({why})", "a Parquet file of embeddings", _FIX) from None
    return Embeddings(vectors, names, kind, facts)


def _matrix(arrow: Any, column: Any, n: int, path: Path) -> Array:
    """A column of lists of one length as (n, d)."""
    if isinstance(column, arrow.ChunkedArray):
        column = arrow.concat_arrays(column.chunks) if column.num_chunks else arrow.array([], column.type)
    flat = column.flatten()
    if column.null_count or flat.null_count or not arrow.types.is_floating(flat.type) or (n and len(flat) % n):
        raise UnreadableInput(f"embedding in {path.name} is {column.type}", "lists of numbers, all of one length", _FIX)
    lengths = set(column.value_lengths().to_pylist()) if hasattr(column, "value_lengths") else set()
    if len(lengths) > 1 or (n and not len(flat)):
        raise UnreadableInput(f"embedding in {path.name} has lists of several lengths", "one length", _FIX)
    values: Array = flat.to_numpy(zero_copy_only=False).astype(np.float32)
    return values.reshape(n, -1) if n else np.zeros((0, 1), np.float32)
