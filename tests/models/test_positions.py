"""Longer position tables: what is kept, what is stretched."""

from __future__ import annotations

import pytest
import torch

from fetalclip.errors import UsageError
from fetalclip.models.positions import KEPT, keep, linear, resize

TABLE = torch.randn(77, 12, generator=torch.Generator().manual_seed(0))


def test_keep_leaves_the_first_twenty_rows_and_both_ends():
    made = resize(TABLE, 117, "keep")
    assert made.shape == (117, 12)
    assert torch.equal(made[:KEPT], TABLE[:KEPT])
    torch.testing.assert_close(made[KEPT], TABLE[KEPT])
    torch.testing.assert_close(made[-1], TABLE[-1])


def test_linear_is_the_published_interpolation():
    made = resize(TABLE, 117, "linear")
    # Row i of the new table lies at (i + 0.5) * 77 / 117 - 0.5 of the old one.
    place = (50 + 0.5) * 77 / 117 - 0.5
    low = int(place)
    expected = TABLE[low] * (1 - (place - low)) + TABLE[low + 1] * (place - low)
    torch.testing.assert_close(made[50], expected)
    assert not torch.allclose(made[5], TABLE[5], atol=1e-3)


def test_a_straight_table_stays_straight():
    straight = torch.linspace(0, 1, 77).unsqueeze(1).repeat(1, 3)
    rest = keep(straight, 117)[KEPT:, 0]
    steps = rest.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, float(steps[0])), atol=1e-6, rtol=0)


def test_the_same_length_is_the_same_table_and_not_the_same_memory():
    made = resize(TABLE, 77, "linear")
    assert torch.equal(made, TABLE)
    assert made.data_ptr() != TABLE.data_ptr()


@pytest.mark.parametrize("rows", [2, 10, 20, 21, 22, 76])
def test_shorter_tables_keep_their_first_rows(rows):
    made = keep(TABLE, rows)
    assert made.shape == (rows, 12)
    kept = min(rows, KEPT)
    assert torch.equal(made[:kept], TABLE[:kept])


def test_half_precision_stays_half():
    assert resize(TABLE.half(), 117).dtype == torch.float16
    assert linear(TABLE.bfloat16(), 90).dtype == torch.bfloat16


@pytest.mark.parametrize(("rows", "way"), [(117, "cubic"), (1, "keep"), (0, "linear")])
def test_what_cannot_be_done_is_told(rows, way):
    with pytest.raises(UsageError):
        resize(TABLE, rows, way)
