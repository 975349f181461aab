"""One file per clinical question; a task has a name and a call."""

from fetalclip.tasks.planes import PlaneRule, PlaneTask
from fetalclip.tasks.subplanes import SubplaneRule, SubplaneTask

TASKS = ("planes",)  # sub-planes come with planes

__all__ = ["TASKS", "PlaneRule", "PlaneTask", "SubplaneRule", "SubplaneTask"]
