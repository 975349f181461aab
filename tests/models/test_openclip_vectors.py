"""Both towers against OpenCLIP itself: embeddings it made of seeded weights, pictures and texts (see ``fixtures``)."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from fetalclip.models.openclip import from_openclip_config, rename, unname
from fetalclip.models.pair import DualEncoder
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.weights import load_strictly

FOLDER = Path(__file__).parent / "fixtures"
TOLD = json.loads((FOLDER / "openclip_vectors.json").read_text("utf-8"))
END_ID = 49407


def seeded() -> ModuleType:
    """The script that made the fixtures: it knows the weights."""
    spec = importlib.util.spec_from_file_location("make_openclip", FOLDER / "make_openclip.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = seeded()


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "openclip_vectors.npz") as file:
        return dict(file)


@pytest.fixture(scope="module", params=list(TOLD["models"]))
def pair(request) -> tuple[str, DualEncoder]:
    told = TOLD["models"][request.param]
    model = DualEncoder(from_openclip_config(told["config"]))
    state = {n: torch.from_numpy(np.asarray(MADE.parameter(n, tuple(s)))) for n, s in told["shapes"].items()}
    load_strictly(model, rename(state), request.param)
    return request.param, model.eval()


def tokens_of(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are cut
        return Tokenizer.clip(TOLD["models"][name]["config"]["text_cfg"]["context_length"])(TOLD["texts"])


def test_the_fixture_is_of_this_script():
    assert [told["config"] for told in TOLD["models"].values()] == list(MADE.CONFIGS.values())
    assert TOLD["texts"] == MADE.TEXTS
    assert TOLD["made_with"]["open_clip_torch"] == "3.3.0"


def test_names_and_shapes_are_openclips(pair):
    name, model = pair
    ours = {key: list(value.shape) for key, value in unname(model.state_dict()).items()}
    assert ours == TOLD["models"][name]["shapes"]


def test_ids_are_openclips(pair, vectors):
    name, _ = pair
    theirs = torch.from_numpy(vectors[f"{name}_tokens"].astype(np.int64))  # padded with 0
    ids, end = tokens_of(name)
    assert torch.equal(end, theirs.argmax(1))
    for row, known in zip(ids, theirs, strict=True):
        size = int(known.count_nonzero())
        assert torch.equal(row[:size], known[:size])
        assert row[size:].eq(END_ID).all()


@pytest.mark.parametrize("kind", ["unit", "raw"])
@torch.inference_mode()
def test_pictures_embed_as_by_openclip(pair, vectors, kind):
    name, model = pair
    pictures = torch.from_numpy(MADE.pictures(TOLD["models"][name]["config"]["vision_cfg"]["image_size"]))
    found = model.encode_image(pictures, normalize=kind == "unit")
    assert np.abs(found.numpy() - vectors[f"{name}_image_{kind}"]).max() <= 1e-4


@pytest.mark.parametrize("kind", ["unit", "raw"])
@torch.inference_mode()
def test_texts_embed_as_by_openclip(pair, vectors, kind):
    name, model = pair
    found = model.encode_text(*tokens_of(name), normalize=kind == "unit")
    assert np.abs(found.numpy() - vectors[f"{name}_text_{kind}"]).max() <= 1e-5


@torch.inference_mode()
def test_one_text_trimmed_embeds_as_padded_by_openclip(pair, vectors):
    name, model = pair
    tokenizer = Tokenizer.clip(TOLD["models"][name]["config"]["text_cfg"]["context_length"])
    for i in (0, 1, 7, 13):
        ids, end = tokenizer([TOLD["texts"][i]])
        assert ids.shape[1] < 40
        assert np.abs(model.encode_text(ids, end).numpy() - vectors[f"{name}_text_unit"][i]).max() <= 1e-5


def test_the_scale_is_read(pair, vectors):
    name, model = pair
    assert float(model.logit_scale.detach()) == pytest.approx(float(vectors[f"{name}_scale"]), abs=1e-7)


def test_the_vectors_tell_inputs_apart(vectors):
    """A tower that ignored its input would not pass: no two pictures and few texts are alike."""
    for name in TOLD["models"]:
        pictures, texts = vectors[f"{name}_image_unit"], vectors[f"{name}_text_unit"]
        assert (pictures @ pictures.T - np.eye(len(pictures))).max() < 0.95
        assert len(np.unique(texts.round(4), axis=0)) >= len(texts) - 3  # the same where cut, or ended early
