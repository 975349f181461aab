"""Shards at a web address: fetched whole and held against the index, gone on with, kept as long as there is room."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from fetalclip.data.shards.index import Shard
from fetalclip.data.shards.places import RemotePlace
from fetalclip.data.shards.reading import ShardPairs, open_address, open_folder
from fetalclip.data.sources import open_pairs
from fetalclip.errors import DataMissing, InputError, NotAvailable, OutputError, UnreadableInput, UsageError


def opened(url: str, cache: Path, limit: int = 2**30) -> ShardPairs:
    return open_address(url, "train", 40, "mask", 4, cache, limit)


def everything(pairs: ShardPairs) -> set[tuple]:
    made = [pairs.load(i) for i in range(len(pairs))]
    return {(pair.record, pair.pixels.tobytes()) for pair in made}


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("*/*.tar"))


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads that fetch ahead have ended before the server goes."""
    made: list[RemotePlace] = []
    real = RemotePlace.__init__

    def noted(self: RemotePlace, *args: object, **options: object) -> None:
        made.append(self)
        real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(RemotePlace, "__init__", noted)
    yield
    for place in made:
        if place._thread is not None:
            place._thread.join()


@pytest.mark.parametrize("end", ["", "index.json"])
def test_the_same_pairs_as_here(server, written: Path, tmp_path: Path, end: str) -> None:
    pairs = opened(server.url + end, tmp_path)
    here = open_folder(written, "train", 40, "mask", 4)
    assert (len(pairs), pairs.fingerprint) == (12, here.fingerprint)
    assert server.fetched() == []
    assert everything(pairs) == everything(here)
    assert sorted(server.fetched()) == [f"train-{i:06d}.tar" for i in range(3)]
    assert everything(opened(server.url, tmp_path)) == everything(here)
    assert len(server.fetched()) == 3


def test_by_the_recipes_word(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path))
    pairs = open_pairs(server.url, "val", side=40, overlay="mask")
    pairs.load(0)
    assert kept(tmp_path / "shards") == ["val-000000.tar"]
    with pytest.raises(UsageError, match="ends in"):
        open_pairs(server.url + "train-000000.tar", "val", side=40, overlay="mask")


def test_a_broken_download_goes_on(server, tmp_path: Path) -> None:
    server.cut = [5000, 3000]
    pairs = opened(server.url, tmp_path)
    pairs.load(0)
    spans = [span for name, span in server.asked if name == "train-000000.tar"]
    assert spans == ["", "bytes=5000-", "bytes=8000-"]


def test_a_download_that_another_process_began_goes_on(server, tmp_path: Path) -> None:
    server.cut = [5000, 0]
    with pytest.raises(NotAvailable, match=r"could not be fetched|what has come is kept"):
        opened(server.url, tmp_path).load(0)
    opened(server.url, tmp_path).load(0)
    assert server.asked[-1] == ("train-000000.tar", "bytes=5000-")


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"x", lambda data: data[:-512], lambda data: data + b"x"])
def test_a_shard_of_other_bytes_costs_its_own_samples_alone(server, tmp_path: Path, spoil) -> None:
    server.files["train-000001.tar"] = spoil(server.files["train-000001.tar"])
    pairs = opened(server.url, tmp_path)
    for number in (0, 11):
        pairs.load(number)
    for number in (4, 5, 6, 7):
        with pytest.raises(InputError, match=f"^train-000001.tar 000001-0000{number - 4}: "):
            pairs.load(number)
    assert kept(tmp_path) == ["train-000000.tar", "train-000002.tar"]


def test_a_shard_that_is_gone_and_a_server_that_is(server, tmp_path: Path, written: Path) -> None:
    del server.files["train-000001.tar"]
    pairs = opened(server.url, tmp_path)
    with pytest.raises(InputError, match="answered 404"):
        pairs.load(4)
    pairs.load(0)
    del server.files["index.json"]
    with pytest.raises(DataMissing, match="404"):
        opened(server.url, tmp_path)
    with pytest.raises(NotAvailable, match="could not be fetched"):
        opened("http://127.0.0.1:9/", tmp_path)


def test_a_kept_shard_that_was_damaged_is_fetched_again(server, written: Path, tmp_path: Path) -> None:
    opened(server.url, tmp_path).load(0)
    (path,) = tmp_path.glob("*/train-000000.tar")
    path.write_bytes(b"x" * path.stat().st_size)
    opened(server.url, tmp_path).load(0)
    assert path.read_bytes() == (written / "train-000000.tar").read_bytes()


def test_the_oldest_go_when_there_is_no_room(server, written: Path, tmp_path: Path) -> None:
    sizes = [(written / f"train-{i:06d}.tar").stat().st_size for i in range(3)]
    pairs = opened(server.url, tmp_path, limit=max(sizes) * 2)
    pairs.load(0)
    pairs.load(4)
    pairs.load(1)
    (first,) = tmp_path.glob("*/train-000000.tar")
    (second,) = tmp_path.glob("*/train-000001.tar")

    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    pairs.load(8)
    assert kept(tmp_path) == ["train-000001.tar", "train-000002.tar"]
    pairs.load(2)  # still open here
    again = pickle.loads(pickle.dumps(pairs))
    again.load(2)  # fetched again
    assert server.fetched().count("train-000000.tar") == 2


def test_the_next_shard_is_fetched_ahead(server, tmp_path: Path) -> None:
    pairs = opened(server.url, tmp_path)
    order = pairs.order(0, 0)
    turns = pairs._shelf.turns
    again = pickle.loads(pickle.dumps(pairs))  # as a worker gets it
    again.load(4 * turns[0])
    thread = again._shelf.place._thread
    assert thread is not None
    thread.join()
    assert kept(tmp_path) == sorted(f"train-{turn:06d}.tar" for turn in turns[:2])
    assert sorted(order) == list(range(12))


def test_a_redirect_to_another_kind_of_address_is_not_followed(server, tmp_path: Path) -> None:
    server.moved["index.json"] = "file:///etc/passwd"
    with pytest.raises(NotAvailable, match="answered 302"):
        opened(server.url, tmp_path)


def test_an_index_that_is_none(server, tmp_path: Path) -> None:
    server.files["index.json"] = b"<html>sign in</html>"
    with pytest.raises(UnreadableInput, match="not an index"):
        opened(server.url, tmp_path)


def test_a_cache_that_cannot_be_written(server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        opened(server.url, tmp_path / "file").load(0)


def test_a_shard_that_another_process_removes(server, tmp_path: Path) -> None:
    """Between the look and the opening: it is fetched again."""
    pairs = opened(server.url, tmp_path)
    place, real, gone = pairs._shelf.place, RemotePlace.path, []

    def path(self: RemotePlace, shard: Shard) -> Path:
        found = real(self, shard)
        if not gone:
            gone.append(found)
            found.unlink()
        return found

    place.path = path.__get__(place)  # type: ignore[method-assign]
    pairs.load(0)
    assert server.fetched().count("train-000000.tar") == 2
