"""A probe's folder: what is written is what answers, and what is damaged is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fetalclip.errors import BadCheckpoint, BadValue
from fetalclip.models.probe_head import load_probe, read_probe_config, save_probe

SHA = "a" * 64


def config(**changes: Any) -> dict[str, Any]:
    told = {"name": "lie", "license": "CC-BY-4.0", "question": "classes", "classes": ["a", "b", "c"]}
    told |= {"preprocess": {"overlay": "mask"}, "encoder": {"name": "tiny", "sha256": SHA}}
    return {**told, **changes}


def arrays(d: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"weight": rng.normal(size=(3, d)), "bias": rng.normal(size=3)}


def test_round_trip(tmp_path: Path) -> None:
    made = arrays()
    folder = save_probe(made, config(temperature=2.0, data={"table": {"pictures": 9}}), tmp_path / "h")
    head = load_probe(folder, SHA)
    x = np.random.default_rng(1).normal(size=(4, 5))
    assert np.allclose(head.logits(x), x @ made["weight"].T + made["bias"], atol=1e-5)
    assert (head.config.temperature, head.config.classes, head.dim) == (2.0, ("a", "b", "c"), 5)
    card = (folder / "README.md").read_text()
    assert "Answers: a, b, c" in card
    assert "pictures 9" in card
    assert "Not a medical device" in card


def test_unit_length_and_cache(tmp_path: Path) -> None:
    keys = np.eye(5)[:2]
    values = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    told = config(unit_length=True, cache={"weight": 3.0, "sharpness": 2.0})
    head = load_probe(save_probe({**arrays(), "keys": keys, "values": values}, told, tmp_path / "h"), SHA)
    x = np.array([[2.0, 0, 0, 0, 0]])
    without = x / 2 @ head.weight.T + head.bias
    expected = without + 3 * np.exp(-2 * (1 - np.array([[1.0, 0.0]]))) @ values
    assert np.allclose(head.logits(x), expected, atol=1e-5)


def test_a_number_told_the_spacing(tmp_path: Path) -> None:
    told = config(question="number", classes=[], unit="days", inputs=["spacing"], width=7.5)
    head = load_probe(save_probe({"weight": np.ones((1, 6)), "bias": [100.0]}, told, tmp_path / "h"), SHA)
    assert head.dim == 5
    assert head.logits(np.ones((1, 5)), [[2.0]]).tolist() == [[107.0]]


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    folder = save_probe(arrays(), config(), tmp_path / "h")
    with pytest.raises(BadCheckpoint, match=r"learned from the encoder aaaaaaaaaaaa… .tiny., this model's is bbbbbbbb"):
        load_probe(folder, "b" * 64)
    assert load_probe(folder, "").dim == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "essay"},
        {"classes": []},
        {"classes": ["a", "a", "b"]},
        {"question": "number"},
        {"inputs": ["spacing"]},
        {"temperature": 0},
        {"min_probability": 2},
        {"unit_length": "yes"},
        {"cache": 3},
        {"cache": {"weight": -1, "sharpness": 1}},
        {"preprocess": {"overlay": "blur"}},
        {"encoder": {"name": "tiny", "sha256": "abc"}},
        {"unit": 3},
    ],
)
def test_configs_that_cannot_be_meant_are_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        save_probe(arrays(), config(**changes), tmp_path / "h")
    assert not (tmp_path / "h").exists()


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="bias is not finite"):
        save_probe({**arrays(), "bias": [np.nan, 0, 0]}, config(), tmp_path / "h")
    assert not (tmp_path / "h").exists()


def test_damage(tmp_path: Path) -> None:
    folder = save_probe(arrays(), config(), tmp_path / "h")
    weights, told = folder / "model.safetensors", json.loads((folder / "config.json").read_text())
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-3])
    with pytest.raises(BadCheckpoint):
        load_probe(folder, SHA)
    weights.write_bytes(whole)
    (folder / "config.json").write_text(json.dumps({**told, "classes": ["a", "b"]}))
    with pytest.raises(BadCheckpoint, match=r"weight \(2, d\)"):
        load_probe(folder, SHA)
    weights.unlink()
    with pytest.raises(BadCheckpoint, match="no file"):
        load_probe(folder, SHA)
    (folder / "config.json").write_text("{")
    with pytest.raises(BadCheckpoint, match="not JSON"):
        read_probe_config(folder)


@pytest.mark.parametrize("x", [np.ones((2, 4)), np.ones(5), np.full((1, 5), np.nan)])
def test_embeddings_that_do_not_fit(tmp_path: Path, x: np.ndarray) -> None:
    head = load_probe(save_probe(arrays(), config(), tmp_path / "h"), SHA)
    with pytest.raises(BadValue):
        head.logits(x)
