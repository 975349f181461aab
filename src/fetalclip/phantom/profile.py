"""The ranges that a simulated picture's conditions are drawn from, one set per profile."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Profile:
    """Ranges of one profile.

    Attributes:
        stream: second word of every seed sequence; no two profiles share it.
        weeks: gestational age.
        styles: sector styles, drawn with equal chance.
        sizes: picture sizes (width, height), pixels.
        tilt: usual slant of the structure, radians.
        gain: dB.
        dynamic: dynamic range shown, dB.
        axial, lateral: standard deviation of the point spread, mm.
        haze: level of the clutter, dB.
        shade: depth of the dark bands between beams, dB.
        smooth: share of the machine's speckle reduction.
        margin: factor on the space around the structure.
    """

    stream: int
    weeks: Range
    styles: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    tilt: float
    gain: Range
    dynamic: Range
    axial: Range
    lateral: Range
    haze: Range
    shade: Range
    smooth: Range
    margin: Range


PROFILES = {
    "train": Profile(
        stream=1,
        weeks=(16, 36),
        styles=("fan", "zoom", "zoom", "frame"),
        sizes=((480, 331), (480, 294), (480, 360), (512, 384), (450, 310)),
        tilt=0.6,
        gain=(1, 10),
        dynamic=(40, 58),
        axial=(0.13, 0.30),
        lateral=(0.28, 0.75),
        haze=(-30, -18),
        shade=(0, 14),
        smooth=(0.0, 0.7),
        margin=(0.95, 1.3),
    ),
    "demo": Profile(
        stream=2,
        weeks=(19, 32),
        styles=("zoom", "zoom", "frame", "fan"),
        sizes=((480, 331), (480, 360)),
        tilt=0.35,
        gain=(4, 8),
        dynamic=(41, 49),
        axial=(0.14, 0.22),
        lateral=(0.30, 0.52),
        haze=(-27, -21),
        shade=(0, 7),
        smooth=(0.1, 0.4),
        margin=(1.0, 1.15),
    ),
    "test": Profile(
        stream=3,
        weeks=(17, 35),
        styles=("fan", "zoom", "frame"),
        sizes=((500, 345), (480, 320), (440, 330), (520, 340)),
        tilt=0.5,
        gain=(0, 11),
        dynamic=(38, 62),
        axial=(0.12, 0.34),
        lateral=(0.26, 0.85),
        haze=(-32, -17),
        shade=(2, 17),
        smooth=(0.0, 0.6),
        margin=(0.92, 1.35),
    ),
}
