"""From the paths a user types to the files to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fetalclip.errors import UsageError
from fetalclip.io import walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "exam"
    for name in (
        "b.png",
        "a.png",
        "notes.txt",
        ".hidden",
        "sub/c.png",
        "sub/deep/d.png",
        "z/e.png",
        "sub.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "empty").mkdir()
    return root


def names(root: Path, *paths: object) -> list[str]:
    return [os.path.relpath(path, root) for path in walk(paths or [root])]  # type: ignore[arg-type]


def test_a_folder_gives_every_file_in_order(tree: Path) -> None:
    found = list(walk([tree]))
    assert found == sorted(path for path in tree.rglob("*") if path.is_file())
    assert len(found) == 8
    assert found == list(walk(tree)) == list(walk(str(tree)))


def test_every_file_once(tree: Path) -> None:
    once = names(tree)
    assert names(tree, tree, tree) == once
    assert names(tree, tree, tree / "sub", tree / "a.png") == once
    assert names(tree, tree / "sub", tree)[:2] == ["sub/c.png", "sub/deep/d.png"]
    assert sorted(names(tree, tree / "sub", tree)) == sorted(once)
    first = names(tree, tree / "b.png", tree / "b.png", tree)
    assert first[0] == "b.png"
    assert sorted(first) == sorted(once)


def test_paths_stay_as_given(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert list(walk(["sub"])) == [Path("sub/c.png"), Path("sub/deep/d.png")]
    assert list(walk(["a.png", str(tree / "a.png")])) == [Path("a.png")]


def test_links_to_files_are_followed_and_kept(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"x")
    (tree / "sub" / "link.png").symlink_to(outside)
    (tree / "twin.png").symlink_to(tree / "a.png")
    (tree / "broken.png").symlink_to(tree / "gone.png")
    (tree / "self.png").symlink_to(tree / "self.png")
    found = names(tree)
    assert {"sub/link.png", "twin.png", "a.png", "broken.png", "self.png"} <= set(found)
    assert len(found) == len(set(found)) == 12


def test_loops_of_folders_end(tree: Path, tmp_path: Path) -> None:
    before = names(tree)
    (tree / "a_loop").symlink_to(tree)
    (tree / "sub" / "up").symlink_to(tree / "sub")
    (tree / "again").symlink_to(tree / "z")
    assert names(tree) == before  # the real folder is the one that is named
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f.png").write_bytes(b"x")
    (outside / "back").symlink_to(tree)
    (tree / "linked").symlink_to(outside)
    assert names(tree) == [*before, "linked/f.png"]
    assert names(tree, tree / "linked")[0] == "linked/f.png"  # a link given by hand is walked


def test_what_is_missing_is_given_as_it_is(tree: Path) -> None:
    assert list(walk(["nowhere.png"])) == [Path("nowhere.png")]
    assert list(walk([tree / "z", "nowhere.png"]))[-1] == Path("nowhere.png")
    assert list(walk(["a\0b"])) == [Path("a\0b")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_special_files_get_their_line(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert "pipe" in names(tree)


def test_a_folder_that_may_not_be_listed_gets_its_line(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Path.iterdir

    def refuse(path: Path) -> object:
        if path.name == "sub":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    found = names(tree)
    assert "sub" in found
    assert "z/e.png" in found


def test_nothing_at_all_is_an_error(tree: Path) -> None:
    for paths in ([tree / "empty"], [tree / "empty", tree / "empty"], []):
        with pytest.raises(UsageError) as caught:
            list(walk(paths))
        assert caught.value.fix
    with pytest.raises(UsageError, match="empty"):
        list(walk([tree / "empty"]))
    with pytest.raises(UsageError, match="empty path"):
        list(walk([""]))
    assert list(walk([tree / "empty", tree / "a.png"])) == [tree / "a.png"]


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"x")
    assert list(walk([tmp_path])) == [deep / "a.png"]
