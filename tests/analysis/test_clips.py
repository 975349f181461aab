"""A clip by the road of a still: its plane as a whole, its best frame measured, its heart judged."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from fetalclip import api
from fetalclip.analysis import analyst, seen
from fetalclip.cli import main
from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.errors import BadCheckpoint, NotAvailable, UnreadableInput, UsageError
from fetalclip.exam import gather
from fetalclip.frame import Cine, Frame, spread
from fetalclip.models.dense import DecoderConfig, MaskDecoder
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.models.heart_head import SIMULATED_WARNING, Gate, save_heart
from fetalclip.models.mask_head import save_head
from fetalclip.phantom.hearts import draw_heart
from fetalclip.report import Report
from fetalclip.result import PlaneScores

WIDE, HIGH, COUNT = 260, 200, 24  # pixels, pixels, frames
pytestmark = pytest.mark.filterwarnings("ignore:fetalclip-tiny HAS RANDOM WEIGHTS")


class Bright(MaskDecoder):
    """Draws what is brighter than the middle grey."""

    def forward(self, maps, images):
        grey = images.mean(dim=1, keepdim=True) * 0.502 + 0.498
        return 20 * (F.avg_pool2d(grey, 2) - 0.3)


def ellipse(index: int) -> np.ndarray:
    """A bright ellipse that grows by a pixel and a half a frame, in noise that never stands still."""
    y, x = np.mgrid[:HIGH, :WIDE]
    inside = ((x - 130) / (60 + 1.5 * index)) ** 2 + ((y - 100) / (50 + index)) ** 2 <= 1
    noise = np.random.default_rng(index).integers(-12, 12, inside.shape)
    return (np.where(inside, 180, 45) + noise).astype(np.uint8)


def write_clip(path: Path, pictures: list[np.ndarray]) -> Path:
    """Grey pictures as a clip without loss, 30 a second."""
    with av.open(str(path), "w", format="matroska") as target:
        stream = target.add_stream("ffv1", rate=30)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = "gray"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        target.mux(stream.encode())
    return path


def answer(scores, outlier):
    """Certain of a brain, a little more of some pictures than of others."""
    if set(scores) != {"brain", "femur"}:
        share = 0.6 + 0.3 * next(iter(scores.values()))
        scores = {"brain": share, "femur": 1 - share}
    return PlaneScores(scores, outlier=outlier)


@pytest.fixture(scope="module")
def mask_head(tmp_path_factory) -> Path:
    told = {
        "name": "bright",
        "license": "CC-BY-4.0",
        "structures": ["head"],
        "plane": "brain",
        "measures": ["HC"],
        "encoder": {"name": "fetalclip-tiny", "sha256": api.load("fetalclip-tiny").encoder.tower_sha256},
        "preprocess": {"image_size": 224, "overlay": "keep", "depths": [3, 5, 11, 15]},
    }
    decoder = MaskDecoder(DecoderConfig(1, (24, 40, 112, 192), widths=(8, 8, 8, 8, 8)))
    return save_head(decoder, told, tmp_path_factory.mktemp("heads") / "bright")


def write_heart(folder: Path, sha256: str, segment: bool = False, simulated: bool = True) -> Path:
    """An untrained heart head whose every finding is answered."""
    torch.manual_seed(0)
    told = {
        "name": folder.name,
        "license": "CC0-1.0",
        "simulated": simulated,
        "findings": ["hole", "fluid"],
        "encoder": {"name": "fetalclip-tiny", "sha256": sha256},
        "clips": {"overlay": "mask", "rate": 60.0, "stride": 8, "join": "mean", "segment": segment},
        "temperatures": {"hole": 1.0, "fluid": 1.0},
        "offsets": {"hole": -3.0, "fluid": 3.0},
        "bounds": {"hole": [0.5, 0.5], "fluid": [0.5, 0.5]},
        "level": 0.9,
        "gate": 1e6,
        "stranger": 1e6,
        "data": {},
        "training": {},
        "results": {},
    }
    dim = api.load("fetalclip-tiny").encoder.dim
    return save_heart(HeartNet(HeartShape("attention", dim, 2, 16, 16, 1, 2)), Gate(dim), told, folder)


@pytest.fixture(scope="module")
def sha256() -> str:
    return api.load("fetalclip-tiny").encoder.embedding_sha256


@pytest.fixture(scope="module")
def heart_head(sha256, tmp_path_factory) -> Path:
    return write_heart(tmp_path_factory.mktemp("hearts") / "mine", sha256)


@pytest.fixture
def model(mask_head, monkeypatch):
    """The tiny model calling every picture a brain; its head draws what is bright."""
    made = api.load("fetalclip-tiny")
    monkeypatch.setattr(made._planes, "_answer", answer)
    made.segmenter.task(mask_head).head.decoder.__class__ = Bright
    return made


@pytest.fixture
def hearts(monkeypatch):
    """The tiny model certain of nothing, so that no plane stands before the heart."""
    made = api.load("fetalclip-tiny")
    unsure = lambda scores, outlier: PlaneScores(scores, True, "unsure", outlier)  # noqa: E731
    monkeypatch.setattr(made._planes, "_answer", unsure)
    return made


@pytest.fixture(scope="module")
def growing(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "a.mkv", [ellipse(i) for i in range(COUNT)])


@pytest.fixture(scope="module")
def beating(tmp_path_factory) -> Path:
    pictures = list(draw_heart(3, "demo", frames=20).pictures())
    return write_clip(tmp_path_factory.mktemp("clips") / "b.mkv", pictures)


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("stills") / "c.png"
    Image.fromarray(ellipse(9)).save(path)
    return path


def test_the_best_frame_is_measured_and_named(model, growing, mask_head):
    asked = ("planes", "biometry")
    line = next(model.analyze([growing], asked, spacing=(0.5, 0.5), heads=mask_head, overlay="keep", quality=True))
    picked = spread(COUNT, 16)
    shares = [one["brain"] for one in model.planes([Frame(ellipse(i)) for i in picked], overlay="keep")]
    best = picked[int(np.argmax(shares))]
    assert line.input.best_frame.index == best
    assert line.to_dict()["input"]["best_frame"] == {"index": best, "seconds": pytest.approx(best / 30, abs=1e-3)}
    assert line.plane["brain"] == pytest.approx(np.mean(shares), abs=1e-5)
    true = ellipse_circumference(60 + 1.5 * best, 50 + best)  # semi-axes in pixels, diameters at half a mm each
    (taken,) = line.measured
    assert taken.mm == pytest.approx(true, rel=0.02)
    assert {check.name for check in line.quality} >= {"size", "edge", "gain low"}
    assert f"clip: sub-plane, age, measures, quality of its best frame only, {line.input.best_frame}" in line.warnings


def test_the_sub_plane_is_that_of_the_best_frame(model, growing):
    line = next(model.analyze([growing], ["planes"], overlay="keep"))
    alone = model.subplanes(Frame(ellipse(line.input.best_frame.index)), overlay="keep")
    assert dict(line.subplane.scores) == pytest.approx(dict(alone.scores), abs=1e-4)


def test_without_a_certain_plane_no_frame_is_best(hearts, growing, mask_head):
    line = next(hearts.analyze([growing], ("planes", "age", "biometry"), heads=mask_head, quality=True))
    assert line.input.best_frame is line.biometry is line.quality is line.subplane is None
    assert line.to_dict()["input"]["best_frame"] is None
    assert "no biometry: the plane is not certain" in line.warnings
    assert any(said.startswith("no age: ") for said in line.warnings)
    assert not any("best frame" in said for said in line.warnings)


def test_a_frame_that_alone_is_no_plane_is_not_best(model, growing, monkeypatch):
    shares = []

    def noting(scores, outlier):
        shares.append(answer(scores, outlier)["brain"])
        return answer(scores, outlier)

    monkeypatch.setattr(model._planes, "_answer", noting)
    best = next(model.analyze([growing], ["planes"])).input.best_frame.index
    alone = shares[:16]  # before their mean
    assert best == spread(COUNT, 16)[int(np.argmax(alone))]

    def strict(scores, outlier):
        found = answer(scores, outlier)
        return PlaneScores(found.scores, found["brain"] == max(alone), outlier=outlier)

    monkeypatch.setattr(model._planes, "_answer", strict)
    second = next(model.analyze([growing], ["planes"])).input.best_frame.index
    assert second == spread(COUNT, 16)[int(np.argsort(alone)[-2])]


def test_a_clip_takes_part_in_its_exam_by_its_best_frame(model, growing, mask_head):
    found = list(model.analyze([growing], ("planes", "biometry"), spacing=(0.5, 0.5), heads=mask_head, quality=True))
    exam = gather(found, "exam", "28w0d")
    assert exam["HC"].mm == pytest.approx(found[0].measured[0].mm)
    assert [one.path for one in exam.quality] == [str(growing)]
    (head,) = [view for view in exam.views if view.seen]
    assert head.name == found[0].subplane.label
    assert head.frame == found[0].input.best_frame
    told = exam.to_dict()["coverage"]["views"]
    assert [view["best"]["frame"] for view in told if view["seen"]] == [head.frame.to_dict()]
    page = Report(*found, exam).html()
    assert page.count(str(head.frame)) >= 2  # on the card and below the view


def test_the_frame_is_read_without_holding_the_clip(growing):
    decoded = []

    def pictures():
        for index in range(COUNT):
            decoded.append(index)
            yield ellipse(index)

    clip = Cine.of(pictures, 30)
    decoded.clear()
    shot = clip.at(5)
    assert (shot.index, decoded) == (5, list(range(6)))
    np.testing.assert_array_equal(shot.frame.gray, ellipse(5))
    with pytest.raises(UnreadableInput, match="no picture 99"):
        clip.at(99)


def test_a_clip_that_went_away_is_the_error_of_its_line(model, growing, still, monkeypatch):
    def gone(self, index):
        raise UnreadableInput("the clip is gone")

    monkeypatch.setattr(Cine, "at", gone)
    lines = list(model.analyze([growing, still], ("planes", "biometry")))
    assert [line.error for line in lines] == ["the clip is gone.", None]
    assert lines[0].provenance is not None


def test_a_heart_is_judged_with_its_warnings(hearts, beating, heart_head):
    line = next(hearts.analyze([beating], ["planes", "heart"], heads=[heart_head]))
    said = line.to_dict()["heart"]
    assert said["head"] == "mine"
    assert said["frames"] == 20
    assert said["findings"]["fluid"]["present"] is True
    assert said["findings"]["hole"]["present"] is False
    assert any(SIMULATED_WARNING in warning for warning in line.warnings)
    assert set(line.heart.warnings) <= set(line.warnings)
    alone = hearts.heart([shot.frame for shot in read_back(beating)], heart_head)
    assert line.heart["fluid"].probability == pytest.approx(alone["fluid"].probability, abs=0.01)
    page = Report(line).html()
    assert "Heart, by mine" in page
    assert SIMULATED_WARNING in page


def read_back(path: Path) -> Cine:
    from fetalclip.io import read_cine

    return read_cine(path)


def test_a_still_has_no_heart_to_judge(hearts, still, beating, heart_head):
    assert analyst.STILL in next(hearts.analyze([still], ["heart"], heads=heart_head)).warnings[-1]
    told = list(hearts.analyze([still, beating], heads=heart_head))  # asked by the head, not by the task
    assert [line.heart is None for line in told] == [True, False]
    assert not any("heart" in said for said in told[0].warnings)


def test_without_a_heart_head_it_is_said_only_where_it_is_asked(hearts, beating, still):
    assert "heart" not in hearts.tasks
    named = list(hearts.analyze([beating, still], ["heart"]))
    assert [line.error for line in named] == [None, None]
    assert "no heart: the model has no heart head; name one with --head" in named[0].warnings
    assert not any("heart" in said for said in next(hearts.analyze([beating])).warnings)


def test_a_models_only_heart_head_answers_by_itself(hearts, beating, sha256, tmp_path):
    hearts.hearts.folders = {"one": write_heart(tmp_path / "one", sha256, simulated=False)}
    assert "heart" in hearts.tasks
    assert next(hearts.analyze([beating])).heart.head == "one"
    assert next(hearts.analyze([beating], ["planes"])).heart is None
    hearts.hearts.folders["two"] = write_heart(tmp_path / "two", sha256)
    assert next(hearts.analyze([beating])).heart is None
    assert "several heart heads (one, two)" in next(hearts.analyze([beating], ["heart"])).warnings[-1]
    assert next(hearts.analyze([beating], ["heart"], heads="two")).heart.head == "two"


def test_an_only_head_of_simulated_clips_answers_where_it_is_asked_for(hearts, beating, sha256, tmp_path):
    hearts.hearts.folders = {"drawn": write_heart(tmp_path / "drawn", sha256)}
    assert next(hearts.analyze([beating])).heart is None
    assert next(hearts.analyze([beating], ["heart"])).heart.head == "drawn"


def test_another_plane_is_not_judged_unless_the_head_looks_for_its_part(
    hearts, beating, sha256, heart_head, tmp_path, monkeypatch
):
    brain = PlaneScores({"brain": 0.9, "thorax": 0.1}, outlier=0.0)
    monkeypatch.setattr(hearts._planes, "_answer", lambda scores, outlier: brain)
    line = next(hearts.analyze([beating], ["planes", "heart"], heads=heart_head))
    assert line.heart is None
    assert "no heart: not a four-chamber view (brain)" in line.warnings
    looking = write_heart(tmp_path / "looking", sha256, segment=True)
    assert next(hearts.analyze([beating], ["heart"], heads=looking)).heart.head == "looking"


def test_wrong_heart_heads_are_told_at_the_call(hearts, beating, heart_head, tmp_path):
    with pytest.raises(NotAvailable, match="no heart head 'nothing'"):
        hearts.analyze([beating], ["heart"], heads="nothing")
    with pytest.raises(NotAvailable, match="no head 'nothing'"):
        hearts.analyze([beating], heads="nothing")
    with pytest.raises(BadCheckpoint, match="trained on the encoder"):
        hearts.analyze([beating], ["planes"], heads=write_heart(tmp_path / "other", "ab" * 32))
    with pytest.raises(UsageError, match="2 heart heads"):
        hearts.analyze([beating], heads=[heart_head, heart_head])
    broken = tmp_path / "broken"
    broken.mkdir()
    with pytest.raises(BadCheckpoint, match=r"config\.json"):
        hearts.analyze([beating], ["heart"], heads=broken)


def test_both_kinds_of_heads_are_named_by_one_option(model, growing, mask_head, heart_head, monkeypatch):
    thorax = PlaneScores({"thorax": 1.0}, outlier=0.0)
    monkeypatch.setattr(model._planes, "_answer", lambda scores, outlier: thorax)
    line = next(model.analyze([growing], ("planes", "biometry", "heart"), heads=[mask_head, heart_head]))
    assert line.heart.head == "mine"
    assert "no biometry of thorax: there are heads for brain" in line.warnings


def test_marks_are_looked_for_once(model, growing, still, mask_head, monkeypatch):
    calls = []
    real = seen.find_overlay

    def counted(gray):
        calls.append(gray.shape)
        return real(gray)

    for where in ("analysis.seen", "preprocess.pipeline", "tasks.segment", "quality.scene", "overlay.motion"):
        monkeypatch.setattr(f"fetalclip.{where}.find_overlay", counted)
    line = next(model.analyze([still], ("planes", "biometry"), heads=mask_head, quality=True))
    assert line.measured
    assert line.quality
    assert len(calls) == 1
    next(model.analyze([growing], ("planes", "biometry"), heads=mask_head, quality=True))
    assert len(calls) == 2  # of the clip once too: what moves is held against its first picture's sector


def test_the_command_line_says_it_all(hearts, beating, heart_head, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(api, "load", lambda *given, **options: hearts)
    page, drawings = tmp_path / "page.html", tmp_path / "drawings"
    more = ["--model", "fetalclip-tiny", "--tasks", "planes,heart", "--head", str(heart_head)]
    assert main(["analyze", str(beating), *more, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["heart"]["findings"]["fluid"]["present"] is True
    assert line["plane"]["abstained"] is True
    thorax = PlaneScores({"thorax": 1.0}, outlier=0.0)
    monkeypatch.setattr(hearts._planes, "_answer", lambda scores, outlier: thorax)
    assert main(["analyze", str(beating), *more, "--report", str(page), "--drawings", str(drawings)]) == 0
    out = capsys.readouterr().out
    assert "heart by mine, present: fluid" in out
    assert "absent: hole" in out
    assert "    best frame 0 at 0.00 s" in out
    assert f"warning: heart: {SIMULATED_WARNING}" in out
    assert "shown: best frame 0 at 0.00 s" in page.read_text()
    assert len(list(drawings.iterdir())) == 1
    assert main(["analyze", str(beating), *more[:-1], str(tmp_path / "gone")]) == 3
