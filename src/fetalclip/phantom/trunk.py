"""What the simulated cross-sections of the trunk share: skin, ribs, spine, vessels, directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom.canvas import Canvas, Field, curve, normals, oval, ribbon, wavy
from fetalclip.phantom.shape import area, hull

Point = tuple[float, float]


@dataclass(frozen=True)
class Trunk:
    """A nearly round cross-section with its spine in one direction.

    Attributes:
        long, short: outer diameters, mm.
        angle: of the long diameter on the picture, radians.
        back: direction of the spine from the centre, radians (0 right, pi/2 down).
        left: +1 or -1: the fetus's left is ``back + left * pi/2``.
    """

    long: float
    short: float
    angle: float
    back: float
    left: int

    def outline(self, centre: Point, shrink: float = 0.0) -> Field:
        """The skin, or a line ``shrink`` mm below it, (96, 2) mm."""
        return oval(centre, self.long - 2 * shrink, self.short - 2 * shrink, self.angle)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return float(np.hypot(self.long * c, self.short * s)), float(np.hypot(self.long * s, self.short * c))

    def put(self, centre: Point, front: float, left: float) -> Point:
        """A point in trunk units (1 is the skin): ``front`` away from the spine, ``left`` to the fetus's left."""
        fx, fy = -np.cos(self.back), -np.sin(self.back)
        lx, ly = self.left * -np.sin(self.back), self.left * np.cos(self.back)
        radius = 0.25 * (self.long + self.short)
        return (
            float(centre[0] + radius * (front * fx + left * lx)),
            float(centre[1] + radius * (front * fy + left * ly)),
        )

    def skin(self, canvas: Canvas, centre: Point, thick: float, level: float) -> None:
        """The skin and fat: bright where it faces the beam."""
        rng, skin = canvas.rng, self.outline(centre)
        facing = canvas.sector.cosine(skin, normals(skin))
        wall = level - rng.uniform(12, 24) * (1 - facing**2) + (wavy(rng, len(skin), 1.0, 10) - 1) * 2.5
        canvas.shell(skin, thick * wavy(rng, len(skin), 0.15, 6), wall, mirror=0.3, loss=rng.uniform(0.2, 0.6))

    def ribs(self, canvas: Canvas, centre: Point, deep: float, spans: list[tuple[float, float]], bright: float) -> None:
        """Arcs ``deep`` mm below the skin, bright where they face the beam.

        Each span goes from one direction to another, radians from the spine, the sign tells the side.
        """
        rng, ring = canvas.rng, self.outline(centre, deep)
        away = ring - np.asarray(centre)
        turned = np.angle(np.exp(1j * (np.arctan2(away[:, 1], away[:, 0]) - self.back)))
        there = np.zeros(len(ring), dtype=bool)
        for span in spans:
            there |= (turned > min(span)) & (turned < max(span))
        facing = canvas.sector.cosine(ring, normals(ring))
        level = bright - rng.uniform(8, 16) * (1 - facing**2) + (wavy(rng, len(ring), 1.0, 12) - 1) * 2.0
        thick = rng.uniform(1.3, 2.4) * wavy(rng, len(ring), 0.1, 6)
        canvas.shell(ring, thick, np.where(there, level, np.nan), mirror=0.35, loss=rng.uniform(1.0, 3.0))

    def spine(self, canvas: Canvas, centre: Point) -> None:
        """Three bright ossification centres and the bone behind which it is dark.

        The mask is the convex outline about the three.
        """
        rng = canvas.rng
        unit = rng.uniform(0.10, 0.13)  # trunk units
        size, bright, loss = 0.25 * (self.long + self.short) * unit, rng.uniform(13, 19), rng.uniform(1.5, 3.5)
        front = -rng.uniform(0.62, 0.65)
        body = oval(self.put(centre, front, 0.0), 1.0 * size, 1.3 * size, self.back, wavy(rng, 32, 0.05))
        canvas.fill(oval(self.put(centre, front - 0.12, 0.0), 2.6 * size, 2.3 * size, self.back), -13, soft=0.2 * size)
        canvas.fill(body, bright, soft=0.15 * size, mirror=0.2, loss=loss)
        bones, apart = [body], rng.uniform(0.75, 0.95) * unit
        for side in (-1, 1):
            at, tip = (front - 1.15 * unit, side * apart), (front - 1.75 * unit, side * 0.55 * apart)
            knee = (front - 1.5 * unit, side * 1.1 * apart)
            arch = ribbon(curve(*[self.put(centre, *p) for p in (at, knee, tip)]), 0.75 * size)
            canvas.fill(arch, bright - rng.uniform(0, 5), soft=0.13 * size, mirror=0.2, loss=loss)
            bones.append(arch)
        outline = hull(np.concatenate(bones))
        canvas.mask("spine", outline)
        canvas.truth["spine_area_mm2"] = area(outline)

    def vessel(self, canvas: Canvas, centre: Point, at: tuple[float, float], size: float) -> Field:
        """A round vessel cut across, ``at`` in trunk units, ``size`` mm across; its outline (64, 2) mm."""
        spot = self.put(centre, *at)
        canvas.fill(oval(spot, size + 1.4, size + 1.4), canvas.rng.uniform(-3, 3), soft=0.5)
        lumen = oval(spot, size, size, 0.0, np.ones(64))
        canvas.fill(lumen, canvas.rng.uniform(-36, -22), soft=0.4)
        return lumen


def facing_back(rng: np.random.Generator) -> float:
    """A direction for the spine: mostly to a side, as a good plane has it, seldom up."""
    side = rng.choice([0.0, np.pi], p=[0.5, 0.5])
    if rng.random() < 0.25:
        return float(np.pi / 2 + rng.uniform(-0.7, 0.7))
    return float(side + rng.uniform(-0.8, 0.65) * (1 if side else -1))


def anywhere(rng: np.random.Generator) -> float:
    """A direction for the spine from the whole circle; up is seldom, where its shadow falls on everything."""
    turned = float(rng.uniform(-np.pi, np.pi))
    up = abs(turned + np.pi / 2) < 0.9
    return float(rng.uniform(-0.6, np.pi + 0.6)) if up and rng.random() < 0.75 else turned
