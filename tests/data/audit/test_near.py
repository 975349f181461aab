"""Near duplicates: copies are found, other pictures of the same plane are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fetalclip.data.audit import near
from fetalclip.data.audit.look import look


def squares(tmp_path, pictures):
    """Small squares, letterboxed and filled."""
    looks = []
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        looks.append(look(tmp_path / f"{i}.png"))
    return np.stack([x.small for x in looks]), np.stack([x.filled for x in looks])


def jpeg(gray):
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


def resized(gray, width, height):
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BICUBIC))


CHANGES = {
    "half": lambda g: resized(g, g.shape[1] // 2, g.shape[0] // 2),
    "jpeg": jpeg,
    "brighter": lambda g: (255 * (g / 255.0) ** 0.7).astype(np.uint8),
    "stretched": lambda g: resized(g, g.shape[1], int(1.12 * g.shape[0])),
    "mirrored": lambda g: np.ascontiguousarray(g[:, ::-1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(tmp_path, drawn, change):
    gray = drawn["thorax", 0]
    pairs = list(near.near_pairs(*squares(tmp_path, [gray, drawn["femur", 1], CHANGES[change](gray)])))
    assert [(p.first, p.second, p.mirrored) for p in pairs] == [(0, 2, change == "mirrored")]
    assert pairs[0].likeness >= near.ALIKE


def test_other_pictures_are_not_copies(tmp_path, drawn):
    assert list(near.near_pairs(*squares(tmp_path, drawn.values()))) == []


def test_blocks_miss_no_pair(tmp_path, drawn, monkeypatch):
    small, filled = squares(tmp_path, [*drawn.values(), *drawn.values()])
    n = len(drawn)
    monkeypatch.setattr(near, "_BLOCK", 5)
    assert sorted((p.first, p.second) for p in near.near_pairs(small, filled)) == [(i, i + n) for i in range(n)]


def test_pairs_are_capped(tmp_path, drawn, monkeypatch):
    small, _ = squares(tmp_path, [drawn["brain", 0]] * 5)
    monkeypatch.setattr(near, "MOST", 4)
    assert len(list(near.near_pairs(small))) == 4


def test_nothing_to_compare():
    assert list(near.near_pairs(np.zeros((1, 32, 32), np.uint8))) == []


def test_a_hash_ignores_brightness(drawn):
    small = np.stack([resized(g, 32, 32) for g in drawn.values()])
    bits = near.hashes(small)
    assert bits.shape == (len(small), near.BITS)
    assert (bits != near.hashes(small // 2)).mean() < 0.05
