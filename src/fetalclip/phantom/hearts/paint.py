"""Painting a heart: what moves with the walls once at rest, valves and flap anew in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from fetalclip.phantom.canvas import Canvas, Field, curve, normals, oval, ribbon
from fetalclip.phantom.hearts.anatomy import FourChambers
from fetalclip.phantom.hearts.scene import Scene

_FINE = 4  # a leaflet is drawn on a grid this much finer, so that it glides
_OPEN = np.radians(74)  # leaflets turn by this to open


@dataclass(frozen=True)
class Look:
    """Echo strengths of one heart in dB, and thickness of its leaflets in mm."""

    muscle: float
    blood: float
    leaf: float
    septum: float
    flap: float
    thick: float

    @classmethod
    def new(cls, rng: np.random.Generator, scene: Scene) -> Look:
        """Septa are bright where the beam meets their faces."""
        x, y = scene.sector.apex
        beam = float(np.arctan2(scene.heart[1] - y, scene.heart[0] - x))
        facing = abs(float(np.sin(scene.angle - beam)))
        muscle = float(rng.uniform(-15, -9))
        septum = muscle + float(rng.uniform(2, 5)) + float(rng.uniform(3, 9)) * facing
        return cls(
            muscle=muscle,
            blood=float(rng.uniform(-40, -28)),
            leaf=muscle + float(rng.uniform(8, 14)),
            septum=septum,
            flap=septum - float(rng.uniform(0, 4)),
            thick=float(rng.uniform(0.05, 0.08)) * scene.half[1] + 0.25,
        )


def paint_rest(canvas: Canvas, scene: Scene, heart: FourChambers, look: Look) -> None:
    """The heart at the end of diastole without its leaflets."""
    rng, b = canvas.rng, scene.half[1]
    put, soft = scene.to_picture, 0.05 * b
    sac, outline = put(heart.sac), put(heart.outline)
    facing = scene.sector.cosine(sac, normals(sac))
    canvas.fill(sac, -38, soft=0.5 * soft, loss=0.0)
    rim = look.muscle + rng.uniform(4, 10) + rng.uniform(2, 6) * facing**2
    canvas.shell(sac, 0.5 + 0.02 * b, rim, mirror=0.1, loss=0.0)
    canvas.fill(outline, look.muscle, soft=soft, loss=0.0)
    canvas.add(outline, canvas.mottle(24, 2) * np.float32(rng.uniform(1.0, 2.0)))
    for room in heart.chambers.values():
        canvas.fill(put(room), look.blood + rng.uniform(-2, 2), soft=soft, loss=-0.03)
    for start, end in heart.septum_spans:
        canvas.fill(put(heart.along(start, end, 0.5 * heart.septum)), look.septum, soft=0.5 * soft, mirror=0.1)
    back = -1 + 0.8 * heart.wall
    high, low = _oval_window(heart)
    for start, end in ((back, low), (high, heart.cross - heart.primum)):
        if end > start:
            strip = heart.along(start, end, 0.24 * heart.septum + 0.15 / b)
            canvas.fill(put(strip), look.septum, soft=0.5 * soft, mirror=0.1)
    canvas.fill(put(heart.along(low, high, 0.26 * heart.septum + 0.01)), look.blood, soft=0.5 * soft)
    _muscles(canvas, scene, heart, look)
    for hole in heart.holes:
        canvas.fill(put(hole), look.blood, soft=0.5 * soft)
    knot = 1 - heart.bridge
    size = 0.13 + heart.offset * knot, 0.85 * heart.septum
    lift = rng.uniform(2, 6)
    if knot > 0.05:
        at = heart.cross + 0.4 * heart.offset, heart.shift
        canvas.fill(put(oval(at, size[0] * knot, size[1])), look.leaf + lift, soft=0.5 * soft, mirror=0.2)
    x, y, wide = heart.mass
    if wide > 0:
        lump = oval((x, y), wide, 0.85 * wide)
        canvas.fill(put(lump), look.septum + 7.0, soft=0.5 * soft)
    canvas.mask("thorax", scene.trunk.outline(scene.centre))


def _muscles(canvas: Canvas, scene: Scene, heart: FourChambers, look: Look) -> None:
    """Papillary muscles and the moderator band, part of the chambers' masks as readers outline them."""
    rng, soft = canvas.rng, 0.06 * scene.half[1]
    for name, sign in (("LV", 1), ("RV", -1)):
        room = heart.chambers[name]
        for _ in range(2):
            share, out, long, wide, level, there = rng.uniform(0, 1, 6)
            x = room[:, 0].min() + (0.4 + 0.3 * share) * np.ptp(room[:, 0])
            y = sign * (0.78 + 0.1 * out) * float(np.abs(room[:, 1]).max())
            if there < 0.6:
                knob = oval((x, y), 0.14 + 0.14 * long, 0.06 + 0.08 * wide)
                canvas.fill(scene.to_picture(knob), look.muscle - 5 * level, soft=soft)
    level, tilt = rng.uniform(-1, 4), rng.uniform(-0.05, 0.05)
    if heart.band > 0.02:
        x = heart.reach[1] - 0.6 * heart.band
        middle = float(heart.middle(np.array([x]))[0]) - 0.5 * heart.septum
        free = -float(heart.free(np.array([x - 0.1]))[0]) * 0.85
        line = curve((x, middle), (x + 0.02, 0.5 * (middle + free)), (x - 0.08 + tilt, free))
        canvas.fill(scene.to_picture(ribbon(line, 0.75 * heart.band, 0.9)), look.muscle + level, soft=soft)


def _oval_window(heart: FourChambers) -> tuple[float, float]:
    """(near the valves, near the back wall): x of the ends of the foramen ovale."""
    back = -1 + heart.wall
    return heart.cross - 0.32 * (heart.cross - back), heart.cross - 0.74 * (heart.cross - back)


def leaflets(heart: FourChambers, mitral: float, tricuspid: float) -> list[Field]:
    """Lines (8, 2) in resting heart units of the leaflets, hinge first.

    Args:
        heart: the anatomy.
        mitral, tricuspid: 0 shut (the leaflets meet in the middle) to 1 (they point to the apex).
    """
    lines = []
    for name, at, how_far in (("LV", heart.valves[0], mitral), ("RV", heart.valves[1], tricuspid)):
        room = heart.chambers[name]
        mouth = room[room[:, 0] < room[:, 0].min() + 0.25 * np.ptp(room[:, 0])]
        if name == "RV":
            inner, outer = float(mouth[:, 1].max()), float(mouth[:, 1].min()) - 0.05
        else:
            inner, outer = float(mouth[:, 1].min()), float(mouth[:, 1].max()) + 0.05
        wide = outer - inner
        inner -= 0.3 * heart.bridge * wide
        for hinge, reach in ((inner, 0.54 * (1 - heart.bridge)), (outer, -0.54 * (1 + 0.6 * heart.bridge))):
            if abs(reach) > 0.04:
                lines.append(_leaf(at, hinge, reach * wide, how_far * _OPEN, heart.ratio))
    return lines


def _leaf(at: float, hinge: float, reach: float, turned: float, ratio: float) -> Field:
    """One leaflet from (at, hinge) to the side, turned towards the apex, slightly bellied into the ventricle."""
    t = np.linspace(0, 1, 8)
    along = np.cos(turned)
    x = at + t * abs(reach) * ratio * np.sin(turned) + 0.10 * abs(reach) * np.sin(np.pi * t) * along
    x = x + 0.08 * abs(reach) * t * along  # shut leaflets meet a little within the ventricle
    return np.stack([x, hinge + reach * t * (along + 0.25 * (1 - along) * np.sin(np.pi * t))], axis=1)


def flap(heart: FourChambers, swing: float) -> Field:
    """The flap of the foramen ovale, a line (12, 2) in resting heart units; ``swing`` 0..1 into the left atrium."""
    high, low = _oval_window(heart)
    ends = np.array([high, low])
    y = heart.middle(ends)
    out = heart.flap * (0.5 + swing)
    bulge = (0.7 * high + 0.3 * low, float(y[0]) + out), (low, float(y[1]) + out)
    return curve((high, float(y[0])), *bulge, (low, float(y[1])), n=12)


def stroke(echo: Field, mirror: Field, outline: Field, level: float) -> None:
    """Set the echo strength inside an outline (N, 2) of grid (column, row), with smooth edges, in place."""
    rows, columns = echo.shape
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 2, (columns, rows))
    if (high <= low).any():
        return
    wide, tall = int(high[0] - low[0]), int(high[1] - low[1])
    image = Image.new("L", (wide * _FINE, tall * _FINE))
    points = (outline - low + 0.5) * _FINE - 0.5
    ImageDraw.Draw(image).polygon(points.ravel().tolist(), fill=255)
    weight = np.asarray(image.reduce(_FINE), dtype=np.float32) * np.float32(1 / 255)
    window = slice(low[1], high[1]), slice(low[0], high[0])
    echo[window] += (np.float32(level) - echo[window]) * weight
    mirror[window] += (np.float32(0.1) - mirror[window]) * weight
