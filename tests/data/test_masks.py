"""Annotations of both layouts become the same mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fetalclip.data.masks import fill_hull, head_mask, load_mask, structures_mask
from fetalclip.errors import UnreadableInput, UsageError

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def draw(path: Path, box: tuple[int, int, int, int], filled: bool, turn: float = 0.0) -> Path:
    canvas = Image.new("L", (200, 160))
    ImageDraw.Draw(canvas).ellipse(box, fill=255 if filled else None, outline=255, width=3)
    canvas.rotate(turn).save(path)
    return path


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("turn", [0.0, 25.0, 70.0])
def test_outline_and_filled_give_one_mask(tmp_path: Path, turn: float) -> None:
    box = (40, 40, 160, 120)
    filled, kind = head_mask(draw(tmp_path / "f.png", box, True, turn))
    outlined, other = head_mask(draw(tmp_path / "o.png", box, False, turn))
    assert (kind, other) == ("filled", "outline")
    assert overlap(filled, outlined) > 0.99
    assert load_mask(tmp_path / "o.png", "head").dtype == bool


def test_an_outline_cut_by_the_edge_is_closed_along_it(tmp_path: Path) -> None:
    filled, _ = head_mask(draw(tmp_path / "f.png", (-60, 30, 120, 130), True))
    outlined, kind = head_mask(draw(tmp_path / "o.png", (-60, 30, 120, 130), False))
    assert kind == "outline"
    assert overlap(filled, outlined) > 0.99


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    Image.new("L", (50, 50)).save(tmp_path / "black.png")
    with pytest.raises(UnreadableInput, match="0 bright pixels"):
        head_mask(tmp_path / "black.png")
    half = np.zeros((60, 60), np.uint8)
    half[10:50, 10:30] = half[10:30, 10:50] = 255
    half[10:16, 10:16] = 0
    ring = Image.fromarray(half)
    ImageDraw.Draw(ring).rectangle((22, 22, 28, 48), fill=0)
    ring.save(tmp_path / "odd.png")
    with pytest.raises(UnreadableInput, match="of its hull"):
        head_mask(tmp_path / "odd.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadableInput):
        head_mask(tmp_path / "text.png")
    with pytest.raises(UsageError, match="kind 'hand'"):
        load_mask(tmp_path / "odd.png", "hand")


def test_structures_are_labels_0_to_3(tmp_path: Path) -> None:
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4) % 4
    Image.fromarray(labels).save(tmp_path / "s.png")
    assert np.array_equal(load_mask(tmp_path / "s.png", "structures"), labels)
    Image.fromarray(labels * 60).save(tmp_path / "grey.png")
    with pytest.raises(UnreadableInput, match="labels 60, 120, 180"):
        structures_mask(tmp_path / "grey.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    with pytest.raises(UnreadableInput, match="mode RGB"):
        structures_mask(tmp_path / "rgb.png")


def test_the_hull_of_a_line_is_the_line() -> None:
    drawn = np.zeros((9, 9), bool)
    drawn[4, 2:7] = True
    assert np.array_equal(fill_hull(drawn), drawn)


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not at ../shared/data")
def test_real_annotations_read_the_same_as_their_outlines(tmp_path: Path) -> None:
    from fetalclip.data import read_dataset

    rows = [row for row in read_dataset("hc18", DATA) if row.mask][:12]
    assert len(rows) == 12
    for row in rows:
        mask, kind = head_mask(row.mask)
        assert kind == "filled"
        inner = mask.copy()
        for _ in range(3):  # an outline of three pixels, as the published annotation is drawn
            inner[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        Image.fromarray(((mask & ~inner) * 255).astype(np.uint8)).save(tmp_path / "o.png")
        again, kind = head_mask(tmp_path / "o.png")
        assert kind == "outline"
        assert overlap(mask, again) > 0.99
    heads = [row for row in read_dataset("head-structures", DATA) if row.mask]
    assert len(heads) == 42
    assert set(np.unique(structures_mask(heads[0].mask))) <= {0, 1, 2, 3}
