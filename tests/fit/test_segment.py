"""Training a head: it learns, a stopped run goes on, the folder that comes out draws."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("monai")

from fetalclip import api
from fetalclip.data.structures import Outlined, StructureSet
from fetalclip.errors import BadRecipe, OutputError
from fetalclip.fit import segment
from fetalclip.fit.mask_loss import MaskLoss
from fetalclip.fit.masks import MaskBatches, build_masks
from fetalclip.fit.segment_recipe import SegmentData, SegmentModel, SegmentOptim, SegmentRecipe
from fetalclip.frame import Frame
from fetalclip.models.mask_head import read_head_config
from fetalclip.preprocess.augment import Augmentation


def disc(number):
    """A bright ellipse on noise, and its mask."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:48, 0:64] + 0.5
    cx, cy, a, b = rng.uniform([25, 20, 10, 8], [40, 28, 18, 14])
    inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1
    grey = rng.integers(10, 60, inside.shape) + 150 * inside
    return Frame(grey.astype(np.uint8), (0.5, 0.5)), {"disc": inside}


def rows(count=12):
    for number in range(count):
        split = "val" if number % 4 == 3 else "test" if number % 6 == 4 else "train"
        load = lambda number=number: disc(number)  # noqa: E731
        yield Outlined(load, ("disc",), f"{number}.png", f"g{number}", split, "drawn", "CC0-1.0")


@pytest.fixture
def recipe(monkeypatch):
    wanted = StructureSet("discs", "Discs", ("disc",), "brain", sources=({},))
    monkeypatch.setattr(segment, "load_set", lambda name: wanted)
    monkeypatch.setattr(segment, "outlined", lambda *_: list(rows()))
    return SegmentRecipe(
        structures="discs",
        data=SegmentData(overlay="keep", per_epoch=16),
        model=SegmentModel("fetalclip-tiny", image_size=64, widths=(8, 8, 8, 8, 8)),
        optim=SegmentOptim(epochs=3, batch=4, rate=1e-2, warmup_steps=2),
        augment=Augmentation.none(),
    )


def test_a_trained_head_draws(recipe, tmp_path):
    folder = segment.train_head(recipe, tmp_path / "run", say=lambda word: None)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]
    config = read_head_config(folder)
    assert config.structures == ("disc",)
    assert config.told["results"]["n"] == 3
    assert config.told["data"]["drawn"]["pictures"] == 7  # neither validation nor test
    frame, masks = disc(99)
    found = api.load("fetalclip-tiny").segment(frame, folder)
    assert 2 * (found.mask & masks["disc"]).sum() / (found.mask.sum() + masks["disc"].sum()) > 0.6
    again = segment.train_head(recipe, tmp_path / "run", say=lambda word: None)  # nothing is left to train
    assert read_head_config(again).told["weights"] == config.told["weights"]
    with pytest.raises(OutputError):
        segment.train_head(recipe, tmp_path / "run", resume=False, say=lambda word: None)


def test_folds_of_patients_and_an_encoder_trained_along(recipe, tmp_path):
    optim = replace(recipe.optim, epochs=1, rate_encoder=1e-3)
    data = replace(recipe.data, folds=2)
    recipe = replace(recipe, optim=optim, data=data, model=replace(recipe.model, frozen=False))
    folder = segment.train_head(recipe, tmp_path / "run", say=lambda word: None)
    folds = [
        read_head_config(tmp_path / "run" / f"fold-{k}" / "discs").told["data"]["drawn"]["pictures"] for k in (0, 1)
    ]
    assert sum(folds) == 10  # each picture off the test side is left out of one of two folds
    config = read_head_config(folder)
    assert config.own_encoder
    model = api.load("fetalclip-tiny")
    assert config.encoder_sha256 != model.encoder.tower_sha256  # it was trained
    assert model.segment(disc(1)[0], folder).mask.shape == (48, 64)


def test_a_structure_its_source_does_not_know_is_left_out():
    loss = MaskLoss(SegmentOptim())
    logits = torch.randn(2, 2, 8, 8, requires_grad=True)
    known = torch.tensor([[True, False], [True, True]])
    loss(logits, torch.rand(2, 2, 8, 8), known).backward()
    assert logits.grad[0, 1].abs().sum() == 0
    assert logits.grad[0, 0].abs().sum() > 0
    assert loss(logits, torch.rand(2, 2, 8, 8), torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def test_together_a_picture_without_the_structure_is_no_lesson_of_its_own():
    true = torch.zeros(2, 1, 16, 16)
    true[0, 0, 4:8, 4:8] = 1
    known = torch.ones(2, 1, dtype=torch.bool)
    logits = torch.where(true > 0.5, 3.0, -3.0)
    alone, together = (MaskLoss(SegmentOptim(cross_entropy=0, together=t), [0.03]) for t in (False, True))
    said, both = logits[:, 0].sigmoid(), true[:, 0]
    dice = 1 - (2 * (said * both).sum() + 1) / (said.sum() + both.sum() + 1)
    assert float(together(logits, true, known)) == pytest.approx(float(dice), rel=1e-5)
    assert float(alone(logits, true, known)) > float(dice) + 0.15  # the empty one counts as much as the other


def test_balance_lets_a_small_structure_weigh_more():
    true = torch.zeros(1, 2, 16, 16)
    true[0, :, 0, 0] = 1
    known, logits = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2, 16, 16, requires_grad=True)
    MaskLoss(SegmentOptim(dice=0, balance=0.5), [0.01, 0.5])(logits, true, known).backward()
    inside, outside = logits.grad[0, :, 0, 0].abs(), logits.grad[0, :, 8, 8].abs()
    assert float(inside[0] / outside[0]) == pytest.approx(99**0.5, rel=1e-4)
    assert float(inside[1] / outside[1]) == pytest.approx(1.0)
    with pytest.raises(BadRecipe, match="balance"):
        SegmentRecipe(optim=SegmentOptim(balance=2))


def test_a_head_starts_at_another_ones_decoder(recipe, tmp_path):
    first = segment.train_head(recipe, tmp_path / "a", say=lambda word: None)
    model = api.load("fetalclip-tiny")
    second = replace(recipe, model=replace(recipe.model, start=str(first)))
    corpus = build_masks(list(rows()), ("disc",), 70, "keep")
    drawer = segment.SegmentTraining(second, model, ("disc",), (corpus, None), tmp_path / "b").drawer
    trained = model.segmenter.task(first).head.decoder.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in drawer.decoder.state_dict().items())
    both = segment.SegmentTraining(second, model, ("disc", "other"), (corpus, None), tmp_path / "d").drawer
    for name, value in both.decoder.state_dict().items():
        assert name.startswith("logits.") or torch.equal(value, trained[name]), name
    other = replace(second, model=replace(second.model, widths=(16, 8, 8, 8, 8)))
    with pytest.raises(BadRecipe, match=r"model\.start"):
        segment.SegmentTraining(other, model, ("disc",), (corpus, None), tmp_path / "c")


def test_a_fold_starts_at_its_own_head_and_weights_can_be_blended(recipe, tmp_path):
    folds = replace(recipe, data=replace(recipe.data, folds=2), optim=replace(recipe.optim, epochs=1))
    segment.train_head(folds, tmp_path / "a", say=lambda word: None)
    second = replace(folds, model=replace(folds.model, start=str(tmp_path / "a"), blend=0.5))
    segment.train_head(second, tmp_path / "b", say=lambda word: None)
    told = read_head_config(tmp_path / "b" / "fold-1" / "discs").told["training"]["recipe"]
    assert told["model"]["start"] == "discs"
    model = api.load("fetalclip-tiny")

    def weight(folder):
        return model.segmenter.task(folder).head.decoder.state_dict()["bottom.0.weight"]

    start, made = (weight(tmp_path / run / "fold-1" / "discs") for run in "ab")
    trained = torch.load(tmp_path / "b" / "fold-1" / "checkpoint.pt", weights_only=True)["model"]
    torch.testing.assert_close(made, (start + trained["decoder.bottom.0.weight"]) / 2, atol=1e-3, rtol=1e-3)
    with pytest.raises(BadRecipe, match="blend"):
        replace(recipe, model=replace(recipe.model, blend=0.5))


def test_shares_are_of_the_pictures_that_know(tmp_path):
    corpus = build_masks(list(rows()), ("disc", "other"), 70, "keep")
    found = corpus.shares()
    assert 0.02 < found[0] < 0.4
    assert found[1] == 0


def test_the_boundary_option_weighs_what_is_far():
    true = torch.zeros(1, 1, 32, 32)
    true[..., 8:16, 8:16] = 1
    near, far = true.clone(), true.clone()
    near[..., 8:16, 16:18], far[..., 8:16, 28:30] = 1, 1
    known = torch.tensor([[True]])
    plain, with_edge = MaskLoss(SegmentOptim()), MaskLoss(SegmentOptim(boundary=1.0))
    a, b = (float(plain(12 * mask - 6, true, known)) for mask in (near, far))
    assert a == pytest.approx(b, rel=1e-3)
    a, b = (float(with_edge(12 * mask - 6, true, known)) for mask in (near, far))
    assert b > a + 0.1


def test_batches_are_the_same_for_the_same_epoch(recipe):
    corpus = build_masks(list(rows()), ("disc", "other"), 70, "keep")
    assert corpus.known[:, 0].all()
    assert not corpus.known[:, 1].any()
    batches = MaskBatches(corpus, replace(recipe, augment=Augmentation()), 64)
    assert len(batches) == 4
    first, again, other = (next(iter(batches.epoch(epoch))) for epoch in (1, 1, 2))
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.masks, again.masks)
    assert not torch.equal(first.pictures, other.pictures)
    assert first.masks.shape == (4, 2, 32, 32)


def test_prepared_pictures_are_kept(tmp_path):
    made = build_masks(list(rows(4)), ("disc",), 40, "keep", tmp_path)
    kept = build_masks(list(rows(4)), ("disc",), 40, "keep", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(made.masks, kept.masks)


@pytest.mark.parametrize(
    "change",
    [
        {"objective": "contrastive"},
        {"model": SegmentModel(image_size=100)},
        {"model": SegmentModel(depths=(1, 2))},
        {"data": SegmentData(overlay="only")},
        {"data": SegmentData(folds=1)},
        {"optim": SegmentOptim(epochs=0)},
        {"optim": SegmentOptim(dice=0, cross_entropy=0)},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change):
    with pytest.raises(BadRecipe):
        SegmentRecipe(**change)
