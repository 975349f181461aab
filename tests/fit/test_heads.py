"""Heads of one fold: which are scored, and what their age is taken to be."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical.growth import CHART, chart
from fetalclip.fit import heads as module
from fetalclip.fit.heads import score_heads
from fetalclip.frame import Frame


class Row:
    def __init__(self, path, fold, hc_mm, mm_per_pixel, group):
        self.path, self.fold, self.hc_mm, self.mm_per_pixel, self.group = path, fold, hc_mm, mm_per_pixel, group


class Model:
    """Remembers the spacing of what it is asked."""

    def __init__(self):
        self.spacings = []

    def age_scores(self, frames, templates):
        self.spacings += [frame.mm_per_pixel for frame in frames]
        return np.full((len(frames), 175), float(len(frames)))


@pytest.fixture
def rows(monkeypatch):
    def use(table):
        monkeypatch.setattr(module, "read_dataset", lambda name, root: table)
        monkeypatch.setattr(module, "read", lambda path: Frame(np.zeros((4, 4), np.uint8)))

    return use


def test_the_heads_of_the_fold_that_are_on_the_chart(rows):
    rows(
        [
            Row("a", 1, 99.9, 0.1, "1"),
            Row("b", 1, 100.0, 0.2, "2"),
            Row("c", 1, 342.0, 0.3, "3"),
            Row("d", 1, 342.1, 0.4, "4"),
            Row("e", 2, 200.0, 0.5, "5"),
            Row("f", 1, None, 0.6, "6"),
            Row("g", 1, 200.0, None, "7"),
        ]
    )
    model = Model()
    found = score_heads(model, "anywhere", 1)
    assert found.groups == ("2", "3")
    assert model.spacings == [(0.2, 0.2), (0.3, 0.3)]
    assert found.hc.tolist() == [100.0, 342.0]
    assert found.age.tolist() == chart(CHART).age(np.array([100.0, 342.0])).tolist()
    assert found.scores.shape == (len(found), 175)


def test_many_heads_are_scored_in_parts(rows):
    rows([Row(str(i), 3, 150.0, 0.2, str(i // 2)) for i in range(70)])
    found = score_heads(Model(), "anywhere", 3)
    assert len(found) == 70
    assert found.scores[:, 0].tolist() == [32.0] * 64 + [6.0] * 6


def test_a_fold_without_heads_has_no_scores(rows):
    rows([])
    assert len(score_heads(Model(), "anywhere", 0)) == 0
