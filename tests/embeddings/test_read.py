"""A file of embeddings is read as if its writer were hostile."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fetalclip.embeddings import read_embeddings
from fetalclip.errors import UnreadableInput, UsageError

NAMES = np.array(["a.png", "b.png", "c.png"])
ROWS = np.eye(3, 4, dtype=np.float32)


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **{"embeddings": ROWS, "paths": NAMES, **arrays})
    return path


def nan() -> np.ndarray:
    rows = ROWS.copy()
    rows[1, 2] = np.nan
    return rows


def zero() -> np.ndarray:
    rows = ROWS.copy()
    rows[2] = 0
    return rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_of_every_width_are_read(tmp_path, dtype):
    found = read_embeddings(npz(tmp_path / "e.npz", embeddings=ROWS.astype(dtype), more=np.arange(3)))
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, ROWS)
    assert found.names == ("a.png", "b.png", "c.png")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"embeddings": nan()}, "NaN or infinite numbers in 1 of 3 rows, the first is row 1"),
        ({"embeddings": zero()}, "1 rows of zeros, the first is row 2"),
        ({"embeddings": ROWS[0]}, r"shape \(4,\)"),
        ({"embeddings": ROWS[:2]}, "2 embeddings and 3 paths"),
        ({"embeddings": ROWS.astype(np.int64)}, "int64"),
        ({"embeddings": np.zeros((3, 0), np.float32)}, r"shape \(3, 0\)"),
        ({"embeddings": np.array([[{}, 1]] * 3, dtype=object)}, "a pickle"),
        ({"paths": np.array(["a", 2, None], dtype=object)}, "a pickle"),
        ({"paths": np.arange(3)}, "paths in e.npz is int64"),
        ({"model": np.array(["x"] * 2000)}, "model in e.npz"),
    ],
)
def test_what_is_no_embedding_is_told(tmp_path, arrays, said):
    with pytest.raises(UnreadableInput, match=said):
        read_embeddings(npz(tmp_path / "e.npz", **arrays))


def test_a_pickle_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "sprung", "x"))

    npz(tmp_path / "e.npz", paths=np.array([Trap(), 1, 2], dtype=object))
    with pytest.raises(UnreadableInput, match="pickle"):
        read_embeddings(tmp_path / "e.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 512), }",
            "would take",
        ),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 512), }", "e.npz"),
        (b"\x93NUMPY\x01\x00\x76\x00__import__('os')", "damaged"),
        (b"no array", "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_header_that_lies_is_told_and_allocates_nothing(tmp_path, member, said):
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("embeddings.npy", member.ljust(127) + b"\n")
        archive.writestr("paths.npy", b"")
    with pytest.raises(UnreadableInput, match=said):
        read_embeddings(tmp_path / "e.npz")


@pytest.mark.parametrize("name", ["e.npz", "e.parquet"])
def test_what_is_no_such_file_is_told(tmp_path, name):
    with pytest.raises(UnreadableInput, match="there is no file"):
        read_embeddings(tmp_path / name)
    (tmp_path / name).write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(UnreadableInput, match=name):
        read_embeddings(tmp_path / name)
    with pytest.raises(UsageError, match="ends in"):
        read_embeddings(tmp_path / "e.csv")


def test_an_npz_of_something_else_is_told(tmp_path):
    np.savez(tmp_path / "e.npz", weights=ROWS)
    with pytest.raises(UnreadableInput, match="holds weights"):
        read_embeddings(tmp_path / "e.npz")
    data = bytearray(npz(tmp_path / "f.npz").read_bytes())
    data[150] ^= 0xFF  # the check sum does not hold
    (tmp_path / "f.npz").write_bytes(data)
    with pytest.raises(UnreadableInput, match="damaged"):
        read_embeddings(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"path": ["a", "b"], "embedding": [[1.0, 2.0], [3.0]]}, "several lengths|all of one length"),
        ({"path": ["a", "b"], "embedding": [[1.0, 2.0], None]}, "all of one length"),
        ({"path": ["a", "b"], "embedding": ["x", "y"]}, "e.parquet"),
        ({"path": ["a"], "vector": [[1.0]]}, "columns path, vector"),
        ({"path": ["a", "b", "c"], "embedding": [[1.0, np.inf], [1.0, 2.0], [1.0, 1.0]]}, "row 0"),
    ],
)
def test_a_parquet_of_something_else_is_told(tmp_path, columns, said):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(arrow.table(columns), tmp_path / "e.parquet")
    with pytest.raises(UnreadableInput, match=said):
        read_embeddings(tmp_path / "e.parquet")
