"""Where a pretraining starts: the architecture said is the one built, and its weights are the start's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from fetalclip.cards import get_card
from fetalclip.errors import BadRecipe, ModelNotFound, NotAvailable
from fetalclip.fit import towers
from fetalclip.fit.pretrain_recipe import PretrainRecipe, TowersRecipe
from fetalclip.fit.towers import architecture_of, build_towers, written
from fetalclip.models import positions
from fetalclip.models.convert import convert, export_openclip
from fetalclip.models.openclip import from_openclip_config, unname
from fetalclip.models.pair import DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tiny import TINY, build_tiny
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import load_folder

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 28, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
VIT = ViTConfig(patch_size=8, width=32, layers=2, heads=2)
TEXT = TextConfig(context_length=60, vocab_size=400, width=32, layers=1, heads=2)


@pytest.fixture(autouse=True)
def few_captions(monkeypatch) -> None:
    monkeypatch.setattr(towers, "CAPTIONS", 300)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A folder in OpenCLIP's layout and the model in it."""
    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    model = DualEncoder(from_openclip_config(CONFIG)).eval()
    torch.nn.init.normal_(model.text.positional_embedding, std=0.5)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    save_file(
        {n: v.contiguous() for n, v in unname(model.state_dict()).items()}, folder / "open_clip_model.safetensors"
    )
    return folder, model


def recipe_of(**words) -> PretrainRecipe:
    return PretrainRecipe(model=TowersRecipe(**{"text": TEXT, "image_size": 32, "embed_dim": 16, **words}))


def test_a_random_start_is_the_recipe_and_the_same_every_time():
    recipe = recipe_of(image="vit", vit=VIT)
    before = torch.random.get_rng_state()
    tokenizer, model = build_towers(recipe)
    assert torch.equal(before, torch.random.get_rng_state())
    assert model.architecture == architecture_of(recipe)
    assert model.architecture.image.image_size == 32  # not the ViT's own 224
    assert tokenizer.vocab_size == model.text.token_embedding.num_embeddings < 400 + 1
    again = build_towers(recipe)[1].state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
    other = build_towers(replace(recipe, seed=21))[1].state_dict()
    assert not torch.equal(other["visual.conv1.weight"], again["visual.conv1.weight"])
    ids, end = tokenizer(["a fetal head"])
    assert model.encode_text(ids, end).shape == (1, 16)
    assert model.encode_image(torch.zeros(1, 3, 32, 32)).shape == (1, 16)


def test_clips_vocabulary_is_taken_at_its_size():
    tokenizer, model = build_towers(recipe_of(text=replace(TEXT, vocab_size=49408)))
    assert tokenizer.vocab_size == model.architecture.text.vocab_size == 49408
    assert tokenizer.context_length == 60
    with pytest.raises(BadRecipe, match="vocab_size"):
        build_towers(recipe_of(text=replace(TEXT, vocab_size=50000)))


def test_a_model_of_this_package_brings_weights_vocabulary_and_a_table_of_the_recipes_length():
    recipe = recipe_of(start="fetalclip-open", image="vit", image_size=64)  # image and embed_dim say nothing
    card = get_card("fetalclip-open")
    own, words = load_folder(card.folder, card.config)
    tokenizer, model = build_towers(recipe)
    assert model.architecture == architecture_of(recipe)
    assert (model.architecture.embed_dim, tokenizer.context_length) == (own.architecture.embed_dim, 60)
    assert tokenizer.engine.to_str() == words.engine.to_str()
    theirs = own.state_dict()
    for name, value in model.state_dict().items():
        if name != "text.positional_embedding":
            assert torch.equal(value, theirs[name].float()), name
    resized = positions.resize(theirs["text.positional_embedding"].float(), 60, "linear")
    assert torch.equal(model.text.positional_embedding, resized)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("way", ["linear", "keep"])
def test_an_openclip_folder_is_converted_first(hub, tmp_path, way):
    folder, own = hub
    words = {"image_size": 28, "positions": way, "text": replace(TEXT, context_length=117)}
    recipe = recipe_of(start=str(folder), **words)
    assert architecture_of(recipe).text.context_length == 117
    tokenizer, model = build_towers(recipe, tmp_path / "start")
    (made,) = (tmp_path / "start").iterdir()  # named by what it was made of: another start gets another
    assert (made / "config.json").is_file()
    assert (tokenizer.context_length, tokenizer.vocab_size) == (117, 49408)
    assert torch.equal(model.visual.conv1.weight, own.visual.conv1.weight)
    table = positions.resize(own.text.positional_embedding.detach(), 117, way)
    assert torch.equal(model.text.positional_embedding, table)
    again = build_towers(recipe, tmp_path / "start")[1]  # found again
    alone = build_towers(recipe_of(start=f"openclip:{folder}", **words))[1]  # nothing is kept
    for other in (again, alone):
        assert torch.equal(other.text.positional_embedding, table)


def test_a_converted_folder_and_what_openclip_reads_of_it_start_alike(hub, tmp_path):
    made = convert(hub[0] / "open_clip_config.json", hub[0] / "open_clip_model.safetensors", tmp_path / "mine").folder
    export_openclip(get_card(made), tmp_path / "theirs")
    ours, theirs = (build_towers(recipe_of(start=str(tmp_path / n), image_size=28))[1] for n in ("mine", "theirs"))
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])


def test_the_tiny_model_is_a_start():
    recipe = recipe_of(start=TINY, image_size=64)
    assert torch.equal(build_towers(recipe)[1].visual.proj.weight, build_tiny()[1].visual.proj.weight)
    assert architecture_of(recipe).text.context_length == 60


def test_a_vision_transformer_sees_one_size(hub):
    for ask in (architecture_of, build_towers):
        with pytest.raises(BadRecipe, match=r"model\.image_size=28"):
            ask(recipe_of(start=str(hub[0]), image_size=32))


def test_a_start_that_is_not_here_is_said_and_the_recipes_architecture_still_stands():
    recipe = recipe_of(start="no-such-clip", image="vit", vit=VIT)
    for ask in (architecture_of, build_towers):
        with pytest.raises(ModelNotFound, match="no-such-clip"):
            ask(recipe)
    assert written(recipe).text.vocab_size == 400
    assert written(recipe).image.image_size == 32


def test_what_cannot_start_says_so(tmp_path):
    with pytest.raises(BadRecipe, match="imagenet"):
        build_towers(recipe_of(start="imagenet", image="vit", vit=VIT))
    with pytest.raises(NotAvailable):
        build_towers(recipe_of(start="transformers:nobody/nothing"))
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    with pytest.raises(NotAvailable, match="no weights"):
        build_towers(recipe_of(start=str(tmp_path), image_size=28))
