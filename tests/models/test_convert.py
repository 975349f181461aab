"""Other people's CLIP into a model folder and back: strict, whole, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import fetalclip as fc
from fetalclip.cards import get_card
from fetalclip.errors import BadCheckpoint, OutputError, UsageError
from fetalclip.frame import Frame
from fetalclip.models.convert import Wanted, convert, export_openclip, export_transformers
from fetalclip.models.openclip import from_openclip_config, unname
from fetalclip.models.pair import DualEncoder

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 28, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
SHORT = ["a fetal head", "an ultrasound image of the fetal abdomen"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> tuple[Path, Path, DualEncoder]:
    """A config, its checkpoint under OpenCLIP's names, and the model it was made from."""
    folder = tmp_path_factory.mktemp("source")
    torch.manual_seed(0)
    model = DualEncoder(from_openclip_config(CONFIG)).eval()
    torch.nn.init.normal_(model.text.positional_embedding, std=0.5)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    torch.save({"state_dict": {f"module.{k}": v for k, v in unname(model.state_dict()).items()}}, folder / "w.pt")
    return folder / "config.json", folder / "w.pt", model


def test_a_converted_checkpoint_is_a_model_like_any_other(source, tmp_path):
    config, weights, model = source
    report = convert(config, weights, tmp_path / "mine", Wanted(license="MIT"))
    assert report.parameters == sum(p.numel() for p in model.parameters())
    assert report.cosine == {}
    names = sorted(p.name for p in report.folder.iterdir())
    assert names == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert set(load_file(report.folder / "model.safetensors")) == set(unname(model.state_dict()))
    loaded = fc.load(report.folder)
    assert (loaded.card.license, loaded.overlay) == ("MIT", "keep")
    grey = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    assert loaded.encode_image([Frame(grey)]).shape == (1, 24)
    scores = loaded.planes(Frame(grey))
    assert len(scores.scores) == 9
    np.testing.assert_allclose(np.linalg.norm(loaded.encode_text(SHORT), axis=1), 1, atol=1e-6)


def test_a_converted_checkpoint_sees_colour(source, tmp_path):
    loaded = fc.load(convert(*source[:2], tmp_path / "mine").folder)
    grey = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    three = np.repeat(grey[..., None], 3, axis=-1)
    red = three.copy()
    red[..., 1:] = 0
    a, b, c = loaded.encode_image([Frame(grey), Frame(three), Frame(red)])
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.abs(a - c).max() > 1e-3


def test_keeping_positions_keeps_the_features_of_short_texts(source, tmp_path):
    before = fc.load(convert(*source[:2], tmp_path / "a").folder)
    kept = convert(*source[:2], tmp_path / "b", Wanted(context_length=117))
    assert kept.positions == (77, 117)
    assert set(kept.cosine) == {"keep", "linear"}
    assert kept.cosine["keep"] == pytest.approx(1, abs=1e-6)
    assert kept.cosine["linear"] < 0.999
    stretched = convert(*source[:2], tmp_path / "c", Wanted(context_length=117, positions="linear"))
    old = before.encode_text(SHORT)
    assert np.abs(old - fc.load(kept.folder).encode_text(SHORT)).max() <= 1e-5
    changed = fc.load(stretched.folder)
    assert changed.encoder.tokenizer.context_length == 117
    assert np.abs(old - changed.encode_text(SHORT)).max() > 1e-3


def test_openclips_form_goes_round(source, tmp_path):
    made = convert(*source[:2], tmp_path / "mine")
    out = export_openclip(get_card(made.folder), tmp_path / "theirs")
    again = convert(out / "open_clip_config.json", out / "open_clip_model.safetensors", tmp_path / "again")
    assert again.notes == ()
    assert (again.folder / "model.safetensors").read_bytes() == (made.folder / "model.safetensors").read_bytes()


def test_transformers_reads_what_is_exported_and_what_it_wrote_comes_back(source, tmp_path):
    transformers = pytest.importorskip("transformers")
    made = convert(*source[:2], tmp_path / "mine")
    out = export_transformers(get_card(made.folder), tmp_path / "theirs")
    theirs = transformers.CLIPModel.from_pretrained(out).eval()
    ours = fc.load(made.folder)
    x = torch.randn(2, 3, 28, 28)
    with torch.inference_mode():
        found = theirs.get_image_features(pixel_values=x)
        found = found if isinstance(found, torch.Tensor) else found.pooler_output
        torch.testing.assert_close(found, ours.encoder.model.visual(x), atol=1e-5, rtol=1e-4)
    again = convert(out / "config.json", out / "model.safetensors", tmp_path / "again")
    assert (again.folder / "model.safetensors").read_bytes() == (made.folder / "model.safetensors").read_bytes()


def changed(source, tmp_path, change) -> Path:
    state = torch.load(source[1], weights_only=True)["state_dict"]
    state = {name.removeprefix("module."): value for name, value in state.items()}
    change(state)
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("visual.proj"), r"1 missing \(visual.proj\)"),
        (lambda s: s.update(surplus=torch.ones(1)), r"1 unexpected \(surplus\)"),
        (lambda s: s.update({"ln_final.weight": torch.ones(5)}), "another shape"),
        (lambda s: s.update({"logit_bias": torch.ones(())}), "logit_bias"),
        (lambda s: s.update({"ln_final.weight": torch.ones(16, dtype=torch.int64)}), "floating"),
        (lambda s: s.update({"text.token_embedding.weight": s.pop("token_embedding.weight")}), "custom-text"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_nothing_is_written(source, tmp_path, change, said):
    weights = changed(source, tmp_path, change)
    with pytest.raises(BadCheckpoint, match=said):
        convert(source[0], weights, tmp_path / "out" / "mine")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("vocab_size", 400, "vocabulary"), ("width", 24, "shape"), ("layers", 3, "missing")],
)
def test_a_config_of_another_model_is_told(source, tmp_path, key, value, said):
    config = json.loads(source[0].read_text())
    config["text_cfg"][key] = value
    (tmp_path / "c.json").write_text(json.dumps(config))
    with pytest.raises(BadCheckpoint, match=said):
        convert(tmp_path / "c.json", source[1], tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "{}"])
def test_what_is_no_config_is_told(source, tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(BadCheckpoint):
        convert(tmp_path / "c.json", source[1], tmp_path / "mine")


def test_a_folder_with_something_in_it_is_left_alone(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        convert(*source[:2], tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_a_full_disk_is_told_before_anything_is_written(source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="more room"):
        convert(*source[:2], tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(source, tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fetalclip.models.convert.compute", fail)
    with pytest.raises(OutputError, match="No space left"):
        convert(*source[:2], tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_the_compact_model_has_no_such_form(tmp_path):
    for export in (export_openclip, export_transformers):
        with pytest.raises(UsageError, match="efficientnet-lite0"):
            export(get_card("fetalclip-open"), tmp_path / "out")
    with pytest.raises(UsageError, match="no folder"):
        export_openclip(get_card("fetalclip-tiny"), tmp_path / "out")
