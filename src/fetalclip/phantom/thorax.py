"""Simulated axial chest with the four chambers of the heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, oval
from fetalclip.phantom.heart import Heart
from fetalclip.phantom.trunk import Point, Trunk, anywhere

_AORTA = -0.40  # trunk units, the heart lies in front of this: behind it are the aorta and the spine


@dataclass(frozen=True)
class Thorax:
    """Chest wall, ribs, lungs, spine, descending aorta and a four-chamber heart with its apex to the left.

    Attributes:
        trunk: the cross-section and its directions.
        weeks: gestational age.
        heart: its outline and chambers.
        at: place of its middle in trunk units, (front, left).
        axis: of the heart, radians from back-to-front towards the left.
    """

    trunk: Trunk
    weeks: float
    heart: Heart
    at: Point
    axis: float

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Thorax:
        """A chest of a given age; the thoracic circumference is about 0.89 of the abdominal one."""
        around = 0.89 * sizes.median("ac", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        long, short = sizes.diameters(around, float(rng.uniform(0.86, 0.98)))
        back = anywhere(rng)
        across = back + np.pi / 2 + float(rng.normal(0, 0.2 * tilt))
        trunk = Trunk(long, short, across, back, 1 if rng.random() < 0.5 else -1)
        share = rng.uniform(0.22, 0.35)  # heart area over chest area
        ratio = rng.uniform(0.74, 0.88)
        axis = float(np.radians(rng.uniform(28, 62)))
        size = float(np.sqrt(share * long * short / ratio))
        size, at = _fit(rng, trunk, size, ratio, axis)
        apex = np.asarray(trunk.put((0.0, 0.0), float(np.cos(axis)), float(np.sin(axis))))
        heart = Heart.new(rng, (size, size * ratio), float(np.arctan2(apex[1], apex[0])), -trunk.left)
        return cls(trunk, weeks, heart, at, axis)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        return self.trunk.extent

    @property
    def truth(self) -> dict[str, float]:
        """Sizes of the chest and the heart; the two ratios are shares."""
        t = self.trunk
        chest, heart = sizes.perimeter(t.long, t.short), self.heart.truth
        return {
            "thorax_circumference_mm": chest,
            "thorax_area_mm2": 0.25 * np.pi * t.long * t.short,
            "heart_to_thorax_circumference": heart["heart_circumference_mm"] / chest,
            "heart_to_thorax_area": heart["heart_area_mm2"] / (0.25 * np.pi * t.long * t.short),
            "axis_degrees": float(np.degrees(self.axis)),
            **heart,
        }

    def outline(self, centre: Point, grow: float = 1.0) -> Field:
        """The outer skin, (96, 2) mm."""
        return oval(centre, self.trunk.long * grow, self.trunk.short * grow, self.trunk.angle)

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the chest and keep its masks."""
        rng, t = canvas.rng, self.trunk
        skin = self.outline(centre)
        chest(canvas, t, centre, self.weeks)
        self.heart.paint(canvas, t.put(centre, *self.at))
        share = rng.uniform(0.095, 0.125)  # its diameter, trunk units
        size = 0.25 * (t.long + t.short) * share
        front = _AORTA - 0.5 * share - 0.015
        aorta = t.vessel(canvas, centre, (front, rng.uniform(0.04, 0.18)), size)
        canvas.mask("thorax", skin)
        canvas.mask("aorta", aorta)
        canvas.truth["aorta_mm"] = float(size)


def chest(canvas: Canvas, trunk: Trunk, centre: Point, weeks: float) -> None:
    """Lungs, skin, muscle, ribs and spine of a chest about ``centre``, mm."""
    rng, t = canvas.rng, trunk
    skin = t.outline(centre)
    lung = rng.uniform(-8, -2)
    canvas.fill(skin, lung, loss=rng.uniform(0.0, 0.06))
    canvas.add(skin, canvas.mottle(8, 4, 0.8) * np.float32(rng.uniform(1.2, 2.4)))
    thick = rng.uniform(0.9, 1.5) + 0.025 * weeks
    t.skin(canvas, centre, thick, rng.uniform(4, 11))
    canvas.add(t.outline(centre, thick), -rng.uniform(5, 10))  # muscle between skin and ribs
    deep = thick + rng.uniform(0.6, 1.2) + 0.03 * weeks
    canvas.add(t.outline(centre, deep), 7.0, soft=0.6)
    spans = []
    for side in (-1, 1):  # one long rib on each side, sometimes cut twice
        a, b = rng.uniform(0.3, 0.6), rng.uniform(1.6, 2.6)
        gap = rng.uniform(a + 0.4, b) if rng.random() < 0.4 else b
        spans += [(side * a, side * (gap - 0.06)), (side * (gap + 0.06), side * b)]
    t.ribs(canvas, centre, deep, spans, rng.uniform(11, 19))
    t.spine(canvas, centre)


def _fit(rng: np.random.Generator, trunk: Trunk, long: float, ratio: float, axis: float) -> tuple[float, Point]:
    """The heart's long diameter in mm, made smaller where it must be, and a place for it between spine and ribs.

    The heart may touch neither the chest wall nor the aorta.
    """
    radius = 0.25 * (trunk.long + trunk.short)
    while True:
        a, b = 0.5 * long / radius, 0.5 * long * ratio / radius
        deep = float(np.hypot(a * np.cos(axis), 1.1 * b * np.sin(axis)))  # from its middle to its foremost point
        front = deep + _AORTA + rng.uniform(0.0, 0.22)
        left = rng.uniform(0.06, 0.22)
        t = np.arange(64) * (2 * np.pi / 64)
        edge = np.stack([a * np.cos(t), b * np.sin(t) * (1 - 0.15 * np.cos(t))], axis=1)
        ahead = np.array([np.cos(axis), np.sin(axis)])  # (front, left) of the apex
        aside = np.array([-np.sin(axis), np.cos(axis)])
        points = np.array([front, left]) + edge @ np.stack([ahead, aside])
        half = 0.5 * np.array([trunk.short, trunk.long]) / radius - (3.4 / radius + 0.04)
        if ((points / half) ** 2).sum(axis=1).max() < 1:
            return long, (float(front), float(left))
        long *= 0.985
