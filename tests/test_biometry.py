"""The main job measures: a bright ellipse through files, planes, a head, the calipers and back as JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch.nn.functional as F
from PIL import Image

from fetalclip import api
from fetalclip.clinical.age import IndependentAge
from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.errors import BadCheckpoint, CircularAge, NotAvailable
from fetalclip.models.dense import DecoderConfig, MaskDecoder
from fetalclip.models.mask_head import save_head
from fetalclip.report import text
from fetalclip.result import AgeEstimate, PlaneScores

WIDE, HIGH = 260, 200  # pixels
A, B = 90.0, 70.0  # semi-axes, pixels


class Bright(MaskDecoder):
    """Draws what is brighter than the middle grey."""

    def forward(self, maps, images):
        grey = images.mean(dim=1, keepdim=True) * 0.502 + 0.498
        return 20 * (F.avg_pool2d(grey, 2) - 0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    model = api.load("fetalclip-tiny")
    told = {
        "name": "bright",
        "license": "CC-BY-4.0",
        "structures": ["head"],
        "plane": "brain",
        "measures": ["HC", "BPD", "OFD"],
        "encoder": {"name": "fetalclip-tiny", "sha256": model.encoder.tower_sha256},
        "preprocess": {"image_size": 224, "overlay": "keep", "depths": [3, 5, 11, 15]},
        "widen": {"HC": 2.0},
    }
    decoder = MaskDecoder(DecoderConfig(1, (24, 40, 112, 192), widths=(8, 8, 8, 8, 8)))
    return save_head(decoder, told, tmp_path_factory.mktemp("heads") / "bright")


@pytest.fixture
def model(folder, monkeypatch):
    """The tiny model calling every picture a brain; its head draws what is bright."""
    made = api.load("fetalclip-tiny")
    monkeypatch.setattr(made._planes, "_answer", lambda scores, outlier: PlaneScores({"brain": 1.0}))
    made.segmenter.task(folder).head.decoder.__class__ = Bright
    return made


@pytest.fixture
def picture(tmp_path) -> Path:
    y, x = np.mgrid[:HIGH, :WIDE]
    inside = ((x - 130) / A) ** 2 + ((y - 100) / B) ** 2 <= 1
    Image.fromarray(np.where(inside, 180, 45).astype(np.uint8)).save(tmp_path / "head.png")
    return tmp_path / "head.png"


def analyze(model, picture, folder, spacing=(0.5, 0.5), **options):
    tasks = options.pop("tasks", ("planes", "biometry"))
    return next(model.analyze([picture], tasks, spacing=spacing, heads=folder, **options))


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.4, 0.6)])
def test_a_file_is_measured_in_millimetres(model, picture, folder, spacing):
    line = analyze(model, picture, folder, spacing)
    true = {"HC": ellipse_circumference(2 * A * spacing[0], 2 * B * spacing[1])}
    long, short = sorted((2 * A * spacing[0], 2 * B * spacing[1]), reverse=True)
    true |= {"OFD": long, "BPD": short}
    found = {one["name"]: one for one in line.to_dict()["biometry"]}
    assert set(found) == {"HC", "BPD", "OFD"}
    for name, one in found.items():
        assert one["mm"] == pytest.approx(true[name], rel=0.015)
        assert (one["unit"], one["centile"]) == ("mm", None)
    assert found["HC"]["low"] < found["HC"]["mm"] < found["HC"]["high"]
    assert found["BPD"]["low"] is None  # its interval was not calibrated
    assert found["HC"]["definition"] == "outer"


def test_the_age_of_the_measured_head_stands_beside_the_prompted_one(model, picture, folder):
    said = analyze(model, picture, folder).to_dict()
    assert said["gestational_age"] is None  # not asked for, and this model has no age rule
    aged = said["gestational_age_biometry"]
    assert aged["method"] == "biometry"
    assert aged["low"] <= aged["model_low"] <= aged["days"] <= aged["model_high"] <= aged["high"]
    assert set(aged) == set(AgeEstimate(1, 1, 1, "", "").to_dict())


def test_a_known_age_brings_centiles_and_an_estimated_one_is_refused(model, picture, folder):
    found = {one["name"]: one for one in analyze(model, picture, folder, ga="28w0d").to_dict()["biometry"]}
    assert found["HC"]["reference"] == "WHO 2017 V3"
    assert found["HC"]["centile"] is not None or "no centile" in found["HC"]["note"]
    with pytest.raises(CircularAge):
        analyze(model, picture, folder, ga=AgeEstimate(196, 190, 200, "prompted", "WHO"))


def test_without_a_spacing_it_is_measured_in_pixels_and_said_so(model, picture, folder):
    line = analyze(model, picture, folder, None)
    found = {one["name"]: one for one in line.to_dict()["biometry"]}
    assert (found["HC"]["unit"], found["HC"]["mm"]) == ("px", None)
    assert found["HC"]["value"] == pytest.approx(ellipse_circumference(2 * A, 2 * B), rel=0.015)
    assert any("no millimetres per pixel" in warning for warning in line.warnings)
    assert line.to_dict()["gestational_age_biometry"] is None


def test_other_planes_are_not_measured(model, picture, folder, monkeypatch):
    for answer in (PlaneScores({"femur": 1.0}), PlaneScores({"brain": 1.0}, abstained=True, reason="no")):
        monkeypatch.setattr(model._planes, "_answer", lambda scores, outlier, answer=answer: answer)
        line = analyze(model, picture, folder)
        assert line.to_dict()["biometry"] is None
        assert line.error is None
        assert any(warning.startswith("no biometry") for warning in line.warnings)


def test_biometry_alone_looks_at_the_plane_and_does_not_tell_it(model, picture, folder):
    line = analyze(model, picture, folder, tasks=("biometry",))
    assert line.plane is None
    assert line.measured


def test_what_was_not_asked_for_is_null(model, picture, folder):
    assert analyze(model, picture, folder, tasks=("planes",)).to_dict()["biometry"] is None


def test_a_refused_measure_is_no_number_and_a_warning(model, folder, tmp_path):
    Image.fromarray(np.full((HIGH, WIDE), 20, np.uint8)).save(tmp_path / "dark.png")
    line = analyze(model, tmp_path / "dark.png", folder)
    assert line.to_dict()["biometry"] == []
    assert any(warning.startswith("no HC, BPD, OFD: ") for warning in line.warnings)


def test_wrong_heads_are_told_at_the_call(model, picture, folder, tmp_path):
    with pytest.raises(NotAvailable, match="no head"):
        model.analyze([picture], heads="nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadCheckpoint):
        model.analyze([picture], heads=tmp_path / "empty")


def test_a_model_without_heads_has_no_biometry(model, picture):
    assert "biometry" not in model.tasks
    line = next(model.analyze([picture], ("biometry",)))
    assert line.to_dict()["biometry"] is None
    assert line.warnings[-1].startswith("no biometry")


def test_the_age_of_a_header_brings_centiles_and_is_named(model, folder, picture, tmp_path, dicoms):
    dicom = tmp_path / "head"
    dated = {"AcquisitionDate": "20240520", "LastMenstrualDate": "20231106"}  # 28w0d
    dicom.write_bytes(dicoms.build(np.asarray(Image.open(picture)), regions=[], **dated))
    line = analyze(model, dicom, folder)
    assert line.input.age == IndependentAge(196, "DICOM LMP")
    assert line.to_dict()["input"]["age"] == {"days": 196, "source": "DICOM LMP"}
    hc = next(one for one in line.measured if one.name == "HC")
    plain = next(one for one in analyze(model, picture, folder, ga="28w0d").measured if one.name == "HC")
    assert hc.age == line.input.age
    assert hc.to_dict()["age"] == {"days": 196, "source": "DICOM LMP"}
    assert hc.centile_value == pytest.approx(plain.centile_value, abs=0.5)
    assert "28w0d, DICOM LMP" in text.centile(hc)
    given = analyze(model, dicom, folder, ga="26w0d")
    assert {one.age for one in given.measured} == {IndependentAge(182, "given")}
    assert "the age that was given and that of the header (DICOM LMP) lie 14 days apart" in given.warnings
    near = analyze(model, dicom, folder, ga="27w1d")
    assert not any("apart" in warning for warning in near.warnings)
    dicom.write_bytes(dicoms.build(np.asarray(Image.open(picture)), regions=[], AcquisitionDate="20240520"))
    assert all(one.age is None and one.centile_value is None for one in analyze(model, dicom, folder).measured)
