"""The ranges that a simulated clip's conditions are drawn from, one set per profile."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class HeartProfile:
    """Ranges of one profile; the findings' severities are the caller's.

    Attributes:
        stream: second word of every seed sequence; no two profiles share it.
        weeks: gestational age.
        styles: sector styles, see ``fetalclip.phantom.sector.place``.
        turn: half range of the probe's angle about the usual one of a view, degrees.
        margin: chest against picture; below 1 the picture cuts the chest.
        rate: frames per second.
        bpm: heart rate, beats per minute.
        travel: sway of the chest (breathing, hand), mm.
        gain, dynamic: display, dB.
        axial, lateral: standard deviation of the point spread, mm.
        haze: clutter over dark places, dB.
        floor: electronic noise at the probe, dB below soft tissue.
        shade: depth of dark bands between beams, dB.
        bone: factor on the absorption of ribs, spine and skin.
        slope: left over of attenuation after the machine's depth gain, dB over the depth.
        drift: turning of the speckle out of the plane, radians per second.
        smooth: share of the machine's speckle reduction.
    """

    stream: int
    weeks: Range
    styles: tuple[str, ...]
    turn: float
    margin: Range
    rate: Range
    bpm: Range
    travel: Range
    gain: Range
    dynamic: Range
    axial: Range
    lateral: Range
    haze: Range
    floor: Range
    shade: Range
    bone: Range
    slope: Range
    drift: Range
    smooth: Range


HEART_PROFILES = {
    "train": HeartProfile(
        stream=1,
        weeks=(19, 34),
        styles=("fan", "zoom", "zoom", "frame"),
        turn=32,
        margin=(0.80, 1.15),
        rate=(26, 44),
        bpm=(122, 158),
        travel=(0.1, 0.8),
        gain=(2, 9),
        dynamic=(42, 56),
        axial=(0.18, 0.34),
        lateral=(0.38, 0.80),
        haze=(-30, -20),
        floor=(-48, -38),
        shade=(0, 10),
        bone=(0.3, 0.9),
        slope=(-8, 3),
        drift=(0.05, 0.5),
        smooth=(0.0, 0.6),
    ),
    "demo": HeartProfile(
        stream=2,
        weeks=(22, 30),
        styles=("zoom", "frame", "fan"),
        turn=15,
        margin=(0.85, 1.0),
        rate=(32, 40),
        bpm=(132, 150),
        travel=(0.1, 0.4),
        gain=(5, 7),
        dynamic=(44, 50),
        axial=(0.18, 0.25),
        lateral=(0.38, 0.55),
        haze=(-29, -24),
        floor=(-48, -44),
        shade=(0, 5),
        bone=(0.3, 0.6),
        slope=(-4, 1),
        drift=(0.05, 0.25),
        smooth=(0.1, 0.4),
    ),
    "test": HeartProfile(
        stream=3,
        weeks=(18, 36),
        styles=("fan", "zoom", "frame"),
        turn=48,
        margin=(0.74, 1.25),
        rate=(22, 52),
        bpm=(118, 164),
        travel=(0.1, 1.2),
        gain=(-1, 12),
        dynamic=(38, 62),
        axial=(0.16, 0.40),
        lateral=(0.34, 0.95),
        haze=(-32, -18),
        floor=(-48, -35),
        shade=(2, 14),
        bone=(0.3, 1.2),
        slope=(-12, 5),
        drift=(0.05, 0.8),
        smooth=(0.0, 0.7),
    ),
}
