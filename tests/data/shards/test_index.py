"""The index: there and back, and a damaged or hostile one is one kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fetalclip.data.shards import index as indices
from fetalclip.errors import DataMissing, UnreadableInput


def test_there_and_back(written: Path) -> None:
    index = indices.load(written)
    assert index.text() == (written / "index.json").read_text()
    assert (index.side, index.overlay, index.splits["train"].count, index.splits["val"].count) == (40, "mask", 12, 4)
    told = json.loads(index.text())
    assert told["datasets"] == {"mine": {"license": None, "pictures": 16}}
    assert sum(told["splits"]["train"]["planes"].values()) == 12
    assert told["splits"]["train"]["groups"] == 6
    assert "secret" not in index.text()


def test_what_decides_the_fingerprint(written: Path) -> None:
    shards = indices.load(written).splits["train"].shards
    prints = {indices.fingerprint(shards, side, overlay) for side in (40, 41) for overlay in ("mask", "keep")}
    assert len(prints | {indices.fingerprint(shards[:-1], 40, "mask")}) == 5


def test_a_side_that_is_not_there(written: Path) -> None:
    with pytest.raises(DataMissing, match=r"no pairs of the split test.*train, val"):
        indices.load(written).require("test", "here")


def change(path: str, value: Any) -> Any:
    """A function that puts a value at a dotted place of an index."""

    def do(found: dict) -> dict:
        *way, last = path.split(".")
        place: Any = found
        for word in way:
            place = place[int(word) if word.isdigit() else word]
        place[last] = value
        return found

    return do


@pytest.mark.parametrize(
    "spoil",
    [
        change("schema", "fetalclip.shards/2"),
        change("side", 0),
        change("side", 10**6),
        change("side", "40"),
        change("overlay", "only"),
        change("splits", []),
        change("splits.dev", {"shards": []}),
        change("splits.train.shards", 3),
        change("splits.train.shards.0.name", "../train-000000.tar"),
        change("splits.train.shards.0.name", "val-000000.tar"),
        change("splits.train.shards.0.name", "train-000001.tar"),
        change("splits.train.shards.0.name", "https://elsewhere/train-000000.tar"),
        change("splits.train.shards.0.sha256", "0" * 63),
        change("splits.train.shards.0.bytes", -1),
        change("splits.train.shards.0.bytes", 2**60),
        change("splits.train.shards.0.count", 10**9),
        change("splits.train.shards.0.count", 0),
        change("splits.train.shards.0.count", True),
    ],
)
def test_an_index_that_cannot_be(written: Path, spoil: Any) -> None:
    data = json.dumps(spoil(json.loads((written / "index.json").read_text()))).encode()
    with pytest.raises(UnreadableInput, match="not an index of shards"):
        indices.parse(data, "here")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_no_index_at_all(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput):
        indices.parse(data, "here")
    with pytest.raises(DataMissing):
        indices.load(tmp_path)
