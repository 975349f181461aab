"""Fully developed speckle and its display: scatterers, point spread, envelope, log compression.

The envelope of many random scatterers in one resolution cell is Rayleigh distributed (Wagner, Smith,
Sandrik & Lopez, IEEE Trans. Sonics Ultrason. 1983;30:156): mean over standard deviation is
sqrt(pi / (4 - pi)) = 1.91. All fields are (depth, beam) arrays on the beam grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.floating]
Wave = TypeVar("Wave", npt.NDArray[np.floating], npt.NDArray[np.complexfloating])


@dataclass(frozen=True)
class Spread:
    """The point-spread function of the probe, standard deviations in samples of the beam grid.

    Attributes:
        axial: along the beam.
        lateral: across the beam at the focus.
        defocus: factor by which the beam is wider at the far ends of the depth range.
        focus: depth of the focus, 0 (top row) to 1 (bottom row).
    """

    axial: float
    lateral: float
    defocus: float = 1.8
    focus: float = 0.5


def taps(sigma: float) -> Field:
    """Gaussian weights that sum to 1; a single one below a third of a sample."""
    if sigma < 0.33:
        return np.ones(1, dtype=np.float32)
    reach = max(1, round(2.2 * sigma))
    x = np.arange(-reach, reach + 1, dtype=np.float32)
    weights = np.exp(-0.5 * (x / np.float32(sigma)) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def blur(field: Wave, weights: Field, axis: int) -> Wave:
    """``field`` (depth, beam) weighted along one axis; the borders are repeated."""
    reach = len(weights) // 2
    if reach == 0:
        return field * weights[0]
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach, reach)
    wide = np.pad(field, pad, mode="edge")
    n = field.shape[axis]
    out = np.zeros_like(field)
    part = np.empty_like(field)
    for i, weight in enumerate(weights):
        window = wide[i : i + n] if axis == 0 else wide[:, i : i + n]
        np.multiply(window, weight, out=part)
        out += part
    return out


def spread(field: Wave, psf: Spread, power: bool) -> Wave:
    """``field`` seen through the probe: blurred along depth, and across beams more away from the focus.

    Args:
        field: (depth, beam), real or complex.
        psf: the point spread.
        power: True keeps the mean square of white noise, False keeps the mean.
    """

    def scaled(sigma: float) -> Field:
        weights = taps(sigma)
        return weights / np.float32(np.sqrt((weights**2).sum())) if power else weights

    axial = blur(field, scaled(psf.axial), 0)
    narrow = blur(axial, scaled(psf.lateral), 1)
    wide = blur(axial, scaled(psf.lateral * psf.defocus), 1)
    depth = np.linspace(0, 1, field.shape[0], dtype=np.float32)[:, None]
    out_of_focus = np.abs(depth - np.float32(psf.focus)) / max(psf.focus, 1 - psf.focus)
    return narrow + (wide - narrow) * out_of_focus


def envelope(rng: np.random.Generator, amplitude: Field, coherence: Field | None, psf: Spread) -> Field:
    """Envelope of the echo before compression.

    Args:
        rng: where the scatterers come from.
        amplitude: (depth, beam), root mean square strength of the scatterers, linear.
        coherence: (depth, beam) 0..1, the share that is a mirror-like echo without speckle; None is none.
        psf: the point spread.

    Returns:
        float32 (depth, beam), root mean square about ``amplitude`` where that is flat.
    """
    noise = rng.standard_normal((2, *amplitude.shape), dtype=np.float32)
    scatter = np.empty(amplitude.shape, dtype=np.complex64)
    loose = amplitude * np.float32(math.sqrt(0.5))
    if coherence is not None:
        loose = loose * (1 - coherence)
    scatter.real, scatter.imag = noise[0] * loose, noise[1] * loose
    seen = spread(scatter, psf, power=True)
    if coherence is not None and coherence.any():
        seen = seen + spread(np.asarray(amplitude * coherence, dtype=np.float32), psf, power=False)
    return np.abs(seen).astype(np.float32)


def clutter(amplitude: Field, level_db: float, floor_db: float) -> Field:
    """Haze that side lobes and reverberation lay over dark places, as an amplitude to add.

    Args:
        amplitude: (depth, beam), linear.
        level_db: strength of the haze against what is near, dB below 0.
        floor_db: electronic noise, dB below soft tissue.
    """
    depths, beams = amplitude.shape
    image = Image.fromarray(np.asarray(amplitude, dtype=np.float32))
    small = image.resize((max(3, beams // 24), max(3, depths // 16)), Image.Resampling.BOX)
    haze = np.asarray(small.resize((beams, depths), Image.Resampling.BILINEAR))
    return haze * np.float32(10 ** (level_db / 20)) + np.float32(10 ** (floor_db / 20))


def compress(magnitude: Field, gain_db: float, dynamic_db: float) -> Field:
    """Log compression for display.

    Args:
        magnitude: envelope, linear, 1 is ordinary soft tissue.
        gain_db: raises (or lowers) everything, dB.
        dynamic_db: the range shown from black to white, dB.

    Returns:
        float32 0..255, before rounding; soft tissue lies a little below the middle, dark tones are held back.
    """
    db = 20 * np.log10(magnitude + np.float32(1e-4))
    share = ((db + gain_db) / dynamic_db + 0.48).clip(0, 1)
    return np.asarray(share * (0.5 + 0.5 * share) * 255, dtype=np.float32)
