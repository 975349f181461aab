"""Text on tissue at full size: found, and little else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fetalclip.overlay.letters import find_text, text_to_blank
from fetalclip.phantom import PLANES, draw


def tissue(seed: int, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(draw(PLANES[seed % 4], seed).frame.gray).resize(size, Image.Resampling.BICUBIC)


def covered(gray: np.ndarray) -> np.ndarray:
    mask = np.zeros(gray.shape, dtype=bool)
    for y0, x0, y1, x1 in find_text(gray):
        mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize("size", [(512, 384), (800, 600), (1024, 768)])
@pytest.mark.parametrize(("level", "least"), [(255, 0.95), (200, 0.8)])
def test_lines_of_text_are_covered(size: tuple[int, int], level: int, least: float) -> None:
    shares = []
    for seed, height in enumerate((10, 12, 16, 20, 24, 30)):
        page = tissue(seed, size)
        before = np.array(page)
        place = (size[0] // 5, size[1] // 3)
        ImageDraw.Draw(page).text(place, "DOE JANE 12345", fill=level, font=ImageFont.load_default(height))
        gray = np.array(page)
        ink = (gray != before) & (np.abs(gray.astype(int) - level) < 10)
        shares.append(covered(gray)[ink].mean())
    assert np.mean(shares) >= least


@pytest.mark.parametrize(("level", "least"), [(255, 0.99), (200, 0.99), (140, 0.95)])
def test_what_is_blanked_leaves_no_letter_of_a_line(level: int, least: float) -> None:
    shares, lost = [], []
    for seed, height in enumerate((10, 12, 16, 20, 24, 30, 36)):
        page = tissue(seed, (800, 600))
        before = np.array(page)
        ImageDraw.Draw(page).text((160, 200), "ROE 4711 A.", fill=level, font=ImageFont.load_default(height))
        gray = np.array(page)
        ink = (gray != before) & (np.abs(gray.astype(int) - level) < 10)
        mask = np.zeros(gray.shape, dtype=bool)
        for y0, x0, y1, x1 in text_to_blank(gray, np.ones(gray.shape, dtype=bool)):
            mask[y0:y1, x0:x1] = True
        shares.append(mask[ink].mean())
        lost.append(mask.mean())
    assert np.mean(shares) >= least
    assert np.mean(lost) < 0.1
    kept = np.zeros((600, 800), dtype=bool)
    assert text_to_blank(gray, kept) == []


def test_tissue_alone_is_left() -> None:
    assert np.mean([covered(np.array(tissue(seed, (800, 600)))).mean() for seed in range(8)]) < 0.005


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (120, 120), (121, 301)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    assert find_text(np.zeros(shape, np.uint8)) == []
