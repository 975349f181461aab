"""From a frame to what the image tower eats. Training, ``analyze`` and ``bench`` all call ``prepare``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.errors import UsageError
from fetalclip.frame import Frame, Pixels
from fetalclip.overlay import Overlay, find_overlay, mask_overlay, overlay_only
from fetalclip.preprocess.letterbox import Letterbox, letterbox

OVERLAY_MODES = ("mask", "keep", "only")
"""What to do with burned-in text, rulers and bars: blank them (the default), leave them, or leave only them."""

COVERED_WARNING = 0.10  # share of the sector under the mask above which the user is told


@dataclass(frozen=True, eq=False)
class Prepared:
    """One picture, ready for the tower.

    Attributes:
        pixels: uint8 (S, S), of a tower that sees colour (S, S, 3); letterboxed, overlay treated.
        letterbox: the way back to the original pixels.
        mm_per_pixel: (x, y) of a pixel of the square, or None.
        covered: share of the sector that the overlay mask covers, or None when it was not looked for.
        warnings: what the user should know.
    """

    pixels: Pixels
    letterbox: Letterbox
    mm_per_pixel: tuple[float, float] | None
    covered: float | None
    warnings: tuple[str, ...]


def prepare(
    frame: Frame, size: int, overlay: str = "mask", colour: bool = False, found: Overlay | None = None
) -> Prepared:
    """Treat the overlay and letterbox one frame.

    Args:
        frame: any size, grey or colour.
        size: side of the square, pixels.
        overlay: one of ``OVERLAY_MODES``.
        colour: keep the colours of a colour frame.
        found: what `find_overlay` says of the frame, where that is known already.

    Raises:
        UsageError: unknown overlay mode.
    """
    check_overlay(overlay)
    picture = frame.pixels if colour else frame.gray
    covered, warnings = None, []
    if overlay != "keep":
        found = find_overlay(frame.gray) if found is None else found
        covered = found.covered
        if overlay == "mask" and covered > COVERED_WARNING:
            warnings.append(f"overlay mask covers {covered:.0%} of the sector; the answer rests on the rest")
        picture = treated(picture, overlay, found)
    pixels, record = letterbox(picture, size)
    spacing = None if frame.mm_per_pixel is None else record.spacing_in(frame.mm_per_pixel)
    return Prepared(pixels, record, spacing, covered, tuple(warnings))


def treated(picture: Pixels, overlay: str, found: Overlay) -> Pixels:
    """A grey (H, W) or colour (H, W, 3) picture with its overlay blanked (``mask``) or alone (``only``)."""
    treat = mask_overlay if overlay == "mask" else overlay_only
    if picture.ndim == 2:
        return treat(picture, found)
    return np.stack([treat(picture[..., i], found) for i in range(3)], axis=-1)


def check_overlay(mode: str) -> None:
    """Raise ``UsageError`` unless ``mode`` is one of ``OVERLAY_MODES``."""
    if mode not in OVERLAY_MODES:
        raise UsageError(f"overlay mode {mode!r}", "one of " + ", ".join(OVERLAY_MODES), "overlay='mask'")


def to_tensor(pictures: Sequence[Pixels], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Stack squares, repeat the grey ones over three channels and normalise.

    Args:
        pictures: uint8 (S, S) or (S, S, 3) each, one S for all.
        mean, std: three numbers each, for values in 0–1.

    Returns:
        (B, 3, S, S) float32.
    """
    if all(picture.ndim == 2 for picture in pictures):
        return normalise(torch.from_numpy(np.stack(pictures)).to(torch.float32).div_(255.0), mean, std)
    full = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=-1) for p in pictures]
    batch = torch.from_numpy(np.stack(full)).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)  # (B, 3, S, S)
    return normalise(batch, mean, std)


def resize(batch: Tensor, side: int) -> Tensor:
    """Grey squares (B, S, S) in 0–1 at another side: the letterbox's antialiased bicubic, unrounded, on tensors."""
    if batch.shape[-1] == side:
        return batch
    made = F.interpolate(batch[:, None], (side, side), mode="bicubic", antialias=True, align_corners=False)
    return made[:, 0].clamp(0, 1)


def normalise(batch: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Grey (B, S, S) or colour (B, 3, S, S) in 0–1 to normalised (B, 3, S, S), channels last (faster on a CPU)."""
    shift = torch.tensor(mean, device=batch.device).view(1, 3, 1, 1)
    scale = torch.tensor(std, device=batch.device).view(1, 3, 1, 1)
    three = batch.unsqueeze(1) if batch.ndim == 3 else batch
    return ((three - shift) / scale).contiguous(memory_format=torch.channels_last)
