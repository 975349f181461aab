"""From a clip to squares: a few pictures, evenly spread, with their times."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.frame import Cine, spread
from fetalclip.preprocess.cine import SAMPLED, prepare_cine


def clip(count: int) -> Cine:
    """Noise in the middle, a bright word-like row at the top that never moves."""
    rng = np.random.default_rng(0)

    def pictures():
        for index in range(count):
            picture = np.zeros((120, 160), np.uint8)
            picture[30:110, 20:140] = rng.integers(20, 200, (80, 120))
            picture[4:8, 4:60] = 250
            picture[60, 60] = index
            yield picture

    return Cine.of(lambda: pictures(), rate=20)


def test_spread_is_even_and_within() -> None:
    assert spread(1, 16) == [0]
    assert spread(5, 16) == [0, 1, 2, 3, 4]
    assert spread(8, 4) == [1, 3, 5, 7]
    for count in (17, 100, 12345):
        found = spread(count, 16)
        assert len(set(found)) == 16
        assert 0 <= found[0] <= found[-1] < count
        steps = np.diff(found)
        assert steps.max() - steps.min() <= 1
    assert spread(0, 16) == []


@pytest.mark.parametrize("count", [1, 3, 16, 50])
def test_pictures_indices_and_seconds(count: int) -> None:
    ready = prepare_cine(clip(count), 64)
    assert len(ready.pictures) == min(count, SAMPLED)
    assert ready.count == count
    assert ready.seconds == tuple(index / 20 for index in ready.indices)
    assert all(one.pixels.shape == (64, 64) for one in ready.pictures)


def test_what_never_moves_is_hidden_or_kept_as_asked() -> None:
    masked, kept, only = (prepare_cine(clip(20), 160, mode).pictures[3] for mode in ("mask", "keep", "only"))
    row, left = 26, 30  # 20 rows of padding above, the bright row below it
    assert kept.pixels[row, left] == only.pixels[row, left] == 250
    assert masked.pixels[row, left] == 0
    assert masked.pixels[80, 80] == kept.pixels[80, 80] > 0
    assert only.pixels[80, 80] == 0
    with pytest.raises(UsageError):
        prepare_cine(clip(2), 64, "hide")
