"""Models of OpenCLIP, behind a stand-in package with its names and arguments, put on the path by the test."""

from __future__ import annotations

import json
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import fetalclip
from fetalclip.encoder.protocol import Backbone
from fetalclip.errors import BadCheckpoint, NotAvailable, UsageError
from fetalclip.foreign import place
from fetalclip.models.pull_others import repository_of
from fetalclip.phantom import draw
from fetalclip.preprocess import to_tensor

PACKAGE = """
import torch, json, pathlib
from torch import nn

ASKED = []
CONFIGS = {"Small": {"embed_dim": 6, "vision_cfg": {"image_size": 32}, "text_cfg": {"context_length": 5}}}
GOOD = {"hf_hub": "someone/small/", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5), "quick_gelu": True}
TAGS = {("Small", "good"): GOOD,
        ("Small", "web"): {"url": "https://example.org/w.pt", "hf_hub": ""}}

class Visual(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.image_size = (side, side)
        self.line = nn.Linear(3, 6)
    def forward(self, x):
        return self.line(x.mean(dim=(2, 3)))

class Clip(nn.Module):
    def __init__(self, side, quick):
        super().__init__()
        self.visual, self.table, self.quick = Visual(side), nn.Embedding(256, 6), quick
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
    def encode_image(self, image, normalize=False):
        return self.visual(image)
    def encode_text(self, text, normalize=False):
        return self.table(text).mean(dim=1)

def list_models(): return list(CONFIGS)
def get_model_config(name): return CONFIGS.get(name)
def get_pretrained_cfg(model, tag): return TAGS.get((model, tag), {})
def list_pretrained_tags_by_model(model): return [tag for name, tag in TAGS if name == model]
def get_model_preprocess_cfg(model): return getattr(model, "shown", {})

def create_model(model_name, pretrained=None, load_weights=True, force_quick_gelu=False, **more):
    ASKED.append((model_name, pretrained, load_weights, force_quick_gelu, more))
    if model_name.startswith("local-dir:"):
        told = json.loads((pathlib.Path(model_name[10:]) / "open_clip_config.json").read_text())
        name = told["model_cfg"]["text_cfg"].get("hf_model_name")
        if name and not pathlib.Path(name).is_dir():
            from huggingface_hub import hf_hub_download
            hf_hub_download(name, "config.json")
        model = Clip(told["model_cfg"]["vision_cfg"]["image_size"], force_quick_gelu)
        model.shown = told.get("preprocess_cfg", {})
        return model
    return Clip(CONFIGS[model_name]["vision_cfg"]["image_size"], force_quick_gelu)

def load_checkpoint(model, path, strict=True, weights_only=True, device="cpu"):
    assert weights_only
    from safetensors.torch import load_file
    state = load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)
    return model.load_state_dict(state, strict=strict)

def get_tokenizer(model_name):
    def tokenize(texts):
        rows = [(list(text.encode()) + [0] * 5)[:5] for text in texts]
        return torch.tensor(rows)
    return tokenize
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The stand-in; gone again after the test."""
    home = tmp_path / "site"
    (home / "open_clip").mkdir(parents=True)
    (home / "open_clip" / "__init__.py").write_text(textwrap.dedent(PACKAGE))
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.delitem(sys.modules, "open_clip", raising=False)
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path / "cache"))
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    import_module("open_clip")

    yield sys.modules["open_clip"]
    sys.modules.pop("open_clip", None)


def state(package) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return package.Clip(32, False).state_dict()


def folder_of(path: Path, package, text: dict[str, object] | None = None, **more: object) -> Path:
    path.mkdir()
    config = {"embed_dim": 6, "vision_cfg": {"image_size": 40}, "text_cfg": text or {}}
    shown = {"mean": [0.4] * 3, "std": [0.2] * 3}
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": shown, **more}))
    torch.save(state(package), path / "open_clip_pytorch_model.bin")
    return path


def frame():
    return draw("brain", 0).frame


def test_both_towers_give_openclips_numbers(package, tmp_path):
    torch.save(state(package), tmp_path / "w.pt")
    loaded = fetalclip.load(f"openclip:Small@{tmp_path / 'w.pt'}", device="cpu")
    assert isinstance(loaded.encoder, Backbone)
    assert loaded.encoder.has_text
    assert (loaded.card.name, loaded.encoder.dim, loaded.overlay) == ("openclip:Small@w.pt", 6, "keep")
    assert loaded.encoder.scale == pytest.approx(np.exp(2.0))
    model = package.Clip(32, False)
    model.load_state_dict(state(package))
    shown = loaded.encoder.normalisation
    assert shown.image_size == 32
    with torch.inference_mode():
        pictures = model.encode_image(to_tensor([loaded.prepare(frame(), "keep").pixels], shown.mean, shown.std))
        words = model.encode_text(package.get_tokenizer("Small")(["a femur", "a brain", "a femur"]))
    np.testing.assert_allclose(loaded.encode_image([frame()], normalize=False), pictures.numpy(), atol=1e-6)
    found = loaded.encode_text(["a femur", "a brain", "a femur"], normalize=False)
    np.testing.assert_allclose(found, words.numpy(), atol=1e-6)
    np.testing.assert_array_equal(loaded.encoder.alike(["a femur", "a brain", "a femur"]), found)


def test_it_answers_what_a_converted_clip_answers(package, tmp_path):
    torch.save(state(package), tmp_path / "w.pt")
    loaded = fetalclip.load(f"openclip:Small@{tmp_path / 'w.pt'}")
    assert loaded.tasks == ("planes",)
    plane = loaded.planes(frame())
    assert not plane.abstained
    assert len(plane.scores) == 9
    assert len(loaded.subplanes([frame()])[0].scores) == 3
    with pytest.raises(NotAvailable, match="no age rule"):
        loaded.age(frame())


def test_nothing_is_loaded_or_fetched_by_openclip_itself(package, tmp_path):
    torch.save(state(package), tmp_path / "w.pt")
    fetalclip.load(f"openclip:Small@{tmp_path / 'w.pt'}")
    assert package.ASKED == [("Small", None, False, False, {"pretrained_hf": False})]


def test_random_weights_are_the_same_each_time_and_said_to_be_random(package):
    first, second = fetalclip.load("openclip:Small"), fetalclip.load("openclip:Small")
    assert first.card.sha256 == second.card.sha256
    assert "random" in first.card.note


def test_a_tag_brings_its_own_statistics_and_activation(package):
    pulled = place("openclip:Small@good")
    pulled.mkdir(parents=True)
    torch.save(state(package), pulled / "open_clip_pytorch_model.bin")
    loaded = fetalclip.load("openclip:Small@good")
    assert loaded.encoder.normalisation.mean == (0.1, 0.2, 0.3)
    assert package.ASKED[0][3] is True


def test_a_folder_has_its_own_config(package, tmp_path):
    loaded = fetalclip.load(f"openclip:{folder_of(tmp_path / 'bio', package)}")
    assert loaded.card.name == "openclip:bio"
    assert (loaded.encoder.normalisation.image_size, loaded.encoder.normalisation.std) == (40, (0.2, 0.2, 0.2))


def test_the_text_models_config_is_taken_from_the_folder(package, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("the network was asked"))
    made = folder_of(tmp_path / "bio", package, {"hf_model_name": "someone/bert"})
    with pytest.raises(NotAvailable, match="files that are not on this machine"):
        fetalclip.load(f"openclip:{made}")
    (made / "text").mkdir()
    (made / "text" / "config.json").write_text("{}")
    assert fetalclip.load(f"openclip:{made}").encoder.dim == 6


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("openclip:Smalls", "such as Small"),
        ("openclip:Other", "OpenCLIP has no architecture"),
        ("openclip:Small@bad", "one of good, web"),
        ("openclip:Small@good", "fetalclip models pull openclip:Small@good"),
    ],
)
def test_what_is_not_there_is_named(name, word, package):
    with pytest.raises(NotAvailable, match=word):
        fetalclip.load(name)


def test_a_config_that_asks_for_code_is_refused(package, tmp_path):
    made = folder_of(tmp_path / "bio", package, {"tokenizer_kwargs": {"trust_remote_code": True}})
    with pytest.raises(BadCheckpoint, match="code never is"):
        fetalclip.load(f"openclip:{made}")


def test_damaged_weights(package, tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"nonsense")
    with pytest.raises(BadCheckpoint, match="no weight file"):
        fetalclip.load(f"openclip:Small@{path}")
    torch.save({"visual.line.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(BadCheckpoint, match="does not load"):
        fetalclip.load(f"openclip:Small@{path}")


def test_a_precision_that_is_none(package):
    with pytest.raises(UsageError):
        fetalclip.load("openclip:Small", precision="fp8")


def test_where_a_tag_lives():
    assert repository_of({"hf_hub": "laion/CLIP/"})[0] == "laion/CLIP"
    assert repository_of({"hf_hub": "laion/CLIP/w.bin"}) == ("laion/CLIP", ("w.bin",))
    assert repository_of({"url": "https://example.org"}) == ("", ())
