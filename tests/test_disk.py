"""Files that appear whole or not at all, and the room there is for them."""

from __future__ import annotations

import shutil

import pytest

from fetalclip.disk import free_bytes, replacing


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
