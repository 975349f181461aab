"""Scores and their intervals: F1, accuracy, calibration, rates, and the bootstrap over patients. numpy only."""

from __future__ import annotations

from fetalclip.metrics.calibration import (
    ReliabilityBin,
    brier_score,
    corrected_calibration_error,
    expected_calibration_error,
    reliability_curve,
)
from fetalclip.metrics.intervals import (
    LEVEL,
    Estimate,
    Statistic,
    group_bootstrap,
    paired_difference,
    rate,
    wilson,
)
from fetalclip.metrics.scores import Counts, Index, Reals, accuracy, confusion_matrix, encode, f1_scores, macro_f1

__all__ = [
    "LEVEL",
    "Counts",
    "Estimate",
    "Index",
    "Reals",
    "ReliabilityBin",
    "Statistic",
    "accuracy",
    "brier_score",
    "confusion_matrix",
    "corrected_calibration_error",
    "encode",
    "expected_calibration_error",
    "f1_scores",
    "group_bootstrap",
    "macro_f1",
    "paired_difference",
    "rate",
    "reliability_curve",
    "wilson",
]
