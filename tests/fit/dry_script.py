"""Estimates a small training, then does it: peak memory in MB of both, as JSON. python dry_script.py OUT"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main(out: Path) -> None:
    from paired import Bars, small

    from fetalclip.fit import dry_run as module
    from fetalclip.fit.pretrain import Pretraining, Sides
    from fetalclip.fit.watch import peak_memory_mb
    from fetalclip.models.vit import ViTConfig

    recipe = small(batch=32, epochs=1)
    model = replace(recipe.model, image_size=96, vit=ViTConfig(patch_size=8, width=192, layers=6, heads=3))
    recipe = replace(recipe, model=model)
    sides = Sides(Bars(96, side=112), None)
    module.open_sides = lambda recipe: sides
    estimated = module.dry_run(recipe, out, lambda _: None)["memory_mb"]["peak"]
    training = Pretraining(recipe, sides, out, resume=False)
    training.epochs()
    print(json.dumps([estimated, peak_memory_mb()]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
