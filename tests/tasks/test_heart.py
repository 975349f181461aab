"""Clips to heart scores: answered, abstained, told; on a tiny model and heads made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip import api
from fetalclip.errors import BadCheckpoint, NotAvailable, UnreadableInput
from fetalclip.frame import Frame, Shot
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.models.heart_head import Gate, HeartConfig, HeartHead
from fetalclip.overlay import Overlay
from fetalclip.result import PlaneScores
from fetalclip.tasks.heart import Hearts, HeartTask, answers, clip_logits, still
from fetalclip.tasks.sight import Sight
from fetalclip.tasks.track import Eye, Track, shots_of

CONFIG = HeartConfig(
    name="test",
    title="",
    license="CC0-1.0",
    findings=("hole", "fluid"),
    shape=HeartShape("attention", 16, 2, 16, 16, 1, 2),
    stride=8,
    join="mean",
    segment=False,
    overlay="keep",
    rate=60.0,
    locator="",
    margin=1.35,
    grids={},
    embedding=16,
    temperatures={"hole": 1.0, "fluid": 2.0},
    offsets={"hole": 0.0, "fluid": 1.0},
    bounds={"hole": (0.3, 0.3), "fluid": (0.8, 0.8)},
    level=0.9,
    gate=1e6,
    stranger=1e6,
    simulated=True,
    encoder_name="tiny",
    encoder_sha256="",
    told={},
)


@pytest.fixture(scope="module")
def model():
    with pytest.warns(UserWarning, match="RANDOM"):
        return api.load("fetalclip-tiny")


def head(**change) -> HeartHead:
    torch.manual_seed(0)
    config = replace(CONFIG, **change)
    net, gate = HeartNet(config.shape), Gate(16)
    return HeartHead(config, net.eval(), gate.eval())


def track(count: int = 37, seed: int = 0) -> Track:
    rng = np.random.default_rng(seed)
    return Track(rng.normal(size=(count, 16)).astype(np.float32), np.arange(count) / 30, np.arange(count) + 5)


def pictures(count: int) -> list[Frame]:
    rng = np.random.default_rng(2)
    return [Frame(rng.integers(0, 255, (40, 50)).astype(np.uint8)) for _ in range(count)]


def test_an_answer_by_hand():
    logit = math.log(0.8 / 0.2)
    found = answers(CONFIG, np.array([logit, 2 * logit - 2.0]))
    assert found["hole"].probability == pytest.approx(0.8)
    assert found["hole"].present is True  # 1 - 0.8 is believed, 0.8 for "absent" is not
    assert found["fluid"].probability == pytest.approx(0.8)
    assert found["fluid"].reason == "both answers can be"
    middle = answers(CONFIG, np.array([0.0, 0.0]))
    assert middle["hole"].reason == "neither answer fits"
    assert middle["hole"].present is None


def test_frames_become_a_track(model):
    frames = pictures(40)
    shots = [Shot(i, i / 120, frame) for i, frame in enumerate(frames)]
    found = Eye(model.encoder, Sight("keep"))(shots)
    assert found.index.tolist() == list(range(0, 40, 2))  # every other one of 120 per second
    alone = model.encode_image([frames[4]], normalize=False, overlay="keep")
    np.testing.assert_allclose(found.embeddings[2], alone[0], atol=1e-4)
    untimed = Eye(model.encoder)(shots_of(frames[:5]))
    assert not untimed.timed
    np.testing.assert_allclose(untimed.seconds, np.arange(5) / 30)
    backwards = Eye(model.encoder)([Shot(i, t, frames[i]) for i, t in enumerate((0, 0.1, 0.05, 0.2))])
    assert backwards.index.tolist() == [0, 1, 3]
    with pytest.raises(UnreadableInput):
        Eye(model.encoder)([])


def test_a_score_tells_where_it_looked(model):
    score = HeartTask(model.encoder, head()).score(track())
    assert (score.segment, len(score.frames)) == ((5, 41), 37)
    assert "trained on simulated clips, not for real patients" in score.warnings[0]
    for finding in score.findings.values():
        assert sum(finding.attention) == pytest.approx(1)
        assert len(finding.attention) == 37
    times = [frame.index for frame in score.key_frames]
    assert times == sorted(times)
    assert len(times) == 3
    assert min(np.diff(times)) >= 4
    top = max(score.key_frames, key=lambda frame: frame.weight)
    name = score.top(1)[0][0]
    assert top.finding == name
    assert top.weight == pytest.approx(max(score[name].attention))


def test_the_baseline_has_no_attention(model):
    score = HeartTask(model.encoder, head(shape=HeartShape("concat", 16, 2, 16))).score(track())
    assert score["hole"].attention == ()
    assert score.key_frames == ()


def test_what_looks_strange_is_not_answered(model):
    made = head(gate=1.0)
    seen = track(400, 3).embeddings + 3
    made.gate.fit_to(torch.from_numpy(seen))
    task = HeartTask(model.encoder, replace_gate(made, 1.3))
    other = track(30, 4)
    assert not task.score(Track(other.embeddings + 3, other.seconds, other.index)).abstained
    score = task.score(Track(other.embeddings - 3, other.seconds, other.index))
    assert score.abstained
    assert score.outlier > 1
    assert all(finding.present is None for finding in score.findings.values())
    assert any("does not look like" in word for word in score.warnings)


def replace_gate(made: HeartHead, cut: float) -> HeartHead:
    return HeartHead(replace(made.config, gate=cut), made.net, made.gate)


def test_a_single_picture_is_not_answered(model):
    score = HeartTask(model.encoder, head())(shots_of(pictures(1)))
    assert score.abstained
    assert "fewer than 8 frames" in score.reason
    assert any("30 frames per second" in word for word in score.warnings)


def test_the_best_segment_is_judged(model):
    def planes(images):
        return [PlaneScores({"thorax": p, "brain": 1 - p}) for p in ([0.1] * 20 + [0.9] * 30 + [0.1] * 10)]

    task = HeartTask(model.encoder, head(), planes)
    whole, part = task.score(track(60)), task.score(track(60), segment=True)
    assert (whole.segment, part.segment) == ((5, 64), (25, 54))
    alone = task.score(track(60).part(20, 50))
    assert part["hole"].probability == pytest.approx(alone["hole"].probability)
    task.planes = lambda images: [PlaneScores({"thorax": 0.1, "brain": 0.9})] * 60
    none = task.score(track(60), segment=True)
    assert none.segment == (5, 64)
    assert any("no frame looks like" in word for word in none.warnings)
    with pytest.raises(NotAvailable):
        HeartTask(model.encoder, head()).score(track(60), segment=True)


def test_windows_weigh_as_they_are_joined():
    made = head()
    flat, soft = clip_logits(made, track()), clip_logits(head(join="log-mean-exp"), track())
    assert (soft[0] >= flat[0]).all()  # a soft maximum is never below the mean
    np.testing.assert_allclose(soft[1].sum(axis=1), 1)


def test_a_clip_of_one_picture_repeated_is_not_answered(model):
    task = HeartTask(model.encoder, head())
    assert not task.score(track(16)).abstained
    score = task.score(still(track(16), 16))
    assert score.abstained
    assert score.reason == "nothing moves in the clip"


def test_a_still_is_its_middle_frame():
    one = still(track(9), 16)
    assert len(one) == 16
    np.testing.assert_array_equal(one.embeddings, np.repeat(track(9).embeddings[4:5], 16, axis=0))


def test_heads_that_are_not_there_are_told(model, tmp_path):
    hearts = Hearts(model.encoder, tmp_path, None, model.segmenter)
    with pytest.raises(NotAvailable, match="no heart head named"):
        hearts.task()
    with pytest.raises(NotAvailable, match="train heart"):
        hearts.task("gone")
    with pytest.raises(BadCheckpoint, match="width 12"):
        HeartTask(model.encoder, head(shape=HeartShape("concat", 12, 2), embedding=12))


def test_marks_that_are_known_are_hidden_in_every_frame(model):
    frames = pictures(10)
    hidden = np.zeros((40, 50), bool)
    hidden[:, :25] = True
    found = Eye(model.encoder)(shots_of(frames), Overlay(hidden, ~hidden))
    blank = [frame.with_pixels(np.where(hidden, np.uint8(0), frame.pixels)) for frame in frames]
    wanted = Eye(model.encoder, Sight("keep"))(shots_of(blank))
    np.testing.assert_allclose(found.embeddings, wanted.embeddings, atol=1e-4)
