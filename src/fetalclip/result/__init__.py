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
    ClipFrame,
    InputInfo,
    PlaneScores,
    Provenance,
)
from fetalclip.result.attribution import EXPLAIN_SCHEMA, Attribution
from fetalclip.result.biometry import Measurement, Segmentation
from fetalclip.result.exam import EXAM_SCHEMA, URGENCIES, Concern, Exam, Study, View
from fetalclip.result.heart import NOT_FOUR_CHAMBERS, Finding, HeartScore, KeyFrame
from fetalclip.result.probe import ProbeAnswer
from fetalclip.result.quality import CANNOT_TELL, FAIL, PASS, Check, PictureQuality

__all__ = [
    "CANNOT_TELL",
    "DISCLAIMER",
    "EXAM_SCHEMA",
    "EXPLAIN_SCHEMA",
    "FAIL",
    "NOT_A_HEAD",
    "NOT_FOUR_CHAMBERS",
    "PASS",
    "SCHEMA",
    "URGENCIES",
    "AgeEstimate",
    "Analysis",
    "Attribution",
    "Check",
    "ClipFrame",
    "Concern",
    "Exam",
    "Finding",
    "HeartScore",
    "InputInfo",
    "KeyFrame",
    "Measurement",
    "PictureQuality",
    "PlaneScores",
    "ProbeAnswer",
    "Provenance",
    "Segmentation",
    "Study",
    "View",
]
