"""What of a clip is looked at: the square about the heart, and how a clip comes back to itself."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from fetalclip.errors import BadCheckpoint, UnreadableInput
from fetalclip.frame import Frame
from fetalclip.tasks.chest import FACTS
from fetalclip.tasks.sight import LAGS, MOST_CELLS, Box, find_heart, grids_of, rhythm


@pytest.mark.parametrize("at", [(-3, -2), (5, 4), (2, 1), (-40, 0), (0, 40), (9, -7)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_box_reaches_beyond_the_picture(at, channels):
    pixels = np.random.default_rng(0).integers(1, 255, (9, 12, *channels)).astype(np.uint8)
    found = Box(*at, 7).cut(pixels)
    assert (found.shape, found.dtype) == ((7, 7, *channels), np.uint8)
    wide = np.pad(pixels, [(50, 50), (50, 50), *[(0, 0)] * len(channels)])
    np.testing.assert_array_equal(found, wide[50 + at[1] : 57 + at[1], 50 + at[0] : 57 + at[0]])


class Drawer:
    """Stands for a head that draws: what is brighter than 200 is heart, and it counts what it is shown."""

    def __init__(self, *others: str) -> None:
        self.others, self.shown = others, 0

    def __call__(self, frames, views=True):
        assert views is False
        self.shown += len(frames)
        drawn = []
        for frame in frames:
            masks = {"heart": frame.gray > 200, "thorax": frame.gray > 50, "spine": frame.gray == 150}
            drawn.append(SimpleNamespace(masks={name: masks[name] for name in ("heart", *self.others)}))
        return drawn


def chest(heart: tuple[slice, slice] = (slice(40, 60), slice(70, 110)), size=(120, 160)) -> Frame:
    pixels = np.full(size, 20, np.uint8)
    pixels[20:100, 30:140] = 100
    pixels[90:98, 80:90] = 150
    pixels[heart] = 230
    return Frame(pixels)


def test_the_square_lies_about_the_heart():
    task = Drawer("thorax", "spine")
    box, told = find_heart(task, [chest()] * 9, 1.5)
    assert task.shown == 2  # the heart of a few frames, not of every one
    assert box.side == round(1.5 * 40)
    assert box.left + box.side / 2 == pytest.approx(90, abs=1)
    assert box.top + box.side / 2 == pytest.approx(50, abs=1)
    assert box.cut(chest().pixels)[box.side // 2, box.side // 2] == 230
    assert told.shape == (len(FACTS),)
    assert told[FACTS.index("whole")] == 1
    assert not find_heart(Drawer(), [chest()], 1.5)[1].any()  # a head that draws the heart alone knows no chest


def test_a_crumb_is_not_the_heart():
    pixels = chest().pixels.copy()
    pixels[2:8, 150:156] = 230
    assert find_heart(Drawer(), [Frame(pixels)], 1.5)[0] == find_heart(Drawer(), [chest()], 1.5)[0]


def test_without_a_heart_there_is_no_square():
    for heart in ((slice(0, 0), slice(0, 0)), (slice(40, 46), slice(70, 76))):  # none, and less than any heart
        box, told = find_heart(Drawer("thorax", "spine"), [chest(heart)] * 2, 1.5)
        assert box is None
        assert told.shape == (len(FACTS),)
        assert not told.any()
    with pytest.raises(UnreadableInput):
        find_heart(Drawer(), [], 1.5)


def test_frames_of_another_size_are_not_asked():
    task = Drawer()
    assert find_heart(task, [chest(), chest(size=(140, 160))], 1.5)[0] == find_heart(Drawer(), [chest()], 1.5)[0]
    assert task.shown == 1


RATE = 60.0
PERIOD = float(LAGS[7])  # about 0.43 s


def beat(seconds: np.ndarray, period: float = PERIOD, seed: int = 0) -> np.ndarray:
    """Three harmonics of a beat in 40 channels, (T, 40) float32."""
    rng = np.random.default_rng(seed)
    phase = 2 * math.pi * seconds / period
    waves = np.stack([f(k * phase) for k in (1, 2, 3) for f in (np.sin, np.cos)], axis=1)
    return (5 + waves @ rng.normal(size=(6, 40))).astype(np.float32)


def halves(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    assert found.shape == (2 * len(LAGS),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    return found[: len(LAGS)], found[len(LAGS) :]


def test_a_regular_beat_comes_back_after_its_period():
    seconds = np.arange(180) / RATE
    mean, spread = halves(rhythm(beat(seconds), seconds))
    near = LAGS < 1.5 * PERIOD
    later = near & (LAGS > 0.5 * PERIOD)
    assert LAGS[later][mean[later].argmax()] == pytest.approx(PERIOD, abs=LAGS[1] - LAGS[0])
    assert mean[later].max() > 0.9
    assert mean[near].min() < 0
    assert spread[later][mean[later].argmax()] < 0.1


def test_an_early_beat_comes_back_less():
    seconds = np.arange(180) / RATE
    early = seconds + np.where(seconds > 1.5, 0.4 * PERIOD, 0.0)  # one beat is cut short
    at = int(np.abs(LAGS - PERIOD).argmin())
    regular, cut = rhythm(beat(seconds), seconds), rhythm(beat(early), seconds)
    assert cut[at] < regular[at] - 0.1
    assert cut[len(LAGS) + at] > regular[len(LAGS) + at] + 0.1


def test_speckle_that_is_always_new_never_comes_back():
    seconds = np.arange(180) / RATE
    mean, _ = halves(rhythm(np.random.default_rng(0).normal(size=(180, 400)).astype(np.float32), seconds))
    assert np.abs(mean).max() < 0.1


@pytest.mark.parametrize("level", [0.0, 0.1, 1234.567])
def test_where_nothing_moves_there_is_no_rhythm(level):
    level = level * np.random.default_rng(1).random(300)
    still = np.repeat(level.astype(np.float32)[None], 100, axis=0)
    assert not rhythm(still, np.arange(100) / RATE).any()


def test_a_clip_knows_no_lag_beyond_its_length():
    assert not rhythm(beat(np.zeros(1)), np.zeros(1)).any()
    seconds = np.arange(31) / RATE  # half a second
    for part in halves(rhythm(beat(seconds), seconds)):
        np.testing.assert_array_equal(part[LAGS > 0.5 + 1e-6], 0)
    mean, _ = halves(rhythm(beat(seconds), seconds))
    assert (mean[LAGS <= 0.5] != 0).all()


@pytest.mark.parametrize("rate", [25.0, 30.0, 43.7, 60.0])
def test_a_long_clip_knows_every_lag(rate):
    seconds = np.arange(int(3 * rate)) / rate
    assert (halves(rhythm(beat(seconds), seconds))[0] != 0).all()


def test_grids_are_numbers_in_the_order_of_the_blocks():
    assert grids_of({"11": 4, "5": 8}) == {5: 8, 11: 4}
    assert list(grids_of({11: 4, 5: 8})) == [5, 11]
    assert grids_of({}) == {}


@pytest.mark.parametrize(
    "data",
    [{"a": 4}, {"-1": 4}, {"0": 4}, {"1000": 4}, {"²": 4}, {"9" * 5000: 4}, {"5": 0}, {"5": MOST_CELLS + 1}]
    + [{"5": 2.5}, {"5": True}, {"5": "4"}],
    ids=lambda data: repr(data)[:20],
)
def test_grids_that_can_be_none_are_refused(data):
    with pytest.raises(BadCheckpoint, match="grid"):
        grids_of(data)
