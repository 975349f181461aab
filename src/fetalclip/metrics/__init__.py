"""Scores and their intervals: F1, calibration, risk at a coverage, agreement, and the bootstrap over patients.

numpy only.
"""

from __future__ import annotations

from fetalclip.metrics.agreement import (
    LIMIT,
    Agreement,
    bland_altman,
    covered,
    interval_coverage,
    interval_width,
    mean_absolute_error,
)
from fetalclip.metrics.calibration import (
    ReliabilityBin,
    adaptive_calibration_error,
    brier_score,
    corrected_calibration_error,
    expected_calibration_error,
    reliability_curve,
)
from fetalclip.metrics.detection import Flags, auroc, average_precision, conformal_quantile, sensitivity_at
from fetalclip.metrics.intervals import (
    LEVEL,
    Estimate,
    Statistic,
    group_bootstrap,
    paired_difference,
    rate,
    wilson,
)
from fetalclip.metrics.scores import (
    Counts,
    Index,
    Reals,
    accuracy,
    confusion_matrix,
    encode,
    f1_scores,
    macro_f1,
    middle_of_best,
)
from fetalclip.metrics.selective import RiskPoint, area_under_risk_coverage, risk_coverage_curve

__all__ = [
    "LEVEL",
    "LIMIT",
    "Agreement",
    "Counts",
    "Estimate",
    "Flags",
    "Index",
    "Reals",
    "ReliabilityBin",
    "RiskPoint",
    "Statistic",
    "accuracy",
    "adaptive_calibration_error",
    "area_under_risk_coverage",
    "auroc",
    "average_precision",
    "bland_altman",
    "brier_score",
    "conformal_quantile",
    "confusion_matrix",
    "corrected_calibration_error",
    "covered",
    "encode",
    "expected_calibration_error",
    "f1_scores",
    "group_bootstrap",
    "interval_coverage",
    "interval_width",
    "macro_f1",
    "mean_absolute_error",
    "middle_of_best",
    "paired_difference",
    "rate",
    "reliability_curve",
    "risk_coverage_curve",
    "sensitivity_at",
    "wilson",
]
