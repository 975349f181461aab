"""Simulated axial abdomen at the level of the stomach and the portal sinus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, curve, oval, ribbon, turn, wavy
from fetalclip.phantom.shape import area, ends, longest
from fetalclip.phantom.trunk import Point, Trunk, facing_back


@dataclass(frozen=True)
class Abdomen:
    """Skin, liver, stomach, umbilical vein with the portal sinus, spine, ribs.

    Attributes:
        trunk: the cross-section and its directions.
        weeks: gestational age.
        wide: whether the longer diameter is the transverse one.
    """

    trunk: Trunk
    weeks: float
    wide: bool

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Abdomen:
        """An abdomen of a given age; ``tilt`` widens the turn of the ellipse, radians."""
        around = sizes.median("ac", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        long, short = sizes.diameters(around, float(rng.uniform(0.87, 0.98)))
        back = facing_back(rng)
        wide = bool(rng.random() < 0.5)
        angle = back + 0.5 * np.pi * wide + float(rng.normal(0, 0.2 * tilt))
        return cls(Trunk(long, short, angle, back, 1 if rng.random() < 0.5 else -1), weeks, wide)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        return self.trunk.extent

    @property
    def truth(self) -> dict[str, float]:
        """Outer skin: circumference and diameters, mm."""
        t = self.trunk
        tad, apad = (t.long, t.short) if self.wide else (t.short, t.long)
        return {"ac_mm": sizes.perimeter(t.long, t.short), "apad_mm": apad, "tad_mm": tad}

    def outline(self, centre: Point, grow: float = 1.0) -> Field:
        """The outer skin, (96, 2) mm."""
        return oval(centre, self.trunk.long * grow, self.trunk.short * grow, self.trunk.angle)

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the abdomen and keep its masks."""
        rng, t = canvas.rng, self.trunk
        skin = self.outline(centre)
        thick = rng.uniform(1.3, 2.0) + 0.03 * self.weeks
        liver = rng.uniform(-11, -6)
        canvas.fill(skin, liver - 1, loss=rng.uniform(0.0, 0.05))
        canvas.add(skin, canvas.mottle(9, 4, 0.8) * np.float32(rng.uniform(1.2, 2.2)))
        t.skin(canvas, centre, thick, rng.uniform(7, 13))
        muscle = t.outline(centre, thick)
        canvas.add(muscle, -4.0)
        canvas.add(t.outline(centre, thick + 1.2 + 0.04 * self.weeks), 4.0, soft=0.6)
        self._bowel(canvas, centre, liver)
        t.spine(canvas, centre)
        t.vessel(canvas, centre, (-0.36, rng.uniform(0.0, 0.2)), 1.6 + 0.09 * self.weeks)
        t.vessel(canvas, centre, (-0.30, -rng.uniform(0.12, 0.3)), 1.3 + 0.07 * self.weeks)
        self._vein(canvas, centre, liver)
        self._stomach(canvas, centre, liver)
        spans = []
        for side in (-1, 1):
            if rng.random() < 0.75:
                a = rng.uniform(0.35, 0.9)
                spans.append((side * a, side * (a + rng.uniform(0.3, 0.9))))
        t.ribs(canvas, centre, thick + 2.0, spans, rng.uniform(10, 17))
        canvas.mask("abdomen", skin)
        long, short = ends(centre, t.long, t.angle), ends(centre, t.short, t.angle + 0.5 * np.pi)
        canvas.calipers.update({"TAD": long if self.wide else short, "APAD": short if self.wide else long})

    def _stomach(self, canvas: Canvas, centre: Point, liver: float) -> None:
        """Fluid, mostly black, sometimes with echoes in it; round to bean-shaped."""
        rng, t = canvas.rng, self.trunk
        at = np.asarray(t.put(centre, rng.uniform(-0.15, 0.15), rng.uniform(0.42, 0.54)))
        long = rng.uniform(0.20, 0.42) * t.short
        turned = t.back + t.left * rng.uniform(-0.6, 0.6)
        points = oval((0.0, 0.0), long, long * rng.uniform(0.45, 0.85), 0.0, wavy(rng, 64, 0.05))
        bend = rng.uniform(-0.9, 0.9) if rng.random() < 0.5 else 0.0
        points[:, 1] += bend * (points[:, 0] ** 2 / long - 0.12 * long)  # a bean lies along a bow
        outline = turn(points, turned) + at
        canvas.fill(at + (outline - at) * 1.12, liver + rng.uniform(0, 6), soft=0.8)
        canvas.fill(outline, rng.uniform(-40, -26), soft=rng.uniform(0.3, 1.0), loss=-0.12)
        if rng.random() < 0.3:
            canvas.add(outline, canvas.mottle(14, 2) * np.float32(4.0), soft=0.8)
        canvas.mask("stomach", outline)
        (x0, y0), (x1, y1) = canvas.calipers["stomach"] = longest(outline)
        canvas.truth["stomach_area_mm2"] = area(outline)
        canvas.truth["stomach_length_mm"] = float(np.hypot(x1 - x0, y1 - y0))

    def _vein(self, canvas: Canvas, centre: Point, liver: float) -> None:
        """The umbilical vein, running into the portal sinus in most; branches of the hepatic vessels."""
        rng, t = canvas.rng, self.trunk
        wide = (1.3 + 0.085 * self.weeks) * rng.uniform(0.7, 1.1)

        def line(*points: tuple[float, float]) -> Field:
            return curve(*[t.put(centre, *p) for p in points], n=20)

        bend = rng.uniform(-0.1, 0.1)
        start = rng.uniform(0.40, 0.72)
        if rng.random() < 0.7:  # with the bend to the fetus's right
            course = [(start, bend), (0.30, bend), (0.10, -0.02), (0.12, -0.24), (0.22, -rng.uniform(0.30, 0.42))]
        else:
            course = [(start, bend), (0.3, bend), (rng.uniform(0.02, 0.2), bend + rng.uniform(-0.08, 0.02))]
        vein = line(*course)
        lumen = ribbon(vein, wide, 0.6)
        canvas.fill(ribbon(vein, wide + 2.0, 0.8), liver + rng.uniform(3, 9), soft=0.5, mirror=0.2)
        canvas.fill(lumen, rng.uniform(-32, -17), soft=rng.uniform(0.3, 0.7))
        canvas.mask("umbilical vein", lumen)
        for _ in range(int(rng.integers(1, 5))):  # hepatic vessels
            x, y = rng.uniform(-0.1, 0.6), -rng.uniform(0.2, 0.7)
            dx, dy = rng.normal(0, 0.1, 2)
            canvas.fill(ribbon(line((x, y), (x + dx, y + dy)), 1.0), liver + rng.uniform(5, 12), soft=0.4)

    def _bowel(self, canvas: Canvas, centre: Point, liver: float) -> None:
        """A coarse brighter patch, and the adrenal region darker beside the spine."""
        rng, t = canvas.rng, self.trunk
        if rng.random() < 0.5:
            at = t.put(centre, rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.6))
            patch = oval(at, 0.35 * t.short, 0.22 * t.short, t.back + rng.uniform(-1, 1))
            canvas.add(patch, 2.5 + canvas.mottle(22, 2) * np.float32(2.5), soft=2.0)
        for side in (-1, 1):
            at = t.put(centre, -0.42, side * 0.4)
            canvas.add(oval(at, 0.3 * t.short, 0.16 * t.short, t.back), -rng.uniform(1, 5), soft=2.0)
