"""A teacher so small that a distillation takes seconds, in a model folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from paired import small

from fetalclip.config import MODEL_SCHEMA
from fetalclip.fit.distil_recipe import DistilRecipe, TeacherRecipe
from fetalclip.fit.towers import build_towers
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import save_folder


def teach(folder: Path, size: int = 48, seed: int = 3, mirror: bool = False, training: Any = None) -> Path:
    """A model folder: a vision transformer of ``size`` pixels and its own joint space, weights random."""
    wanted = replace(
        small().model, image_size=size, embed_dim=24, vit=ViTConfig(patch_size=8, width=48, layers=2, heads=2)
    )
    tokenizer, model = build_towers(replace(small(), model=wanted, seed=seed))
    with torch.no_grad():
        model.logit_scale.fill_(3.5)
    config: dict[str, Any] = {
        "schema": MODEL_SCHEMA,
        "name": "teacher",
        "summary": "A teacher for tests.",
        "license": "CC-BY-4.0",
        "architecture": model.architecture.to_dict(),
        "preprocess": {
            "image_size": size,
            "mean": [0.4, 0.5, 0.6],
            "std": [0.2, 0.3, 0.4],
            "overlay": "mask",
            "mirror": mirror,
        },
        "planes": {"prompts": "planes-9", "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0},
        **({} if training is None else {"training": training}),
    }
    return save_folder(model, tokenizer, config, folder, "# Teacher\n")


def distilled(folder: Path, kind: str = "vit", features: str = "live", **optim: Any) -> DistilRecipe:
    """`small`, with a teacher."""
    plain = small(kind, **optim)
    words = {name: getattr(plain, name) for name in ("name", "seed", "data", "model", "optim", "watch")}
    return DistilRecipe(**words, teacher=TeacherRecipe(model=str(folder), features=features))
