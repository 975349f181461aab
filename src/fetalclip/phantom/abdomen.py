"""Simulated axial abdomen at the level of the stomach and the portal sinus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, curve, oval, ribbon, wavy
from fetalclip.phantom.trunk import Point, Trunk, facing_back


@dataclass(frozen=True)
class Abdomen:
    """Skin, liver, stomach, umbilical vein, spine, ribs.

    Attributes:
        trunk: the cross-section and its directions.
        weeks: gestational age.
    """

    trunk: Trunk
    weeks: float

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Abdomen:
        """An abdomen of a given age; ``tilt`` widens the turn of the ellipse, radians."""
        around = sizes.median("ac", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        long, short = sizes.diameters(around, float(rng.uniform(0.87, 0.98)))
        back = facing_back(rng)
        trunk = Trunk(long, short, back + float(rng.normal(0, 0.3 * tilt)), back, 1 if rng.random() < 0.5 else -1)
        return cls(trunk, weeks)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        return self.trunk.extent

    @property
    def truth(self) -> dict[str, float]:
        """Outer skin: circumference and diameters, mm."""
        t = self.trunk
        return {"ac_mm": sizes.perimeter(t.long, t.short), "apad_mm": t.long, "tad_mm": t.short}

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
        t.spine(canvas, centre, 1.9 + 0.10 * self.weeks)
        t.vessel(canvas, centre, (-0.36, rng.uniform(0.0, 0.2)), 1.6 + 0.09 * self.weeks)
        t.vessel(canvas, centre, (-0.30, -rng.uniform(0.12, 0.3)), 1.3 + 0.07 * self.weeks)
        self._veins(canvas, centre, liver)
        stomach = self._stomach(canvas, centre, liver)
        deep = (thick + 2.0) / (0.25 * (t.long + t.short))
        spans = []
        for side in (-1, 1):
            if rng.random() < 0.75:
                a = rng.uniform(0.35, 0.9)
                spans.append((side * a, side * (a + rng.uniform(0.3, 0.9))))
        t.ribs(canvas, centre, deep, spans, rng.uniform(8, 14))
        canvas.mask("abdomen", skin)
        canvas.mask("stomach", stomach)

    def _stomach(self, canvas: Canvas, centre: Point, liver: float) -> Field:
        rng, t = canvas.rng, self.trunk
        at = t.put(centre, rng.uniform(-0.15, 0.12), rng.uniform(0.44, 0.56))
        long = rng.uniform(0.24, 0.40) * t.short
        turned = t.back + t.left * rng.uniform(-0.5, 0.5)
        outline = oval(at, long, long * rng.uniform(0.5, 0.85), turned, wavy(rng, 48, 0.05))
        rim = np.asarray(at) + (outline - np.asarray(at)) * 1.12
        canvas.fill(rim, liver + rng.uniform(2, 6), soft=0.8)
        canvas.fill(outline, -38, soft=0.3, loss=-0.12)
        return outline

    def _veins(self, canvas: Canvas, centre: Point, liver: float) -> None:
        rng, t = canvas.rng, self.trunk
        wide = 1.5 + 0.085 * self.weeks

        def line(*points: tuple[float, float]) -> Field:
            return curve(*[t.put(centre, *p) for p in points], n=20)

        bend = rng.uniform(-0.1, 0.1)
        start = rng.uniform(0.42, 0.72)
        course = [(start, bend), (0.30, bend), (0.10, -0.02), (0.12, -0.24), (0.22, -rng.uniform(0.30, 0.42))]
        vein = line(*course)
        canvas.fill(ribbon(vein, wide + 2.2, 0.8), liver + rng.uniform(5, 10), soft=0.5, mirror=0.2)
        canvas.fill(ribbon(vein, wide, 0.8), -32, soft=0.3)
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
