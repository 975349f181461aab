"""Files that appear whole or not at all, and the room there is for them."""

from __future__ import annotations

import shutil

import pytest

from fetalclip.disk import appearing, free_bytes, holding, replacing


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("before")
    with replacing(path) as part:
        assert (part.parent, part.suffix) == (tmp_path, ".npz")
        part.write_text("after")
        assert path.read_text() == "before"
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.npz", "after")]


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")

    def fill() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        fill()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "before")]


def test_room_is_that_of_the_nearest_folder_there_is(tmp_path, monkeypatch):
    asked = []
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or real(place))
    assert free_bytes(tmp_path / "not" / "yet") > 0
    assert asked == [tmp_path]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    for folder in (tmp_path / "new" / "a", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with appearing(folder) as part:
            (part / "file").write_text("whole")
            assert not (folder / "file").exists()
        assert [(p.name, p.read_text()) for p in folder.iterdir()] == [("file", "whole")]
        assert [p.name for p in folder.parent.iterdir() if p.name.startswith(".")] == []


def test_a_folder_that_fails_or_would_hide_another_is_not_made(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("before")

    def fill(folder, error) -> None:
        with appearing(folder) as part:
            (part / "file").write_text("half")
            if error is not None:
                raise error

    with pytest.raises(RuntimeError):
        fill(tmp_path / "new", RuntimeError("stopped"))
    with pytest.raises(OSError, match="empty"):
        fill(tmp_path / "full", None)
    assert [(p.name, (p / "file").read_text()) for p in tmp_path.iterdir()] == [("full", "before")]


def test_others_are_kept_out(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "lock"
    with holding(path), path.open("ab") as stream:
        with pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError), holding(path, wait=False):
            pass
    with holding(path, wait=False):
        pass
