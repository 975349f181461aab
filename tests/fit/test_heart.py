"""Training heart heads: a planted motion is learned, one frame does not show it, the folder that comes out answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip import api
from fetalclip.bench import heart_saved
from fetalclip.errors import BadRecipe, OutputError
from fetalclip.fit import heart
from fetalclip.fit.clips import Clip, Clips
from fetalclip.fit.heart import plain_config, train_heart
from fetalclip.fit.heart_gate import fitted_gate
from fetalclip.fit.heart_loop import HeartTraining
from fetalclip.fit.heart_loss import class_weights, finding_loss
from fetalclip.fit.heart_recipe import HeartData, HeartModel, HeartOptim, HeartRecipe
from fetalclip.frame import Frame
from fetalclip.metrics import auroc
from fetalclip.models.heart_head import SIMULATED_WARNING, HeartHead, load_heart, read_heart_config
from fetalclip.tasks.heart import clip_logits
from fetalclip.tasks.track import Track, shots_of

QUIET = {"say": lambda word: None}
DIM = 12


def beating(number: int, fast: bool, frames: int = 40) -> Track:
    """Embeddings that swing along one direction; only the pace of the swing tells, no frame by itself does."""
    rng = np.random.default_rng([number, 5])
    seconds = np.arange(frames) / 30
    swing = np.sin(2 * np.pi * (4.5 if fast else 2.0) * seconds + rng.uniform(0, 6.28))
    at = rng.normal(0, 0.3, DIM) + 0.1 * rng.normal(0, 1, (frames, DIM))
    at[:, 0] += 2 * swing
    return Track(at.astype(np.float32), seconds, np.arange(frames))


def sides(count: int, first: int = 0) -> tuple[list[Track], np.ndarray]:
    return [beating(first + i, i % 2 == 1) for i in range(count)], np.array([[float(i % 2)] for i in range(count)])


def recipe(kind: str, **more) -> HeartRecipe:
    model = HeartModel("fetalclip-tiny", kind, width=32, heads=2, layers=2, **more)
    optim = HeartOptim(epochs=25, batch=32, rate=3e-3, warmup_steps=5)
    return HeartRecipe(seed=1, model=model, optim=optim, data=HeartData(simulated=60))


def scored(training: HeartTraining, tracks: list[Track]) -> np.ndarray:
    config = plain_config(training.recipe, ("pace",), training.net.eval(), "mean")
    head = HeartHead(config, training.net, fitted_gate(tracks))
    return np.array([clip_logits(head, track)[0][0] for track in tracks])


@pytest.mark.parametrize("kind", ["attention", "convolution"])
def test_a_head_learns_a_motion_that_one_frame_does_not_show(kind, tmp_path):
    tracks, labels = sides(80)
    training = HeartTraining(recipe(kind), tracks, labels, None, tmp_path / "run", seed=1)
    training.epochs()
    new, true = sides(60, first=500)
    assert auroc(scored(training, new), true[:, 0] > 0.5) > 0.95
    still = [Track(np.repeat(t.embeddings[:1], 40, axis=0), t.seconds, t.index) for t in new]
    assert auroc(scored(training, still), true[:, 0] > 0.5) < 0.75


def test_the_published_baseline_learns_what_stands_still(tmp_path):
    tracks, labels = sides(80)
    for track, label in zip(tracks, labels[:, 0], strict=True):
        track.embeddings[:, 3] += label  # shows on every frame
    training = HeartTraining(recipe("concat"), tracks, labels, None, tmp_path / "run", seed=1)
    training.epochs()
    assert training.net.linear.weight.shape == (1, 16 * DIM)
    new, true = sides(40, first=900)
    for track, label in zip(new, true[:, 0], strict=True):
        track.embeddings[:, 3] += label
    assert auroc(scored(training, new), true[:, 0] > 0.5) > 0.9


def test_a_stopped_training_goes_on_to_the_same_net(tmp_path):
    tracks, labels = sides(12)
    small = recipe("convolution", dropout=0.0)
    small = replace(small, optim=replace(small.optim, epochs=3, batch=8))
    whole = HeartTraining(small, tracks, labels, None, tmp_path / "a", seed=2)
    whole.epochs()

    def stop_after_one(self):
        return {} if self.epoch < 2 else (_ for _ in ()).throw(KeyboardInterrupt)

    cut = HeartTraining(small, tracks, labels, None, tmp_path / "b", seed=2)
    cut.look_back = stop_after_one.__get__(cut)
    with pytest.raises(KeyboardInterrupt):
        cut.epochs()
    again = HeartTraining(small, tracks, labels, None, tmp_path / "b", seed=2)
    assert again.epoch == 1
    again.epochs()
    for name, value in whole.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], value)


def test_the_loss_by_hand():
    logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    labels = torch.tensor([[1.0, torch.nan], [0.0, 0.0]])
    weights = class_weights(labels, balanced=True)
    assert weights.tolist() == [[1.0, 0.5], [1.0, 0.5]]  # one of each; one absent of one known, none present
    plain = torch.tensor([np.log(2), np.log1p(np.exp(1)), np.log1p(np.exp(-1))])
    weight = torch.tensor([1.0, 1.0, 0.5])
    assert finding_loss(logits, labels, weights, 0.0).item() == pytest.approx(((plain * weight).sum() / 2.5).item())
    miss = 1 - torch.exp(-plain)
    focal = (miss**2 * plain * weight).sum() / 2.5
    assert finding_loss(logits, labels, weights, 2.0).item() == pytest.approx(focal.item())


def drawn(count: int = 24, frames: int = 20) -> Clips:
    """Clips of a bar that stands or sweeps."""

    def pictures(i: int):
        rng = np.random.default_rng(i)
        for t in range(frames):
            picture = rng.integers(0, 40, (64, 64)).astype(np.uint8)
            at = 20 + (8 * (t % 4) if i % 2 else 0)
            picture[:, at : at + 8] += 180
            yield Frame(picture)

    made = [
        Clip(
            lambda i=i: shots_of(pictures(i)), f"patient {i // 2}", np.array([float(i % 2), np.nan]), i % 3, f"bar {i}"
        )
        for i in range(count)
    ]
    for i, clip in enumerate(made):
        clip.labels[1] = np.nan if i % 5 == 0 else float(i % 4 == 1)
    return Clips(("sweep", "rare"), tuple(made), True)


@pytest.fixture
def small(monkeypatch) -> HeartRecipe:
    monkeypatch.setattr(heart, "clips_of", lambda recipe: drawn())
    base = recipe("attention")
    return replace(
        base, seeds=2, optim=replace(base.optim, epochs=3, batch=16), data=HeartData(simulated=24, overlay="keep")
    )


@pytest.mark.filterwarnings("ignore:fetalclip-tiny HAS RANDOM WEIGHTS")
@pytest.mark.parametrize("aligned", [False, True])
def test_from_recipe_to_answer(small, aligned, tmp_path):
    small = replace(small, model=replace(small.model, aligned=aligned))
    folder = train_heart(small, tmp_path / "run", **QUIET)
    config = read_heart_config(folder)
    assert config.findings == ("sweep", "rare")
    assert config.told["results"]["seeds"] == 2
    assert len(list((tmp_path / "run" / "cache").iterdir())) == 24
    assert sorted(path.name for path in (tmp_path / "run").glob("fold-*")) == [
        f"fold-{fold}-seed-{seed}" for fold in range(3) for seed in (1, 2)
    ]
    model = api.load("fetalclip-tiny")
    score = model.heart([shot.frame for shot in drawn().clips[3].open()], folder)
    assert set(score.findings) == {"sweep", "rare"}
    assert any(SIMULATED_WARNING in word for word in score.warnings)
    assert sum(score["sweep"].attention) == pytest.approx(1)
    assert len(score.frames) == 20
    assert SIMULATED_WARNING in (folder / "README.md").read_text()
    saved = heart_saved.read_saved(tmp_path / "run" / "heldout.json")
    assert saved.findings == ("sweep", "rare")
    assert len(saved.patient) == 24
    json.dumps(score.to_dict(), allow_nan=False)
    if aligned:
        net = load_heart(folder, model.encoder.embedding_sha256).net
        torch.testing.assert_close(net.texts.norm(dim=-1), torch.ones(2))
    again = train_heart(small, tmp_path / "run", **QUIET)  # nothing is left to train
    assert read_heart_config(again).told["weights"] == config.told["weights"]
    with pytest.raises(OutputError):
        train_heart(small, tmp_path / "run", resume=False, **QUIET)


def test_a_fold_without_which_one_class_is_left_is_refused(small, monkeypatch, tmp_path):
    clips = drawn()
    for clip in clips.clips:
        clip.labels[1] = float(clip.fold == 0)
    monkeypatch.setattr(heart, "clips_of", lambda recipe: clips)
    with pytest.raises(BadRecipe, match=r"fold 0.*'rare'"):
        train_heart(small, tmp_path / "run", **QUIET)


@pytest.mark.parametrize(
    "change",
    [
        {"objective": "segment"},
        {"data": HeartData(overlay="only")},
        {"data": HeartData(folds=1)},
        {"data": HeartData(healthy=0.0)},
        {"model": HeartModel(kind="mean")},
        {"model": HeartModel(kind="concat", aligned=True)},
        {"model": HeartModel(stride=17)},
        {"optim": HeartOptim(epochs=0)},
        {"level": 1.0},
        {"seeds": 0},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change):
    with pytest.raises(BadRecipe):
        HeartRecipe(**change)


@pytest.mark.parametrize("data", [HeartData(), HeartData(clips="a.csv", simulated=3)])
def test_a_recipe_names_one_source(data, tmp_path):
    with pytest.raises(BadRecipe, match="clips"):
        train_heart(HeartRecipe(data=data), tmp_path / "run", **QUIET)
