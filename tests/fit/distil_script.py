"""Runs a small distillation in a process of its own, one of several where the environment says so.

python distil_script.py TEACHER OUT FEATURES KIND
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

if __name__ == "__main__":
    from paired import Bars
    from taught import distilled

    from fetalclip.fit import towers
    from fetalclip.fit.distil import Distilling
    from fetalclip.fit.pretrain import Sides
    from fetalclip.fit.teacher import open_teacher

    towers.CAPTIONS = 300
    teacher, folder, features, kind = sys.argv[1:]
    recipe = distilled(Path(teacher), features=features, accumulate=2)
    recipe = replace(recipe, teacher=replace(recipe.teacher, kind=kind))
    recipe = replace(recipe, watch=replace(recipe.watch, log_steps=1, checkpoint_steps=1))
    broken = frozenset({5})
    sides = Sides(Bars(36, broken=broken, side=56), Bars(12, 1000, side=56))
    training = Distilling(recipe, open_teacher(recipe), sides, Path(folder), resume=True)
    training.epochs()
    training.together()
