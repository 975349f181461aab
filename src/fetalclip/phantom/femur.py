"""Simulated thigh with the whole shaft of the femur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, oval, ribbon, turn, wavy
from fetalclip.phantom.shape import pair

Point = tuple[float, float]


@dataclass(frozen=True)
class Femur:
    """The ossified shaft, the muscles about it, knee and hip, sometimes the other leg.

    Attributes:
        length: of the ossified shaft, end to end, mm.
        angle: to the horizontal, radians, under 45 degrees.
        bow: how far the middle lies above the line between the ends, as a share of the length.
        knee: +1 when the knee is on the right, -1 on the left.
        weeks: gestational age.
    """

    length: float
    angle: float
    bow: float
    knee: int
    weeks: float

    @classmethod
    def new(cls, rng: np.random.Generator, weeks: float, tilt: float) -> Femur:
        """A femur of a given age; ``tilt`` is the usual slant, radians."""
        length = sizes.median("fl", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        angle = float(np.clip(rng.normal(0, 0.6 * tilt), -0.72, 0.72))
        bow = float(rng.uniform(-0.02, 0.09)) * (1 if rng.random() < 0.5 else -1)
        return cls(length, angle, bow, 1 if rng.random() < 0.5 else -1, weeks)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the thigh on the picture, mm."""
        c, s = abs(np.cos(self.angle)), abs(np.sin(self.angle))
        return float(self.length * (1.35 * c + 0.4 * s)), float(self.length * (1.35 * s + 0.7 * c))

    @property
    def truth(self) -> dict[str, float]:
        """Length of the shaft in mm, slant in degrees."""
        return {"fl_mm": self.length, "angle_degrees": float(np.degrees(abs(self.angle)))}

    def outline(self, centre: Point, grow: float = 1.0) -> Field:
        """The skin of the thigh, (80, 2) mm: round at the knee, wide and open towards the hip."""
        x = np.linspace(-1.5, 0.74, 40)
        half = (0.27 - 0.09 * x) * np.sqrt(np.clip((0.74 - x) / 0.25, 0, 1)) * grow
        half[0] *= 0.6
        line = np.concatenate([np.stack([x, 0.03 - half], 1), np.stack([x, 0.03 + 1.15 * half], 1)[::-1]])
        return self._place(centre, line * np.array([self.knee, 1.0]))

    def _place(self, centre: Point, points: Field) -> Field:
        """From shaft units (x along, 1 is its whole length; y down) to mm on the picture."""
        return turn(points * self.length, self.angle) + np.asarray(centre)

    def _unplace(self, centre: Point, points: Field) -> Field:
        """From mm on the picture to shaft units."""
        return turn(points - np.asarray(centre), -self.angle) / self.length

    def shaft(self, centre: Point, lift: float = 0.0) -> Field:
        """The middle line of the shaft, (24, 2) mm; its ends are ``length`` apart."""
        x = np.linspace(-0.5, 0.5, 24)
        return self._place(centre, np.stack([x, self.bow * (4 * x**2 - 1) + lift], axis=1))

    def paint(self, canvas: Canvas, centre: Point) -> None:
        """Draw the thigh and keep the mask of the shaft."""
        rng = canvas.rng
        flesh = rng.uniform(-17, -9)
        canvas.fill(self.outline(centre, 1.08), rng.uniform(-8, 2), soft=1.0)
        thigh = self.outline(centre)
        canvas.fill(thigh, flesh, soft=1.0, loss=rng.uniform(0.05, 0.15))
        canvas.add(thigh, canvas.mottle(7, 4, 0.85) * np.float32(3.0))
        self._layers(canvas, centre, flesh)
        self._joints(canvas, centre, flesh)
        if rng.random() < 0.55:
            self._other(canvas, centre)
        line = self.shaft(centre)
        thick = (1.3 + 0.05 * self.weeks) * rng.uniform(0.8, 1.2)
        course = ribbon(line, thick, rng.uniform(0.75, 0.95))
        bright = rng.uniform(18, 25)
        below = line + np.array([0.0, 0.7 * thick])  # the echo of bone runs on below it
        canvas.fill(ribbon(below, 1.6 * thick, 0.8), bright - rng.uniform(12, 18), soft=1.2)
        canvas.fill(course, bright - 5, soft=0.4, mirror=0.4, loss=rng.uniform(2.0, 4.0))
        canvas.fill(ribbon(line - np.array([0.0, 0.12 * thick]), 0.6 * thick), bright, soft=0.5, mirror=0.5)
        canvas.add(course, canvas.mottle(12, 2) * np.float32(rng.uniform(1.0, 2.4)))
        self._knobs(canvas, line, thick)
        # upright to the line between the ends, not to the bow: the mask is as long as the truth
        low, high = self._unplace(centre, line[[0, -1]])[:, 0]
        upright = self._unplace(centre, course)
        upright[:, 0] = upright[:, 0].clip(low, high)
        canvas.mask("femur", self._place(centre, upright))
        canvas.calipers["FL"] = pair(line[0], line[-1])

    def _knobs(self, canvas: Canvas, line: Field, thick: float) -> None:
        """The ends of the shaft are a little wider."""
        for end in (line[1], line[-2]):
            canvas.fill(oval((float(end[0]), float(end[1])), 1.0 * thick, 1.35 * thick, self.angle), 9, soft=0.6)

    def _layers(self, canvas: Canvas, centre: Point, flesh: float) -> None:
        """Muscle sheaths and fibres along the bone."""
        rng = canvas.rng
        for _ in range(int(rng.integers(6, 14))):
            x0, wide = rng.uniform(-0.6, 0.2), rng.uniform(0.15, 0.7)
            y = rng.uniform(-0.24, 0.26)
            x = np.linspace(x0, min(x0 + wide, 0.65), 14)
            bend = y * (1 - 0.9 * x**2) + self.bow * (4 * x**2 - 1) * 0.7
            line = self._place(centre, np.stack([x, bend], axis=1))
            canvas.fill(ribbon(line, rng.uniform(0.6, 1.3)), flesh + rng.uniform(4, 13), soft=0.4, mirror=0.2)
        skin = self.outline(centre)
        for part, level in ((skin[8:36], rng.uniform(4, 13)), (skin[44:71], rng.uniform(-6, 6))):
            start = int(rng.integers(0, 8))
            end = len(part) - int(rng.integers(0, 8))
            canvas.fill(ribbon(part[start:end], rng.uniform(1.0, 2.2)), level, soft=0.6, mirror=0.3)

    def _joints(self, canvas: Canvas, centre: Point, flesh: float) -> None:
        """Cartilage beyond both ends: dark with a fine bright rim; the hip with bright specks."""
        rng = canvas.rng
        for side in (self.knee, -self.knee):
            at = self._place(centre, np.array([[side * rng.uniform(0.58, 0.62), rng.uniform(-0.02, 0.08)]]))[0]
            spot, size = (float(at[0]), float(at[1])), rng.uniform(0.18, 0.26) * self.length
            canvas.fill(oval(spot, size * 1.1, size * 1.25), flesh + rng.uniform(5, 9), soft=0.8)
            canvas.fill(oval(spot, size * 0.9, size * 1.02, 0, wavy(rng, 40, 0.04)), flesh - 3, soft=0.8)
            canvas.add(oval(spot, size, size), canvas.mottle(30, 2) * np.float32(3.5), soft=0.5)
            hip = side == -self.knee
            for _ in range(int(rng.integers(3, 9)) if hip else int(rng.integers(0, 3))):
                p = self._place(centre, np.array([[side * rng.uniform(0.6, 0.85), rng.uniform(-0.2, 0.28)]]))[0]
                speck = oval((float(p[0]), float(p[1])), rng.uniform(1.5, 4), rng.uniform(1, 2.2), rng.uniform(0, 3))
                canvas.fill(speck, rng.uniform(2, 13), soft=0.4, loss=1.0)

    def _other(self, canvas: Canvas, centre: Point) -> None:
        """The other femur, deeper and weaker."""
        rng = canvas.rng
        deep = rng.uniform(0.42, 0.62)
        x = np.linspace(-0.5, 0.45, 20) * rng.uniform(0.6, 0.95)
        y = deep + rng.uniform(-0.1, 0.1) - abs(self.bow) * (4 * x**2 - 1) + rng.uniform(-0.2, 0.2) * x
        line = self._place(centre, np.stack([x, y], axis=1))
        for lift, level in ((-0.14, 2.0), (0.16, 4.0)):
            skin = line + np.array([0.0, lift * self.length])
            canvas.fill(ribbon(skin, rng.uniform(1.0, 1.8)), level, soft=0.5)
        canvas.fill(ribbon(line, 0.26 * self.length), rng.uniform(-17, -11), soft=1.0)
        canvas.fill(ribbon(line, 1.5 + 0.05 * self.weeks), rng.uniform(8, 14), soft=0.4, mirror=0.3, loss=3.0)
