"""Cards: what a model is, as data, from folders nobody vouches for."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fetalclip import cards
from fetalclip.config import check_config
from fetalclip.errors import BadCheckpoint, ModelNotFound, NotAvailable

GOOD: dict[str, Any] = {
    "schema": "fetalclip.model/1",
    "name": "mine",
    "summary": "A model of mine.",
    "license": "CC-BY-4.0",
    "architecture": {
        "embed_dim": 256,
        "image": {"kind": "efficientnet-lite0"},
        "text": {"context_length": 117, "vocab_size": 2048},
    },
    "preprocess": {
        "image_size": 192,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "overlay": "mask",
    },
    "planes": {
        "prompts": "planes-9",
        "temperature": 1.5,
        "outlier_threshold": 0.6,
        "min_probability": 0.3,
    },
    "weights": {"file": "model.safetensors", "sha256": "a" * 64},
    "training": {},
    "results": {},
}


def folder_with(tmp_path: Path, config: object, whole: bool = True) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    (folder / "config.json").write_bytes(raw)
    if whole:
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "tokenizer.json").write_text("{}")
        (folder / "README.md").write_text("# Mine\n")
    return folder


def changed(key: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(GOOD)
    inner: Any = config
    *parents, last = key.split(".")
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return config


def test_a_whole_folder_is_a_card(tmp_path):
    card = cards.get_card(str(folder_with(tmp_path, GOOD)))
    assert (card.name, card.license, card.available, card.note) == ("mine", "CC-BY-4.0", True, "")
    assert card.sha256 == "a" * 64
    assert card.readme == "# Mine\n"
    assert card.require() is card
    assert card.config["preprocess"]["image_size"] == 192


def test_a_folder_without_weights_is_not_available(tmp_path):
    card = cards.get_card(folder_with(tmp_path, GOOD, whole=False))
    assert not card.available
    with pytest.raises(NotAvailable, match=r"model\.safetensors and tokenizer\.json"):
        card.require()
    assert card.readme == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"a": NaN}',
        b"1" * 5000,
        b" " * 1_000_001,
        b"{}",
    ],
    ids=lambda raw: f"{raw[:12]!r}-{len(raw)}",
)
def test_a_hostile_config_is_one_error(tmp_path, raw):
    with pytest.raises(BadCheckpoint) as caught:
        cards.get_card(folder_with(tmp_path, raw))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "fetalclip.model/2"),
        ("schema", 1),
        ("name", "../../etc"),
        ("name", ""),
        ("name", "--model"),
        ("name", "x" * 101),
        ("summary", None),
        ("license", []),
        ("architecture", []),
        ("architecture.embed_dim", 0),
        ("architecture.embed_dim", 256.0),
        ("architecture.embed_dim", True),
        ("architecture.embed_dim", "256"),
        ("architecture.embed_dim", 10**400),
        ("architecture.image", "efficientnet"),
        ("architecture.image.kind", 3),
        ("architecture.text.vocab_size", -1),
        ("preprocess.image_size", 1_000_000),
        ("preprocess.mean", [0.5, 0.5]),
        ("preprocess.mean", [0.5, 0.5, "0.5"]),
        ("preprocess.mean", 0.5),
        ("preprocess.std", [0.0, 0.5, 0.5]),
        ("preprocess.overlay", "only"),
        ("planes.prompts", "../secret"),
        ("planes.temperature", 0),
        ("planes.min_probability", 1.1),
        ("planes.outlier_threshold", None),
        ("weights.file", "../../other.safetensors"),
        ("weights.file", "/etc/passwd"),
        ("weights.file", ".."),
        ("weights.sha256", "a" * 63),
        ("weights.sha256", "g" * 64),
        ("training", 3),
        ("results", []),
    ],
)
def test_a_wrong_value_is_named(tmp_path, key, value):
    with pytest.raises(BadCheckpoint) as caught:
        cards.get_card(folder_with(tmp_path, changed(key, value)))
    assert key.split(".")[0] in str(caught.value)
    assert len(str(caught.value)) < 500


def test_subplanes_may_be_there_and_are_checked(tmp_path):
    good = {"prompts": "brain-3", "temperature": 1.2, "min_probability": 0.4}
    check_config({**GOOD, "subplanes": good})
    wrong = [{**good, "prompts": "../x"}, {**good, "temperature": 0}, {**good, "min_probability": 2}, {}, [], None, 3]
    for value in wrong:
        with pytest.raises(BadCheckpoint, match="subplanes"):
            check_config({**GOOD, "subplanes": value})


def test_an_age_rule_may_be_there_and_is_checked():
    numbers = {"temperature": 0.4, "quantile": 2.0, "level": 0.9, "max_sd": 30, "max_edge": 0.8}
    good = {"templates": "age-5", "spread": [1, 0.5, 0.0], "knots": [[100, 101], [140.5, 139], [250, 250]], **numbers}
    check_config({**GOOD, "age": good})
    knots = [[[100, 101]], [[100, 101], [100, 102]], [[1, 2, 3]] * 2, [[100, 101], [120, "x"]], [[1, 2], [3, 401]], 3]
    wrong = [{**good, "knots": value} for value in knots] + [{**good, name: -1} for name in numbers]
    wrong += [{**good, "templates": "../x"}, {**good, "spread": [1, 2]}, {**good, "level": 1.5}, {}, [], None]
    for value in wrong:
        with pytest.raises(BadCheckpoint, match=r"age\."):
            check_config({**GOOD, "age": value})


@pytest.mark.parametrize("key", [key for key in GOOD if key not in ("training", "results")])
def test_a_missing_key_is_named(tmp_path, key):
    config = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(BadCheckpoint, match=key):
        cards.get_card(folder_with(tmp_path, config))


def test_the_known_names():
    found = {card.name: card for card in cards.list_cards()}
    assert next(iter(found)) == cards.DEFAULT_MODEL
    assert found["fetalclip-tiny"].available
    assert "mean nothing" in found["fetalclip-tiny"].summary
    for name, hub in (
        ("fetalclip-vit-l-14", "numansaeed/fetalclip-model"),
        ("mobile-fetalclip", "numansaeed/MobileFetalCLIP"),
    ):
        assert (found[name].available, found[name].license, found[name].hub) == (False, "CC-BY-NC-4.0", hub)
        with pytest.raises(NotAvailable, match=re.escape(found[name].note)):
            found[name].require()
    assert "fetalclip models pull fetalclip-vit-l-14" in found["fetalclip-vit-l-14"].note
    assert "FastViT" in found["mobile-fetalclip"].note


@pytest.mark.parametrize("name", ["fetalclip-opn", "", "no/such/folder", "a\0b", "x" * 10_000])
def test_an_unknown_name_lists_the_known_ones(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "":
        with pytest.raises((ModelNotFound, BadCheckpoint)):
            cards.get_card(name)
        return
    with pytest.raises(ModelNotFound, match="fetalclip-tiny") as caught:
        cards.get_card(name)
    assert len(str(caught.value)) < 600


def test_a_file_is_not_a_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelNotFound, match="is a file"):
        cards.get_card(str(tmp_path / "model.safetensors"))


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"no config\.json"):
        cards.get_card(tmp_path)


def test_a_damaged_bundled_folder_hides_no_other(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    folder_with(tmp_path / "models", b"{")
    monkeypatch.setattr(cards, "_assets", lambda: tmp_path)
    (card,) = cards.list_cards()
    assert (card.name, card.available) == ("mine", False)
    assert "not JSON" in card.note


def in_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **changes: object) -> Path:
    """A model folder in the cache folder, under a name."""
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir(exist_ok=True)
    folder = folder_with(tmp_path / "models", {**GOOD, "name": name, **changes})
    return folder.rename(folder.with_name(name))


def test_a_folder_in_the_cache_is_known_by_name(tmp_path, monkeypatch):
    folder = in_cache(tmp_path, monkeypatch, "from-a-colleague")
    (tmp_path / "models" / ".unfinished.part").mkdir()
    (tmp_path / "models" / "a-file.json").write_text("{")
    assert cards.get_card("from-a-colleague").folder == folder
    known = {card.name for card in cards.list_cards()}
    assert known - set(cards.described_cards()) == {"from-a-colleague"}


def test_a_pulled_folder_stands_for_its_description(tmp_path, monkeypatch):
    folder = in_cache(tmp_path, monkeypatch, "fetalclip-vit-l-14", license="CC-BY-NC-4.0")
    card = cards.get_card("fetalclip-vit-l-14")
    assert (card.folder, card.available, card.note) == (folder, True, "")
    assert card.hub == "numansaeed/fetalclip-model"
    (folder / "tokenizer.json").unlink()
    with pytest.raises(NotAvailable, match=r"tokenizer\.json missing.*fetalclip models pull fetalclip-vit-l-14"):
        cards.get_card("fetalclip-vit-l-14").require()


@pytest.mark.parametrize("name", ["fetalclip-open", "fetalclip-tiny"])
def test_the_cache_replaces_nothing_of_ours(tmp_path, monkeypatch, name):
    before = cards.get_card(name)
    in_cache(tmp_path, monkeypatch, name, summary="an impostor")
    assert cards.get_card(name) == before


def test_a_damaged_folder_in_the_cache_hides_no_other(tmp_path, monkeypatch):
    folder = in_cache(tmp_path, monkeypatch, "mine-1").rename(tmp_path / "models" / "mine-2")
    card = cards.get_card("mine-2")
    assert (card.available, card.folder) == (False, folder)
    assert "named 'mine-1'" in card.note
    (folder / "config.json").write_bytes(b"\xff")
    assert "not JSON" in cards.get_card("mine-2").note
    assert cards.get_card("fetalclip-tiny").available


def test_cards_need_no_torch():
    code = "import sys; from fetalclip import cards; cards.list_cards(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
