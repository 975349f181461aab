"""Counts without weights are the counts of the real thing: parameters, operations, what autograd keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import BadRecipe
from fetalclip.fit.counting import activations, inputs_like, loss_bytes, operations, parameters
from fetalclip.fit.pretrain import Towers
from fetalclip.fit.pretrain_recipe import PretrainRecipe, ScaleRecipe, TowersRecipe
from fetalclip.fit.towers import build_towers, written
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig
from fetalclip.settings import load_recipe

TEXT = TextConfig(20, 49408, 32, 2, 2)
TOKENS = 12


def recipe_of(image: str = "vit", **words) -> PretrainRecipe:
    vit = ViTConfig(patch_size=16, width=48, layers=3, heads=4)
    model = TowersRecipe(image=image, vit=vit, image_size=64, embed_dim=24, text=TEXT)
    return PretrainRecipe(model=replace(model, **words), optim=ScaleRecipe(batch=4))


def kept_for_real(recipe: PretrainRecipe, rows: int) -> int:
    """Bytes of the storages that a real forward pass keeps."""
    towers = Towers(build_towers(recipe)[1], recipe, Normalisation(64, (0.5,) * 3, (0.5,) * 3)).train()
    seen, alive = {value.untyped_storage().data_ptr() for value in (*towers.parameters(), *towers.buffers())}, []
    total = 0

    def pack(value: torch.Tensor) -> torch.Tensor:
        nonlocal total
        alive.append(value)
        if value.untyped_storage().data_ptr() not in seen:
            seen.add(value.untyped_storage().data_ptr())
            total += value.untyped_storage().nbytes()
        return value

    half = recipe.optim.precision == "bf16"
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        towers(**inputs_like(recipe, rows, TOKENS))
    return total


def test_the_published_model_has_its_published_number_of_parameters():
    recipe = load_recipe(PretrainRecipe, "published")
    found = parameters(recipe, written(recipe)).to_dict()
    assert found["together"] == {"all": 427_647_233, "trained": 427_647_233}


@pytest.mark.parametrize("image", ["vit", "efficientnet-lite0"])
def test_parameters_are_those_of_the_towers(image):
    recipe = recipe_of(image)
    found, model = parameters(recipe, written(recipe)), build_towers(recipe)[1]
    assert found.all["image"] == sum(p.numel() for p in model.visual.parameters())
    assert found.all["text"] == sum(p.numel() for p in model.text.parameters())
    assert found.all["other"] == 1
    assert found.buffers == sum(b.numel() for b in model.buffers())
    assert found.trained == found.all


def test_what_is_locked_is_not_trained():
    recipe = recipe_of(lock_image=2, lock_text=-1)
    found = parameters(recipe, written(recipe))
    assert found.trained["text"] == 0
    assert 0 < found.trained["image"] < found.all["image"]
    assert found.trained["other"] == 1
    with pytest.raises(BadRecipe, match="lock_image"):
        parameters(recipe_of(lock_image=9), written(recipe))


def test_operations_of_a_transformer_are_those_of_its_matrices():
    recipe = recipe_of()
    found = operations(recipe, written(recipe), TOKENS, 1)
    patches, width, ratio = 16, 48, 4
    block = 2 * (patches + 1) * width * width * (3 + 1 + 2 * ratio) + 4 * (patches + 1) ** 2 * width
    image = 2 * patches * width * 3 * 16 * 16 + 3 * block + 2 * width * 24
    word = 2 * TOKENS * 32 * 32 * (3 + 1 + 2 * ratio) + 4 * TOKENS**2 * 32
    text = 2 * word + 2 * 32 * 24
    assert found.forward == image + text
    assert found.again == 0
    # backward: twice the forward, but for the pictures, which need no gradient
    assert found.backward == pytest.approx(2 * found.forward - 2 * patches * width * 3 * 16 * 16)


def test_a_depthwise_convolution_goes_back_at_twice_its_forward_pass():
    recipe = recipe_of("efficientnet-lite0")
    found = operations(recipe, written(recipe), TOKENS, 1)
    assert 1.8 * found.forward < found.backward <= 2 * found.forward


def test_chunks_and_recomputing_go_forward_again():
    recipe = recipe_of()
    once = operations(recipe, written(recipe), TOKENS, 1)
    assert operations(recipe, written(recipe), TOKENS, 4).again == 0.75 * once.forward
    assert operations(recipe_of(recompute=True), written(recipe), TOKENS, 1).again == once.forward
    assert operations(recipe_of(lock_image=-1), written(recipe), TOKENS, 1).backward < 0.5 * once.backward
    assert operations(recipe_of(patch_dropout=0.5), written(recipe), TOKENS, 1).forward < 0.8 * once.forward


@pytest.mark.parametrize("image", ["vit", "efficientnet-lite0"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_autograd_keeps_is_counted_without_weights(image, precision):
    recipe = replace(recipe_of(image), optim=ScaleRecipe(batch=4, precision=precision))
    counted, passing = activations(recipe, written(recipe), 3, TOKENS)
    assert counted == pytest.approx(kept_for_real(recipe, 3), rel=0.01)
    assert 0 < passing < counted


@pytest.mark.parametrize("image", ["vit", "efficientnet-lite0"])
def test_recomputing_keeps_less(image):
    plain, again = recipe_of(image), recipe_of(image, recompute=True)
    assert activations(again, written(again), 8, TOKENS)[0] < 0.7 * activations(plain, written(plain), 8, TOKENS)[0]


def test_the_loss_grows_with_the_square_of_the_batch():
    assert loss_bytes(24, 2048) > 3.5 * loss_bytes(24, 1024) > 4 * 1024**2
