"""The data card counts the frozen split, tells the known limits, and claims nothing that is not recorded."""

from __future__ import annotations

import csv
from importlib.resources import files

from fetalclip.bench.datacard import NO_LIMITS, render_data, split_lines
from fetalclip.bench.told import training_data
from fetalclip.cards import get_card
from fetalclip.data import DATASETS


def test_the_bundled_model_tells_data_split_and_limits(make) -> None:
    config = make().config
    text = render_data(config)
    table = (files("fetalclip") / "assets" / "splits" / "split-v1.csv").read_text("utf-8").splitlines()
    rows = [row for row in csv.DictReader(table) if row["dataset"] == "hc18" and row["split"] == "test"]
    groups = len({row["group"] for row in rows})
    assert f"| hc18 | test | {len(rows)} | {groups} |" in text
    facts = config["training"]["data"]["fetal-planes-db"]
    assert f"| {facts['pictures']} | {facts['groups']} |" in text
    trained, hc18 = (config["training"]["recipe"]["data"][name] for name in ("train_folds", "hc18_folds"))
    for said in (
        "https://doi.org/10.5281/zenodo.3904280",
        f"Trained on folds: {', '.join(map(str, trained))}; of HC18: {', '.join(map(str, hc18))}.",
        "WHO 2017 median",
        "examination",
        "near copy between training and validation",
        "not openly licensed",
        "| planes | split-v1 test | 376 |",
    ):
        assert said in text
    assert render_data(config) == text


def test_every_public_data_set_has_a_text(make) -> None:
    facts = {"license": "CC-BY-4.0", "citation": "", "url": "", "pictures": 1, "groups": 1}
    card = make(lambda config: config["training"].update(data=dict.fromkeys(DATASETS, facts)))
    assert "No text on this data set" not in render_data(card.config)


def test_other_data_and_another_name(make) -> None:
    def change(config: dict) -> None:
        config["name"] = "theirs"
        config["training"]["data"] = {"../README": {"license": "x | y", "citation": "a\nb"}, "odd": None}

    text = render_data(make(change).config)
    assert "None of these data sets is in the frozen split file" in text
    assert "No text on this data set has been written." in text
    assert "| ../README | x \\| y |  |  |  |" in text
    assert NO_LIMITS in text
    assert "odd" not in text


def test_nothing_recorded_is_said(make) -> None:
    card = make(lambda config: config.update(training={}, results={}))
    text = render_data(card.config)
    assert "what these weights were trained on is not known" in text
    assert "## Split" not in text
    assert "## Measured on" not in text


def test_odd_values_break_nothing(make) -> None:
    def change(config: dict) -> None:
        config["training"].update(start=3, shares=[], recipe={"data": {"train_folds": "all"}, "captions": 1})
        config["results"] = {"bench_planes": 3}

    text = render_data(make(change).config)
    assert "## Before this training" not in text
    assert "Trained on folds" not in text


def test_the_split_is_of_the_trained_sets_only() -> None:
    sets = [data for data in training_data(get_card("fetalclip-open").config) if data.name == "head-structures"]
    assert {line[0] for line in split_lines(sets)} == {"head-structures"}
    assert split_lines([]) == []
