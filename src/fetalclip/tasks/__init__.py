"""One file per clinical question; a task has a name and a call."""

from fetalclip.tasks.age import AgeScorer, AgeTask
from fetalclip.tasks.age_rule import AgeRule, published_days
from fetalclip.tasks.biometry import BiometryTask, biometry_age
from fetalclip.tasks.planes import PlaneRule, PlaneTask
from fetalclip.tasks.subplanes import SubplaneRule, SubplaneTask

TASKS = ("planes", "age", "biometry", "heart", "probes")  # sub-planes come with planes

__all__ = [
    "TASKS",
    "AgeRule",
    "AgeScorer",
    "AgeTask",
    "BiometryTask",
    "PlaneRule",
    "PlaneTask",
    "SubplaneRule",
    "SubplaneTask",
    "biometry_age",
    "published_days",
]
