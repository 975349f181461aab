"""The card holds what was measured, of the weights that were measured."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fetalclip.bench.card import render, write_card
from fetalclip.cards import Card, get_card, read_folder
from fetalclip.errors import UsageError


@pytest.fixture
def card(tmp_path: Path) -> Card:
    source = get_card("fetalclip-open").folder
    assert source is not None
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "README.md"):
        shutil.copy(source / name, folder / name)
    (folder / "model.safetensors").write_bytes(b"not read here")
    return read_folder(folder)


def result_of(card: Card) -> dict[str, object]:
    return {
        "n": 3,
        "metrics": {
            "macro_f1": {
                "section": "planes",
                "title": "macro F1",
                "value": 0.625,
                "low": 0.5,
                "high": 0.75,
                "n": 3,
                "groups": 2,
                "group_unit": "patients",
                "target": 0.98,
                "direction": "at least",
                "met": False,
            }
        },
        "null": {"constant answer": {"macro_f1": 0.125}},
        "notes": ["Only three pictures."],
        "provenance": {"model_sha256": card.sha256},
    }


def test_numbers_reach_config_and_text(card: Card) -> None:
    path = write_card(card, result_of(card), "fetalclip bench planes --root DIR --n 3")
    text = path.read_text("utf-8")
    assert "| planes: macro F1 | 3 | 2 patients | 0.625 | 0.500 to 0.750 |  | at least 0.98 | no |" in text
    assert "fetalclip bench planes --root DIR --n 3" in text
    assert "Only three pictures." in text
    again = read_folder(path.parent)
    assert again.config["results"]["bench_planes"]["n"] == 3
    assert render(again.config) == text


def test_results_of_other_weights_are_refused(card: Card) -> None:
    before = (card.folder / "config.json").read_bytes() if card.folder else b""
    with pytest.raises(UsageError, match="other weights"):
        write_card(card, {**result_of(card), "provenance": {"model_sha256": "0" * 64}}, "x")
    assert card.folder is not None
    assert (card.folder / "config.json").read_bytes() == before


def test_a_card_without_folder_is_refused(card: Card) -> None:
    with pytest.raises(UsageError, match="no folder"):
        write_card(replace(card, folder=None), result_of(card), "x")


def test_another_model_has_no_limits_written_for_it(card: Card) -> None:
    write_card(card, result_of(card), "x")
    config = json.loads((card.folder / "config.json").read_text("utf-8")) if card.folder else {}
    assert "None written yet" in render({**config, "name": "somebody-elses"})
    assert "distractors" in render(config)
