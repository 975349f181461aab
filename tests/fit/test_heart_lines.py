"""The linear branches find a planted rule, and leave alone what there is nothing to learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fetalclip.fit.heart_lines import fit_lines
from fetalclip.fit.heart_loss import class_weights
from fetalclip.metrics import auroc
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.tasks.heart import still, window_arrays
from fetalclip.tasks.sight import LAGS
from fetalclip.tasks.track import Track
from fetalclip.tasks.windows import windows

DIM, FACTS, FRAMES, STRIDE = 10, 3, 16, 8
WHOLE = 2 * len(LAGS) + FACTS
WIDTH = DIM + 4 + WHOLE


def clip(number: int, moves: bool, large: bool, count: int = 30) -> Track:
    """Channel 2 swings far or little (the first finding), fact 1 is large or small (the second)."""
    rng = np.random.default_rng([number, 3])
    seconds = np.arange(count) / 30
    at = rng.normal(0, 1, DIM) + 0.2 * rng.normal(0, 1, (count, DIM))
    at[:, 2] += (1.0 if moves else 0.4) * np.sin(15 * seconds + rng.uniform(0, 6))
    facts = rng.normal(0, 0.3, FACTS)
    facts[1] += 1.0 if large else -1.0
    details = rng.normal(0, 1, (count, 4)).astype(np.float32)
    return Track(at.astype(np.float32), seconds, np.arange(count), details=details, facts=facts.astype(np.float32))


def material(count: int, first: int = 0) -> tuple[list[Track], np.ndarray]:
    labels = np.array([[i % 2, i // 2 % 2] for i in range(count)], dtype=np.float64)
    return [clip(first + i, *(row > 0.5)) for i, row in enumerate(labels)], labels


def fitted(count: int = 80, moving: bool = True, forget: bool = True) -> HeartNet:
    tracks, labels = material(count)
    if not moving:
        tracks = [still(track, FRAMES) for track in tracks]
    torch.manual_seed(0)
    net = HeartNet(HeartShape("convolution", WIDTH, 2, FRAMES, 8, 1, 2, whole=WHOLE))
    net.fit_to([torch.from_numpy(track.seen) for track in tracks])
    known = torch.from_numpy(labels).float()
    if forget:
        known[::5, 0] = torch.nan
    fit_lines(net, tracks, known, class_weights(known, True), STRIDE, moving)
    return net.eval()


@torch.no_grad()
def said(net: HeartNet, tracks: list[Track]) -> np.ndarray:
    """(clips, branches, findings), the mean over windows."""
    made = []
    for track in tracks:
        made.append(net.branches(*window_arrays(track, windows(len(track), FRAMES, STRIDE)))[0].mean(dim=0).numpy())
    return np.stack(made)


@pytest.fixture(scope="module")
def net() -> HeartNet:
    return fitted()


def test_each_branch_finds_what_is_planted_in_it(net):
    tracks, labels = material(60, first=1000)
    scores = said(net, tracks)
    assert scores.shape == (60, 3, 2)
    assert auroc(scores[:, 1, 0], labels[:, 0] > 0.5) > 0.95  # energy
    assert auroc(scores[:, 2, 1], labels[:, 1] > 0.5) > 0.95  # what is of the clip as a whole
    assert auroc(scores[:, 1, 1], labels[:, 1] > 0.5) < 0.75  # which does not move
    assert int(net.energy.weight[0].abs().argmax()) == 2
    assert net.energy.weight[0, 2] > 0
    assert int(net.clip.weight[1].abs().argmax()) == 2 * len(LAGS) + 1
    assert net.clip.weight[1, 2 * len(LAGS) + 1] > 0


def test_the_solution_is_the_only_one(net):
    """Balanced, so the slope of the loss is that of the ridge at the solution; the start plays no part."""
    other = fitted()
    for name in ("energy", "clip"):
        torch.testing.assert_close(getattr(net, name).weight, getattr(other, name).weight)
    tracks, labels = material(80)
    known = torch.from_numpy(labels).double()
    known[::5, 0] = torch.nan
    weights = class_weights(known.float(), True).double()
    x = np.stack([np.concatenate([track.facts]) for track in tracks])
    start = 2 * len(LAGS)
    mean, spread = net.mean[-WHOLE:].numpy()[start:], net.spread[-WHOLE:].numpy()[start:]
    logits = torch.from_numpy(said(net, tracks)[:, 2]).double()
    there = torch.isfinite(known)
    weight = torch.where(known > 0.5, weights[1], weights[0]) * there
    slope = (torch.sigmoid(logits) - known.nan_to_num(0.0)) * weight / weight.sum() * 2
    pull = slope.T @ torch.from_numpy((x - mean) / spread).double() + 1e-2 * net.clip.weight[:, start:].double()
    assert pull.abs().max() < 1e-3


def test_single_frames_have_no_energy_to_learn_from():
    net = fitted(moving=False)
    assert not net.energy.weight.any()
    assert not net.energy.bias.any()
    tracks, labels = material(40, first=500)
    scores = said(net, [still(track, FRAMES) for track in tracks])
    assert not scores[:, 1].any()
    assert auroc(scores[:, 2, 1], labels[:, 1] > 0.5) > 0.95  # the facts are learned all the same


def test_a_net_without_a_clips_own_numbers_has_two_branches():
    tracks = [Track(t.embeddings, t.seconds, t.index) for t in material(40)[0]]
    labels = torch.from_numpy(material(40)[1]).float()
    net = HeartNet(HeartShape("attention", DIM, 2, FRAMES, 8, 1, 2))
    net.fit_to([torch.from_numpy(track.seen) for track in tracks])
    before = {name: p.clone() for name, p in net.named_parameters()}
    fit_lines(net, tracks, labels, class_weights(labels, True), STRIDE)
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"energy.weight", "energy.bias"}
    assert said(net.eval(), tracks).shape == (40, 2, 2)
