"""A head as a folder: what is written comes back, another encoder's head and damaged files are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

from fetalclip.errors import BadCheckpoint
from fetalclip.models.dense import MaskDecoder, decoder_config, default_depths
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.mask_head import change_head, load_head, read_head_config, save_head

HASH = "ab" * 32


def told(**more):
    return {
        "name": "head",
        "title": "Fetal head",
        "summary": "For a test.",
        "license": "CC-BY-4.0",
        "structures": ["head"],
        "plane": "brain",
        "measures": ["HC"],
        "outset": {"head": {"pixels": 1.4, "side": 800}},
        "encoder": {"name": "fetalclip-tiny", "sha256": HASH},
        "preprocess": {"image_size": 64, "overlay": "mask", "depths": [3, 5, 11, 15]},
        "thresholds": {"head": 0.45},
        "widen": {"HC": 1.5},
        "data": {"hc18": {"pictures": 3, "license": "CC-BY-4.0"}},
        "results": {"epoch": 1},
        **more,
    }


@pytest.fixture(scope="module")
def tower():
    torch.manual_seed(0)
    return EfficientNetLite(LiteConfig(), 8).eval()


@pytest.fixture(scope="module")
def made(tower, tmp_path_factory):
    torch.manual_seed(1)
    decoder = MaskDecoder(replace(decoder_config(tower, default_depths(tower), 1), widths=(8, 8, 8, 8, 8)))
    folder = save_head(decoder, told(), tmp_path_factory.mktemp("heads") / "head")
    return decoder, folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "head")


def test_what_is_written_comes_back(made):
    decoder, folder = made
    head = load_head(folder, HASH)
    for name, value in head.decoder.state_dict().items():
        torch.testing.assert_close(value, decoder.state_dict()[name], rtol=1e-3, atol=1e-3)  # half precision
    config = head.config
    assert (config.structures, config.thresholds, config.widen) == (("head",), {"head": 0.45}, {"HC": 1.5})
    assert config.outset_of(400, 300) == {"head": pytest.approx(0.7)}  # half the picture, half the pixels
    assert head.tower is None
    card = (folder / "README.md").read_text()
    assert "CC-BY-4.0" in card
    assert HASH in card


def test_the_habit_is_added_to_the_convention(folder):
    structure = read_head_config(folder).structures[0]
    told = {"outset": {structure: {"pixels": 1.4, "side": 800}}, "habit": {structure: {"pixels": 0.2, "side": 400}}}
    found = change_head(folder, **told)
    assert found.outset_of(1600, 900)[structure] == pytest.approx(2.8 + 0.8)
    assert found.convention_of(1600, 900)[structure] == pytest.approx(2.8)
    with pytest.raises(BadCheckpoint, match="habit"):
        change_head(folder, habit={"nothing": {"pixels": 1, "side": 800}})


@pytest.mark.parametrize(("sources", "only"), [(["phantom"], True), (["phantom", "hc18"], False), ([], False)])
def test_a_head_of_simulated_pictures_knows_it(folder, sources, only):
    found = change_head(folder, data={name: {"pictures": 3, "license": "CC-BY-4.0"} for name in sources})
    assert found.simulated is only


def test_a_head_of_another_encoder_is_refused(made):
    with pytest.raises(BadCheckpoint, match=r"trained on the encoder abab.*this model's is cdcd"):
        load_head(made[1], "cd" * 32)


def test_a_head_that_carries_its_encoder_asks_for_no_other(made, tower, tmp_path):
    own = told(
        encoder={"name": "x", "sha256": HASH, "architecture": {"embed_dim": 8, "image": {"kind": "efficientnet-lite0"}}}
    )
    folder = save_head(made[0], own, tmp_path / "own", tower)
    head = load_head(folder, "cd" * 32)
    assert head.tower is not None
    torch.testing.assert_close(head.tower.state_dict()["stem.weight"], tower.stem.weight, rtol=1e-3, atol=1e-3)


def test_what_is_found_later_is_put_in(folder):
    before = (folder / "model.safetensors").read_bytes()
    assert change_head(folder, widen={"HC": 2.5}).widen == {"HC": 2.5}
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(BadCheckpoint, match="widen"):
        change_head(folder, widen={"HC": "wide"})
    assert read_head_config(folder).widen == {"HC": 2.5}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "fetalclip.model/1"),
        ("name", "../head"),
        ("structures", ["head", "head"]),
        ("structures", []),
        ("structures", ["head", "brain"]),
        ("thresholds", {"head": 1.5}),
        ("thresholds", {"head": "0.5"}),
        ("outset", {"neck": {"pixels": 1, "side": 800}}),
        ("outset", {"head": {"pixels": 1, "side": 0}}),
        ("widen", {"HC": -1}),
        ("measures", "HC"),
        ("guides", {"spine": 1}),
        ("guides", ["spine"]),
        ("encoder", {"name": "x", "sha256": "short"}),
        ("preprocess", {"image_size": 64, "overlay": "mask", "depths": [3, 5]}),
        ("preprocess", {"image_size": 10**9, "overlay": "mask", "depths": [3, 5, 11, 15]}),
        ("decoder", {"structures": 1, "channels": [10**9, 1, 1, 1]}),
        ("decoder", []),
        ("weights", {"file": "../model.safetensors", "sha256": HASH}),
    ],
)
def test_a_wrong_config_is_told_by_its_key(folder, key, value):
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**data, key: value}))
    with pytest.raises(BadCheckpoint):
        load_head(folder, HASH)


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_damaged_weights_are_refused(folder, damage):
    file = folder / "model.safetensors"
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        data = json.loads((folder / "config.json").read_text())
        data["decoder"]["widths"] = [8, 8, 8, 16, 8]
        (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint):
        load_head(folder, HASH)
