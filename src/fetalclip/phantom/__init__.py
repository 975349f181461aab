"""Simulated fetal standard planes with known truth, for the demo, for tests and for part of the training.

They are drawings: simple shapes with the sizes of a real fetus, seen through a simulated probe. They are not
for judging how well a model reads real pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from fetalclip.errors import UsageError
from fetalclip.frame import Frame, Pixels
from fetalclip.phantom.abdomen import Abdomen
from fetalclip.phantom.canvas import Canvas, Field, Mask
from fetalclip.phantom.cerebellum import HindHead
from fetalclip.phantom.femur import Femur
from fetalclip.phantom.head import Head
from fetalclip.phantom.label import burn_in
from fetalclip.phantom.profile import PROFILES, Profile
from fetalclip.phantom.sector import place
from fetalclip.phantom.shape import Pair, inside
from fetalclip.phantom.speckle import Spread, blur, clutter, compress, envelope, taps
from fetalclip.phantom.thorax import Thorax
from fetalclip.phantom.womb import surround

__all__ = ["PLANES", "PROFILES", "STRUCTURES", "SUBPLANES", "Phantom", "draw", "resample"]

PLANES = ("brain", "abdomen", "femur", "thorax")
"""The planes that can be drawn."""

SUBPLANES = ("trans-thalamic", "trans-cerebellum")
"""The planes of the brain that can be drawn; the first is drawn where none is named."""

STRUCTURES = {
    "brain": ("head", "brain", "cavum septi pellucidi", "lateral ventricle"),
    "abdomen": ("abdomen", "stomach", "umbilical vein", "spine"),
    "femur": ("femur",),
    "thorax": ("thorax", "spine", "aorta", "heart", "LV", "RV", "LA", "RA", "septum"),
}
"""Plane to the structures whose masks are known.

head is the outer edge of the skull and brain its inner edge; abdomen and thorax are the outer skin; spine is the convex
outline about the three bony echoes; umbilical vein holds the portal sinus; femur is the ossified shaft; septum lies
between the ventricles, and those begin at their valves; lateral ventricle holds the choroid plexus too, on each side
that is drawn. A trans-cerebellar view has cerebellum and cisterna magna in place of the lateral ventricle.
"""

_HIND = ("head", "brain", "cavum septi pellucidi", "cerebellum", "cisterna magna")
_ROOT = 0x0FE7A1  # first word of every seed sequence of the planes
_LEAST, _MOST = 16, 4096  # pixels, sides of a resampled picture
_SHADOW = 30.0  # dB, no bone casts a deeper shadow
# plane: share of the picture's width and height that the structure may take, in a zoomed picture
_FILL = {"brain": (0.86, 0.94), "abdomen": (0.72, 0.88), "femur": (0.74, 0.80), "thorax": (0.90, 1.02)}

# plane: echo strength of the surroundings in dB, probability of amniotic fluid about the structure
_SCENE = {"brain": (-6.0, 0.6), "abdomen": (-7.0, 0.7), "femur": (-18.0, 0.75), "thorax": (-6.0, 0.6)}
# plane: factor on the point spread against the picture; the heart is shown enlarged
_GRAIN = {"brain": 0.9, "abdomen": 0.9, "femur": 0.85, "thorax": 1.25}


class _Anatomy(Protocol):
    @property
    def extent(self) -> tuple[float, float]: ...
    @property
    def truth(self) -> dict[str, float]: ...
    def outline(self, centre: tuple[float, float], grow: float = 1.0) -> Field: ...
    def paint(self, canvas: Canvas, centre: tuple[float, float]) -> None: ...


_ANATOMY: dict[str, type[Head] | type[Abdomen] | type[Femur] | type[Thorax]] = {
    "brain": Head,
    "abdomen": Abdomen,
    "femur": Femur,
    "thorax": Thorax,
}


@dataclass(frozen=True, eq=False)
class Phantom:
    """One simulated plane.

    Attributes:
        frame: uint8 (H, W), with its ``mm_per_pixel``.
        plane: one of ``PLANES``.
        masks: structure to (H, W) bool, see ``STRUCTURES``; they overlap where one lies in another. What the frame
            cuts off is absent.
        truth: ``weeks`` and sizes of the whole structure: mm where the name ends in ``_mm``, mm2 in ``_mm2``, degrees
            in ``_degrees``, else a share.
        calipers: measure (``BPD``, ``OFD``, ``TAD``, ``APAD``, ``FL``, ...) to its two true end points (x, y) in
            pixels, where (0, 0) is the centre of the first pixel; they may lie outside the frame.
        shapes: structure to the outlines, each (N, 2) mm from the picture's top left corner, that its mask was made of.
        sector: (H, W) bool, where echoes are shown; None after ``resample``.
        subplane: of a brain, one of ``SUBPLANES``; else empty.
    """

    frame: Frame
    plane: str
    masks: dict[str, Mask]
    truth: dict[str, float]
    calipers: dict[str, Pair] = field(default_factory=dict)
    shapes: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    sector: Mask | None = None
    subplane: str = ""


def draw(plane: str, seed: int, profile: str | Profile = "demo", overlay: bool = False, subplane: str = "") -> Phantom:
    """Draw one plane; the same arguments always give the same pixels.

    Args:
        plane: one of ``PLANES``.
        seed: 0 or more.
        profile: "train", "demo" or "test": disjoint streams of random numbers, other ranges; or ranges of your own.
        overlay: burn in "SIMULATED" and a ruler, as a machine would its text.
        subplane: of a brain, one of ``SUBPLANES``; empty for the first.

    Raises:
        UsageError: unknown plane, sub-plane or profile, or a negative seed.
    """
    if plane not in PLANES:
        raise UsageError(f"an unknown plane {plane!r}", "one of " + ", ".join(PLANES), 'plane="brain"')
    if subplane and (plane != "brain" or subplane not in SUBPLANES):
        raise UsageError(f"a sub-plane {subplane!r} of {plane}", "of a brain one of " + ", ".join(SUBPLANES))
    if isinstance(profile, str) and profile not in PROFILES:
        raise UsageError(f"an unknown profile {profile!r}", "one of " + ", ".join(PROFILES), 'profile="demo"')
    if seed < 0:
        raise UsageError(f"a negative seed {seed}", "an integer of 0 or more")
    ranges = PROFILES[profile] if isinstance(profile, str) else profile
    words = [_ROOT, ranges.stream, PLANES.index(plane), int(seed)]
    hind = subplane == "trans-cerebellum"
    words += [1] if hind else []  # a picture of its own, and not the same head seen lower
    rng = np.random.default_rng(np.random.SeedSequence(words))
    weeks = float(rng.uniform(*ranges.weeks))
    anatomy: _Anatomy = (HindHead if hind else _ANATOMY[plane]).new(rng, weeks, ranges.tilt)
    style = ranges.styles[int(rng.integers(len(ranges.styles)))]
    canvas, centre = _set_up(rng, ranges, plane, style, anatomy)
    surround(canvas, anatomy.outline(centre), _SCENE[plane], style == "fan")
    anatomy.paint(canvas, centre)
    gray = _develop(canvas, ranges, _GRAIN[plane])
    mm = canvas.sector.mm
    if overlay:
        gray = burn_in(gray, mm)
    frame = Frame(gray, (mm, mm), info={"simulated": plane, "profile": profile if isinstance(profile, str) else "own"})
    calipers = {name: _in_pixels(ends, (mm, mm)) for name, ends in canvas.calipers.items()}
    truth = {"weeks": weeks, **anatomy.truth, **canvas.truth}
    masks = {name: canvas.masks[name] for name in (_HIND if hind else STRUCTURES[plane])}
    shown = (subplane or SUBPLANES[0]) if plane == "brain" else ""
    return Phantom(frame, plane, masks, truth, calipers, canvas.shapes, canvas.sector.inside, shown)


def resample(phantom: Phantom, mm_per_pixel: tuple[float, float]) -> Phantom:
    """The same view on pixels of another size; x and y may differ, as some machines store them.

    The masks are drawn anew from the outlines, so they are as true as those of the first picture.

    Args:
        phantom: what ``draw`` gave.
        mm_per_pixel: the new (x, y).

    Returns:
        A picture of the same view, less than one new pixel being lost at its right and lower edge; the truth is kept.

    Raises:
        UsageError: a spacing that is not a positive number, or that makes a picture under 16 or over 4096 pixels.
    """
    old = phantom.frame.mm_per_pixel
    if old is None or not all(np.isfinite(v) and v > 0 for v in mm_per_pixel):
        raise UsageError(f"a spacing of {mm_per_pixel}", "two positive numbers, mm per pixel", "(0.2, 0.3)")
    new = float(mm_per_pixel[0]), float(mm_per_pixel[1])
    h, w = phantom.frame.pixels.shape
    wide, high = w * old[0] / new[0], h * old[1] / new[1]
    if min(wide, high) < _LEAST or max(wide, high) > _MOST:
        raise UsageError(
            f"a spacing of {new} that makes a picture of {wide:.3g} x {high:.3g} pixels", f"{_LEAST} to {_MOST} a side"
        )
    size = int(wide + 1e-6), int(high + 1e-6)
    box = (0.0, 0.0, min(w, size[0] * new[0] / old[0]), min(h, size[1] * new[1] / old[1]))
    image = Image.fromarray(phantom.frame.pixels).resize(size, Image.Resampling.BICUBIC, box=box)
    frame = Frame(np.asarray(image), new, info=dict(phantom.frame.info))
    masks = {name: inside(phantom.shapes[name], size, new) for name in phantom.masks}
    calipers = {name: _in_pixels(_in_mm(ends, old), new) for name, ends in phantom.calipers.items()}
    return Phantom(
        frame, phantom.plane, masks, dict(phantom.truth), calipers, dict(phantom.shapes), None, phantom.subplane
    )


def _in_pixels(ends: Pair, mm: tuple[float, float]) -> Pair:
    (x0, y0), (x1, y1) = ends
    return (x0 / mm[0] - 0.5, y0 / mm[1] - 0.5), (x1 / mm[0] - 0.5, y1 / mm[1] - 0.5)


def _in_mm(ends: Pair, mm: tuple[float, float]) -> Pair:
    (x0, y0), (x1, y1) = ends
    return ((x0 + 0.5) * mm[0], (y0 + 0.5) * mm[1]), ((x1 + 0.5) * mm[0], (y1 + 0.5) * mm[1])


def _set_up(
    rng: np.random.Generator, ranges: Profile, plane: str, style: str, anatomy: _Anatomy
) -> tuple[Canvas, tuple[float, float]]:
    """The sector, scaled so that the structure fits, and the place of the structure's centre in mm."""
    w, h = ranges.sizes[int(rng.integers(len(ranges.sizes)))]
    cut = float(rng.uniform(0.8, 0.9)) if style != "fan" and rng.random() < 0.15 else 1.0
    wide, high = _FILL[plane]
    if style == "fan":
        wide, high = 0.85 * wide, 0.84 * high
    margin = float(rng.uniform(*ranges.margin))
    across, down = anatomy.extent
    mm = max(across / (wide * w), down / (high * h * cut)) * margin
    spare_x, spare_y = max(0.0, w * mm - across), max(0.0, h * mm * cut - down)
    x = 0.5 * w * mm + spare_x * float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    low = 0.55 if style == "fan" else 0.5
    y = low * h * mm * cut + spare_y * float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    return Canvas(rng, place(rng, style, (w, h), mm, cut)), (x, y)


def _develop(canvas: Canvas, ranges: Profile, grain: float) -> Pixels:
    """From echo strength to grey levels, uint8 (H, W); ``grain`` scales the point spread."""
    rng, sector = canvas.rng, canvas.sector
    depths, beams = sector.shape
    along, across = sector.sample
    scale = grain * float(np.sqrt(sector.width * sector.mm / 130))  # small structures are scanned with finer beams
    psf = Spread(
        axial=scale * rng.uniform(*ranges.axial) / along,
        lateral=scale * rng.uniform(*ranges.lateral) / across,
        defocus=rng.uniform(1.3, 2.2),
        focus=rng.uniform(0.35, 0.65),
    )
    shadow = np.minimum(np.cumsum(canvas.loss, axis=0), np.float32(_SHADOW))
    shadow = blur(shadow, taps(0.8 / across), 1)
    db = canvas.echo - shadow + _bands(rng, ranges, (depths, beams))
    amplitude = np.exp(db * np.float32(np.log(10) / 20))
    amplitude += clutter(amplitude, rng.uniform(*ranges.haze), rng.uniform(-46, -36))
    seen = envelope(rng, amplitude, canvas.mirror, psf)
    level = compress(seen, rng.uniform(*ranges.gain), rng.uniform(*ranges.dynamic))
    share = np.float32(rng.uniform(*ranges.smooth))  # speckle reduction of the machine
    soft = blur(blur(level, taps(1.0 * psf.lateral), 1), taps(1.2 * psf.axial), 0)
    level = level + share * (soft - level)
    gray = sector.convert(level)
    out: npt.NDArray[np.uint8] = np.rint(gray).clip(0, 255).astype(np.uint8)
    return out


def _bands(rng: np.random.Generator, ranges: Profile, shape: tuple[int, int]) -> Field:
    """Gain differences in dB: between beams (poor contact, ribs of the mother) and along depth."""
    depth = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    beam = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    total = -rng.uniform(0, 6) * np.abs(depth - rng.uniform(0.3, 0.6)) - rng.uniform(0, 8) * beam**2
    for _ in range(int(rng.integers(0, 3))):
        at, wide = rng.uniform(-1, 1), rng.uniform(0.04, 0.25)
        total = total - rng.uniform(*ranges.shade) * np.exp(-(((beam - at) / wide) ** 2))
    return np.asarray(total, dtype=np.float32)
