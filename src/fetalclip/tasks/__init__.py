"""One file per clinical question; a task has a name and a call."""

from fetalclip.tasks.planes import PlaneRule, PlaneTask

TASKS = ("planes",)

__all__ = ["TASKS", "PlaneRule", "PlaneTask"]
