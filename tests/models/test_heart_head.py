"""A heart head as a folder: what is written comes back, another encoder's and damaged ones are refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from fetalclip.errors import BadCheckpoint
from fetalclip.models.fingerprint import embedding_sha256, tower_sha256
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.models.heart_head import SIMULATED_WARNING, Gate, load_heart, read_heart_config, save_heart

HASH = "ab" * 32


def told(**more):
    return {
        "name": "heart",
        "title": "Findings",
        "summary": "For a test.",
        "license": "CC-BY-4.0",
        "simulated": True,
        "findings": ["septal defect", "effusion"],
        "encoder": {"name": "fetalclip-tiny", "sha256": HASH},
        "clips": {"overlay": "mask", "rate": 60.0, "stride": 8, "join": "mean", "segment": False},
        "temperatures": {"septal defect": 1.5, "effusion": 2},
        "offsets": {"septal defect": 0.0, "effusion": -1.0},
        "bounds": {"septal defect": [0.3, 0.4], "effusion": [1.0, 1.0]},
        "level": 0.9,
        "gate": 1.7,
        "stranger": 1e6,
        "data": {"simulated hearts": {"clips": 10, "patients": 10}},
        "results": {"auroc": 0.5},
        **more,
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.manual_seed(0)
    net, gate = HeartNet(HeartShape("attention", 12, 2, 16, 16, 1, 2)), Gate(12)
    frames = torch.randn(200, 12)
    net.fit_to(list(frames.split(20)))
    gate.fit_to(frames)
    return net, gate, save_heart(net, gate, told(), tmp_path_factory.mktemp("hearts") / "heart")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made[2], tmp_path / "heart")


def test_what_is_written_comes_back(made):
    net, gate, folder = made
    head = load_heart(folder, HASH)
    for before, after in ((net, head.net), (gate, head.gate)):
        for name, value in before.state_dict().items():
            assert torch.equal(after.state_dict()[name], value)
    config = head.config
    assert config.bounds["septal defect"] == (0.3, 0.4)
    assert config.offsets["effusion"] == -1.0
    assert SIMULATED_WARNING in config.warnings[0]
    card = (folder / "README.md").read_text()
    for part in (SIMULATED_WARNING, HASH, "CC-BY-4.0", "| septal defect | 1.500 | 0.000 | 0.300 | 0.600 |"):
        assert part in card


def test_a_head_of_another_encoder_is_refused(made):
    with pytest.raises(BadCheckpoint, match=r"trained on the encoder abab.*this model's is cdcd"):
        load_heart(made[2], "cd" * 32)


def test_an_embedding_hangs_on_the_projection_and_on_what_is_shown():
    state = {"blocks.0.weight": torch.ones(2, 2), "proj.weight": torch.ones(2)}
    other = {**state, "proj.weight": torch.zeros(2)}
    assert tower_sha256(state) == tower_sha256(other)
    assert embedding_sha256(state, "64 px") != embedding_sha256(other, "64 px")
    assert embedding_sha256(state, "64 px") != embedding_sha256(state, "32 px")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "fetalclip.head/1"),
        ("name", "../heart"),
        ("findings", []),
        ("findings", ["a", "a"]),
        ("findings", ["septal defect", 3]),
        ("findings", ["septal defect"]),
        ("simulated", 1),
        ("clips", {"overlay": "mask", "rate": 60.0, "stride": 17, "join": "mean", "segment": False}),
        ("clips", {"overlay": "mask", "rate": 60.0, "stride": 8, "join": "max", "segment": False}),
        ("temperatures", {"septal defect": 1.5}),
        ("temperatures", {"septal defect": 1.5, "effusion": 0}),
        ("bounds", {"septal defect": [0.3, 0.4], "effusion": [1.0, 1.5]}),
        ("bounds", {"septal defect": [0.3, 0.4], "effusion": 1}),
        ("offsets", []),
        ("level", 1.0),
        ("gate", -1),
        ("stranger", "never"),
        ("shape", {"kind": "attention", "dim": 10**9, "findings": 2}),
        ("shape", {"kind": "attention", "dim": 12, "findings": 2, "width": 32}),
        ("weights", {"file": "../model.safetensors", "sha256": HASH}),
    ],
)
def test_a_wrong_config_is_refused(folder, key, value):
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**data, key: value}))
    with pytest.raises(BadCheckpoint):
        load_heart(folder, HASH)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_damaged_weights_are_refused(folder, damage):
    file = folder / "model.safetensors"
    file.unlink() if damage == "gone" else file.write_bytes(file.read_bytes()[:1000])
    assert read_heart_config(folder).findings
    with pytest.raises(BadCheckpoint):
        load_heart(folder, HASH)


def test_the_gate_knows_the_frames_it_has_seen():
    torch.manual_seed(3)
    seen = torch.randn(4000, 12) * torch.linspace(0.2, 2, 12) + 3
    gate = Gate(12)
    gate.fit_to(seen[:2000])
    near, far = gate(seen[2000:]), gate(torch.randn(100, 12) * 2 - 3)
    assert near.square().mean().item() == pytest.approx(1, abs=0.1)
    assert far.min() > near.max()


LOOKS = {"locator": "four-chamber", "margin": 1.5, "grids": {"11": 1, "5": 2}, "embedding": 12}


@pytest.fixture(scope="module")
def looking(tmp_path_factory):
    """A head that looks about the heart: 12 numbers of an embedding, 6 of maps, 5 of the clip as a whole."""
    torch.manual_seed(0)
    net, gate = HeartNet(HeartShape("convolution", 23, 2, 16, 16, 1, 2, whole=5)), Gate(12)
    net.fit_to(list(torch.randn(60, 23).split(20)))
    torch.nn.init.normal_(net.energy.weight)
    torch.nn.init.normal_(net.clip.weight)
    net.mix.copy_(torch.tensor([[1.0, 0.0], [0.5, 2.0], [0.0, 3.0]]))
    made = told(clips={**told()["clips"], **LOOKS})
    return net, save_heart(net, gate, made, tmp_path_factory.mktemp("looking") / "heart")


@torch.no_grad()
def test_a_head_that_looks_about_the_heart_comes_back(looking):
    net, folder = looking
    head = load_heart(folder, HASH)
    config = head.config
    assert (config.locator, config.margin, config.embedding) == ("four-chamber", 1.5, 12)
    assert list(config.grids.items()) == [(5, 2), (11, 1)]
    assert config.shape.whole == 5
    assert torch.equal(head.net.mix, net.mix)
    frames, seconds = torch.randn(2, 16, 23), torch.arange(16).repeat(2, 1) / 30
    padded = torch.zeros(2, 16, dtype=torch.bool)
    torch.testing.assert_close(head.net(frames, seconds, padded), net.eval()(frames, seconds, padded))
    assert "the head four-chamber draws" in (folder / "README.md").read_text()


def test_a_head_of_before_looks_at_whole_frames(made):
    config = read_heart_config(made[2])
    assert (config.locator, dict(config.grids), config.embedding) == ("", {}, 12)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grids", [5]),
        ("grids", {"a": 2}),
        ("grids", {"²": 2}),
        ("grids", {"9" * 5000: 2}),
        ("grids", {"0": 2}),
        ("grids", {"5": 0}),
        ("grids", {"5": 33}),
        ("grids", {"5": 2.5}),
        ("grids", {"5": True}),
        ("grids", {str(block): 1 for block in range(1, 18)}),
        ("embedding", 0),
        ("embedding", 19),  # of 23 numbers 5 are of the clip as a whole
        ("embedding", 12.0),
        ("embedding", None),
        ("margin", 0.1),
        ("margin", "1.5"),
        ("margin", float("nan")),
        ("locator", ["four-chamber"]),
        ("locator", "../four-chamber"),
        ("locator", "/four-chamber"),
        ("locator", "a" * 101),
    ],
)
def test_a_wrong_way_of_looking_is_refused_by_its_key(looking, tmp_path, key, value):
    folder = shutil.copytree(looking[1], tmp_path / "heart")
    data = json.loads((folder / "config.json").read_text())
    data["clips"][key] = value
    (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint, match=rf"clips\.{key}|grid|not JSON|NaN"):
        load_heart(folder, HASH)


def test_a_segment_about_the_heart_is_refused(looking, tmp_path):
    folder = shutil.copytree(looking[1], tmp_path / "heart")
    data = json.loads((folder / "config.json").read_text())
    data["clips"]["segment"] = True
    (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint, match=r"clips\.segment"):
        load_heart(folder, HASH)


@pytest.mark.parametrize("whole", [-1, 12, 1.5, True, "3"])
def test_a_clips_own_numbers_are_fewer_than_a_frames(whole):
    with pytest.raises(BadCheckpoint):
        HeartShape("attention", 12, 2, whole=whole)
