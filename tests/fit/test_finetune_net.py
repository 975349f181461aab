"""The net of a fine-tuning: it sees what the encoder sees, and its folded head says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip import api
from fetalclip.errors import BadRecipe
from fetalclip.fit.finetune_data import LabelledBatches, Squares
from fetalclip.fit.finetune_net import TunedNet, open_start, parameter_groups
from fetalclip.fit.finetune_recipe import FinetuneData, FinetuneModel, FinetuneRecipe
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import save_folder
from fetalclip.preprocess.augment import Augmentation
from fetalclip.preprocess.pipeline import normalise

SQUARES = Squares(
    np.random.default_rng(0).integers(0, 255, (6, 75, 75), np.uint8),
    np.array([100.0, 110, 120, 130, 140, 150]),
    np.full(6, 0.4),
)


@pytest.fixture
def recipe():
    return FinetuneRecipe(
        question="number",
        data=FinetuneData(spacing=True),
        model=FinetuneModel("fetalclip-tiny", method="full", frozen_blocks=2),
    )


def net_of(recipe):
    start = open_start(recipe)
    return TunedNet(start, recipe, SQUARES, 0), start


def test_embeddings_are_the_encoders(recipe):
    net, start = net_of(recipe)
    encoder = api.load("fetalclip-tiny").encoder
    small = SQUARES.pictures[:, :64, :64]
    np.testing.assert_allclose(net.embed(small), encoder.images(list(small)), atol=1e-5)
    assert start.sha256 == encoder.embedding_sha256


def test_the_folded_head_says_what_the_net_says(recipe):
    net, _ = net_of(recipe)
    torch.nn.init.normal_(net.head.weight)
    small = Squares(SQUARES.pictures[:, :64, :64], SQUARES.targets, np.linspace(0.3, 0.6, 6))
    said = net.logits(small)[:, 0]
    images = normalise(torch.from_numpy(small.pictures).float() / 255, net.normalisation.mean, net.normalisation.std)
    with torch.no_grad():
        seen = net.eval()(images, torch.from_numpy(small.spacings).float().log())[:, 0]
    middle, size = net.number
    np.testing.assert_allclose(said, (seen * size + middle).numpy(), rtol=1e-4)
    assert float(middle) == pytest.approx(125)


def test_what_is_learned_and_how_fast(recipe):
    net, _ = net_of(recipe)
    names = [name for name, p in net.tower.named_parameters() if p.requires_grad]
    assert not any(name.startswith(("stem.", "blocks.0.", "blocks.1.")) for name in names)
    assert any(name.startswith("blocks.2.") for name in names)
    groups = parameter_groups(net, recipe)
    assert sum(len(group["params"]) for group in groups) == len(names) + 2
    for group in groups:
        assert all((p.ndim >= 2) == (group["weight_decay"] > 0) for p in group["params"])
    assert set(net.state_dict()) >= {"head.weight", "learned.0", "middle", "size", "number"}
    assert len(net.state_dict()) == len(names) + 5
    alone, _ = net_of(replace(recipe, model=replace(recipe.model, method="head")))
    assert not len(alone.learned)


def test_spacing_follows_the_zoom(recipe):
    ranges = replace(Augmentation.none(), zoom=(2.0, 2.0))
    (batch,) = LabelledBatches(SQUARES, replace(recipe, augment=ranges), 64).epoch(0)
    # 75 stored pixels of 0.4 mm become 64, and are then shown twice as large
    assert batch.logs.exp().tolist() == pytest.approx([0.4 * 75 / 64 / 2] * 6, rel=1e-5)


def test_without_flips_no_mirror_image_is_looked_at(recipe):
    plain = replace(recipe, model=replace(recipe.model, start="fetalclip-open"))
    assert open_start(plain).normalisation.mirror
    assert not open_start(replace(plain, augment=Augmentation.none())).normalisation.mirror
    assert open_start(replace(plain, model=replace(plain.model, image_size=96))).normalisation.image_size == 96


def test_more_frozen_blocks_than_there_are(recipe):
    with pytest.raises(BadRecipe, match="frozen_blocks"):
        net_of(replace(recipe, model=replace(recipe.model, frozen_blocks=17)))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_converted_vit_of_any_other_model_folder(tmp_path, recipe, method):
    if method == "lora":
        pytest.importorskip("peft")
    tokenizer = Tokenizer.learn(["a fetal head", "a femur"], 300, 32)
    image = ViTConfig(image_size=32, patch_size=8, width=32, layers=3, heads=2)
    model = DualEncoder(Architecture(16, image, TextConfig(32, tokenizer.vocab_size, 8, 1, 1)))
    config = {
        "schema": "fetalclip.model/1",
        "name": "small-vit",
        "summary": "",
        "license": "CC0-1.0",
        "architecture": model.architecture.to_dict(),
        "preprocess": {"image_size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "colour": True, "overlay": "keep"},
        "planes": {"prompts": "planes-9", "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0},
    }
    folder = save_folder(model, tokenizer, config, tmp_path / "vit", "")
    recipe = replace(recipe, model=FinetuneModel(str(folder), method, frozen_blocks=1))
    net, start = net_of(recipe)
    assert not start.normalisation.colour
    assert start.license == "CC0-1.0"
    optimiser = torch.optim.AdamW(parameter_groups(net, recipe), 1e-2)
    torch.nn.init.normal_(net.head.weight)
    for _ in range(3):
        optimiser.zero_grad()
        net.train()(torch.randn(2, 3, 32, 32), torch.zeros(2)).square().mean().backward()
        optimiser.step()
    before = net.embed(SQUARES.pictures)
    net.finish()
    assert set(net.tower.state_dict()) == set(model.visual.state_dict())
    np.testing.assert_allclose(net.embed(SQUARES.pictures), before, atol=2e-2)  # half precision
    first = "transformer.resblocks.0.attn.in_proj_weight"
    assert torch.equal(net.tower.state_dict()[first], model.visual.state_dict()[first].half().float())
    with pytest.raises(BadRecipe, match="image_size"):
        net_of(replace(recipe, model=replace(recipe.model, image_size=64)))
