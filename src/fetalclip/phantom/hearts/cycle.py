"""The beating: when each beat starts, and what the chambers and valves do within it.

A beat starts with its systole. Everything is a function of time, so any frame can be asked for by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating]

_SPAN = 64  # beats laid out before they are cut to the clip
_SHORT = 0.5  # a beat is never shorter than this share of the usual one


@dataclass(frozen=True)
class Rhythm:
    """What one heart's beating is made of.

    Attributes:
        bpm: heart rate, beats per minute.
        systole: share of a usual beat.
        ejection: LV ejection fraction when ``vigour`` is 1.
        early: share of the filling before the atria contract.
        kick: strength of the atria's contraction.
        vigour: 0..1, share of the contraction that is left.
        hold: contraction 0..1 about which a weak heart beats.
        mitral, tricuspid: 0..1, how far each valve opens.
        apart: 0..1, how far the valves stay open between the two waves of filling.
        uneven: 0..1, unevenness of the beats.
        start: phase of the first frame.
    """

    bpm: float
    systole: float
    ejection: float
    early: float
    kick: float
    vigour: float
    hold: float
    mitral: float
    tricuspid: float
    apart: float
    uneven: float
    start: float

    @classmethod
    def new(cls, rng: np.random.Generator, bpm: float) -> Rhythm:
        """A healthy rhythm; ejection fraction 0.60 to 0.76."""
        u = rng.uniform
        return cls(
            bpm=bpm,
            systole=float(u(0.40, 0.48)),
            ejection=float(u(0.60, 0.76)),
            early=float(u(0.35, 0.55)),
            kick=float(u(0.6, 1.0)),
            vigour=1.0,
            hold=0.5,
            mitral=float(u(0.8, 1.0)),
            tricuspid=float(u(0.8, 1.0)),
            apart=float(u(0.05, 0.4)),
            uneven=0.0,
            start=float(u(0.0, 1.0)),
        )


def rise(u: Field) -> Field:
    """0 below 0, 1 above 1, smooth between (3u^2 - 2u^3)."""
    v = np.clip(u, 0.0, 1.0)
    return v * v * (3 - 2 * v)


def contraction(phase: Field, systole: float, early: float) -> Field:
    """0 at the end of diastole, 1 at the end of systole, for a phase 0..1; filling comes in two waves."""
    u = (phase - systole) / (1 - systole)
    filled = early * rise(u / 0.40) + (1 - early) * rise((u - 0.58) / 0.42)
    return np.where(phase < systole, rise(phase / systole), 1 - filled)


def atrial(phase: Field, systole: float) -> Field:
    """Contraction of the atria, 0..1: late in diastole, let go early in the next systole."""
    u = (phase - systole) / (1 - systole)
    return np.where(phase < systole, 1 - rise(phase / (0.5 * systole)), rise((u - 0.58) / 0.42))


def opening(phase: Field, systole: float, apart: float) -> Field:
    """How far a healthy valve between atrium and ventricle is open, 0..1: shut in systole, two waves after it."""
    u = (phase - systole) / (1 - systole)
    first = rise(u / 0.14) * (1 - (1 - apart) * rise((u - 0.20) / 0.25))
    second = rise((u - 0.52) / 0.16) * (1 - rise((u - 0.84) / 0.16))
    shut = 1 - rise((u - 0.86) / 0.14)
    return np.where(phase < systole, 0.0, np.maximum(first, second) * shut)


@dataclass(frozen=True)
class Cycle:
    """The states of a heart at the times of a clip's frames, each (T,).

    Attributes:
        phase: 0..1 within the beat.
        contraction: of the ventricles, 0..1.
        kick: of the atria.
        mitral, tricuspid: opening of the valves, 0..1.
        beats: durations of the beats that touch the clip, seconds.
    """

    phase: Field
    contraction: Field
    kick: Field
    mitral: Field
    tricuspid: Field
    beats: Field

    @classmethod
    def of(cls, rng: np.random.Generator, rhythm: Rhythm, seconds: Field) -> Cycle:
        """States at ``seconds`` (T,) from 0 upwards."""
        usual = 60.0 / rhythm.bpm
        length = beats(rng, usual, rhythm.uneven, max(_SPAN, int(seconds[-1] / (usual * _SHORT)) + 4))
        starts = np.concatenate([[0.0], np.cumsum(length)]) - rhythm.start * length[0]
        which = np.searchsorted(starts, seconds, side="right") - 1
        long = length[which]
        into = seconds - starts[which]
        # systole keeps its time, diastole takes what a beat leaves; phases are those of a usual beat
        held = np.minimum(rhythm.systole * usual, 0.6 * long)
        ejecting = into < held
        phase = np.where(
            ejecting,
            rhythm.systole * into / held,
            rhythm.systole + (1 - rhythm.systole) * (into - held) / (long - held),
        )
        phase = np.clip(phase, 0.0, 1.0 - 1e-9)
        open_by = opening(phase, rhythm.systole, rhythm.apart)
        full = contraction(phase, rhythm.systole, rhythm.early)
        return cls(
            phase=phase,
            contraction=rhythm.hold + rhythm.vigour * (full - rhythm.hold),
            kick=rhythm.kick * atrial(phase, rhythm.systole),
            mitral=rhythm.mitral * open_by,
            tricuspid=rhythm.tricuspid * open_by,
            beats=length[which.min() : which.max() + 1],
        )


def beats(rng: np.random.Generator, usual: float, uneven: float, count: int) -> Field:
    """Durations of ``count`` beats, s: a steady heart varies by 1 %; an uneven one has early beats and pauses.

    Args:
        rng: random numbers; as many are drawn for a steady heart as for an uneven one.
        usual: usual duration, s.
        uneven: 0..1; at 1 every second or third beat comes about 40 % early and a pause follows it.
        count: how many.
    """
    jitter = rng.normal(0, 1, count)
    early = rng.uniform(0.85, 1.15, count)
    every = rng.integers(2, 4, count)  # beats from one early beat to the next
    first = int(rng.integers(0, 2))
    factor = 1 + (0.01 + 0.08 * uneven) * np.clip(jitter, -2, 2)
    at = first
    while at + 1 < count:
        factor[at] -= 0.40 * uneven * early[at]
        factor[at + 1] += 0.45 * uneven * early[at]
        at += int(every[at])
    return usual * np.maximum(factor, _SHORT)
