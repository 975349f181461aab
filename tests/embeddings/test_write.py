"""A file of embeddings is NumPy's own layout, or Parquet; written from parts without holding them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fetalclip.embeddings import Parts, read_embeddings, write_embeddings
from fetalclip.embeddings.write import check_suffix
from fetalclip.errors import MissingPackage, UsageError

FACTS = {"model": "m", "model_sha256": "", "version": "0", "engine": "torch-cpu", "overlay": "mask"}


@pytest.fixture
def made(tmp_path) -> tuple[Parts, np.ndarray, list[str]]:
    vectors = np.random.default_rng(0).normal(size=(9000, 3)).astype(np.float32)  # more than two row groups
    names = [f"{i}.png" for i in range(9000)]
    parts = Parts(tmp_path / "parts")
    parts.begin([(name, "") for name in names], {"width": 3})
    parts.add(9000, vectors, [])
    yield parts, vectors, names
    parts.close(remove=True)


def test_npz_is_what_numpy_writes(made, tmp_path):
    parts, vectors, names = made
    write_embeddings(tmp_path / "ours.npz", parts, "paths", FACTS)
    told = {name: np.array(value, dtype=np.str_) for name, value in FACTS.items()}
    np.savez(tmp_path / "numpy.npz", embeddings=vectors, paths=np.array(names, dtype=np.str_), **told)
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as ours, np.load(tmp_path / "numpy.npz") as theirs:
        assert ours.files == theirs.files
        for name in ours.files:
            assert ours[name].dtype == theirs[name].dtype
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_the_same_embeddings_are_the_same_bytes(made, tmp_path):
    for name in ("a", "b"):
        write_embeddings(tmp_path / f"{name}.npz", made[0], "paths", FACTS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_parquet_comes_back(made, tmp_path):
    parts, vectors, names = made
    path: Path = tmp_path / "e.parquet"
    write_embeddings(path, parts, "texts", FACTS)
    found = read_embeddings(path)
    np.testing.assert_array_equal(found.vectors, vectors)
    assert found.names == tuple(names)
    assert (found.kind, dict(found.facts)) == ("texts", FACTS)
    import pyarrow.parquet as parquet

    assert parquet.ParquetFile(path).num_row_groups == 3
    assert parquet.read_schema(path).names == ["text", "embedding"]


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_no_row_is_a_file_too(tmp_path, suffix):
    parts = Parts(tmp_path / "parts")
    parts.begin([("a.png", "")], {"width": 3})
    parts.add(1, np.zeros((0, 3), np.float32), [(0, "a.png is empty")])
    write_embeddings(tmp_path / f"e{suffix}", parts, "paths", FACTS)
    parts.close(remove=True)
    assert read_embeddings(tmp_path / f"e{suffix}").names == ()


def test_what_could_not_be_written_is_told_first(monkeypatch):
    with pytest.raises(UsageError, match=r"ends in \.npz or \.parquet"):
        check_suffix(Path("e.csv"))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[parquet\]"):
        check_suffix(Path("e.parquet"))
