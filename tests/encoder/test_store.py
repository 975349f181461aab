"""The prompt store: what comes back, and that nothing wrong with it is ever an answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from fetalclip.encoder.store import PromptStore

VECTORS = {"a fetal head": np.arange(4, dtype=np.float32), "ein Kopf 🙂": np.ones(4, np.float32)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "prompts.sqlite"


def test_what_was_put_comes_back(path):
    PromptStore(path, "m").put(VECTORS)
    found = PromptStore(path, "m").get([*VECTORS, "another"], 4)
    assert set(found) == set(VECTORS)
    for text, vector in VECTORS.items():
        assert found[text].dtype == np.float32
        np.testing.assert_array_equal(found[text], vector)


def test_another_model_and_another_width_find_nothing(path):
    PromptStore(path, "m").put(VECTORS)
    assert PromptStore(path, "n").get(VECTORS, 4) == {}
    assert PromptStore(path, "m").get(VECTORS, 5) == {}


def test_words_are_not_on_the_disk(path):
    PromptStore(path, "m").put({"Jane Doe, 4 May 1990": np.ones(4, np.float32)})
    assert b"Jane" not in path.read_bytes()


def test_nothing_is_made_by_looking(path):
    assert PromptStore(path, "m").get(["x"], 4) == {}
    assert not path.parent.exists()


def test_a_damaged_file_is_replaced(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, although it is called one" * 50)
    store = PromptStore(path, "m")
    assert store.get(["x"], 4) == {}
    store.put(VECTORS)
    store.put(VECTORS)
    assert set(store.get(VECTORS, 4)) == set(VECTORS)


def test_numbers_that_are_none_are_not_believed(path):
    store = PromptStore(path, "m")
    store.put({"x": np.array([1, np.nan, 1, 1], np.float32), "y": np.ones(4, np.float32)})
    assert list(store.get(["x", "y"], 4)) == ["y"]


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = PromptStore(tmp_path / "file" / "prompts.sqlite", "m")
    store.put(VECTORS)
    assert store.get(VECTORS, 4) == {}


def test_a_locked_file_is_no_error(path, monkeypatch):
    monkeypatch.setattr("fetalclip.encoder.store._WAIT", 0.05)
    store = PromptStore(path, "m")
    store.put(VECTORS)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    assert store.get(VECTORS, 4) == {}
    store.put({"z": np.ones(4, np.float32)})
    other.close()
    assert set(store.get(VECTORS, 4)) == set(VECTORS)


def test_a_large_file_grows_no_further(path, monkeypatch):
    store = PromptStore(path, "m")
    store.put(VECTORS)
    monkeypatch.setattr("fetalclip.encoder.store._LARGEST", path.stat().st_size - 1)
    store.put({"more": np.ones(4, np.float32)})
    assert set(store.get([*VECTORS, "more"], 4)) == set(VECTORS)
