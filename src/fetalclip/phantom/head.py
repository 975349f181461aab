"""Simulated axial head at the level of the thalami."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, curve, normals, oval, ribbon, turn, wavy
from fetalclip.phantom.shape import area, ends, pair, within

Point = tuple[float, float]
Put = Callable[[float, float], Point]


@dataclass(frozen=True)
class Head:
    """Skull ring, midline with cavum, thalami, a ventricle on the far side.

    Attributes:
        ofd, bpd: outer diameters of the skull, mm.
        angle: of the midline on the picture, radians; the brow is at the angle's end.
        weeks: gestational age.
        ventricle: whether the far ventricle with its choroid plexus is drawn large.
        gaps: depth of the lateral drop-outs, dB.
    """

    ofd: float
    bpd: float
    angle: float
    weeks: float
    ventricle: bool
    gaps: float

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Head:
        """A head of a given age; ``tilt`` is the greatest slant of the midline, radians."""
        around = sizes.median("hc", weeks) * float(np.clip(rng.normal(1, 0.035), 0.9, 1.1))
        ofd, bpd = sizes.diameters(around, float(rng.uniform(0.74, 0.86)))
        angle = float(rng.normal(0, 0.45 * tilt)) + (np.pi if rng.random() < 0.5 else 0.0)
        return cls(ofd, bpd, angle, weeks, bool(rng.random() < 0.55), float(rng.uniform(8, 26)))

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return float(np.hypot(self.ofd * c, self.bpd * s)), float(np.hypot(self.ofd * s, self.bpd * c))

    @property
    def truth(self) -> dict[str, float]:
        """Outer skull: circumference and diameters, mm."""
        return {"hc_mm": sizes.perimeter(self.ofd, self.bpd), "bpd_mm": self.bpd, "ofd_mm": self.ofd}

    def outline(self, centre: Point, grow: float = 1.0) -> Field:
        """The outer skull, (96, 2) mm."""
        return oval(centre, self.ofd * grow, self.bpd * grow, self.angle)

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the head and keep its masks."""
        rng, skull = canvas.rng, self.outline(centre)
        thick = (1.1 + 0.05 * self.weeks) * rng.uniform(0.8, 1.25)
        canvas.fill(oval(centre, self.ofd + 3 * thick, self.bpd + 2.4 * thick, self.angle), -7, soft=1.5)
        depth = rng.uniform(-20, -13)
        canvas.fill(skull, depth, loss=rng.uniform(0.0, 0.06))
        canvas.add(skull, canvas.mottle(7, 4, 0.85) * np.float32(rng.uniform(3, 5)))
        canvas.add(skull, canvas.mottle(34, 2, 0.8) * np.float32(rng.uniform(1.5, 3)))
        self._brain(canvas, centre, depth)
        self._skull(canvas, centre, thick)
        canvas.mask("head", skull)
        self._hide(canvas, centre)
        canvas.calipers["OFD"] = ends(centre, self.ofd, self.angle)

    def _hide(self, canvas: Canvas, centre: Point) -> None:
        """Take from the masks what the skull hides."""
        (inner,), fluid = canvas.shapes["brain"], canvas.shapes["lateral ventricle"]
        canvas.mask("lateral ventricle", *[within(outline, inner, centre) for outline in fluid])

    def _place(self, centre: Point, points: Field) -> Field:
        """From head units (x to the brow in half OFD, y in half BPD) to mm on the picture."""
        return turn(points * np.array([0.5 * self.ofd, 0.5 * self.bpd]), self.angle) + np.asarray(centre)

    def _put(self, centre: Point) -> Put:
        """The same for one point."""

        def put(x: float, y: float) -> Point:
            p = self._place(centre, np.array([[x, y]]))[0]
            return float(p[0]), float(p[1])

        return put

    def _skull(self, canvas: Canvas, centre: Point, thick: float) -> None:
        rng, skull = canvas.rng, self.outline(centre)
        facing = canvas.sector.cosine(skull, normals(skull))
        level = rng.uniform(15, 20) - self.gaps * (1 - facing) ** 1.5
        level = level + (wavy(rng, len(skull), 1.0, 14) - 1) * rng.uniform(1.5, 3.5)
        start = rng.integers(len(skull), size=2)
        for at in start[: rng.integers(0, 3)]:  # a suture or fontanelle
            level[(at + np.arange(rng.integers(1, 4))) % len(skull)] = -8.0
        swell = thick * (0.75 + 0.45 * facing) * wavy(rng, len(skull), 0.08, 6)
        halo = canvas.rng.uniform(2.0, 3.5)  # the echo of bone runs on below it
        inner = oval(centre, self.ofd - 2 * thick, self.bpd - 2 * thick, self.angle)
        canvas.shell(inner, halo * facing, np.clip(level - 17, -30, 0), mirror=0.0, loss=0.0)
        canvas.shell(skull, swell, level, mirror=0.45, loss=rng.uniform(0.9, 2.2))
        self._inside(canvas, skull, skull - normals(skull) * swell[:, None])

    def _inside(self, canvas: Canvas, outer: Field, inner: Field) -> None:
        """Keep the brain within the inner edge of the skull, and the biparietal diameters."""
        sides = [len(outer) // 4, 3 * len(outer) // 4]
        away = np.linalg.norm(outer[sides] - np.asarray(canvas.sector.apex), axis=1)
        near, far = (sides[i] for i in np.argsort(away))  # the diameter ends at the inner edge of the far side
        canvas.mask("brain", inner)
        canvas.calipers["BPD"] = pair(outer[near], outer[far])
        canvas.calipers["BPD outer-inner"] = pair(outer[near], inner[far])
        canvas.truth["bpd_outer_inner_mm"] = float(np.linalg.norm(outer[near] - inner[far]))
        canvas.truth["brain_area_mm2"] = area(inner)

    def _brain(self, canvas: Canvas, centre: Point, depth: float) -> None:
        rng, half = canvas.rng, 0.5 * self.bpd
        put = self._put(centre)
        middle = rng.uniform(-0.06, 0.06)
        # the bright core around the thalami, then the two thalami themselves
        core = oval(put(-0.05, middle), 0.52 * self.ofd, 0.42 * self.bpd, self.angle)
        canvas.fill(core, depth + rng.uniform(4, 8), soft=0.12 * half)
        canvas.add(core, canvas.mottle(16, 3, 0.9) * np.float32(2.5))
        for side in (-1, 1):
            spot = oval(
                put(-0.06, middle + side * 0.17),
                0.24 * self.ofd,
                0.18 * self.bpd,
                self.angle + side * rng.uniform(0.1, 0.4),
            )
            canvas.fill(spot, depth - rng.uniform(0, 3), soft=0.04 * half)
        self._gyri(canvas, put, depth)
        for side in (-1, 1):  # frontal horns, insula
            self._stroke(canvas, put, [(0.25, middle + side * 0.22), (0.45, middle + side * 0.3)], 0.9, depth + 18)
            self._stroke(
                canvas,
                put,
                [(0.28, side * 0.52), (0.1, side * 0.46), (-0.14, side * 0.55)],
                1.0,
                depth + rng.uniform(8, 17),
            )
        far = 1 if np.cos(self.angle) > 0 else -1  # the side away from the probe
        sides = (far, -far) if rng.random() < 0.35 else (far,)
        canvas.mask("lateral ventricle", *[self._ventricle(canvas, put, side, depth) for side in sides])
        self._midline(canvas, put, middle, depth)

    def _stroke(self, canvas: Canvas, put: Put, points: list[Point], thick: float, level: float) -> None:
        line = curve(*[put(*p) for p in points])
        canvas.fill(ribbon(line, thick), level, soft=0.4, mirror=0.3)

    def _midline(self, canvas: Canvas, put: Put, middle: float, depth: float) -> None:
        rng = canvas.rng
        bright = depth + rng.uniform(17, 26)
        thick = 0.9 + 0.012 * self.weeks
        bend = rng.uniform(-0.03, 0.03)
        box0, box1 = rng.uniform(0.26, 0.34), rng.uniform(0.50, 0.60)
        at = -0.92
        while at < 0.9:
            end = at + rng.uniform(0.1, 0.35)
            inside = at < box1 and end > box0
            if not inside and rng.random() < 0.8:
                weak = bright - (0 if abs(at) < 0.55 else rng.uniform(2, 8))
                self._stroke(canvas, put, [(at, middle), (0.5 * (at + end), middle + bend), (end, middle)], thick, weak)
            at = end + rng.uniform(0.0, 0.06)
        wide = rng.uniform(0.055, 0.085)  # the cavum septi pellucidi: two short lines about fluid
        corners = [(box0, -wide), (box1, -wide), (box1, wide), (box0, wide)]
        box = np.array([put(x, middle + y) for x, y in corners])
        canvas.fill(box, depth - 12, soft=0.3)
        canvas.mask("cavum septi pellucidi", box)
        canvas.truth["csp_length_mm"] = float(0.5 * self.ofd * (box1 - box0))
        canvas.truth["csp_width_mm"] = float(self.bpd * wide)
        for side in (-1, 1):
            y = middle + side * (wide + 0.015)
            self._stroke(canvas, put, [(box0, y), (box1, y)], thick, bright)
        self._stroke(canvas, put, [(-0.16, middle), (0.1, middle)], 1.6 * thick, depth - 6)  # third ventricle

    def _ventricle(self, canvas: Canvas, put: Put, side: int, depth: float) -> Field:
        """Fluid with the choroid plexus in it; the outline of both, (32, 2) mm."""
        rng = canvas.rng
        size = rng.uniform(0.9, 1.2) if self.ventricle else rng.uniform(0.55, 0.8)
        slope = rng.uniform(0.05, 0.2)
        line = [(-0.66, side * (0.36 + slope)), (-0.4, side * (0.36 + slope)), (0.0, side * 0.36)]
        course = curve(*[put(*p) for p in line])
        wide = (5.5 + 0.1 * self.weeks) * size
        canvas.fill(ribbon(course, wide + 1.6), depth + rng.uniform(8, 14), soft=0.5)
        outline = ribbon(course, wide)
        canvas.fill(outline, depth - 16, soft=0.5)
        young = np.clip((26 - self.weeks) / 10, 0.15, 1)  # the choroid fills the young ventricle
        first = int(5 - 3 * young)
        plexus = course[first:13] + rng.normal(0, 0.4, 2)
        if rng.random() < 0.8:
            canvas.fill(ribbon(plexus, wide * (0.45 + 0.35 * young)), depth + rng.uniform(13, 20), soft=0.8)
        canvas.truth.setdefault("ventricle_mm", float(wide))  # of the far side, drawn first
        return outline

    def _gyri(self, canvas: Canvas, put: Put, depth: float) -> None:
        """Short bright echoes of sulci, more of them with age."""
        rng = canvas.rng
        for _ in range(int(rng.integers(4, 9) + max(0.0, self.weeks - 18) * 1.1)):
            t, rho = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.85)
            x, y = rho * np.cos(t), rho * np.sin(t)
            dx, dy = rng.normal(0, 0.06, 2)
            self._stroke(
                canvas,
                put,
                [(x - dx, y - dy), (x + dy, y - dx), (x + dx, y + dy)],
                0.8,
                depth + rng.uniform(4, 14),
            )
