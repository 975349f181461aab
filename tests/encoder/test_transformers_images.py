"""Encoders of transformers: the same numbers as transformers' own, through this package's letterbox."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fetalclip
from fetalclip.encoder.protocol import Backbone
from fetalclip.encoder.transformers_images import normalisation
from fetalclip.errors import BadCheckpoint, MissingPackage, NotAvailable
from fetalclip.phantom import draw

transformers = pytest.importorskip("transformers")

MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]
STATED = {"size": {"height": 32, "width": 32}, "image_mean": MEAN, "image_std": STD, "do_normalize": True}
BODY: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
PATCHES: dict[str, Any] = {**BODY, "image_size": 32, "patch_size": 8}
SWIN: dict[str, Any] = {
    "embed_dim": 8,
    "depths": [1, 1],
    "num_heads": [1, 1],
    "image_size": 32,
    "patch_size": 4,
    "window_size": 4,
}
MAPS: dict[str, Any] = {"hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}


def made(kind: str) -> torch.nn.Module:
    t = transformers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = {
            "dinov2": lambda: t.Dinov2Model(
                t.Dinov2Config(**{k: v for k, v in PATCHES.items() if k != "intermediate_size"})
            ),
            "vit": lambda: t.ViTModel(t.ViTConfig(**PATCHES)),
            "vit labels": lambda: t.ViTForImageClassification(t.ViTConfig(**PATCHES)),
            "vit_mae": lambda: t.ViTMAEModel(t.ViTMAEConfig(**PATCHES)),
            "convnext": lambda: t.ConvNextModel(t.ConvNextConfig(**MAPS)),
            "swin": lambda: t.SwinModel(t.SwinConfig(**SWIN)),
            "bert": lambda: t.BertModel(t.BertConfig(**BODY, vocab_size=20)),
        }[kind]()
    return model.eval()


def saved(kind: str, folder: Path, **stated: Any) -> torch.nn.Module:
    model = made(kind)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**STATED, **stated}))
    return model


def frame() -> Any:
    return draw("brain", 0).frame


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("dinov2", lambda out: out.last_hidden_state[:, 0]),
        ("vit", lambda out: out.last_hidden_state[:, 0]),  # not the pooler, whose weights many files lack
        ("convnext", lambda out: out.pooler_output),
        ("swin", lambda out: out.pooler_output),
    ],
)
def test_the_numbers_are_those_of_transformers(kind, own, tmp_path):
    model = saved(kind, tmp_path / "m")
    loaded = fetalclip.load(f"transformers:{tmp_path / 'm'}", device="cpu")
    assert isinstance(loaded.encoder, Backbone)
    shown = loaded.encoder.normalisation
    assert (shown.image_size, shown.mean, shown.std, shown.mirror, shown.colour) == (
        32,
        tuple(MEAN),
        tuple(STD),
        False,
        True,
    )
    square = loaded.prepare(frame(), "mask").pixels
    full = np.repeat(square[..., None], 3, axis=-1) if square.ndim == 2 else square
    x = torch.from_numpy((full / 255.0 - np.array(MEAN)) / np.array(STD)).float().permute(2, 0, 1)[None]
    with torch.inference_mode():
        wanted = own(model(pixel_values=x)).numpy()
    found = loaded.encode_image([frame()], normalize=False, overlay="mask")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert loaded.card.name == "transformers:m"
    assert loaded.card.sha256 == loaded.encoder.embedding_sha256


def test_a_classifier_without_a_pooler_gives_its_class_token(tmp_path):
    saved("vit labels", tmp_path)
    assert fetalclip.load(f"transformers:{tmp_path}").encoder.dim == 16


def test_a_masked_autoencoder_sees_the_whole_picture(tmp_path):
    saved("vit_mae", tmp_path)
    loaded = fetalclip.load(f"transformers:{tmp_path}")
    one, other = loaded.encode_image([frame()]), loaded.encode_image([frame()])
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_needs_words_says_there_are_none(tmp_path):
    saved("dinov2", tmp_path)
    loaded = fetalclip.load(f"transformers:{tmp_path}")
    assert loaded.tasks == ()
    for call in (
        lambda: loaded.planes(frame()),
        lambda: loaded.subplanes([frame()]),
        lambda: loaded.encode_text("a"),
        lambda: loaded.age_scores([frame()]),
        lambda: loaded.analyze(["x.png"]),
        lambda: loaded.encoder.alike(["a"]),
    ):
        with pytest.raises(NotAvailable, match="no text tower"):
            call()
    with pytest.raises(NotAvailable, match="no age rule"):
        loaded.age(frame())
    with pytest.raises(NotAvailable, match="no head"):
        loaded.segment(frame())
    with pytest.raises(NotAvailable, match="no token maps"):
        loaded.encoder.token_maps(torch.zeros(1, 3, 32, 32), [1])


def test_a_model_of_words_is_refused(tmp_path):
    saved("bert", tmp_path)
    with pytest.raises(BadCheckpoint, match="takes no picture"):
        fetalclip.load(f"transformers:{tmp_path}")


def test_a_clip_is_sent_to_convert(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip", "text_config": {}}')
    with pytest.raises(NotAvailable, match="models convert"):
        fetalclip.load(f"transformers:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "siglip", "text_config": {}}')
    with pytest.raises(NotAvailable, match="reads texts too"):
        fetalclip.load(f"transformers:{tmp_path}")


def test_weights_that_lack_a_part_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    saved("dinov2", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state.pop(next(name for name in state if name.endswith("layernorm.weight")))
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadCheckpoint, match="1 parameters that its files do not hold"):
        fetalclip.load(f"transformers:{tmp_path}")


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('code was run')",)


def test_a_pickle_with_code_is_not_run(tmp_path):
    saved("dinov2", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Trap()}))
    with pytest.raises(BadCheckpoint):
        fetalclip.load(f"transformers:{tmp_path}")


def test_a_pickle_of_arrays_is_read(tmp_path):
    model = saved("dinov2", tmp_path)
    before = fetalclip.load(f"transformers:{tmp_path}").card.sha256
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    assert fetalclip.load(f"transformers:{tmp_path}").card.sha256 == before


def test_code_of_a_repository_is_never_run(tmp_path):
    saved("dinov2", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "trap.C", "AutoModel": "trap.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "trap.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(NotAvailable, match="never run"):
        fetalclip.load(f"transformers:{tmp_path}")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_type": 3}'])
def test_a_damaged_config(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadCheckpoint):
        fetalclip.load(f"transformers:{tmp_path}")


@pytest.mark.parametrize(
    ("stated", "side"),
    [
        ({"size": 40}, 40),
        ({"size": {"shortest_edge": 48}}, 48),
        ({"size": {"shortest_edge": 48}, "crop_size": {"height": 40, "width": 40}, "do_center_crop": True}, 40),
        ({"size": {"shortest_edge": 48}, "crop_size": 40, "do_center_crop": False}, 48),
    ],
)
def test_the_side_of_the_square(stated, side, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**STATED, **stated}))
    assert normalisation(tmp_path, {}).image_size == side


@pytest.mark.parametrize(
    "stated",
    [
        {"size": {"height": 30, "width": 40}},
        {"size": 10**9},
        {"image_mean": [0.5]},
        {"image_std": [0.0, 0.1, 0.1]},
        {"rescale_factor": 1.0},
        {"do_rescale": False},
    ],
)
def test_a_preprocessing_that_cannot_be(stated, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**STATED, **stated}))
    with pytest.raises(BadCheckpoint):
        normalisation(tmp_path, {})


def test_without_normalisation_values_stay_in_0_to_1(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 32, "do_normalize": False}))
    assert normalisation(tmp_path, {}).std == (1.0, 1.0, 1.0)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    saved("dinov2", tmp_path)
    monkeypatch.setattr("fetalclip.foreign.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[transformers\]"):
        fetalclip.load(f"transformers:{tmp_path}")
