"""From the word of a recipe to pairs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from fetalclip.data.shards.plan import Options, make_plan
from fetalclip.data.shards.reading import ShardPairs
from fetalclip.data.shards.writing import ShardWriter
from fetalclip.data.sources import open_pairs
from fetalclip.data.table_pairs import TablePairs, read_source
from fetalclip.errors import DataMissing, FetalclipError, UnreadableInput, UsageError
from fetalclip.phantom import draw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scans"
    made.mkdir()
    lines = ["filename,group,split,plane"]
    for i in range(6):
        Image.fromarray(draw("brain", i).frame.gray).resize((60, 40)).save(made / f"{i}.png")
        lines.append(f"{i}.png,p{i},{'val' if i > 3 else 'train'},brain")
    (made / "m.csv").write_text("\n".join(lines) + "\n")
    return made


def test_every_kind_of_source(folder: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    read_source(folder).write(manifest)
    out = tmp_path / "out"
    with ShardWriter(make_plan(read_source(folder), Options(30)), out, 0) as writer:
        list(writer.run())
    for source, kind in (
        (folder, TablePairs),
        (manifest, TablePairs),
        (out, ShardPairs),
        (out / "index.json", ShardPairs),
    ):
        pairs = open_pairs(str(source), "train", side=30, overlay="mask")
        assert isinstance(pairs, kind)
        assert (len(pairs), pairs.side, pairs.load(0).pixels.shape) == (4, 30, (30, 30))
        assert len(open_pairs(str(source), "val", side=30, overlay="mask")) == 2
        with pytest.raises(DataMissing, match="test"):
            open_pairs(str(source), "test", side=30, overlay="mask")


@pytest.mark.parametrize("word", ["nowhere", "nowhere/m.csv", "nowhere/index.json", "a.txt", "", "no\0where", "x.tar"])
def test_no_such_source(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FetalclipError):
        open_pairs(word, "train", side=30, overlay="mask")


def test_options_that_cannot_be_meant(folder: Path) -> None:
    for options in ({"overlay": "only"}, {"side": 0}, {"buffer": -1}):
        with pytest.raises(UsageError):
            open_pairs(str(folder), "train", **{"side": 30, "overlay": "mask", **options})
    with pytest.raises(UsageError):
        open_pairs(str(folder), "dev", side=30, overlay="mask")


def test_a_damaged_index(folder: Path) -> None:
    (folder / "index.json").write_text("{}")
    with pytest.raises(UnreadableInput, match="not an index"):
        open_pairs(str(folder), "train", side=30, overlay="mask")
    shutil.rmtree(folder)
