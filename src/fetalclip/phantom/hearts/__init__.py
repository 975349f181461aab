"""Simulated four-chamber clips of beating fetal hearts with known truth, healthy and with findings.

They are drawings seen through a simulated probe, for tests, the demo and the training of the heart task. The engine is
frozen: ``tests/phantom/hearts/test_frozen.py`` holds its pictures.
"""

from __future__ import annotations

from fetalclip.phantom.hearts.clip import STRUCTURES, HeartClip, draw_heart
from fetalclip.phantom.hearts.findings import FINDINGS
from fetalclip.phantom.hearts.profile import HEART_PROFILES
from fetalclip.phantom.hearts.scene import VIEWS

__all__ = ["FINDINGS", "HEART_PROFILES", "STRUCTURES", "VIEWS", "HeartClip", "draw_heart"]
