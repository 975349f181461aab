"""What can be wrong with a simulated heart: each finding is one entry that changes a healthy plan.

A severity of 0 leaves the plan as it is, 1 makes the finding plain. The motion group changes how a heart beats and
leaves single frames as they could be in a healthy one. Two findings are never drawn by the "train" profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fetalclip.phantom.hearts.anatomy import FourChambers
from fetalclip.phantom.hearts.cycle import Rhythm, contraction


@dataclass(frozen=True)
class Plan:
    """A heart before it is drawn.

    Attributes:
        heart: its proportions.
        rhythm: its beating.
        size: circumference of the heart over that of the chest.
        axis: degrees from back-to-front towards the left; about 45.
    """

    heart: FourChambers
    rhythm: Rhythm
    size: float
    axis: float

    @classmethod
    def new(cls, rng: np.random.Generator, bpm: tuple[float, float]) -> Plan:
        """A healthy heart; ``bpm`` is the range of its rate."""
        size = float(np.clip(rng.normal(0.505, 0.018), 0.46, 0.545))
        axis = float(np.clip(rng.normal(45, 7), 30, 60))
        return cls(FourChambers.new(rng), Rhythm.new(rng, float(rng.uniform(*bpm))), size, axis)


Change = Callable[[Plan, float, np.random.Generator], Plan]


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        change: makes it, from a plan, a severity 0..1 and random numbers.
        motion: True for the group that single frames do not show.
        trained: False for what the "train" profile refuses.
    """

    change: Change
    motion: bool = False
    trained: bool = True


def _septal_defect(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    high = plan.heart.cross + 0.10 + 0.21 * s  # just below the crux, or in the muscle
    middle = high if rng.random() < 0.5 else plan.heart.hole[0]
    return replace(plan, heart=replace(plan.heart, hole=(float(middle), 0.42 * s)))


def _atrioventricular(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    h = plan.heart
    wide = 0.34 * s
    heart = replace(
        h,
        offset=h.offset * (1 - s),
        hole=(h.cross + 0.5 * wide, wide),
        primum=float(rng.uniform(0.9, 1.1)) * 0.36 * s,
        bridge=s,
    )
    return replace(plan, heart=heart)


def _hypoplastic(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    h = plan.heart
    lv, rv, la, ra = h.reach
    heart = replace(
        h,
        shift=h.shift + 0.30 * s,
        bow=h.bow + 0.08 * s,
        reach=(lv - float(rng.uniform(0.42, 0.52)) * s, rv + (0.83 - rv) * s, la + 0.22 * s, ra),
        room=(h.room[0] * (1 - 0.5 * s), 1.0 + (h.room[1] - 1.0) * (1 - s), h.room[2] * (1 - 0.3 * s), h.room[3]),
    )
    return replace(plan, heart=heart, rhythm=replace(plan.rhythm, mitral=plan.rhythm.mitral * (1 - 0.6 * s)))


def _single(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    lv, rv, la, ra = plan.heart.reach
    reach = (lv, rv + (min(lv, 0.80) - rv) * s, la, ra)
    missing = min(1.0, s * float(rng.uniform(0.95, 1.05)))
    return replace(plan, heart=replace(plan.heart, missing=missing, reach=reach, band=plan.heart.band * (1 - s)))


def _large(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    return replace(plan, size=plan.size * (1 + float(rng.uniform(0.34, 0.40)) * s))


def _effusion(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    return replace(plan, heart=replace(plan.heart, effusion=plan.heart.effusion + float(rng.uniform(0.26, 0.34)) * s))


def _axis(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    to = 105.0 if rng.random() < 0.6 else -15.0  # to the left, or to the middle and right
    return replace(plan, axis=plan.axis + s * (to - plan.axis))


def _weak(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    r = plan.rhythm
    # it beats about a size that a healthy heart has at some phase, so that no single size tells
    hold = float(contraction(rng.random(1), r.systole, r.early)[0])
    return replace(plan, rhythm=replace(r, vigour=1 - 0.9 * s, hold=hold))


def _uneven(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    return replace(plan, rhythm=replace(plan.rhythm, uneven=s))


def _shut(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    r = plan.rhythm
    left = rng.random() < 0.5
    return replace(
        plan,
        rhythm=replace(
            r,
            mitral=r.mitral * (1 - s if left else 1.0),
            tricuspid=r.tricuspid * (1.0 if left else 1 - s),
        ),
    )


def _right_atrium(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    h = plan.heart
    lv, rv, la, ra = h.reach
    heart = replace(
        h,
        offset=h.offset + float(rng.uniform(0.26, 0.32)) * s,
        shift=h.shift + 0.10 * s,
        reach=(lv, rv, la + 0.06 * s, ra - 0.03 * s),
        room=(h.room[0], h.room[1], h.room[2], h.room[3] + (1.05 - h.room[3]) * s),
    )
    return replace(plan, heart=heart, size=plan.size * (1 + 0.12 * s))


def _tumour(plan: Plan, s: float, rng: np.random.Generator) -> Plan:
    side = 1.0 if rng.random() < 0.7 else -1.0
    at = float(rng.uniform(0.20, 0.42)), side * float(rng.uniform(0.22, 0.34))
    return replace(plan, heart=replace(plan.heart, mass=(*at, 0.42 * s)))


FINDINGS: dict[str, Finding] = {
    "ventricular septal defect": Finding(_septal_defect),
    "atrioventricular septal defect": Finding(_atrioventricular),
    "hypoplastic left heart": Finding(_hypoplastic),
    "single ventricle": Finding(_single),
    "cardiomegaly": Finding(_large),
    "pericardial effusion": Finding(_effusion),
    "abnormal axis": Finding(_axis),
    "poor contraction": Finding(_weak, motion=True),
    "arrhythmia": Finding(_uneven, motion=True),
    "closed valve": Finding(_shut, motion=True),
    "right atrial enlargement": Finding(_right_atrium, trained=False),
    "rhabdomyoma": Finding(_tumour, trained=False),
}
"""Every finding by its name."""
