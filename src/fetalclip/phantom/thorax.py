"""Simulated axial chest with the four chambers of the heart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, curve, oval, ribbon, turn, wavy
from fetalclip.phantom.trunk import Point, Trunk, facing_back

Put = Callable[[Field], Field]


@dataclass(frozen=True)
class Thorax:
    """Chest wall, lungs, spine, descending aorta and a four-chamber heart with its apex to the left.

    Attributes:
        trunk: the cross-section and its directions.
        weeks: gestational age.
        heart_long, heart_short: outer diameters of the heart, mm.
        axis: of the heart, radians from front-to-back towards the left.
    """

    trunk: Trunk
    weeks: float
    heart_long: float
    heart_short: float
    axis: float

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Thorax:
        """A chest of a given age; the thoracic circumference is about 0.89 of the abdominal one."""
        around = 0.89 * sizes.median("ac", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        long, short = sizes.diameters(around, float(rng.uniform(0.86, 0.98)))
        back = facing_back(rng)
        across = back + np.pi / 2 + float(rng.normal(0, 0.2 * tilt))
        trunk = Trunk(long, short, across, back, 1 if rng.random() < 0.5 else -1)
        share = rng.uniform(0.26, 0.36)  # heart area over chest area
        ratio = rng.uniform(0.72, 0.84)
        heart = float(np.sqrt(share * long * short / ratio))
        return cls(trunk, weeks, heart, heart * ratio, float(np.radians(rng.uniform(30, 60))))

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height on the picture, mm."""
        return self.trunk.extent

    @property
    def truth(self) -> dict[str, float]:
        """Circumferences in mm; ``heart_to_thorax_area`` is a share."""
        t = self.trunk
        return {
            "thorax_circumference_mm": sizes.perimeter(t.long, t.short),
            "heart_circumference_mm": sizes.perimeter(self.heart_long, self.heart_short),
            "heart_to_thorax_area": self.heart_long * self.heart_short / (t.long * t.short),
        }

    def outline(self, centre: Point, grow: float = 1.0) -> Field:
        """The outer skin, (96, 2) mm."""
        return oval(centre, self.trunk.long * grow, self.trunk.short * grow, self.trunk.angle)

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the chest and keep its masks."""
        rng, t = canvas.rng, self.trunk
        skin, radius = self.outline(centre), 0.25 * (t.long + t.short)
        lung = rng.uniform(-9, -3)
        canvas.fill(skin, lung, loss=rng.uniform(0.0, 0.06))
        canvas.add(skin, canvas.mottle(8, 4, 0.8) * np.float32(rng.uniform(1.2, 2.4)))
        thick = rng.uniform(1.0, 1.7) + 0.03 * self.weeks
        t.skin(canvas, centre, thick, rng.uniform(5, 11))
        canvas.add(t.outline(centre, thick), -5.0)
        canvas.add(t.outline(centre, thick + 1.0 + 0.05 * self.weeks), 5.0, soft=0.6)
        spans = []
        for side in (-1, 1):
            a = rng.uniform(0.3, 0.7)
            b = rng.uniform(1.4, 2.5)
            middle = rng.uniform(a + 0.4, b)
            spans += [(side * a, side * (middle - 0.06)), (side * (middle + 0.06), side * b)]
        t.ribs(canvas, centre, (thick + 1.6) / radius, spans, rng.uniform(10, 17))
        t.spine(canvas, centre, 1.7 + 0.10 * self.weeks)
        heart = self._heart(canvas, centre)
        t.vessel(canvas, centre, (-0.45, rng.uniform(0.08, 0.2)), 1.6 + 0.08 * self.weeks)
        canvas.mask("thorax", skin)
        canvas.mask("heart", heart)

    def _heart(self, canvas: Canvas, centre: Point) -> Field:
        rng, t = canvas.rng, self.trunk
        middle = np.asarray(t.put(centre, rng.uniform(0.05, 0.16), rng.uniform(0.10, 0.22)))
        a, b = 0.5 * self.heart_long, 0.5 * self.heart_short
        tip = np.asarray(t.put((0.0, 0.0), float(np.cos(self.axis)), float(np.sin(self.axis))))
        angle = float(np.arctan2(tip[1], tip[0]))  # of the apex on the picture
        # heart units: x to the apex, y to the fetus's left ventricle
        side = t.left

        def put(points: Field) -> Field:
            return turn(points * np.array([a, side * b]), angle) + middle

        outline = oval((float(middle[0]), float(middle[1])), 2 * a, 2 * b, angle)
        wall = rng.uniform(-19, -12)
        canvas.fill(outline, wall, soft=0.8, loss=0.0)
        canvas.add(outline, canvas.mottle(20, 2) * np.float32(1.5))
        cross = rng.uniform(-0.12, 0.0)  # place of the valves
        dark, jag = rng.uniform(-40, -30), 0.09
        chambers = {
            (0.5 * (cross + 0.78), 0.42): (0.84 - cross, 0.50),  # left ventricle
            (0.5 * (cross + 0.70), -0.44): (0.70 - cross, 0.62),  # right ventricle
            (0.5 * (cross - 0.86), 0.38): (0.74 + cross, 0.58),  # left atrium
            (0.5 * (cross - 0.80), -0.40): (0.72 + cross, 0.62),  # right atrium
        }
        for (x, y), (long, short) in chambers.items():
            grow = rng.uniform(0.9, 1.08)
            room = oval((x, y), long * grow, short * grow, 0.0, wavy(rng, 40, jag))
            canvas.fill(put(room), dark, soft=0.7, loss=-0.05)
        self._walls(canvas, put, cross, wall)
        return outline

    def _walls(self, canvas: Canvas, put: Put, cross: float, wall: float) -> None:
        """Septa, valves and the crux, bright."""
        rng, b = canvas.rng, 0.5 * self.heart_short
        bright = rng.uniform(-5, 4)
        sway = rng.uniform(-0.08, 0.08)
        lines = [
            ([(cross, 0.0), (0.4, sway), (0.92, 0.0)], rng.uniform(0.2, 0.34), bright - 5),
            ([(cross, 0.0), (0.4, 0.6 * sway), (0.7, 0.0)], 0.13, bright),
            ([(cross, 0.0), (-0.38, 0.04)], rng.uniform(0.1, 0.2), bright - 4),
            ([(-0.62, 0.04), (-0.92, 0.0)], rng.uniform(0.1, 0.2), bright - 6),
        ]
        open_by = rng.uniform(0.1, 0.5)  # the valves, shut across or open towards the apex
        for y in (1, -1):
            near = [(cross, 0.04 * y), (cross + 0.6 * open_by, 0.14 * y), (cross + open_by, 0.34 * y)]
            wall_side = [(cross, 0.8 * y), (cross + 0.6 * open_by, 0.66 * y), (cross + open_by, 0.46 * y)]
            lines += [(leaf, 0.09, bright - rng.uniform(2, 9)) for leaf in (near, wall_side)]
        for points, thick, level in lines:
            line = put(curve(*points))
            canvas.fill(ribbon(line, thick * b, 0.6), level, soft=0.7, mirror=0.1)
        if rng.random() < 0.6:  # moderator band
            canvas.fill(put(oval((0.52, -0.36), 0.2, 0.26)), wall + 6, soft=0.8)
        knot = put(oval((cross, 0.0), 0.2, 0.26))
        canvas.fill(knot, bright + 3, soft=0.6, mirror=0.2)
