"""Losses, the training loop, cross-fitting and calibration."""

from fetalclip.fit.crossfit import train
from fetalclip.fit.recipe import Recipe

__all__ = ["Recipe", "train"]
