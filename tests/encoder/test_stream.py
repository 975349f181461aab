"""Any number of inputs: never more than two batches are held, and what is finished stays finished."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from fetalclip.embeddings import Parts
from fetalclip.encoder.stream import stream
from fetalclip.errors import UnreadableInput


class Held:
    """What `prepare` made; counts how many of them are alive."""

    alive, most = 0, 0
    lock = threading.Lock()

    def __init__(self, number: int) -> None:
        self.number = number
        with Held.lock:
            Held.alive += 1
            Held.most = max(Held.most, Held.alive)

    def __del__(self) -> None:
        with Held.lock:
            Held.alive -= 1


def encode(items: Sequence[Held]) -> np.ndarray:
    return np.array([[item.number, 1.0] for item in items], np.float32)


@pytest.fixture
def parts(tmp_path) -> Parts:
    made = Parts(tmp_path / "parts")
    made.begin([(str(i), "") for i in range(100)], {"width": 2})
    yield made
    made.close(remove=True)


def vectors(parts: Parts) -> np.ndarray:
    with parts.vectors() as rows:
        return np.frombuffer(rows.read(), np.float32).reshape(-1, 2)


def test_rows_come_in_order_and_two_batches_are_held_at_most(parts):
    Held.alive = Held.most = 0
    steps = list(stream(parts, lambda name: Held(int(name)), encode, 8))
    assert [step.inputs for step in steps] == [8] * 12 + [4]
    np.testing.assert_array_equal(vectors(parts)[:, 0], np.arange(100))
    assert Held.most <= 16


def test_what_cannot_be_read_or_has_no_finite_embedding_is_left_out(parts):
    def prepare(name: str) -> Held:
        if name == "3":
            raise UnreadableInput("3 is empty")
        return Held(int(name))

    def sick(items: Sequence[Held]) -> np.ndarray:
        rows = encode(items)
        rows[[item.number == 5 for item in items], 1] = np.nan
        return rows

    steps = list(stream(parts, prepare, sick, 50))
    assert steps[0].failures == (("3", "3 is empty."), ("5", "5: its embedding is not finite"))
    assert (parts.rows, parts.failed, parts.done) == (98, 2, 100)
    assert set(range(100)) - set(vectors(parts)[:, 0].astype(int)) == {3, 5}


def test_an_error_in_the_middle_keeps_what_was_finished(parts):
    def breaks(items: Sequence[Held]) -> np.ndarray:
        if items[0].number >= 24:
            raise RuntimeError("out of memory")
        return encode(items)

    with pytest.raises(RuntimeError):
        list(stream(parts, lambda name: Held(int(name)), breaks, 8))
    assert parts.done == 24
    asked: list[str] = []

    def prepare(name: str) -> Held:
        asked.append(name)
        return Held(int(name))

    list(stream(parts, prepare, encode, 8))
    assert sorted(map(int, asked)) == list(range(24, 100))  # nothing finished is read again
    np.testing.assert_array_equal(vectors(parts)[:, 0], np.arange(100))
