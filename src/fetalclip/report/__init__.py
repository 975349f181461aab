"""From results to something a person reads: a page, a drawing, a line of text. No torch."""

from __future__ import annotations

from fetalclip.report.page import Report

__all__ = ["Report"]
