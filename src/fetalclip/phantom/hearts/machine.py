"""What is not the heart: the machine's settings and gain, the sway of chest and hand, the states of the frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom.canvas import Field
from fetalclip.phantom.hearts.cycle import Cycle
from fetalclip.phantom.hearts.profile import HeartProfile
from fetalclip.phantom.sector import Sector

SPARE = 48  # rows and columns by which a clip's noise is larger than the beam grid; each frame takes a window of it


@dataclass(frozen=True)
class State:
    """What one frame shows.

    Attributes:
        contraction, kick, mitral, tricuspid: see ``cycle.Cycle``.
        shift: of the chest, mm on the picture.
        turned: of the chest about its middle, radians.
        plane: angle of the speckle's slow change, radians.
        noise: (row, column) of this frame's window on the noise.
    """

    contraction: float
    kick: float
    mitral: float
    tricuspid: float
    shift: tuple[float, float]
    turned: float
    plane: float
    noise: tuple[int, int]


@dataclass(frozen=True)
class Display:
    """The machine's settings of one clip.

    Attributes:
        axial, lateral: standard deviation of the point spread at the focus, samples of the beam grid.
        defocus, focus: see ``speckle.Spread``.
        haze: clutter, dB.
        floor: electronic noise at the probe, dB.
        rise: by how much the depth gain lifts that noise over the depth, dB.
        gain, dynamic: dB.
        smooth: share of the speckle reduction.
    """

    axial: float
    lateral: float
    defocus: float
    focus: float
    haze: float
    floor: float
    rise: float
    gain: float
    dynamic: float
    smooth: float

    @classmethod
    def new(cls, rng: np.random.Generator, ranges: HeartProfile, sector: Sector) -> Display:
        """Settings of a profile; points spread wider in mm where the picture shows more."""
        along, across = sector.sample
        scale = float(np.sqrt(sector.width * sector.mm / 62))
        u = rng.uniform
        return cls(
            axial=scale * float(u(*ranges.axial)) / along,
            lateral=scale * float(u(*ranges.lateral)) / across,
            defocus=float(u(1.2, 1.9)),
            focus=float(u(0.35, 0.65)),
            haze=float(u(*ranges.haze)),
            floor=float(u(*ranges.floor)),
            rise=float(u(3, 9)),
            gain=float(u(*ranges.gain)),
            dynamic=float(u(*ranges.dynamic)),
            smooth=float(u(*ranges.smooth)),
        )


def gain(rng: np.random.Generator, ranges: HeartProfile, shape: tuple[int, int]) -> Field:
    """Gain in dB on the beam grid (depths, beams): what the depth gain leaves, weak beams at the sides and between."""
    depth = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None]
    beam = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    total = rng.uniform(*ranges.slope) * depth + rng.uniform(-1.5, 1.5) * np.sin(2 * np.pi * (depth + rng.uniform()))
    total = total - rng.uniform(0, 6) * beam**2
    for _ in range(2):
        at, wide, deep = rng.uniform(-1, 1), rng.uniform(0.05, 0.25), rng.uniform(*ranges.shade)
        total = total - (rng.random() < 0.5) * deep * np.exp(-(((beam - at) / wide) ** 2))
    return np.asarray(total, dtype=np.float32)


def states_of(rng: np.random.Generator, ranges: HeartProfile, cycle: Cycle, seconds: Field) -> tuple[State, ...]:
    """The cycle with the sway of chest and hand, the slow change of the plane, and fresh noise."""
    travel, slow = rng.uniform(*ranges.travel), rng.uniform(0.4, 1.1)  # mm; breaths per second
    way, late = rng.uniform(0, 2 * np.pi, 2)
    drift = rng.uniform(-0.4, 0.4, 2) * travel  # mm per second
    breath = travel * (np.sin(2 * np.pi * slow * seconds + late) - np.sin(late))
    turned = np.radians(rng.uniform(-1.5, 1.5)) * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * seconds)
    plane = rng.uniform(0, 2 * np.pi) + rng.uniform(*ranges.drift) * seconds
    noise = rng.integers(0, SPARE, (len(seconds), 2))
    return tuple(
        State(
            contraction=float(cycle.contraction[i]),
            kick=float(cycle.kick[i]),
            mitral=float(cycle.mitral[i]),
            tricuspid=float(cycle.tricuspid[i]),
            shift=(
                float(breath[i] * np.cos(way) + drift[0] * seconds[i]),
                float(breath[i] * np.sin(way) + drift[1] * seconds[i]),
            ),
            turned=float(turned[i]),
            plane=float(plane[i]),
            noise=(int(noise[i, 0]), int(noise[i, 1])),
        )
        for i in range(len(seconds))
    )
