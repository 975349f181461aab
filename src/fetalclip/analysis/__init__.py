"""The main job: one file in, one honest answer out, whatever the file is."""

from __future__ import annotations

from fetalclip.analysis.analyst import Analyst, cerebellum_share, no_rule
from fetalclip.analysis.asked import Asked

__all__ = ["Analyst", "Asked", "cerebellum_share", "no_rule"]
