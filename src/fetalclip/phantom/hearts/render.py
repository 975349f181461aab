"""From a scene at rest and the states of a beat to grey pictures: moved tissue, speckle, shadows, display.

Each frame looks up where its samples of the beam grid lay at rest (``tissue``) and takes echo strength, absorption
and the complex scatterers from there; the point spread comes after the motion, as in a real probe.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.phantom.canvas import Canvas, Field, ribbon, turn
from fetalclip.phantom.hearts.anatomy import FourChambers
from fetalclip.phantom.hearts.machine import SPARE, Display, State
from fetalclip.phantom.hearts.paint import Look, flap, leaflets, stroke
from fetalclip.phantom.hearts.scene import Scene
from fetalclip.phantom.hearts.tissue import Motion
from fetalclip.phantom.hearts.warp import Corner, Paths, Scan
from fetalclip.phantom.speckle import blur, clutter, compress, taps

Wave = npt.NDArray[np.complexfloating]

_SHADOW = np.float32(30.0)  # dB, no bone casts a deeper shadow
_BEFORE = 0.6  # samples, share of the point spread laid on the scatterers before they move: bilinear looks need it


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Wave:
    """Circular complex noise of power 1, complex64."""
    parts = rng.standard_normal((2, *shape), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return np.asarray(parts[0] + 1j * parts[1], dtype=np.complex64)


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

    def scatterers(self, rng: np.random.Generator, shape: tuple[int, int]) -> Wave:
        """Random scatterers, (depths, beams) complex64, of power 1 before the first share of the blur."""
        return blur(blur(noise(rng, shape), self.first, 0), self.first, 1)

    def __call__(self, scatter: Wave) -> Field:
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
    """

    def __init__(
        self, canvas: Canvas, scene: Scene, heart: FourChambers, motion: Motion, look: Look, display: Display
    ) -> None:
        self.scene, self.heart, self.motion, self.look, self.display = scene, heart, motion, look, display
        sector = scene.sector
        self.spread = PointSpread(display, sector.shape[0])
        self.shape = sector.shape
        self._still = [np.ravel(field).astype(np.float32) for field in (canvas.echo, canvas.mirror, canvas.loss)]
        self._paths = Paths(scene)
        self._scan = Scan(sector)

    def set_tissue(self, rng: np.random.Generator, gain: Field) -> None:
        """Lay out two planes of scatterers, the noise, and the ``gain`` (depths, beams) in dB."""
        self._planes = [self.spread.scatterers(rng, self.shape) for _ in range(2)]
        wide = self.shape[0] + SPARE, self.shape[1] + SPARE
        self._noise = noise(rng, wide)
        depth = np.linspace(0, 1, self.shape[0], dtype=np.float32)[:, None]
        db = np.float32(self.display.floor) + np.float32(self.display.rise) * depth
        self._floor = 10 ** (db / 20)  # (depths, 1)
        self._gain = gain

    def to_picture(self, points: Field, state: State) -> Field:
        """Resting heart units (N, 2) to mm on the picture at a state."""
        moved = self.scene.to_picture(self.motion.forward(points, state.contraction, state.kick))
        return self.sway(moved, state)

    def sway(self, points: Field, state: State) -> Field:
        """Resting mm (N, 2) to mm as the chest lies at a state."""
        pivot = np.asarray(self.scene.centre)
        return turn(points - pivot, state.turned) + pivot + np.asarray(state.shift)

    def echoes(self, state: State) -> tuple[Field, Field, Field, Wave]:
        """Echo strength (dB), mirror-like share, shadow (dB) and scatterers of a state, each (depths, beams)."""
        c, s = np.float32(np.cos(state.plane)), np.float32(np.sin(state.plane))
        turned: Wave = np.asarray(c * self._planes[0] + s * self._planes[1], dtype=np.complex64).ravel()
        table = self.motion.inverse(state.contraction, state.kick)
        spot = Corner(*self._paths(table, state.shift, state.turned), self.shape)
        echo, mirror, loss = (spot.look(field) for field in self._still)
        scatter = spot.look(turned)
        self._draw_leaflets(echo, mirror, state)
        shadow = np.minimum(np.cumsum(loss, axis=0), _SHADOW)
        return echo, mirror, blur(shadow, taps(0.8 / self.scene.sector.sample[1]), 1), scatter

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
        soft = blur(blur(level, taps(min(d.lateral, 1.6)), 1), taps(min(d.axial, 1.3)), 0)
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
