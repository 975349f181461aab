"""Runs a small pretraining in a process of its own, for tests that kill it or spread it over processes.

python pretrain_script.py OUT [--source DIR] [--open] [key=value …]
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))


def pairs_run(out: Path, source: str, changes: dict[str, str]) -> None:
    from paired import Bars, small

    from fetalclip.fit import towers
    from fetalclip.fit.pretrain import Pretraining, Sides

    towers.CAPTIONS = 300

    kind = changes.pop("kind", "vit")
    values = {name: type(getattr(small().optim, name))(value) for name, value in changes.items()}
    recipe = small(kind, **values)
    recipe = replace(recipe, watch=replace(recipe.watch, log_steps=1, checkpoint_steps=3))
    if source:
        from fetalclip.fit.pretrain_folder import open_sides

        recipe = replace(recipe, data=replace(recipe.data, train=source, buffer=16))
        sides = open_sides(recipe)
    else:
        broken = frozenset({3, 11} if "--broken" in sys.argv else ())
        sides = Sides(Bars(36, broken=broken), Bars(12, 1000))
    if "--apart" in sys.argv and os.environ["RANK"] == "1":
        out = out.with_name("elsewhere")
    training = Pretraining(recipe, sides, out, resume=True)
    training.epochs()


def open_run(out: Path) -> None:
    """The open recipe's training, on a corpus of bars."""
    from conftest import _make_corpus
    from fetalclip.clinical.sampling import texts
    from fetalclip.fit import loop
    from fetalclip.fit.recipe import DataRecipe, ModelRecipe, OptimRecipe, Recipe
    from fetalclip.models.text import TextConfig

    loop.caption_texts = lambda count, seed: texts(300, seed)
    data = DataRecipe(hc18_per_epoch=3, simulated_per_epoch=2, rejects_per_epoch=4, subplanes_per_epoch=0)
    model = ModelRecipe("random", 32, 16, 1, TextConfig(117, 400, 32, 1, 2))
    optim = OptimRecipe(2, 8, warmup_steps=2, foreign_texts=3, rival_texts=6, text_steps=0, number_steps=0)
    training = loop.Training(Recipe(seed=7, data=data, model=model, optim=optim), _make_corpus(2), out)
    training.pace = replace(training.pace, log_steps=1, checkpoint_steps=2)
    training.epochs()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    folder = Path(arguments.pop(0))
    given = arguments[arguments.index("--source") + 1] if "--source" in arguments else ""
    if "--open" in arguments:
        open_run(folder)
    else:
        pairs_run(folder, given, dict(word.split("=", 1) for word in arguments if "=" in word))
