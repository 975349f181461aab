"""The waist on the output side: what was found, how sure, by which model.

Right of this package nobody knows files or tensors: reports, JSON and the command line read these values only.
"""

from __future__ import annotations

from fetalclip.result.analysis import (
    DISCLAIMER,
    NOT_A_HEAD,
    SCHEMA,
    AgeEstimate,
    Analysis,
    InputInfo,
    PlaneScores,
    Provenance,
)
from fetalclip.result.biometry import EXAM_SCHEMA, Exam, Measurement, Segmentation
from fetalclip.result.heart import Finding, HeartScore, KeyFrame

__all__ = [
    "DISCLAIMER",
    "EXAM_SCHEMA",
    "NOT_A_HEAD",
    "SCHEMA",
    "AgeEstimate",
    "Analysis",
    "Exam",
    "Finding",
    "HeartScore",
    "InputInfo",
    "KeyFrame",
    "Measurement",
    "PlaneScores",
    "Provenance",
    "Segmentation",
]
