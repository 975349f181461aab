"""The engine is frozen: hearts are trained on its clips, so a change of its pictures would change what was learnt.

Pictures are compared as means of 16 x 16 pixels with what was stored when the engine was frozen. Single pixels may
differ by a grey level between processors and versions of numpy and Pillow (fused multiply-adds, the last bit of exp
and log10), so that a hash of pixels could fail without a change; means of 256 pixels move by about 0.003 grey levels
when every echo is off by one part in 100,000, but by 0.4 with 0.1 dB more gain and by up to 0.7 in one block when the
chambers shorten a tenth more. The stored numbers themselves are held by their
sha256, so that they are not drawn anew unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fetalclip.phantom.hearts import draw_heart

STORED = Path(__file__).with_name("frozen.npy")  # uint16 (clips, frames, 14, 14): means times 100
SHA256 = "acb7a26e2e664a5744df3e8d02b79076dbe04299c0a491768b26664164a1421b"
CLIPS: list[tuple[int, str, str | Mapping[str, float] | None, float, str]] = [
    (0, "train", None, 1.0, "apical"),
    (1, "demo", "ventricular septal defect", 0.7, "basal"),
    (2, "test", "rhabdomyoma", 1.0, "apical"),
    (3, "test", "poor contraction", 0.6, "basal"),
    (4, "train", {"abnormal axis": 0.8, "pericardial effusion": 0.6}, 1.0, "basal"),
    (5, "train", "hypoplastic left heart", 1.0, "apical"),
]
FRAMES = (0, 5)


def coarse(number: int) -> npt.NDArray[np.float64]:
    """Block means (frames, 14, 14) of one of the clips."""
    seed, profile, finding, severity, view = CLIPS[number]
    clip = draw_heart(seed, profile, finding, severity, 6, view)
    pictures = np.stack([clip.picture(i) for i in FRAMES]).astype(np.float64)
    return pictures.reshape(len(FRAMES), 14, 16, 14, 16).mean(axis=(2, 4))


def test_the_stored_numbers_are_those_of_the_frozen_engine() -> None:
    stored = np.load(STORED, allow_pickle=False)
    assert hashlib.sha256(stored.astype("<u2").tobytes()).hexdigest() == SHA256


@pytest.mark.parametrize("number", range(len(CLIPS)))
def test_pictures_are_those_of_the_frozen_engine(number: int) -> None:
    stored = np.load(STORED, allow_pickle=False)[number] / 100
    off = np.abs(coarse(number) - stored)
    assert off.mean() < 0.02
    assert off.max() < 0.4
