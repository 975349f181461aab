"""Windows cover a clip, their answers join, the part of a sweep that shows the heart is found."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.tasks.windows import best_segment, join, spread_out, windows


@pytest.mark.parametrize("count", [1, 15, 16, 17, 23, 24, 25, 100])
@pytest.mark.parametrize(("frames", "stride"), [(16, 8), (16, 16), (4, 3)])
def test_every_frame_is_in_a_window(count, frames, stride):
    places = windows(count, frames, stride)
    assert set(places[places >= 0].tolist()) == set(range(count))
    assert places.shape[1] == frames
    for row in places:
        there = row[row >= 0]
        assert (np.diff(there) == 1).all()
    assert (places >= 0).all() or len(places) == 1


def test_a_spread_takes_both_ends():
    assert spread_out(31, 16)[0, [0, -1]].tolist() == [0, 30]
    assert spread_out(2, 4).tolist() == [[0, 0, 1, 1]]


def test_joined_by_hand():
    logits = [[0.0, 1.0], [2.0, 3.0]]
    assert join(logits, "mean").tolist() == [1.0, 2.0]
    np.testing.assert_allclose(join(logits, "log-mean-exp"), np.log([(1 + np.e**2) / 2, (np.e + np.e**3) / 2]))
    assert join([[1e4], [-1e4]], "log-mean-exp")[0] == pytest.approx(1e4 - np.log(2))  # no overflow


@pytest.mark.parametrize(("count", "frames", "stride"), [(0, 16, 8), (5, 4, 5), (5, 4, 0)])
def test_windows_that_leave_frames_out_are_refused(count, frames, stride):
    with pytest.raises(UsageError):
        windows(count, frames, stride)


def test_what_cannot_be_joined_is_refused():
    for logits, how in (([], "mean"), ([[1.0]], "max")):
        with pytest.raises(UsageError):
            join(logits, how)


def test_the_longest_sure_part_of_a_sweep():
    thorax = np.array([0.1] * 10 + [0.9] * 6 + [0.2] * 30 + [0.9] * 12 + [0.4] + [0.9] * 8 + [0.0] * 5)
    found = best_segment(np.stack([1 - thorax, thorax], axis=1), 1)
    assert (found.start, found.stop) == (46, 67)  # over the one frame that dips
    assert found.probability == pytest.approx(thorax[46:67].mean())


def test_a_short_part_is_widened_within_the_clip():
    thorax = np.array([0.9] * 3 + [0.1] * 30)
    found = best_segment(thorax[:, None], 0, 16)
    assert (found.start, found.stop) == (0, 16)
    found = best_segment(thorax[::-1][:, None], 0, 16)
    assert (found.start, found.stop) == (17, 33)
    found = best_segment(thorax[:5][:, None], 0, 16)
    assert (found.start, found.stop) == (0, 5)


def test_no_part_where_no_frame_shows_it():
    assert best_segment(np.full((20, 1), 0.4), 0) is None
    with pytest.raises(UsageError):
        best_segment(np.full((20, 1), np.nan), 0)
