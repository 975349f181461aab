"""A probe's answers, and how a call finds the probes it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip import api
from fetalclip.errors import BadCheckpoint, NotAvailable
from fetalclip.models.probe_head import load_probe, save_probe
from fetalclip.phantom import draw
from fetalclip.tasks.probe import Probes, ProbeTask


@pytest.fixture(scope="module")
def model() -> api.FetalCLIP:
    return api.load("fetalclip-tiny")


def written(model: api.FetalCLIP, folder: Path, **changes: object) -> Path:
    d = model.encoder.dim
    weight = np.zeros((2, d))
    weight[0, 0], weight[1, 0] = 1.0, -1.0
    told = {"name": "side", "license": "CC0-1.0", "question": "classes", "classes": ["left", "right"]}
    told |= {"preprocess": {"overlay": "mask"}}
    told |= {"encoder": {"name": "fetalclip-tiny", "sha256": model.encoder.embedding_sha256}}
    arrays = {"weight": weight, "bias": np.zeros(2)}
    if changes.get("question") == "number":
        columns = d + len(changes.get("inputs", ()))  # type: ignore[arg-type]
        arrays = {"weight": np.eye(1, columns), "bias": np.array([100.0])}
        arrays["weight"][0, -1] = 10.0
        told["classes"] = []
    return save_probe(arrays, {**told, **changes}, folder)


def test_classes_get_calibrated_probabilities(model: api.FetalCLIP, tmp_path: Path) -> None:
    task = ProbeTask(load_probe(written(model, tmp_path / "h", temperature=2.0), ""))
    x = np.zeros((2, model.encoder.dim), np.float32)
    x[:, 0] = 2.0, -0.1
    sure, unsure = task(x)
    assert (sure.label, unsure.label) == ("left", "right")
    assert sure.scores["left"] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert sum(unsure.scores.values()) == pytest.approx(1)


def test_an_unlikely_answer_is_an_abstention(model: api.FetalCLIP, tmp_path: Path) -> None:
    task = ProbeTask(load_probe(written(model, tmp_path / "h", min_probability=0.9), ""))
    (found,) = task(np.zeros((1, model.encoder.dim), np.float32))
    assert found.abstained
    assert "0.50 under 0.90" in found.reason
    assert found.to_dict()["scores"] == {"left": 0.5, "right": 0.5}


def test_a_number_has_its_interval_and_needs_its_spacing(model: api.FetalCLIP, tmp_path: Path) -> None:
    folder = written(model, tmp_path / "h", question="number", unit="days", inputs=["spacing"], width=5.0)
    task = ProbeTask(load_probe(folder, ""))
    known, unknown = task(np.zeros((2, model.encoder.dim), np.float32), [float(np.e), None])
    assert (known.value, known.low, known.high, known.unit) == (110.0, 105.0, 115.0, "days")
    assert unknown.abstained
    assert unknown.value is None
    assert "--pixel-spacing" in unknown.reason


def test_analyze_answers_with_the_probes_it_is_given(model: api.FetalCLIP, tmp_path: Path) -> None:
    folder = written(model, tmp_path / "side")
    picture = tmp_path / "scan.png"
    Image.fromarray(draw("brain", 3).frame.gray).save(picture)
    (found,) = model.analyze([picture], heads=folder)
    assert found.probes is not None
    assert found.probes[0].head == "side"
    assert found.to_dict()["probes"][0]["label"] in ("left", "right")
    assert found.plane is not None
    (kept,) = model.analyze([picture], heads=folder, overlay="keep", tasks=["probes"])
    assert any("learned with burned-in text mask, not keep" in warning for warning in kept.warnings)
    assert kept.plane is None
    (bare,) = model.analyze([picture], tasks=["probes"])
    assert bare.probes is None
    assert any("no probes: the model has none" in warning for warning in bare.warnings)


def test_probes_of_a_model_folder_are_found_by_name(model: api.FetalCLIP, tmp_path: Path) -> None:
    written(model, tmp_path / "probes" / "side")
    probes = Probes(model.encoder, tmp_path)
    assert list(probes.folders) == ["side"]
    assert probes.task("side") is probes.task("side")
    assert probes.config("side").classes == ("left", "right")
    with pytest.raises(NotAvailable, match="no probe 'front'"):
        probes.task("front")


def test_another_encoders_probe_is_refused_before_the_first_picture(model: api.FetalCLIP, tmp_path: Path) -> None:
    folder = written(model, tmp_path / "h", encoder={"name": "other", "sha256": "c" * 64})
    with pytest.raises(BadCheckpoint, match="learned from the encoder"):
        model.analyze(["scan.png"], heads=folder)


def test_a_model_asks_a_probe_of_frames(model: api.FetalCLIP, tmp_path: Path) -> None:
    folder, frame = written(model, tmp_path / "side"), draw("brain", 3).frame
    alone, both = model.probe(frame, folder), model.probe([frame, frame], folder)
    for one in both:  # a batch of two rounds otherwise than one of one
        assert one.scores == pytest.approx(alone.scores, abs=1e-5)
    raw = model.encode_image([frame], normalize=False, overlay="mask")
    assert ProbeTask(load_probe(folder, ""))(raw)[0].scores == pytest.approx(alone.scores, abs=1e-5)


def test_a_picture_unlike_all_it_learned_from_is_an_abstention(model: api.FetalCLIP, tmp_path: Path) -> None:
    d = model.encoder.dim
    arrays = {"weight": np.eye(2, d), "bias": np.zeros(2), "means": np.eye(2, d)}
    told = {"name": "side", "license": "CC0-1.0", "question": "classes", "classes": ["left", "right"]}
    told |= {"preprocess": {"overlay": "mask"}, "encoder": {"name": "", "sha256": "a" * 64}, "least_likeness": 0.6}
    task = ProbeTask(load_probe(save_probe(arrays, told, tmp_path / "h"), ""))
    near, far = np.zeros((2, d), np.float32)
    near[0], far[0], far[5] = 2.0, 0.1, 3.0
    like, unlike = task(np.stack([near, far]))
    assert not like.abstained
    assert unlike.abstained
    assert "unlike the pictures it learned from: cosine 0.03 under 0.60" in unlike.reason
    assert unlike.label == "left"
