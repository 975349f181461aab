"""From a scene at rest and the states of a beat to grey pictures: moved tissue, speckle, shadows, display.

Each frame looks up where its samples of the beam grid lay at rest (``tissue``) and takes echo strength, absorption
and the complex scatterers from there; the point spread comes after the motion, as in a real probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.phantom.canvas import Canvas, Field, ribbon, turn
from fetalclip.phantom.hearts.anatomy import FourChambers
from fetalclip.phantom.hearts.paint import Look, flap, leaflets, stroke
from fetalclip.phantom.hearts.profile import HeartProfile
from fetalclip.phantom.hearts.scene import Scene
from fetalclip.phantom.hearts.tissue import REACH, Motion
from fetalclip.phantom.sector import Sector
from fetalclip.phantom.speckle import blur, clutter, compress, taps

_SHADOW = np.float32(30.0)  # dB, no bone casts a deeper shadow
_BEFORE = 0.6  # samples, share of the point spread laid on the scatterers before they move: bilinear looks need it
_SPARE = 48  # rows and columns by which the noise is larger than the grid


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


class PointSpread:
    """Blurs scatterers along and across the beams so that fully developed speckle of strength 1 has power 1.

    The beam is as wide in angle at every depth, so wider in mm the deeper, and wider again off its focus.
    """

    def __init__(self, display: Display, depths: int) -> None:
        first = taps(_BEFORE)

        def rest(sigma: float) -> Field:
            after = taps(float(np.sqrt(max(sigma**2 - _BEFORE**2, 0.0))))
            return after / np.float32(np.sqrt((np.convolve(first, after) ** 2).sum()))

        self.first = first
        self.axial = rest(display.axial)
        self.narrow, self.wide = rest(display.lateral), rest(display.lateral * display.defocus)
        depth = np.linspace(0, 1, depths, dtype=np.float32)[:, None]
        off = np.abs(depth - np.float32(display.focus)) / np.float32(max(display.focus, 1 - display.focus))
        self.off: Field = off  # (depths, 1), 0 in focus to 1
        # what the blur makes of a constant: mirror-like echoes are divided by it
        lateral = self.narrow.sum() + (self.wide.sum() - self.narrow.sum()) * off
        self.mean: Field = np.asarray(self.axial.sum() * lateral, dtype=np.float32)

    def scatterers(self, rng: np.random.Generator, shape: tuple[int, int]) -> Field:
        """Real and imaginary part of random scatterers, (2, depths, beams) float32, each of variance 1/2."""
        noise = rng.standard_normal((2, *shape), dtype=np.float32) * np.float32(np.sqrt(0.5))
        return np.stack([blur(blur(part, self.first, 0), self.first, 1) for part in noise])

    def __call__(self, scatter: npt.NDArray[np.complexfloating]) -> Field:
        """Envelope of ``scatter`` (depths, beams), float32."""
        axial = blur(scatter, self.axial, 0)
        narrow = blur(axial, self.narrow, 1)
        wide = blur(axial, self.wide, 1)
        wide -= narrow
        wide *= self.off
        wide += narrow
        return np.abs(wide)


class Renderer:
    """Draws the frames of one clip.

    Args:
        canvas: the scene at rest with everything but leaflets.
        scene: its geometry.
        heart: the anatomy, for the leaflets.
        motion: how its tissue moves.
        look: echo strengths of the leaflets.
        display: the machine's settings.
        streams: random numbers for (scatterers, gain).
    """

    def __init__(
        self, canvas: Canvas, scene: Scene, heart: FourChambers, motion: Motion, look: Look, display: Display
    ) -> None:
        self.scene, self.heart, self.motion, self.look, self.display = scene, heart, motion, look, display
        sector = scene.sector
        self.spread = PointSpread(display, sector.shape[0])
        self.shape = sector.shape
        self._still = np.stack([canvas.echo, canvas.mirror, canvas.loss], axis=-1).astype(np.float32)
        away = (sector.points - np.asarray(scene.heart, dtype=np.float32)).reshape(-1, 2)
        unit = away @ np.linalg.inv(scene.unit).astype(np.float32)
        self._near = np.flatnonzero(np.abs(unit).max(axis=1) < REACH + 0.25)  # a little more, for the chest's sway
        self._scan = _Scan(sector)

    def set_tissue(self, rng: np.random.Generator, gain: Field) -> None:
        """Lay out two planes of scatterers, the noise, and the ``gain`` (depths, beams) in dB."""
        self._planes = [self.spread.scatterers(rng, self.shape) for _ in range(2)]
        wide = self.shape[0] + _SPARE, self.shape[1] + _SPARE
        noise = rng.standard_normal((2, *wide), dtype=np.float32) * np.float32(np.sqrt(0.5))
        self._noise = np.asarray(noise[0] + 1j * noise[1], dtype=np.complex64)
        depth = np.linspace(0, 1, self.shape[0], dtype=np.float32)[:, None]
        db = np.float32(self.display.floor) + np.float32(self.display.rise) * depth
        self._floor = 10 ** (db / 20)  # (depths, 1)
        self._gain = gain

    @cached_property
    def _turn(self) -> tuple[Field, Field]:
        """(2, 2) heart units to mm and back, float32."""
        unit = self.scene.unit
        return unit.astype(np.float32), np.linalg.inv(unit).astype(np.float32)

    def rest(self, state: State) -> Field:
        """Where the tissue at each sample lay at rest: (samples, 2) of grid (column, row), float32."""
        scene = self.scene
        pivot = np.asarray(scene.centre, dtype=np.float32)
        shift = np.asarray(state.shift, dtype=np.float32)
        back = turn(np.eye(2), -state.turned).astype(np.float32)
        at = (scene.sector.points.reshape(-1, 2) - (pivot + shift)) @ back + pivot
        unit, inverse = self._turn
        near = self._near
        table = self.motion.inverse(state.contraction, state.kick)
        cells = len(table)
        u = (at[near] - np.asarray(scene.heart, dtype=np.float32)) @ inverse
        spot = (u + np.float32(REACH)) * np.float32((cells - 1) / (2 * REACH))
        move = _look_up(table.reshape(-1, 2), spot[:, 0], spot[:, 1], (cells, cells))
        at[near] += move @ unit
        return self.scene.sector.to_grid(at)

    def to_picture(self, points: Field, state: State) -> Field:
        """Resting heart units (N, 2) to mm on the picture at a state."""
        moved = self.scene.to_picture(self.motion.forward(points, state.contraction, state.kick))
        return self.sway(moved, state)

    def sway(self, points: Field, state: State) -> Field:
        """Resting mm (N, 2) to mm as the chest lies at a state."""
        pivot = np.asarray(self.scene.centre)
        return turn(points - pivot, state.turned) + pivot + np.asarray(state.shift)

    def echoes(self, state: State) -> tuple[Field, Field, Field, npt.NDArray[np.complexfloating]]:
        """Echo strength (dB), mirror-like share, shadow (dB) and scatterers of a state, each (depths, beams)."""
        c, s = np.float32(np.cos(state.plane)), np.float32(np.sin(state.plane))
        scatter = c * self._planes[0] + s * self._planes[1]
        stack = np.concatenate([self._still, np.moveaxis(scatter, 0, -1)], axis=-1)
        grid = self.rest(state)
        seen = _look_up(stack.reshape(-1, 5), grid[:, 1], grid[:, 0], self.shape).reshape(*self.shape, 5)
        echo, mirror = seen[..., 0].copy(), seen[..., 1].copy()
        self._draw_leaflets(echo, mirror, state)
        shadow = np.minimum(np.cumsum(seen[..., 2], axis=0), _SHADOW)
        shadow = blur(shadow, taps(0.8 / self.scene.sector.sample[1]), 1)
        both = np.empty(self.shape, dtype=np.complex64)
        both.real, both.imag = seen[..., 3], seen[..., 4]
        return echo, mirror, shadow, both

    def envelope(self, state: State) -> Field:
        """The echo's envelope before compression, (depths, beams) float32."""
        echo, mirror, shadow, scatter = self.echoes(state)
        db = echo - shadow + self._gain
        amplitude = np.exp(db * np.float32(np.log(10) / 20))
        amplitude += clutter(amplitude, self.display.haze, -120.0)
        coherent = amplitude * mirror
        scatter *= amplitude - coherent
        scatter += coherent / self.spread.mean
        i, j = state.noise
        scatter += self._noise[i : i + self.shape[0], j : j + self.shape[1]] * self._floor
        return self.spread(scatter)

    def picture(self, state: State) -> Pixels:
        """Grey levels, uint8 (H, W)."""
        d = self.display
        level = compress(self.envelope(state), d.gain, d.dynamic)
        soft = blur(blur(level, taps(min(d.lateral, 2.5)), 1), taps(min(d.axial, 2.0)), 0)
        level += np.float32(d.smooth) * (soft - level)
        return self._scan(level)

    def _draw_leaflets(self, echo: Field, mirror: Field, state: State) -> None:
        scene, look = self.scene, self.look
        swing = 0.5 * state.contraction + 0.4 * max(state.mitral, state.tricuspid)
        lines = [(line, look.thick, look.leaf) for line in leaflets(self.heart, state.mitral, state.tricuspid)]
        lines.append((flap(self.heart, swing), 0.8 * look.thick, look.flap))
        for line, thick, level in lines:
            outline = ribbon(self.to_picture(line, state), thick, 0.75)
            stroke(echo, mirror, scene.sector.to_grid(outline), level)


class _Scan:
    """Scan conversion with its look-up kept: a beam grid on the picture, bilinear, 0 outside."""

    def __init__(self, sector: Sector) -> None:
        self.size = sector.height, sector.width
        y, x = np.nonzero(sector.inside)
        grid = sector.to_grid((np.stack([x, y], axis=1) + 0.5) * sector.mm)
        self.pixel = y * sector.width + x
        self.at, self.row, self.column = _corner(grid[:, 1], grid[:, 0], sector.shape)
        self.beams = sector.shape[1]

    def __call__(self, grid: Field) -> Pixels:
        flat = np.ascontiguousarray(grid).reshape(-1)
        upper = flat.take(self.at)
        upper += (flat.take(self.at + 1) - upper) * self.column
        lower = flat.take(self.at + self.beams)
        lower += (flat.take(self.at + (self.beams + 1)) - lower) * self.column
        out = np.zeros(self.size[0] * self.size[1], dtype=np.uint8)
        out[self.pixel] = np.rint(upper + (lower - upper) * self.row).clip(0, 255)
        return out.reshape(self.size)


def _corner(row: Field, column: Field, shape: tuple[int, int]) -> tuple[npt.NDArray[np.int32], Field, Field]:
    """Flat index of the upper left neighbour of each place, and the shares of the ones below and beside it."""
    row = np.clip(row, 0, np.float32(shape[0] - 1.001)).astype(np.float32, copy=False)
    column = np.clip(column, 0, np.float32(shape[1] - 1.001)).astype(np.float32, copy=False)
    i, j = row.astype(np.int32), column.astype(np.int32)
    return i * np.int32(shape[1]) + j, row - i, column - j


def _look_up(table: Field, row: Field, column: Field, shape: tuple[int, int]) -> Field:
    """Bilinear look-up: a table (rows * columns, K) at places (N,), repeated beyond its borders; (N, K)."""
    at, v, u = _corner(row, column, shape)
    v, u = v[:, None], u[:, None]
    upper = table.take(at, axis=0)
    upper += (table.take(at + 1, axis=0) - upper) * u
    at += np.int32(shape[1])
    lower = table.take(at, axis=0)
    lower += (table.take(at + 1, axis=0) - lower) * u
    lower -= upper
    lower *= v
    lower += upper
    return lower
