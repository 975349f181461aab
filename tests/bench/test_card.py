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
        "protocol": "planes",
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
    assert "| planes: macro F1 | 3 | 2 patients | 0.625 | 0.500 to 0.750 | at least 0.98 | no |" in text
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


def test_each_protocol_has_its_own_part_and_leaves_the_other_alone(card: Card) -> None:
    planes = card.config["results"]["bench_planes"]
    sub = {**result_of(card), "protocol": "subplanes", "notes": []}
    path = write_card(card, sub, "fetalclip bench subplanes --root DIR")
    again = read_folder(path.parent)
    assert again.config["results"]["bench_planes"] == planes
    assert again.config["results"]["bench_subplanes"]["n"] == 3
    text = path.read_text("utf-8")
    assert text == render(again.config)
    before, after = text.split("### Sub-planes of the brain")
    assert "fetalclip bench planes" in before
    assert "fetalclip bench subplanes --root DIR" in after
    assert "at least 0.98 | no |" in after
    assert after.index("0.625") < after.index("## Limits")

    # Measured again: replaced, not added; planes measured after it keep it.
    write_card(again, {**sub, "n": 4}, "again")
    write_card(read_folder(path.parent), result_of(card), "fetalclip bench planes --root DIR")
    last = read_folder(path.parent)
    assert last.config["results"]["bench_subplanes"]["n"] == 4
    assert path.read_text("utf-8").count("### Sub-planes of the brain") == 1


def test_ages_have_their_goals_in_words_and_leave_their_curves_out(card: Card) -> None:
    base = result_of(card)
    like = base["metrics"]["macro_f1"]  # type: ignore[index]
    ages = {
        "bias": {**like, "title": "bias, days", "target": 1.5, "direction": "at most", "absolute": True},
        "interval_coverage": {**like, "target": 0.87, "direction": "between", "target_high": 0.93},
    }
    result = {**base, "protocol": "ga", "metrics": ages, "differences": {"estimate": [1.0]}, "risk_coverage": [1]}
    path = write_card(card, result, "fetalclip bench ga --root DIR")
    text = path.read_text("utf-8")
    assert "### Gestational age" in text
    assert "within ±1.5 | no |" in text
    assert "between 0.87 and 0.93 | no |" in text
    kept = read_folder(path.parent).config["results"]["bench_ga"]
    assert not {"differences", "risk_coverage"} & set(kept)


def test_subplanes_alone_make_a_card_too(card: Card) -> None:
    fresh = replace(card, config={**card.config, "results": {}})
    text = write_card(fresh, {**result_of(card), "protocol": "subplanes"}, "x").read_text("utf-8")
    assert "### Sub-planes of the brain" in text
    assert "Measured by `x`" in text


def test_cross_fitted_subplanes_are_told_where_they_were_fitted(card: Card) -> None:
    rule = {"prompts": "brain-3", "temperature": 1.5, "min_probability": 0.375}
    scores = {"macro_f1": 0.8125, "ece": 0.0625, "ece_corrected": 0.03125, "brier": 0.3, "n": 300}
    results = {**card.config["results"], "cross_fit_subplanes": scores}
    text = render({**card.config, "subplanes": rule, "results": results})
    told = ("(n = 300): macro F1 0.812", "error 0.062 (0.031 bias-corrected)", "temperature 1.50", "probability 0.38")
    assert [words for words in told if words not in text] == []
    without = {name: value for name, value in card.config["results"].items() if name != "cross_fit_subplanes"}
    assert "held-out brains" not in render({**card.config, "results": without})
