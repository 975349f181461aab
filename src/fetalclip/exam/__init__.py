"""What the pictures of one exam say together: measures, views seen and missing, quality, what needs a person first.

::

    from fetalclip.exam import gather

    exam = gather(model.analyze(paths, quality=True), "exam-1")
    exam.missing, exam.triage
"""

from __future__ import annotations

from fetalclip.exam.coverage import ViewRule, covered, load_views
from fetalclip.exam.gather import gather
from fetalclip.exam.triage import RULES, concerns, sort_exams, urgency

__all__ = ["RULES", "ViewRule", "concerns", "covered", "gather", "load_views", "sort_exams", "urgency"]
