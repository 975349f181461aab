"""Reading by number: the same pairs as from the table, and a bad shard or sample is one error that names it."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fetalclip.data.pairs import Pair
from fetalclip.data.shards.reading import ShardPairs, open_folder
from fetalclip.data.sources import open_pairs
from fetalclip.errors import BadRecipe, DataMissing, InputError, UnreadableInput


def opened(folder: Path, split: str = "train", side: int = 40, buffer: int = 4) -> ShardPairs:
    return open_folder(folder, split, side, "mask", buffer)


def seen(pairs: list[Pair]) -> set[tuple]:
    return {(pair.record, pair.pixels.tobytes()) for pair in pairs}


def errors(pairs: ShardPairs) -> dict[int, str]:
    """What loading each pair says where it fails."""
    found = {}
    for number in range(len(pairs)):
        try:
            pairs.load(number)
        except InputError as error:
            found[number] = str(error)
    return found


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_pairs_are_those_of_the_table(table: Path, written: Path, split: str) -> None:
    ours = opened(written, split)
    theirs = open_pairs(str(table), split, side=40, overlay="mask")
    assert len(ours) == len(theirs)
    assert seen([ours.load(i) for i in range(len(ours))]) == seen([theirs.load(i) for i in range(len(theirs))])


def test_the_order_is_that_of_seed_and_epoch(written: Path) -> None:
    pairs = opened(written)
    assert sorted(pairs.order(1, 2)) == list(range(12))
    assert np.array_equal(pairs.order(1, 2), opened(written).order(1, 2))
    assert not np.array_equal(pairs.order(1, 2), pairs.order(1, 3))
    assert pairs.name(5) == "train-000001.tar 000001-00001"
    with pytest.raises(IndexError):
        pairs.load(12)


def test_shards_of_a_larger_side_are_scaled_down(written: Path) -> None:
    large, small = opened(written).load(3), opened(written, side=30).load(3)
    assert small.pixels.shape == (30, 30)
    assert small.record.spacing == pytest.approx(large.record.spacing * 40 / 30)  # type: ignore[operator]
    assert opened(written, side=30).fingerprint != opened(written).fingerprint


def test_shards_made_otherwise_are_refused(written: Path) -> None:
    with pytest.raises(BadRecipe, match=r"data.overlay=mask, or fetalclip data shards … --overlay keep"):
        open_folder(written, "train", 40, "keep", 0)
    with pytest.raises(BadRecipe, match="--image-size 36"):
        open_folder(written, "train", 41, "mask", 0)
    assert round(36 * 7 / 6) >= 41
    with pytest.raises(DataMissing, match="split test"):
        open_folder(written, "test", 40, "mask", 0)


def test_pickled_and_in_another_process(written: Path) -> None:
    pairs = opened(written)
    first = pairs.load(0)
    assert seen([pickle.loads(pickle.dumps(pairs)).load(0)]) == seen([first])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_reads_for_itself(written: Path) -> None:
    """Parent and child read at the same time from what the parent had opened."""
    pairs = opened(written)
    expected = [pairs.load(i).pixels.sum() for i in range(12)]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        sums = [int(pairs.load(i % 12).pixels.sum()) for i in range(120)]
        os.write(writer, json.dumps(sums).encode())
        os._exit(0)
    mine = [int(pairs.load(i % 12).pixels.sum()) for i in range(120)]
    os.waitpid(child, 0)
    assert json.loads(os.read(reader, 100_000)) == mine == [int(one) for one in expected * 10]
    os.close(reader)
    os.close(writer)


def test_few_files_stay_open(written: Path) -> None:
    pairs = opened(written)
    pairs._shelf._most = 1
    expected = seen([opened(written).load(i) for i in range(12)])
    numbers = [i for start in range(4) for i in range(start, 12, 4)]
    assert seen([pairs.load(i) for i in numbers]) == expected
    assert len(pairs._shelf._open) == 1


def spoilt(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[600] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("spoil", [spoilt, lambda data: data[:-600], lambda data: b"", None])
def test_a_bad_shard_costs_its_own_samples_alone(shards: Path, spoil: Callable[[bytes], bytes] | None) -> None:
    path = shards / "train-000001.tar"
    if spoil is None:
        path.unlink()
    else:
        path.write_bytes(spoil(path.read_bytes()))
    found = errors(opened(shards))
    assert list(found) == [4, 5, 6, 7]
    assert all(f"train-000001.tar 000001-0000{i}" in found[4 + i] for i in range(4))


def rewritten(folder: Path, name: str, change: Callable[[str, bytes], bytes | None]) -> None:
    """A shard with other files in it and an index that agrees: what a hostile writer would send."""
    stream, path = io.BytesIO(), folder / name
    with tarfile.open(path) as old, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as new:
        for entry in old:
            data = change(entry.name, old.extractfile(entry).read())  # type: ignore[union-attr]
            if data is not None:
                entry.size = len(data)
                new.addfile(entry, io.BytesIO(data))
    path.write_bytes(stream.getvalue())
    index = json.loads((folder / "index.json").read_text())
    for shard in index["splits"]["train"]["shards"]:
        if shard["name"] == name:
            shard["sha256"], shard["bytes"] = hashlib.sha256(stream.getvalue()).hexdigest(), len(stream.getvalue())
    (folder / "index.json").write_text(json.dumps(index))


BAD = {
    "a damaged picture": ("000001-00002.png", b"\x89PNG\r\n\x1a\n" + b"0" * 40),
    "no picture": ("000001-00002.png", None),
    "a long JSON": ("000001-00002.json", b'{"text": "' + b"a" * 200_000 + b'"}'),
    "a deep JSON": ("000001-00002.json", b"[" * 50_000),
    "a fact of another kind": ("000001-00002.json", b'{"views": ["brain"], "age_days": "old"}'),
    "a pickle": ("000001-00002.json", pickle.dumps({"views": ["brain"]})),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_sample_costs_itself_alone(shards: Path, kind: str) -> None:
    name, data = BAD[kind]
    rewritten(shards, "train-000001.tar", lambda entry, old: data if entry == name else old)
    found = errors(opened(shards))
    assert list(found) == [6]
    assert found[6].startswith("train-000001.tar 000001-00002: ")
    assert "the given bytes" not in found[6]


def test_another_number_of_samples_than_the_index_says(shards: Path) -> None:
    rewritten(shards, "train-000001.tar", lambda entry, old: None if entry.startswith("000001-00003") else old)
    found = errors(opened(shards))
    assert list(found) == [4, 5, 6, 7]
    assert "a shard of 3 samples" in found[4]


def test_a_bad_shard_is_looked_at_once(shards: Path) -> None:
    (shards / "train-000001.tar").write_bytes(b"")
    pairs = opened(shards)
    with pytest.raises(UnreadableInput, match="a shard of 0 bytes"):
        pairs.load(4)
    (shards / "train-000001.tar").unlink()
    with pytest.raises(UnreadableInput, match="a shard of 0 bytes"):
        pairs.load(5)


@pytest.mark.slow
def test_workers_of_a_loader(written: Path) -> None:
    pairs = opened(written)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(pairs.load, range(12))
    assert seen(made) == seen([pairs.load(i) for i in range(12)])
