"""What every training shares: the schedule of its rate, batches made ahead."""

from __future__ import annotations

import pytest

from fetalclip.fit.pace import ahead, schedule


def test_the_schedule_warms_up_and_ends_at_zero():
    shares = [schedule(step, 5, 50) for step in range(51)]
    assert shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares[5] == 1.0
    assert shares[5:] == sorted(shares[5:], reverse=True)
    assert shares[50] == pytest.approx(0.0)
    assert shares[-2] > 0
    assert schedule(0, 0, 10) == 1.0


def test_batches_made_ahead_are_the_same_batches():
    assert list(ahead(iter([3, 1, 2]))) == [3, 1, 2]
    assert list(ahead(iter([]))) == []

    def broken():
        yield 1
        raise ValueError("a bad picture")

    with pytest.raises(ValueError, match="a bad picture"):
        list(ahead(broken()))
