"""The picture of a training's log: which fields it has, and that nothing in a log breaks it."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from fetalclip.report.axes import HEIGHT, TEAL, WIDTH
from fetalclip.report.progress import VALIDATION, draw_progress, fields, flatten, thinned

LOG = [
    {"step": 10, "epoch": 0.1, "loss": 2.0, "rate": 1e-5, "memory_mb": 900.0, "skipped": 0},
    {"step": 20, "epoch": 0.2, "loss": 1.0, "rate": 2e-5, "memory_mb": 900.0, "skipped": 1},
    {"step": 20, "epoch": 0.2, "validation": {"loss": 1.5, "macro_f1": 0.4, "n": 8}, "best": True},
    {"step": 40, "epoch": 0.4, "validation": {"loss": 1.8, "macro_f1": 0.3, "n": 8}, "best": False},
]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def count(picture: np.ndarray, colour) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def test_a_log_is_sorted_into_fields():
    flat = [flatten(line) for line in LOG]
    assert [field.name for field in fields(flat, "step")] == [
        "loss",
        "macro F1 on validation",
        "rate",
        "peak memory, MB",
        "skipped",
    ]
    loss = fields(flat, "step")[0]
    assert loss.lines == {"loss": [(10, 2.0), (20, 1.0)], "validation.loss": [(20, 1.5), (40, 1.8)]}


def test_the_mean_of_an_epoch_stays_out_of_the_line_of_its_steps():
    epoch = {"step": 40, "epoch": 1, "loss": 1.7, "pictures_per_second": 9.0, "held_loss": 1.0}
    steps = [{"step": 20, "loss": 2.0, "rate": 1e-5}, {"step": 40, "loss": 1.0, "rate": 1e-5}]
    with_epoch, without = (draw_progress([*steps, line], "mine") for line in (epoch, {"step": 40, "held_loss": 1.0}))
    assert with_epoch == without
    assert draw_progress([epoch], "mine") != draw_progress([{"step": 40, "held_loss": 1.0}], "mine")


def test_a_list_is_its_mean_and_what_is_no_number_is_left_out():
    odd = {"held_dice": [0.5, 0.7, math.nan], "loss": math.inf, "name": "x", "big": 10**400, "on": None, "list": ["a"]}
    assert flatten(odd) == pytest.approx({"held_dice": 0.6})


def test_the_picture_has_a_place_for_every_field_and_marks_the_best():
    picture = pixels(draw_progress(LOG, "mine", "facts"))
    assert picture.shape == (3 * HEIGHT, 2 * WIDTH, 3)
    loss, score, rate = picture[:HEIGHT, :WIDTH], picture[:HEIGHT, WIDTH:], picture[HEIGHT : 2 * HEIGHT, :WIDTH]
    assert min(count(loss, TEAL), count(loss, VALIDATION), count(score, VALIDATION), count(rate, TEAL)) > 100
    assert count(score, TEAL) == count(rate, VALIDATION) == 0
    unmarked = pixels(draw_progress([{**line, "best": False} for line in LOG], "mine", "facts"))
    assert not np.array_equal(score, unmarked[:HEIGHT, WIDTH:])
    assert np.array_equal(rate, unmarked[HEIGHT : 2 * HEIGHT, :WIDTH])


@pytest.mark.parametrize(
    "log",
    [
        [],
        [{}],
        [{"epoch": 1, "loss": 0.5}],
        [{"epoch": 1, "loss": 5e20}, {"epoch": 2, "loss": 5e20}],
        [{"epoch": 1, "loss": 1e15}, {"epoch": 2, "loss": 1e15 + 1}],
        [{"step": 7, "loss": -1e29}, {"step": 7, "loss": 1e29}],
        [{"loss": 1.0}],
        [{"step": i, f"key {i}": i} for i in range(60)],
    ],
)
def test_any_log_is_drawn(log):
    assert pixels(draw_progress(log, "mine")).shape[1] in (WIDTH, 2 * WIDTH)


def test_a_long_line_is_averaged():
    line = [(float(i), float(i % 2)) for i in range(100_000)]
    short = thinned(line)
    assert len(short) <= 400
    assert np.mean([y for _, y in short]) == pytest.approx(0.5)
    assert thinned(line[:300]) == line[:300]
    assert thinned([]) == []
