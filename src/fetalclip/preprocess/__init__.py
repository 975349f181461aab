"""The only place where pixels become tensors."""

from fetalclip.preprocess.letterbox import Letterbox, letterbox
from fetalclip.preprocess.pipeline import OVERLAY_MODES, Prepared, check_overlay, prepare, to_tensor

__all__ = ["OVERLAY_MODES", "Letterbox", "Prepared", "check_overlay", "letterbox", "prepare", "to_tensor"]
