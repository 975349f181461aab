from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.result import AgeEstimate, Analysis, InputInfo, Measurement, PlaneScores, Provenance

SHARES = {"brain": 0.9, "lips_nose": 0.06, "femur": 0.03, "thorax": 0.01}
SUBPLANE = PlaneScores({"trans-thalamic": 0.7, "trans-cerebellum": 0.2, "trans-ventricular": 0.1})
MADE = Provenance("0.1.0", "fetalclip-open", "ab12" * 16, "CC-BY-4.0", "torch-cpu", 0.25)


@pytest.fixture
def frame() -> Frame:
    """A gradient, 400 x 300 pixels."""
    ramp = np.linspace(0, 255, 400).astype(np.uint8)
    return Frame(np.tile(ramp, (300, 1)), (0.07, 0.08), "scans/a.png")


@pytest.fixture
def age() -> AgeEstimate:
    return AgeEstimate(142, 131, 154, "prompted", "WHO 2017 V3 HC", "age of this head", 0.9, "", 135, 149)


@pytest.fixture
def measured_age() -> AgeEstimate:
    return AgeEstimate(141, 132, 151, "biometry", "WHO 2017 V3 HC", "age of this head", 0.9, "", 139, 143)


@pytest.fixture
def head() -> tuple[Measurement, ...]:
    """Measures of a head on ``frame``: HC with interval and centile, BPD with its caliper, OFD, CI refused."""
    turn = np.arange(72) * (2 * np.pi / 72)
    outline = tuple((200 + 100 * float(np.cos(t)), 150 + 80 * float(np.sin(t))) for t in turn)
    common = {"source": "fetalclip-open-head"}
    return (
        Measurement(
            "HC", 175.2, "mm", 172.9, 177.5, 0.9, "outer", "fetalclip-open-head", "", 42.3, "WHO 2017 V3", outline
        ),
        Measurement("BPD", 48.06, definition="outer-outer", drawing=((200.0, 70.0), (200.0, 230.0)), **common),
        Measurement("OFD", 61.9, definition="outer-outer", drawing=((100.0, 150.0), (300.0, 150.0)), **common),
        Measurement("CI", None, "%", note="cut by the sector's edge", **common),
    )


@pytest.fixture
def analysis() -> Callable[..., Analysis]:
    """Makes an Analysis; every argument may be given."""

    def make(
        path: str = "scans/a.png",
        plane: PlaneScores | None = PlaneScores(SHARES, outlier=0.2),  # noqa: B008 - frozen
        warnings: tuple[str, ...] = (),
        error: str | None = None,
        provenance: Provenance | None = MADE,
        subplane: PlaneScores | None = None,
        age: AgeEstimate | None = None,
        **measured: Any,
    ) -> Analysis:
        if error is not None:
            return Analysis(InputInfo(path), None, warnings, error, provenance)
        seen = InputInfo(path, "image", 400, 300, 1, (0.07, 0.08))
        return Analysis(seen, plane, warnings, None, provenance, subplane, age, **measured)

    return make
