"""One simulated four-chamber clip: its pictures, its masks and what is true of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetalclip.errors import UsageError
from fetalclip.frame import Pixels
from fetalclip.phantom import sizes
from fetalclip.phantom.canvas import Canvas, Field, Mask
from fetalclip.phantom.hearts.anatomy import CHAMBERS, FourChambers, volume
from fetalclip.phantom.hearts.cycle import Cycle
from fetalclip.phantom.hearts.findings import FINDINGS, Plan
from fetalclip.phantom.hearts.machine import Display, State, gain, states_of
from fetalclip.phantom.hearts.paint import Look, paint_rest
from fetalclip.phantom.hearts.profile import HEART_PROFILES, HeartProfile
from fetalclip.phantom.hearts.render import Renderer
from fetalclip.phantom.hearts.scene import VIEWS, Scene
from fetalclip.phantom.hearts.tissue import Motion
from fetalclip.phantom.shape import area, around, inside
from fetalclip.phantom.thorax import chest
from fetalclip.phantom.womb import surround

if TYPE_CHECKING:
    from fetalclip.frame import Cine

_ROOT = 0x0FE7A2  # first word of every seed sequence of the hearts
_ANATOMY, _FINDING, _SCENE, _CHEST, _HEART, _BEATS, _SWAY, _SPECKLE, _MACHINE = range(
    9
)  # last words: streams of one clip
_SIZES, _MOST = (64, 1024), 100_000  # pixels a side; frames

STRUCTURES = ("thorax", "spine", "aorta", "heart", *CHAMBERS, "septum")
"""Structures whose masks are known in every frame; septum is what is there of the one between the ventricles."""


@dataclass(frozen=True, eq=False)
class HeartClip:
    """A clip; the pictures are drawn when they are asked for.

    Attributes:
        findings: finding to its severity, above 0; empty for a healthy heart.
        view: "apical" or "basal".
        profile: as asked.
        rate: frames per second.
        mm_per_pixel: (x, y).
        seconds: (T,) time of each frame.
        cycle: states of the heart, (T,) each; ``cycle.phase`` is 0..1 from the start of systole.
        truth: ``weeks``, ``heart_rate_bpm``, ``ejection_fraction``, ``ctr`` (circumferences), ``ctr_area``,
            ``axis_degrees``, ``defect_mm`` (hole between the ventricles), ``primum_mm`` (hole between the atria at
            the crux), ``effusion_mm`` (thickest), ``offset_mm``, ``mass_mm``, ``lv_rv_area``, ``mitral_opening`` and
            ``tricuspid_opening`` (widest, 0..1), ``unevenness`` (deviation of the beats' durations over their mean).
    """

    findings: dict[str, float]
    view: str
    profile: str
    rate: float
    mm_per_pixel: tuple[float, float]
    seconds: Field
    cycle: Cycle
    truth: dict[str, float]
    _renderer: Renderer
    _states: tuple[State, ...]
    _still: dict[str, tuple[Field, ...]]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._states)

    def picture(self, index: int) -> Pixels:
        """One frame, uint8 (H, W); frames do not depend on one another.

        Raises:
            UsageError: no such frame.
        """
        return self._renderer.picture(self._state(index))

    def pictures(self) -> Iterator[Pixels]:
        """All frames in order, uint8 (H, W) each, drawn one by one."""
        for state in self._states:
            yield self._renderer.picture(state)

    def masks(self, index: int) -> dict[str, Mask]:
        """Structure to its mask, bool (H, W), in one frame; see ``STRUCTURES``.

        Raises:
            UsageError: no such frame.
        """
        state, r = self._state(index), self._renderer
        sector = r.scene.sector
        shapes = {name: tuple(r.sway(line, state) for line in lines) for name, lines in self._still.items()}
        shapes["heart"] = (r.to_picture(r.heart.outline, state),)
        for name, room in r.heart.chambers.items():
            shapes[name] = (r.to_picture(room, state),)
        half = 0.5 * r.heart.septum
        spans = r.heart.septum_spans
        shapes["septum"] = tuple(r.to_picture(r.heart.along(a, b, half), state) for a, b in spans)
        size, mm = (sector.width, sector.height), (sector.mm, sector.mm)
        return {name: inside(shapes[name], size, mm) for name in STRUCTURES}

    def cine(self) -> Cine:
        """The clip as moving pictures, drawn anew each time they are gone through."""
        from fetalclip.frame import Cine

        info = {"simulated": "heart", "profile": self.profile, "view": self.view}
        return Cine.of(self.pictures, self.rate, self.mm_per_pixel, "", info)

    def _state(self, index: int) -> State:
        if not 0 <= index < len(self):
            raise UsageError(f"frame {index} of a clip of {len(self)}", f"0 to {len(self) - 1}", "clip.picture(0)")
        return self._states[index]


def draw_heart(
    seed: int,
    profile: str = "demo",
    finding: str | Mapping[str, float] | None = None,
    severity: float = 1.0,
    frames: int = 48,
    view: str | None = None,
    size: int = 224,
) -> HeartClip:
    """Set up one clip; the same arguments always give the same pictures.

    One seed is one heart: with another finding or severity it keeps its chest, its place, its machine and its speckle.

    Args:
        seed: 0 or more.
        profile: "train", "demo" or "test": disjoint streams of random numbers, other ranges.
        finding: one of ``FINDINGS``, or several with their severities; None is a healthy heart.
        severity: 0 (healthy) to 1 (plain), of a finding given by its name.
        frames: how many.
        view: "apical" or "basal"; None draws one.
        size: width and height of the pictures, pixels.

    Raises:
        UsageError: an argument outside what is said above, or a finding that the "train" profile never shows.
    """
    ranges = _checked(seed, profile, view, frames, size)
    findings = _severities(finding, severity, profile)

    def stream(part: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([_ROOT, ranges.stream, int(seed), part]))

    healthy = Plan.new(stream(_ANATOMY), ranges.bpm)
    plan = healthy
    for name, strength in findings.items():
        words = [_ROOT, ranges.stream, int(seed), _FINDING, list(FINDINGS).index(name)]
        plan = FINDINGS[name].change(plan, strength, np.random.default_rng(np.random.SeedSequence(words)))
    rng = stream(_SCENE)
    drawn = VIEWS[int(rng.integers(2))]
    view = drawn if view is None else view
    scene = Scene.new(rng, ranges, plan, healthy.axis, view, size)
    canvas = Canvas(stream(_CHEST), scene.sector)
    look = _paint(canvas, scene, plan.heart, ranges, stream(_HEART))
    motion = Motion.of(plan.heart, plan.rhythm.ejection)
    rng = stream(_MACHINE)
    renderer = Renderer(canvas, scene, plan.heart, motion, look, Display.new(rng, ranges, scene.sector))
    renderer.set_tissue(stream(_SPECKLE), gain(rng, ranges, scene.sector.shape))
    rng = stream(_BEATS)
    rate = float(rng.uniform(*ranges.rate))
    seconds = np.arange(frames) / rate
    cycle = Cycle.of(rng, plan.rhythm, seconds)
    states = states_of(stream(_SWAY), ranges, cycle, seconds)
    still = {name: canvas.shapes[name] for name in ("thorax", "spine", "aorta")}
    mm = scene.sector.mm
    truth = _truth(plan, scene, motion, cycle)
    return HeartClip(findings, view, profile, rate, (mm, mm), seconds, cycle, truth, renderer, states, still)


def _checked(seed: int, profile: str, view: str | None, frames: int, size: int) -> HeartProfile:
    if profile not in HEART_PROFILES:
        raise UsageError(f"an unknown profile {profile!r}", "one of " + ", ".join(HEART_PROFILES), 'profile="demo"')
    if view is not None and view not in VIEWS:
        raise UsageError(f"an unknown view {view!r}", "one of " + ", ".join(VIEWS), 'view="apical"')
    if seed < 0:
        raise UsageError(f"a negative seed {seed}", "an integer of 0 or more")
    if not 1 <= frames <= _MOST:
        raise UsageError(f"a clip of {frames} frames", f"1 to {_MOST}", "frames=48")
    if not _SIZES[0] <= size <= _SIZES[1]:
        raise UsageError(f"a picture of {size} pixels a side", f"{_SIZES[0]} to {_SIZES[1]}", "size=224")
    return HEART_PROFILES[profile]


def _severities(finding: str | Mapping[str, float] | None, severity: float, profile: str) -> dict[str, float]:
    """Findings above 0 in the order of ``FINDINGS``."""
    asked = {} if finding is None else {finding: severity} if isinstance(finding, str) else dict(finding)
    for name, strength in asked.items():
        if name not in FINDINGS:
            raise UsageError(f"an unknown finding {name!r}", "one of " + ", ".join(FINDINGS), "finding=None")
        if not 0 <= strength <= 1:  # refuses NaN too
            raise UsageError(f"a severity of {strength} for {name}", "a number from 0 to 1", "severity=0.5")
        if profile == "train" and not FINDINGS[name].trained:
            raise UsageError(f"{name!r} in the train profile", "a finding that is trained", 'profile="test"')
    return {name: float(asked[name]) for name in FINDINGS if asked.get(name, 0) > 0}


def _paint(canvas: Canvas, scene: Scene, heart: FourChambers, ranges: HeartProfile, rng: np.random.Generator) -> Look:
    """Everything at rest; the heart takes its numbers from a stream of its own."""
    outline = scene.trunk.outline(scene.centre)
    surround(canvas, outline, (-6.0, 0.6), scene.fan)
    chest(canvas, scene.trunk, scene.centre, scene.weeks)
    canvas.loss *= np.float32(canvas.rng.uniform(*ranges.bone))
    share = canvas.rng.uniform(0.095, 0.125)  # the aorta's diameter, trunk units
    radius = 0.25 * (scene.trunk.long + scene.trunk.short)
    left = canvas.rng.uniform(0.06, 0.18)
    canvas.mask("aorta", scene.trunk.vessel(canvas, scene.centre, (-0.44 - 0.5 * share, left), radius * share))
    canvas.rng = rng
    look = Look.new(rng, scene)
    paint_rest(canvas, scene, heart, look)
    return look


def _truth(plan: Plan, scene: Scene, motion: Motion, cycle: Cycle) -> dict[str, float]:
    heart, rhythm = plan.heart, plan.rhythm
    scale = np.array(scene.half)
    rooms = {name: room * scale for name, room in heart.chambers.items()}
    # the ends of a full beat, whether or not the clip holds them
    ends = [rhythm.hold + rhythm.vigour * (end - rhythm.hold) for end in (0.0, 1.0)]
    volumes = [volume(motion.forward(heart.chambers["LV"], end, 0.0) * scale) for end in ends]
    trunk = scene.trunk
    whole, chest_area = heart.outline * scale, 0.25 * np.pi * trunk.long * trunk.short
    return {
        "weeks": scene.weeks,
        "heart_rate_bpm": rhythm.bpm,
        "ejection_fraction": 1 - volumes[1] / volumes[0],
        "ctr": around(whole) / sizes.perimeter(trunk.long, trunk.short),
        "ctr_area": area(whole) / chest_area,
        "axis_degrees": scene.axis,
        "defect_mm": (heart.hole[1] + heart.missing * (heart.tip - heart.cross)) * scene.half[0],
        "primum_mm": heart.primum * scene.half[0],
        "effusion_mm": heart.effusion * scene.half[1],
        "offset_mm": heart.offset * scene.half[0],
        "mass_mm": heart.mass[2] * scene.half[0],
        "lv_rv_area": area(rooms["LV"]) / area(rooms["RV"]),
        "mitral_opening": rhythm.mitral,
        "tricuspid_opening": rhythm.tricuspid,
        "unevenness": float(cycle.beats.std() / cycle.beats.mean()),
    }
