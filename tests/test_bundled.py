"""The bundled model: what it weighs, what its card says, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fetalclip as fc
from fetalclip.bench.card import render
from fetalclip.bench.planes import Options, run
from fetalclip.cards import get_card
from fetalclip.io import read
from fetalclip.phantom import PLANES, draw
from fetalclip.phantom.distractors import far

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def model() -> fc.FetalCLIP:
    return fc.load("fetalclip-open", device="cpu")


def test_weights_are_small_and_open() -> None:
    card = get_card("fetalclip-open")
    assert card.available
    assert card.license == "CC-BY-4.0"
    assert card.folder is not None
    assert (card.folder / "model.safetensors").stat().st_size <= 25e6


def test_card_is_written_from_the_measured_numbers() -> None:
    card = get_card("fetalclip-open")
    result = card.config["results"]["bench_planes"]
    assert result["provenance"]["model_sha256"] == card.sha256
    assert card.readme == render(card.config)
    assert result["n"] > 300
    assert not result["provenance"]["limit"]


def test_card_tells_the_simulated_share() -> None:
    assert get_card("fetalclip-open").config["training"]["shares"]["simulated"] <= 0.10


def test_names_unseen_simulated_planes(model: fc.FetalCLIP) -> None:
    cases = [(plane, seed) for seed in range(900, 905) for plane in PLANES]
    found = model.planes([draw(plane, seed, profile="test").frame for plane, seed in cases])
    right = sum(scores.label == plane for scores, (plane, _) in zip(found, cases, strict=True))
    assert right >= 0.8 * len(cases)


@pytest.mark.parametrize("kind", ["photograph", "text", "noise", "gradient", "blank"])
def test_refuses_what_is_not_ultrasound(model: fc.FetalCLIP, kind: str) -> None:
    found = model.planes([far(kind, seed, "test") for seed in range(8)])
    assert sum(scores.abstained for scores in found) >= 7
    assert all(scores.reason for scores in found if scores.abstained)


def test_answers_do_not_depend_on_company(model: fc.FetalCLIP) -> None:
    frames = [draw(plane, 7, profile="test").frame for plane in PLANES]
    together = model.planes(frames)
    for frame, scores in zip(frames, together, strict=True):
        alone = model.planes(frame)
        assert alone.label == scores.label
        assert alone.probability == pytest.approx(scores.probability, abs=1e-4)


def test_own_prompts_are_candidates(model: fc.FetalCLIP, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"heart": ["the fetal heart"], "leg": ["the femur of the fetus"]}))
    scores = model.planes(draw("femur", 3, profile="test").frame, prompts=file)
    assert set(scores.scores) == {"thorax", "leg"}
    assert scores.label == "leg"


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "fetal_planes_db").is_dir(), reason="no real data at ../shared/data")
def test_real_test_patients_are_named(model: fc.FetalCLIP) -> None:
    result = run(model, DATA, Options(limit=60, distractors=0, show_progress=False))
    assert result["macro_f1"].found.value >= 0.93  # 60 pictures: the full number stands in the card
    assert result["macro_f1_only"].found.value <= 0.35


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "hc18").is_dir(), reason="no real data at ../shared/data")
def test_annotation_masks_are_not_planes(model: fc.FetalCLIP) -> None:
    masks = sorted((DATA / "hc18" / "training_set").glob("*_Annotation.png"))[:20]
    found = model.planes([read(path) for path in masks])
    assert sum(scores.abstained for scores in found) >= 10
