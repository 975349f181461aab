"""Where things lie: the chest in the sector, the heart in the chest, and how both are turned for a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Field, turn
from fetalclip.phantom.hearts.findings import Plan
from fetalclip.phantom.hearts.profile import HeartProfile
from fetalclip.phantom.sector import Sector, place
from fetalclip.phantom.trunk import Point, Trunk

VIEWS = ("apical", "basal")
"""apical: the apex points to the probe, the septum runs along the beams. basal: the septum lies across the beams."""

_AORTA = -0.36  # trunk units, the heart lies in front of this: behind it are the aorta and the spine
_FILL = 1.0  # share of the picture that the chest takes at a margin of 1


@dataclass(frozen=True)
class Scene:
    """The geometry of one clip at rest, mm on the picture.

    Attributes:
        weeks: gestational age.
        trunk: the chest's cross-section.
        centre: its middle.
        sector: what the probe sees.
        fan: whether the probe's surface is on the picture.
        heart: middle of the heart.
        half: half diameters of the heart, (long, short) mm.
        angle: direction of the apex on the picture, radians.
        side: +1 or -1, turns heart units' y to the left ventricle.
        axis: degrees, of the heart in the chest.
    """

    weeks: float
    trunk: Trunk
    centre: Point
    sector: Sector
    fan: bool
    heart: Point
    half: Point
    angle: float
    side: int
    axis: float

    @classmethod
    def new(
        cls, rng: np.random.Generator, ranges: HeartProfile, plan: Plan, usual_axis: float, view: str, size: int
    ) -> Scene:
        """A chest and its heart in view.

        Args:
            rng: random numbers; as many are drawn whatever the plan is.
            ranges: the profile's.
            plan: what is drawn.
            usual_axis: the axis before any finding, degrees: the chest is turned so that this one suits the view.
            view: one of ``VIEWS``.
            size: width and height of the picture, pixels.
        """
        weeks = float(rng.uniform(*ranges.weeks))
        around = 0.89 * sizes.median("ac", weeks) * float(np.clip(rng.normal(1, 0.045), 0.87, 1.13))
        long, short = sizes.diameters(around, float(rng.uniform(0.88, 0.98)))
        left = 1 if rng.random() < 0.5 else -1
        aside = 1 if rng.random() < 0.5 else -1
        tilt = np.radians(float(rng.uniform(-ranges.turn, ranges.turn)))
        apex = -np.pi / 2 + tilt if view == "apical" else -np.pi / 2 + aside * np.pi / 2 + tilt
        back = float(apex - np.pi + left * np.radians(usual_axis))
        trunk = Trunk(long, short, back + np.pi / 2 + float(rng.normal(0, 0.08)), back, left)
        style = ranges.styles[int(rng.integers(len(ranges.styles)))]
        sector, centre = _frame(rng, ranges, trunk, style, size)
        axis = np.radians(plan.axis)
        long_heart = plan.size * sizes.perimeter(long, short) / plan.heart.around
        half = 0.5 * long_heart, 0.5 * long_heart * plan.heart.ratio
        start = float(rng.uniform(0.0, 0.12)), float(rng.uniform(0.06, 0.20))
        at = _fit(trunk, plan.heart.sac * np.array(half), axis, start)
        angle = float(back + np.pi - left * axis)
        return cls(weeks, trunk, centre, sector, style == "fan", trunk.put(centre, *at), half, angle, -left, plan.axis)

    def to_picture(self, points: Field) -> Field:
        """From heart units (N, 2) to mm on the picture."""
        return turn(points * np.array([self.half[0], self.side * self.half[1]]), self.angle) + np.asarray(self.heart)

    @property
    def unit(self) -> Field:
        """(2, 2): mm on the picture = heart units @ this, plus the heart's middle."""
        found: Field = turn(np.diag([self.half[0], self.side * self.half[1]]), self.angle)
        return found


def _frame(rng: np.random.Generator, ranges: HeartProfile, trunk: Trunk, style: str, size: int) -> tuple[Sector, Point]:
    """The sector, scaled to the chest, and the place of the chest's middle in mm."""
    fill = _FILL * (0.80 if style == "fan" else 1.0) / float(rng.uniform(*ranges.margin))
    across, down = trunk.extent
    mm = max(across, down) / (fill * size)
    middle = 0.56 if style == "fan" else 0.51
    x = size * mm * (0.5 + 0.04 * float(np.clip(rng.normal(), -1.5, 1.5)))
    y = size * mm * (middle + 0.03 * float(np.clip(rng.normal(), -1.5, 1.5)))
    return place(rng, style, (size, size), mm), (x, y)


def _fit(trunk: Trunk, edge: Field, axis: float, start: Point) -> Point:
    """A place (front, left) in trunk units for the heart, pushed off the spine and the chest wall.

    ``edge`` is the outline of the sac about the heart's middle, (N, 2) mm along and across the heart's axis.
    """
    radius = 0.25 * (trunk.long + trunk.short)
    ahead, aside = np.array([np.cos(axis), np.sin(axis)]), np.array([-np.sin(axis), np.cos(axis)])
    shape = edge @ np.stack([ahead, aside]) / radius
    half = 0.5 * np.array([trunk.short, trunk.long]) / radius - (3.0 / radius + 0.04)
    at = np.array([_AORTA - shape[:, 0].min() + start[0], start[1]])
    for _ in range(40):
        points = at + shape
        out = np.hypot(*(points / half).T)
        worst = int(out.argmax())
        behind = _AORTA - float(points[:, 0].min())
        if out[worst] > 1:
            at -= 0.5 * points[worst] * (1 - 1 / out[worst])
        if behind > 0:
            at[0] += 0.3 * behind
    return float(at[0]), float(at[1])
