"""``fetalclip data shards``: what is written, told, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.data.sources import open_pairs
from fetalclip.phantom import draw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scans"
    made.mkdir()
    lines = ["filename,group,split,plane,text"]
    for i in range(10):
        Image.fromarray(draw("brain", i).frame.gray).resize((60, 40)).save(made / f"{i}.png")
        lines.append(f"{i}.png,p{i},{'test' if i > 7 else 'val' if i > 5 else 'train'},{'brain' if i else ''},")
    (made / "m.csv").write_text("\n".join(lines) + "\n")
    return made


def run(*words: object) -> int:
    return main(["data", "shards", *map(str, words)])


def test_written_and_told(folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "out"
    words = (folder, "-o", out, "--image-size", 36, "--per-shard", 3, "--seed", 4, "--json")
    assert run(*words) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["schema"], told["side"], told["overlay"], told["seed"]) == ("fetalclip.shards/1", 42, "mask", 4)
    assert {name: (one["count"], one["shards"]) for name, one in told["splits"].items()} == {
        "train": (5, 2),
        "val": (2, 1),
    }
    assert (told["nothing_known"], told["problems"], told["path"]) == (1, [], str(out))
    assert "1 rows with neither a plane nor a text were passed over." in said.err
    assert len(open_pairs(str(out), "train", side=42, overlay="mask")) == 5
    assert run(*words[:-1]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out)
    assert "7 of 7 pictures are in whole shards already." in said.err


def test_other_sides(folder: Path, tmp_path: Path, capsys) -> None:
    assert run(folder, "-o", tmp_path / "t", "--split", "test", "--overlay", "keep", "--image-size", 36) == 0
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["index.json", "test-000000.tar"]
    assert run(folder, "-o", tmp_path / "u", "--split", "dev") == 2
    assert run(folder, "-o", tmp_path / "u", "--overlay", "only") == 2
    assert run(tmp_path / "nowhere.csv", "-o", tmp_path / "u") == 3
    capsys.readouterr()


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path, capsys) -> None:
    (folder / "3.png").write_text("no picture")
    table = folder / "m.csv"
    table.write_text(table.read_text().replace("4.png,p4,train", "4.png,p7,train"))  # p7 is in val, too
    assert run(folder, "-o", tmp_path / "out", "--image-size", 36, "--json") == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert sorted((one["row"], one["kind"]) for one in told["problems"] if one["row"]) == [
        (4, "unreadable picture"),
        (5, "mixed splits"),
        (8, "mixed splits"),
    ]
    assert {name: one["count"] for name, one in told["splits"].items()} == {"train": 3, "val": 1}
    assert "row 4 (3.png)" in said.err
