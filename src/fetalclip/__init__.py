"""Open vision-language models for fetal ultrasound.

Names are loaded on first use, so ``import fetalclip`` needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "AgeEstimate": "fetalclip.result",
    "Analysis": "fetalclip.result",
    "Exam": "fetalclip.result",
    "Cine": "fetalclip.frame",
    "FetalCLIP": "fetalclip.api",
    "Frame": "fetalclip.frame",
    "LinearProbe": "fetalclip.fit.probe",
    "Measurement": "fetalclip.result",
    "PlaneScores": "fetalclip.result",
    "ProbeAnswer": "fetalclip.result",
    "PromptMean": "fetalclip.fit.prompted_probe",
    "Report": "fetalclip.report",
    "RidgeProbe": "fetalclip.fit.probe",
    "Segmentation": "fetalclip.result",
    "Shot": "fetalclip.frame",
    "TipAdapter": "fetalclip.fit.prompted_probe",
    "load": "fetalclip.api",
    "measure": "fetalclip.caliper",
    "measure_all": "fetalclip.caliper",
    "read": "fetalclip.io",
    "read_cine": "fetalclip.io",
    "read_sequence": "fetalclip.io",
}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'fetalclip' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
