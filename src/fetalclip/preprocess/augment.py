"""Random changes to training pictures, a whole batch at a time, each picture by its own seed.

The changes are those of an ultrasound machine and its user: the beam is weakened with depth, cast in shadow, covered by
near-field haze, its time-gain sliders moved, its speckle drawn anew. They follow the beam: rays from an apex above the
lit sector, found on the picture before it is turned. Whatever is black stays black, and whatever scales a picture is
returned with it, so that the spacing in a caption stays true.

The amplitude of fully developed speckle has a Rayleigh distribution, and a machine shows its logarithm: so the noise
here is the logarithm of a Rayleigh amplitude, which has more dark grains than bright ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.errors import BadRecipe

STORE = 7 / 6
"""Side of a stored picture over the tower's, so that augmentation has something to zoom into."""

_BLACK = 1 / 255  # padding and the ground around the sector
_FADE = 8 / 255  # what is added (brightness, haze) fades in over so many grey levels above black
_SLIDERS = 8  # time-gain sliders from the probe down
_DRAWS = 64  # uniform numbers drawn for each picture


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes.

    Attributes:
        rotate: largest rotation, degrees.
        zoom: smallest and largest magnification, the same both ways.
        shift: largest shift, as a share of the side; less where the lit sector would leave the frame.
        flip: chance of a left-right flip.
        brightness, contrast: largest relative change.
        gamma: largest change of the exponent, as a factor (0.3: from 1/1.3 to 1.3).
        speckle: largest relative strength of multiplicative, spatially correlated noise.
        erase_corners: chance that each corner is blanked (burned-in text lives there).
        erase_patch: chance of one blanked rectangle anywhere.
        shadow: chance of an acoustic shadow, from a random depth down along the beam.
        attenuation: largest loss (or, at reversed time gain, rise) at full depth, as an exponent of e.
        haze: largest added veil, in 0-1, strongest near the probe.
        tgc: largest relative change of a time-gain slider, smooth between one and the next.

    Raises:
        BadRecipe: a chance outside 0-1, a negative range, a magnification that is not above 0.
    """

    rotate: float = 12.0
    zoom: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.06
    flip: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.25
    gamma: float = 0.35
    speckle: float = 0.15
    erase_corners: float = 0.35
    erase_patch: float = 0.15
    shadow: float = 0.2
    attenuation: float = 0.35
    haze: float = 0.08
    tgc: float = 0.1

    def __post_init__(self) -> None:
        for name in ("flip", "erase_corners", "erase_patch", "shadow", "brightness", "contrast", "haze"):
            _within(name, getattr(self, name), 1.0)
        for name in ("rotate", "shift", "gamma", "speckle", "attenuation", "tgc"):
            _within(name, getattr(self, name), math.inf)
        low, high = self.zoom
        if not 0 < low <= high < math.inf:
            raise BadRecipe(f"augment.zoom = {list(self.zoom)}", "two magnifications above 0, the smaller one first")

    @classmethod
    def none(cls) -> Augmentation:
        """No change at all."""
        return cls(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def augment(batch: Tensor, size: int, ranges: Augmentation, seeds: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
    """Change every picture of a batch at random.

    Args:
        batch: grey (B, S, S) in 0-1.
        size: side of the result, pixels.
        ranges: how much.
        seeds: B whole numbers, each the only source of its picture's changes, so that a picture and its seed make
            the same result in any batch.

    Returns:
        Grey (B, size, size) in 0-1, and (B,) result pixels per input pixel: divide a spacing by it.

    Raises:
        ValueError: not one seed per picture.
    """
    pictures, _, scale = augment_with_masks(
        batch, batch.new_zeros(len(batch), 0, *batch.shape[1:]), size, ranges, seeds
    )
    return pictures, scale


def augment_with_masks(
    batch: Tensor, masks: Tensor, size: int, ranges: Augmentation, seeds: Sequence[int] | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Change every picture at random and move its masks with it.

    What a picture loses to a shadow or a blanked patch its masks keep: the structure is still there.

    Args:
        batch: as `augment`'s.
        masks: (B, C, S, S) in 0-1, as many structures as wanted.
        size, ranges, seeds: as `augment`'s.

    Returns:
        The pictures and the scale as `augment`'s, between them the masks, (B, C, size, size) in 0-1, soft at edges.

    Raises:
        ValueError: not one seed per picture.
    """
    n, side = batch.shape[0], batch.shape[-1]
    draws = _Draws([int(seed) for seed in seeds])
    if len(draws.generators) != n:
        raise ValueError(f"{len(draws.generators)} seeds for {n} pictures; expected one each")
    box = _lit(batch)
    theta, magnification = _affine(box, ranges, draws)
    grid = _grid(theta, size)
    x = F.grid_sample(batch.unsqueeze(1), grid, mode="bilinear", align_corners=False).squeeze(1)
    moved = masks.new_zeros(n, 0, size, size)
    if masks.shape[1]:
        moved = F.grid_sample(masks, grid, mode="bilinear", align_corners=False)
    x = _intensity(x, _Beam(theta, box, max(2, size // 2), draws), ranges, draws)
    return _erase(x, ranges, draws), moved, magnification * (size / side)


class _Draws:
    """Uniform numbers in a fixed order, a row for each seed."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        rows = [torch.rand(_DRAWS, generator=generator) for generator in self.generators]
        self._table, self._used = torch.stack(rows) if rows else torch.zeros(0, _DRAWS), 0

    def uniform(self, low: float, high: float, count: int = 1) -> Tensor:
        """(B, count) numbers between ``low`` and ``high``."""
        self._used += count
        return low + (high - low) * self._table[:, self._used - count : self._used]

    def log_rayleigh(self, side: int) -> Tensor:
        """(B, side, side) logarithms of Rayleigh amplitudes with mean 0 and deviation 1; to be drawn last."""
        power = [torch.empty(side, side).exponential_(generator=generator) for generator in self.generators]
        return (torch.stack(power).clamp_min_(1e-4).log_() + 0.5772) * (math.sqrt(6) / math.pi)


class _Beam:
    """Where each pixel of the result lies in the beam of its picture, at a coarser ``side``.

    Attributes:
        depth: (B, side, side), 0 at the probe, 1 at the lowest lit row.
        across: (B, side, side), tangent of the ray's angle to the middle ray, as a share of the sector's.
    """

    def __init__(self, theta: Tensor, box: Tensor, side: int, draws: _Draws) -> None:
        grid = _grid(theta, side)
        left, top, right, bottom = (edge.view(-1, 1, 1) for edge in box.unbind(1))
        half, tall = (right - left) / 2, bottom - top
        above = half * draws.uniform(0.3, 1.2).view(-1, 1, 1)  # of the apex over the lit sector: from wide to narrow
        x, y = grid[..., 0] - (left + right) / 2, grid[..., 1] - top + above
        self.depth = ((torch.hypot(x, y) - above) / tall).clamp(0, 1)
        self.across = x / y.clamp_min(0.05) * ((above + tall / 2) / half)


def _lit(batch: Tensor) -> Tensor:
    """Box (B, 4) of what is not black: left, top, right, bottom in grid coordinates (the frame is -1 to 1)."""
    side = batch.shape[-1]
    edges = []
    for axis in (1, 2):
        lit = batch.amax(dim=axis) > 4 * _BLACK  # (B, S): columns, then rows
        first, last = lit.int().argmax(1), side - lit.flip(1).int().argmax(1)  # of none: 0 and side, the whole frame
        edges += [first, last]
    left, right, top, bottom = (2 * edge / side - 1 for edge in edges)
    return torch.stack([left, top, right, bottom], dim=1)


def _affine(box: Tensor, ranges: Augmentation, draws: _Draws) -> tuple[Tensor, Tensor]:
    """A similarity from result to picture, (B, 2, 3), and its magnification (B,)."""
    low, high = (math.log(v) for v in ranges.zoom)
    magnification = draws.uniform(low, high).exp()  # (B, 1)
    angle = torch.deg2rad(draws.uniform(-ranges.rotate, ranges.rotate))
    mirror = torch.where(draws.uniform(0, 1) < ranges.flip, -1.0, 1.0)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.cat([cos * mirror, -sin], 1), torch.cat([sin * mirror, cos], 1)], dim=1)  # (B, 2, 2)
    back = turn.transpose(1, 2) * magnification.unsqueeze(2)  # picture to result, but for the shift
    centre = back @ (box[:, :2] + box[:, 2:]).unsqueeze(2) / 2
    half = back.abs() @ (box[:, 2:] - box[:, :2]).unsqueeze(2) / 2
    # The box stays in the frame where it is the smaller of the two, and fills it where it is the larger.
    one, other = -1 - (centre - half), 1 - (centre + half)
    shift = draws.uniform(-2 * ranges.shift, 2 * ranges.shift, 2).unsqueeze(2)
    shift = shift.clamp(torch.minimum(one, other), torch.maximum(one, other))
    turn = turn / magnification.unsqueeze(2)
    return torch.cat([turn, -turn @ shift], dim=2), magnification.squeeze(1)


def _grid(theta: Tensor, side: int) -> Tensor:
    """(B, side, side, 2) places in the picture; ``affine_grid`` without its slow product of matrices."""
    axis = (2 * torch.arange(side) + 1) / side - 1
    across = axis.view(1, 1, -1, 1) * theta[:, None, None, :, 0] + theta[:, None, None, :, 2]
    return across + axis.view(1, -1, 1, 1) * theta[:, None, None, :, 1]


def _intensity(x: Tensor, beam: _Beam, ranges: Augmentation, draws: _Draws) -> Tensor:
    """Gains, summed as logarithms on the beam's coarse grid, then what is added; 0 stays 0."""
    size = x.shape[-1]
    gamma_limit = math.log(1 + ranges.gamma)
    gamma = draws.uniform(-gamma_limit, gamma_limit).exp()
    gain = draws.uniform(1 - ranges.contrast, 1 + ranges.contrast).clamp_min(1e-3).log()
    lift = draws.uniform(-ranges.brightness, ranges.brightness)
    fields = [_loss(beam, ranges, draws) + _sliders(beam, ranges, draws) + _shadow(beam, ranges, draws)]
    fields.append(_haze(beam, ranges, draws))
    fields[0] = fields[0] + gain.view(-1, 1, 1) + _speckle(fields[0].shape[-1], ranges, draws)
    log_gain, haze = F.interpolate(torch.stack(fields, 1), (size, size), mode="bilinear").unbind(1)
    made = x.clamp_min(1e-4).log_().mul_(gamma.view(-1, 1, 1)).add_(log_gain).exp_()
    added = haze + (lift * made.mean(dim=(1, 2)).unsqueeze(1)).unsqueeze(2)
    made += added.mul_(((x - _BLACK) / _FADE).clamp_(0, 1))
    return torch.where(x > _BLACK, made.clamp_(0, 1), x)


def _loss(beam: _Beam, ranges: Augmentation, draws: _Draws) -> Tensor:
    return draws.uniform(-ranges.attenuation, ranges.attenuation).view(-1, 1, 1) * beam.depth


def _sliders(beam: _Beam, ranges: Augmentation, draws: _Draws) -> Tensor:
    """Time gain: linear from one slider to the next."""
    limit = math.log(1 + ranges.tgc)
    knobs = draws.uniform(-limit, limit, _SLIDERS)
    place = beam.depth * (_SLIDERS - 1)
    index = place.long().clamp_(max=_SLIDERS - 2)
    here, after = (knobs.gather(1, (index + step).flatten(1)).view_as(place) for step in (0, 1))
    return torch.lerp(here, after, place - index)


def _shadow(beam: _Beam, ranges: Augmentation, draws: _Draws) -> Tensor:
    """A dark wedge along the rays, soft at its sides and where it begins."""
    cast = draws.uniform(0, 1) < ranges.shadow
    middle, wide, start = draws.uniform(-0.75, 0.75), draws.uniform(0.06, 0.25), draws.uniform(0.05, 0.6)
    dark = torch.where(cast, draws.uniform(0.8, 2.2), 0.0)  # logarithm of the gain
    middle, wide, start, dark = (v.view(-1, 1, 1) for v in (middle, wide, start, dark))
    sides = torch.exp(-(((beam.across - middle) / wide) ** 4).clamp_max(40))
    return -dark * sides * torch.sigmoid((beam.depth - start) / 0.025)


def _haze(beam: _Beam, ranges: Augmentation, draws: _Draws) -> Tensor:
    """A veil of low frequency that fades with depth."""
    strength = draws.uniform(0, ranges.haze).view(-1, 1, 1)
    clouds = draws.uniform(0.3, 1, 16).view(-1, 1, 4, 4)
    clouds = F.interpolate(clouds, tuple(beam.depth.shape[1:]), mode="bilinear").squeeze(1)
    return strength * clouds * (1 - beam.depth) ** 2


def _speckle(side: int, ranges: Augmentation, draws: _Draws) -> Tensor:
    """Logarithm of speckle, longer across the beam than along it."""
    strength = draws.uniform(0, ranges.speckle).view(-1, 1, 1)
    if not ranges.speckle:
        return strength
    noise = draws.log_rayleigh(side)
    noise = noise + 0.7 * (noise.roll(1, dims=2) + noise.roll(-1, dims=2))
    return noise * (strength * 0.95)  # deviation 1 again, after this sum and the bilinear enlargement


def _erase(x: Tensor, ranges: Augmentation, draws: _Draws) -> Tensor:
    size = x.shape[-1]
    corner = (draws.uniform(0, 1, 4) < ranges.erase_corners).tolist()
    patch = (draws.uniform(0, 1) < ranges.erase_patch).tolist()
    extent = (draws.uniform(0.05, 0.22, 8) * size).long().tolist()  # height and width of each corner
    where = draws.uniform(0, 1, 4).tolist()
    for i in range(len(x)):
        for k in range(4):
            if corner[i][k]:
                high, wide = extent[i][2 * k : 2 * k + 2]
                rows = slice(0, high) if k < 2 else slice(size - high, size)
                x[i, rows, slice(0, wide) if k % 2 == 0 else slice(size - wide, size)] = 0
        if patch[i][0]:
            high, wide = (min(size, int(share * 0.2 * size + 4)) for share in where[i][2:])
            top, left = int(where[i][0] * (size - high)), int(where[i][1] * (size - wide))
            x[i, top : top + high, left : left + wide] = 0
    return x


def _within(name: str, value: float, most: float) -> None:
    if not 0 <= value <= most or value == math.inf:
        wanted = "0 or more" if most == math.inf else f"0 to {most:g}"
        raise BadRecipe(f"augment.{name} = {value:g}", wanted, f"augment.{name}=0")
