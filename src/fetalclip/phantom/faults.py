"""Faults of image quality planted into simulated planes, with the truth that they are there.

Each fault draws the plane anew with other ranges, or changes its picture. `spoil` plants one, `sound` draws a plane
that has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fetalclip.errors import UsageError
from fetalclip.frame import Pixels
from fetalclip.phantom import PLANES, PROFILES, Phantom, draw
from fetalclip.phantom.canvas import Field, Mask
from fetalclip.phantom.profile import Profile

FILLING: Mapping[str, str] = {"brain": "head", "abdomen": "abdomen", "femur": "femur", "thorax": "thorax"}
"""Plane to the structure that fills it."""

_TRIES, _WIDER = 8, 1.07
_ROOT = 0x0FA017  # first word of every seed sequence of the faults
_SOUND_SHADE = 4.0  # dB; a deeper band between beams is a shadow
_LOW, _HIGH = (-18.0, -12.0), (24.0, 32.0)  # dB
_SMALL = (1.7, 2.4)  # factor on the space around the structure


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: of the fault, which is the name of the check that should see it.
        planes: that can have it.
        plant: draws the plane with it.
    """

    name: str
    planes: tuple[str, ...]
    plant: Callable[[str, int, Profile, np.random.Generator], Phantom]


def sound(plane: str, seed: int, profile: str = "demo") -> Phantom:
    """A plane without faults: whole, large enough, no band in shadow; everything else as the profile draws it.

    Arguments and errors as `fetalclip.phantom.draw`.
    """
    return _whole(plane, seed, _sound(profile))


def spoil(fault: str, plane: str, seed: int, profile: str = "demo") -> Phantom:
    """The plane of the same arguments with one fault in it.

    Args:
        fault: one of `FAULTS`.
        plane, seed, profile: as `fetalclip.phantom.draw`.

    Raises:
        UsageError: an unknown fault, plane or profile, a plane that cannot have the fault, a negative seed.
    """
    if fault not in FAULTS:
        raise UsageError(f"an unknown fault {fault!r}", "one of " + ", ".join(FAULTS), 'fault="shadow"')
    one = FAULTS[fault]
    if plane not in one.planes:
        raise UsageError(f"the fault {fault!r} on a plane {plane!r}", "one of " + ", ".join(one.planes))
    if seed < 0:
        raise UsageError(f"a negative seed {seed}", "an integer of 0 or more")
    ranges = _sound(profile)
    words = [_ROOT, ranges.stream, list(FAULTS).index(fault), PLANES.index(plane), seed]
    return one.plant(plane, seed, ranges, np.random.default_rng(np.random.SeedSequence(words)))


def _sound(profile: str) -> Profile:
    if profile not in PROFILES:
        raise UsageError(f"an unknown profile {profile!r}", "one of " + ", ".join(PROFILES), 'profile="demo"')
    ranges = PROFILES[profile]
    low, high = ranges.margin
    return replace(ranges, margin=(max(1.02, low), max(1.06, min(1.2, high))), shade=(0.0, _SOUND_SHADE))


def _whole(plane: str, seed: int, ranges: Profile, subplane: str = "") -> Phantom:
    """The plane with so much space around the structure that no edge cuts it."""
    drawn = draw(plane, seed, ranges, subplane=subplane)
    for _ in range(_TRIES):
        mask, sector = drawn.masks[FILLING[plane]], drawn.sector
        assert sector is not None
        at_side = bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
        if not at_side and not (mask & ~sector).any():
            break
        low, high = ranges.margin
        ranges = replace(ranges, margin=(low * _WIDER, high * _WIDER))
        drawn = draw(plane, seed, ranges, subplane=subplane)
    return drawn


# ---------------------------------------------------------------- drawn anew


def _dark(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """The machine's gain far down."""
    return draw(plane, seed, replace(ranges, gain=_LOW))


def _bright(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """The machine's gain far up."""
    return draw(plane, seed, replace(ranges, gain=_HIGH))


def _small(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """Too great a depth: the structure is small in the sector."""
    return draw(plane, seed, replace(ranges, margin=_SMALL))


def _low(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """The head seen too low: through the cerebellum."""
    return _whole(plane, seed, ranges, "trans-cerebellum")


# ---------------------------------------------------------------- changed pictures


def _cut(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """A side of the picture, or of the sector, through the structure: 15 to 35 % of its width is lost."""
    whole = _whole(plane, seed, ranges)
    mask = whole.masks[FILLING[plane]]
    columns = np.flatnonzero(mask.any(axis=0))
    lost = round(float(rng.uniform(0.15, 0.35)) * len(columns))
    left = bool(rng.random() < 0.5)
    at = int(columns[lost] if left else columns[-lost])
    if rng.random() < 0.5:
        keep = slice(at, None) if left else slice(None, at)
        return _with(whole, whole.frame.pixels[:, keep], lambda field: field[:, keep])
    # a sector that is narrower on that side: what is beyond a slanting line is black
    rows = np.arange(mask.shape[0])[:, None]
    lean = (-1 if left else 1) * float(rng.uniform(0.0, 0.3)) * (rows - rows.mean())
    beyond = np.arange(mask.shape[1])[None, :] - at - lean
    out = beyond < 0 if left else beyond > 0
    spoilt = _with(whole, np.where(out, np.uint8(0), whole.frame.pixels), lambda field: field)
    return replace(spoilt, sector=None if whole.sector is None else whole.sector & ~out)


def _shade(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """A band along the beams that is 24 to 34 dB darker from near the probe to the end."""
    whole = _whole(plane, seed, ranges)
    assert whole.sector is not None
    y, x = np.mgrid[: whole.frame.height, : whole.frame.width].astype(float)
    rows, columns = np.flatnonzero(whole.sector.any(axis=1)), np.flatnonzero(whole.sector.any(axis=0))
    high, wide = float(np.ptp(rows)), float(np.ptp(columns))
    away = high * float(rng.uniform(0.5, 1.2))  # of the apex above the sector
    angle = np.arctan2(x - columns.mean(), y - rows[0] + away)
    depth = (y - rows[0]) / high
    half = np.arctan2(0.5 * wide, away + 0.5 * high)  # of the beams
    size = half * float(rng.uniform(0.22, 0.4))
    middle = float(rng.uniform(-0.55, 0.55)) * half
    across = np.clip((size - np.abs(angle - middle)) / (0.15 * size), 0.0, 1.0)
    along = np.clip((depth - float(rng.uniform(0.02, 0.2))) / 0.05, 0.0, 1.0)
    loss = float(rng.uniform(24.0, 34.0)) * across * along
    return _with(whole, _quieter(whole.frame.pixels, loss, 50.0), lambda field: field)


def _quieter(gray: Pixels, loss: Field, dynamic: float) -> Pixels:
    """Grey levels after a loss in dB, by the display curve of `fetalclip.phantom.speckle.compress`."""
    share = np.sqrt(0.25 + 2.0 * gray / 255.0) - 0.5
    share = np.clip(share - loss / dynamic, 0.0, 1.0)
    return np.rint(share * (0.5 + 0.5 * share) * 255.0).astype(np.uint8)


def _oblique(plane: str, seed: int, ranges: Profile, rng: np.random.Generator) -> Phantom:
    """What lies in the skull pushed to a side by 0.32 to 0.5 of half the BPD, or turned so far at its ends."""
    whole = _whole(plane, seed, ranges)
    frame = _head_frame(whole)
    u, v, centre, turn, half = frame.u, frame.v, frame.centre, frame.turn, frame.half
    edge = np.sqrt(np.clip(1.0 - u**2, 1e-6, None))  # of the skull on that side
    push = float(rng.uniform(0.32, 0.5)) * (1 if rng.random() < 0.5 else -1)
    turned = rng.random() < 0.5
    middle = np.clip(push * (u / 0.65 if turned else 1.0), -0.6, 0.6) * edge  # where the midline comes to lie
    # each side of the midline is stretched or squeezed in between midline and skull
    source = (
        np.where(
            v > middle, (v - middle) / np.maximum(edge - middle, 1e-6), (v - middle) / np.maximum(edge + middle, 1e-6)
        )
        * edge
    )
    within = (np.abs(u) < 0.98) & (np.abs(v) < edge * 0.995)
    place = (
        centre + (np.where(within, source, v) * half[0])[..., None] * turn[:, 0] + (u * half[1])[..., None] * turn[:, 1]
    )
    moved = _sampled(whole.frame.pixels, place)
    return _with(whole, np.where(within, moved, whole.frame.pixels), lambda field: field)


@dataclass(frozen=True, eq=False)
class _HeadFrame:
    """The brain's own axes: u along the midline and v across it, (H, W), 1 at the skull's inner edge."""

    u: Field
    v: Field
    centre: Field
    turn: Field
    half: Field


def _head_frame(whole: Phantom) -> _HeadFrame:
    (brain,) = whole.shapes["brain"]
    mm = whole.frame.mm_per_pixel
    assert mm is not None
    points = brain / np.asarray(mm) - 0.5  # pixels
    centre = points.mean(axis=0)
    values, turn = np.linalg.eigh(np.cov((points - centre).T))
    half = np.sqrt(2.0 * values)  # of an outline evenly run through; the short one first
    y, x = np.mgrid[: whole.frame.height, : whole.frame.width].astype(float)
    at = np.stack([x, y], axis=2) - centre
    return _HeadFrame((at @ turn[:, 1]) / half[1], (at @ turn[:, 0]) / half[0], centre, turn, half)


def _sampled(gray: Pixels, places: Field) -> Pixels:
    """The picture at (H, W, 2) places (x, y), bilinear, edges repeated."""
    h, w = gray.shape
    x, y = np.clip(places[..., 0], 0, w - 1.001), np.clip(places[..., 1], 0, h - 1.001)
    i, j = y.astype(int), x.astype(int)
    a, b = y - i, x - j
    level = gray.astype(np.float64)
    found = (level[i, j] * (1 - b) + level[i, j + 1] * b) * (1 - a) + (
        level[i + 1, j] * (1 - b) + level[i + 1, j + 1] * b
    ) * a
    return np.rint(found).astype(np.uint8)


def _with(whole: Phantom, pixels: Pixels, change: Callable[[Mask], Mask]) -> Phantom:
    """The phantom with other pixels, its masks changed likewise; outlines and calipers hold for the whole only."""
    masks = {name: change(mask) for name, mask in whole.masks.items()}
    sector = None if whole.sector is None else change(whole.sector)
    return replace(whole, frame=whole.frame.with_pixels(pixels), masks=masks, sector=sector, calipers={}, shapes={})


FAULTS: dict[str, Fault] = {
    one.name: one
    for one in (
        Fault("size", PLANES, _small),
        Fault("edge", PLANES, _cut),
        Fault("gain low", PLANES, _dark),
        Fault("gain high", PLANES, _bright),
        Fault("shadow", PLANES, _shade),
        Fault("midline", ("brain",), _oblique),
        Fault("no cerebellum", ("brain",), _low),
    )
}
"""Fault by name; each has the name of the check that should see it."""
