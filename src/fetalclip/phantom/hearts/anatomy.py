"""The four chambers at the end of diastole, the resting shape that the beating deforms.

Heart units: x to the apex and y to the left ventricle, 1 at the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fetalclip.phantom.canvas import Field
from fetalclip.phantom.heart import Edge, chamber
from fetalclip.phantom.hearts.cycle import rise
from fetalclip.phantom.shape import area, around

CHAMBERS = ("LV", "RV", "LA", "RA")


@dataclass(frozen=True)
class FourChambers:
    """Proportions of one heart, in heart units.

    Attributes:
        ratio: short over long diameter.
        taper: how much narrower the heart is towards the apex than at the atria.
        cross: x of the crux.
        septum: thickness of the septum between the ventricles.
        wall: thickness of the free walls.
        bow: how far that septum bulges to the left ventricle.
        shift: how far the crux and that septum lie to the left ventricle's side.
        offset: how much nearer the apex the tricuspid valve hangs than the mitral valve.
        reach: x of the far end of LV, RV, LA, RA.
        room: share of the width between septum and wall that LV, RV, LA, RA take.
        hole: (middle, width) along x of a hole in the septum between the ventricles.
        primum: length of the hole in the atria's septum next to the crux.
        missing: share of the ventricles' septum that is missing, from the apex on.
        bridge: 0..1, how far the two valves have become a common one.
        effusion: thickness of fluid about the ventricles.
        band: size of the moderator band.
        flap: how far the flap of the foramen ovale swings into the left atrium.
        mass: (x, y, diameter) of a bright mass.
    """

    ratio: float
    taper: float
    cross: float
    septum: float
    wall: float
    bow: float
    shift: float
    offset: float
    reach: tuple[float, float, float, float]
    room: tuple[float, float, float, float]
    hole: tuple[float, float]
    primum: float
    missing: float
    bridge: float
    effusion: float
    band: float
    flap: float
    mass: tuple[float, float, float]

    @classmethod
    def new(cls, rng: np.random.Generator) -> FourChambers:
        """A healthy heart."""
        u = rng.uniform
        return cls(
            ratio=float(u(0.76, 0.90)),
            taper=float(u(0.08, 0.22)),
            cross=float(u(-0.20, -0.08)),
            septum=float(u(0.11, 0.18)),
            wall=float(u(0.12, 0.18)),
            bow=float(u(-0.05, 0.05)),
            shift=float(u(-0.06, 0.06)),
            offset=float(u(0.06, 0.11)),
            reach=(float(u(0.76, 0.84)), float(u(0.64, 0.76)), float(u(-0.82, -0.72)), float(u(-0.84, -0.74))),
            room=(float(u(0.82, 1.0)), float(u(0.84, 1.0)), float(u(0.84, 1.0)), float(u(0.86, 1.0))),
            hole=(float(u(0.12, 0.42)), 0.0),
            primum=0.0,
            missing=0.0,
            bridge=0.0,
            effusion=float(u(0.0, 0.03)),
            band=float(u(0.12, 0.22)),
            flap=float(u(0.10, 0.24)),
            mass=(0.0, 0.0, 0.0),
        )

    @cached_property
    def outline(self) -> Field:
        """The outer edge, (128, 2)."""
        t = np.arange(128) * (2 * np.pi / 128)
        x = np.cos(t)
        return np.stack([x, np.sin(t) * (1 - self.taper * x)], axis=1)

    @cached_property
    def sac(self) -> Field:
        """The pericardium with its fluid, (128, 2): thick about the ventricles, thin about the atria."""
        away = self.outline / np.maximum(np.linalg.norm(self.outline, axis=1, keepdims=True), 1e-9)
        thick = self.effusion * (0.35 + 0.65 * rise((self.outline[:, 0] + 0.35) / 0.5))
        return self.outline + away * thick[:, None]

    def free(self, x: Field) -> Field:
        """|y| of the inner edge of the free walls."""
        keep = 1 - self.wall
        return keep * np.sqrt((1 - (x / keep) ** 2).clip(0)) * (1 - self.taper * x / keep)

    @property
    def tip(self) -> float:
        """x where the ventricles' septum meets the apex."""
        return float(max(min(self.reach[:2]), self.cross + 0.3))

    def middle(self, x: Field) -> Field:
        """y of the septa's middle line: bowed between the ventricles, straight to the back wall between the atria."""
        u = ((x - self.cross) / (self.tip - self.cross)).clip(0, 1)
        back = ((self.cross - x) / (self.cross + 1)).clip(0, 1)
        return self.shift * (1 - back) + self.bow * 4 * u * (1 - u)

    @property
    def valves(self) -> tuple[float, float]:
        """x of the mitral and of the tricuspid valve."""
        return self.cross, self.cross + self.offset

    @cached_property
    def chambers(self) -> dict[str, Field]:
        """LV, RV, LA, RA: (62, 2) each, from the valves on."""
        mitral, tricuspid = self.valves
        half = 0.5 * self.septum

        def wall(sign: int) -> Edge:
            return lambda x: sign * self.free(x)

        def face(sign: int, thick: float) -> Edge:
            return lambda x: self.middle(x) + sign * thick

        lv, rv, la, ra = self.reach
        return {
            "LV": chamber((mitral + 0.02, lv), face(1, half), wall(1), self.room[0]),
            "RV": chamber((tricuspid + 0.02, rv), face(-1, half), wall(-1), self.room[1]),
            "LA": chamber((mitral - 0.02, la), face(1, 0.5 * half), wall(1), self.room[2]),
            "RA": chamber((tricuspid - 0.02, ra), face(-1, 0.5 * half), wall(-1), self.room[3]),
        }

    @cached_property
    def septum_spans(self) -> list[tuple[float, float]]:
        """(from, to) along x of what is there of the septum between the ventricles."""
        end = self.tip - self.missing * (self.tip - self.cross)
        low, high = self.hole[0] - 0.5 * self.hole[1], self.hole[0] + 0.5 * self.hole[1]
        spans = [(self.cross, end)]
        if self.hole[1] > 0:
            spans = [(self.cross, min(low, end)), (max(high, self.cross), end)]
        return [(a, b) for a, b in spans if b - a > 1e-3]

    @cached_property
    def holes(self) -> list[Field]:
        """Outlines (N, 2) of what is missing of the septa: blood from face to face and a little beyond."""
        end = self.tip - self.missing * (self.tip - self.cross)
        spans = []
        if self.hole[1] > 0:
            spans.append((max(self.cross, self.hole[0] - 0.5 * self.hole[1]), self.hole[0] + 0.5 * self.hole[1], 0.62))
        if self.missing > 0:
            spans.append((end, self.tip + 0.03 * self.missing, 0.62))
        if self.primum > 0:
            spans.append((self.cross - self.primum, self.cross + 0.02, 0.5))
        return [self.along(a, b, thick * self.septum) for a, b, thick in spans if b > a]

    def along(self, start: float, end: float, half: float) -> Field:
        """A strip (32, 2) of the septa from x = ``start`` to ``end``, ``half`` thick on each side."""
        x = np.linspace(start, end, 16)
        middle = self.middle(x)
        return np.concatenate([np.stack([x, middle + half], 1), np.stack([x, middle - half], 1)[::-1]])

    @property
    def scale(self) -> Field:
        """Half diameters (2,) of a heart whose long diameter is 1."""
        return 0.5 * np.array([1.0, self.ratio])

    @property
    def around(self) -> float:
        """Circumference for a long diameter of 1."""
        return around(self.outline * self.scale)

    @property
    def area(self) -> float:
        """Area for a long diameter of 1."""
        return area(self.outline * self.scale)


def volume(outline: Field) -> float:
    """Of a ventricle's outline (N, 2), by area and length (8 A^2 / 3 pi L), in its units cubed."""
    return 8 * area(outline) ** 2 / (3 * np.pi * float(np.ptp(outline[:, 0])))
