"""The four chambers of a simulated heart: outline, septa, valves.

Heart units: x to the apex and y to the fetus's left ventricle, 1 at the outline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fetalclip.phantom.canvas import Canvas, Field, curve, normals, oval, ribbon, turn
from fetalclip.phantom.shape import area, around, pair

Point = tuple[float, float]
Edge = Callable[[Field], Field]


@dataclass(frozen=True)
class Heart:
    """A heart cut through its four chambers.

    Attributes:
        long, short: outer diameters, mm.
        angle: direction of the apex on the picture, radians.
        side: +1 or -1, turns y to the left ventricle.
        taper: how much narrower the heart is towards the apex than at the atria.
        cross: x of the crux, where the septa and the valves meet.
        septum: thickness of the septum between the ventricles.
        wall: thickness of the free walls.
        bow: how far the septum bulges to the left ventricle.
        offset: how much nearer the apex the tricuspid valve lies than the mitral valve.
        reach: x of the far end of LV, RV, LA, RA.
        room: share of the width between septum and wall that LV, RV, LA, RA take.
    """

    long: float
    short: float
    angle: float
    side: int
    taper: float
    cross: float
    septum: float
    wall: float
    bow: float
    offset: float
    reach: tuple[float, float, float, float]
    room: tuple[float, float, float, float]

    @classmethod
    def new(cls, rng: np.random.Generator, size: tuple[float, float], angle: float, side: int) -> Heart:
        """A heart of given diameters (long, short) in mm with chambers of ordinary proportions."""
        u = rng.uniform
        return cls(
            *size,
            angle,
            side,
            taper=float(u(0.08, 0.24)),
            cross=float(u(-0.20, -0.06)),
            septum=float(u(0.10, 0.20)),
            wall=float(u(0.11, 0.18)),
            bow=float(u(-0.06, 0.06)),
            offset=float(u(0.04, 0.09)),
            reach=(float(u(0.74, 0.83)), float(u(0.62, 0.75)), float(u(-0.82, -0.72)), float(u(-0.84, -0.74))),
            room=(float(u(0.78, 1.0)), float(u(0.80, 1.0)), float(u(0.82, 1.0)), float(u(0.84, 1.0))),
        )

    def place(self, centre: Point, points: Field) -> Field:
        """From heart units to mm on the picture."""
        half = np.array([0.5 * self.long, 0.5 * self.side * self.short])
        return turn(points * half, self.angle) + np.asarray(centre)

    @cached_property
    def outline(self) -> Field:
        """The outer edge, (128, 2) heart units."""
        t = np.arange(128) * (2 * np.pi / 128)
        x = np.cos(t)
        return np.stack([x, np.sin(t) * (1 - self.taper * x)], axis=1)

    def _free(self, x: Field) -> Field:
        """y of the inner edge of the free walls."""
        keep = 1 - self.wall
        return keep * np.sqrt((1 - (x / keep) ** 2).clip(0)) * (1 - self.taper * x / keep)

    def _middle(self, x: Field) -> Field:
        """y of the middle of the septum between the ventricles: a bow over its own length."""
        start, end = self.cross, min(self.reach[:2])
        u = ((x - start) / (end - start)).clip(0, 1)
        return self.bow * 4 * u * (1 - u)

    @cached_property
    def chambers(self) -> dict[str, Field]:
        """LV, RV, LA, RA: (N, 2) heart units, without the valves' thickness."""
        thin = 0.25 * self.septum  # half thickness of the septum between the atria

        def wall(sign: int) -> Edge:
            return lambda x: sign * self._free(x)

        def face(sign: int) -> Edge:
            return lambda x: self._middle(x) + sign * 0.5 * self.septum

        def atrial(sign: int) -> Edge:
            return lambda x: 0.0 * x + sign * thin

        mitral, tricuspid = self.cross, self.cross + self.offset
        lv, rv, la, ra = self.reach
        return {
            "LV": chamber((mitral + 0.03, lv), face(1), wall(1), self.room[0]),
            "RV": chamber((tricuspid + 0.03, rv), face(-1), wall(-1), self.room[1]),
            "LA": chamber((mitral - 0.03, la), atrial(1), wall(1), self.room[2]),
            "RA": chamber((tricuspid - 0.03, ra), atrial(-1), wall(-1), self.room[3]),
        }

    @cached_property
    def between(self) -> Field:
        """The septum between the ventricles, (N, 2) heart units."""
        x = np.linspace(self.cross, min(self.reach[:2]), 24)
        middle, half = self._middle(x), 0.5 * self.septum
        return np.concatenate([np.stack([x, middle + half], 1), np.stack([x, middle - half], 1)[::-1]])

    @property
    def truth(self) -> dict[str, float]:
        """Areas in mm2, circumference, chamber lengths (along the heart's axis) and widths (across it) in mm."""
        scale = 0.5 * np.array([self.long, self.short])
        found = {
            "heart_area_mm2": area(self.outline * scale),
            "heart_circumference_mm": around(self.outline * scale),
            "septum_thickness_mm": 0.5 * self.short * self.septum,
        }
        for name, room in self.chambers.items():
            long, wide = np.ptp(room * scale, axis=0)
            key = name.lower()
            found[f"{key}_area_mm2"] = area(room * scale)
            found[f"{key}_length_mm"], found[f"{key}_width_mm"] = float(long), float(wide)
        return found

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the heart and keep its masks."""
        rng, outline = canvas.rng, self.place(centre, self.outline)
        soft = 0.04 * self.short
        muscle = rng.uniform(-15, -9)
        canvas.fill(outline, muscle, soft=soft, loss=0.0)
        canvas.add(outline, canvas.mottle(20, 2) * np.float32(rng.uniform(1.5, 2.5)))
        facing = canvas.sector.cosine(outline, normals(outline))
        rim = muscle + rng.uniform(3, 10) * facing**2
        canvas.shell(outline, 0.6 + 0.015 * self.short, rim, mirror=0.1, loss=0.0)
        blood = rng.uniform(-36, -21)
        for room in self.chambers.values():
            level = blood + rng.uniform(-3, 3)
            canvas.fill(self.place(centre, room), level, soft=soft, loss=-0.05)
        self._septa(canvas, centre, muscle)
        self._valves(canvas, centre, muscle)
        canvas.mask("heart", outline)
        for name, room in self.chambers.items():
            canvas.mask(name, self.place(centre, room))
            x = np.array([room[:, 0].min(), room[:, 0].max()])
            y = np.full(2, 0.5 * (room[:, 1].min() + room[:, 1].max()))
            canvas.calipers[f"{name} length"] = pair(*self.place(centre, np.stack([x, y], axis=1)))
        canvas.mask("septum", self.place(centre, self.between))

    def _septa(self, canvas: Canvas, centre: Point, muscle: float) -> None:
        """Both septa: bright where the beam meets their faces, faint where it runs along them."""
        rng, b = canvas.rng, 0.5 * self.short
        facing = float(abs(np.sin(self.angle - _beam(canvas, centre))))
        lift = rng.uniform(1, 4) + rng.uniform(4, 11) * facing
        soft = 0.02 * self.short
        septum = self.place(centre, self.between)
        canvas.fill(septum, muscle + lift, soft=soft, mirror=0.1)
        canvas.add(septum, canvas.mottle(24, 2) * np.float32(1.5))
        half = self.septum
        for sign in (1, -1):  # the faces themselves
            x = np.linspace(self.cross + 0.1, min(self.reach[:2]) - 0.05, 16)
            face = np.stack([x, self._middle(x) + sign * 0.42 * half], axis=1)
            canvas.fill(ribbon(self.place(centre, face), 0.05 * b + 0.3), muscle + lift + 5 * facing, soft=soft)
        oval_gap = rng.uniform(0.1, 0.25)  # the flap of the foramen ovale, swung into the left atrium
        back = -1 + self.wall
        upper, lower = self.cross - 0.25 * (self.cross - back), self.cross - 0.7 * (self.cross - back)
        for points, level in (
            ([(self.cross, 0.0), (upper, 0.0)], lift),
            ([(upper, 0.0), (0.5 * (upper + lower), oval_gap), (lower, 0.02)], 0.3 * lift),
            ([(lower, 0.0), (back, 0.0)], lift - 1),
        ):
            line = self.place(centre, curve(*points))
            canvas.fill(ribbon(line, 0.45 * self.septum * b, 0.8), muscle + level, soft=soft, mirror=0.1)

    def _valves(self, canvas: Canvas, centre: Point, muscle: float) -> None:
        """Leaflets, shut across or open towards the apex; the crux; the moderator band."""
        rng, b = canvas.rng, 0.5 * self.short
        bright, soft = muscle + rng.uniform(6, 15), 0.02 * self.short
        open_by = rng.uniform(0.02, 0.42) if rng.random() < 0.6 else 0.04
        for sign, at in ((1, self.cross), (-1, self.cross + self.offset)):
            edge = 0.94 * float(self._free(np.array([at]))[0])
            parted = 0.5 - min(0.42, 0.9 * open_by)  # share of the width that each leaflet spans
            for root, tip in ((0.06, parted), (edge, edge * (1 - parted))):
                tip_y = root + (edge - 0.06) * parted if root == 0.06 else tip
                leaf = [(at, sign * root), (at + 0.6 * open_by, sign * root), (at + open_by, sign * tip_y)]
                line = self.place(centre, curve(*leaf))
                canvas.fill(ribbon(line, 0.07 * b + 0.2, 0.7), bright - rng.uniform(0, 6), soft=soft, mirror=0.1)
        for sign in (1, 1, -1, -1):  # papillary muscles: part of the chamber's mask, as readers outline it
            if rng.random() < 0.45:
                x = self.cross + rng.uniform(0.3, 0.65)
                y = sign * rng.uniform(0.6, 0.8) * float(self._free(np.array([x]))[0])
                knob = self.place(centre, oval((x, y), rng.uniform(0.12, 0.3), rng.uniform(0.08, 0.18)))
                canvas.fill(knob, muscle - rng.uniform(0, 8), soft=2 * soft)
        if rng.random() < 0.7:
            x, y = self.reach[1] - rng.uniform(0.08, 0.2), -rng.uniform(0.25, 0.4)
            band = self.place(centre, oval((x, y), rng.uniform(0.14, 0.26), rng.uniform(0.16, 0.3)))
            canvas.fill(band, muscle + rng.uniform(0, 5), soft=2 * soft)
        knot = self.place(centre, oval((self.cross + 0.3 * self.offset, 0.0), 0.16 + self.offset, 0.9 * self.septum))
        canvas.fill(knot, bright + rng.uniform(1, 6), soft=soft, mirror=0.2)


def chamber(ends: tuple[float, float], inner: Edge, outer: Edge, share: float) -> Field:
    """A chamber between septum and free wall, (62, 2): flat at the valve (``ends[0]``), round at its far end."""
    t = np.linspace(0, np.pi, 32)
    u = -np.cos(t)
    x = 0.5 * (ends[0] + ends[1]) + 0.5 * (ends[1] - ends[0]) * u
    power = np.where(u < 0, 4.0, 2.3)
    near, far = inner(x), outer(x)
    far = near + share * (far - near)
    half = 0.5 * (far - near) * (1 - np.abs(u) ** power).clip(0) ** (1 / power)
    middle = 0.5 * (near + far)
    one, other = np.stack([x, middle + half], 1), np.stack([x, middle - half], 1)
    return np.concatenate([one, other[-2:0:-1]])


def _beam(canvas: Canvas, at: Point) -> float:
    """Direction of the beam through a point, radians on the picture."""
    x, y = canvas.sector.apex
    return float(np.arctan2(at[1] - y, at[0] - x))
