"""The warm-up: it parts the planes without a picture, repeats itself, and is taken from the cache of a like run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fetalclip.clinical.prompts import load_prompts
from fetalclip.errors import BadCheckpoint
from fetalclip.fit import warmup
from fetalclip.fit.loop import Training
from fetalclip.fit.ruler import log_pixels


@pytest.fixture
def warm(recipe):
    return replace(recipe, optim=replace(recipe.optim, text_steps=12, rate_text=4e-3))


def planes(training: Training) -> torch.Tensor:
    """(4, D) mean embedding of each plane's prompts."""
    with torch.no_grad():
        return torch.stack([training._texts(texts).mean(dim=0) for texts in load_prompts("planes-4").values()])


def test_the_text_tower_changes_and_the_image_tower_does_not(warm, corpus, quick, tmp_path):
    cold = Training(replace(warm, optim=replace(warm.optim, text_steps=0)), corpus, tmp_path / "cold")
    hot = Training(warm, corpus, tmp_path / "hot")
    before, after = cold.model.state_dict(), hot.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any(name.startswith("visual.") for name in changed)
    assert not torch.equal(planes(cold), planes(hot))


def test_it_repeats_itself_and_comes_from_the_cache_of_a_like_run(warm, corpus, quick, tmp_path, monkeypatch):
    first = Training(warm, corpus, tmp_path / "a", cache=tmp_path / "cache")
    again = Training(warm, corpus, tmp_path / "b")
    assert torch.equal(planes(first), planes(again))
    monkeypatch.setattr(warmup, "_Teacher", lambda *_: pytest.fail("warmed up again"))
    other = replace(warm, data=replace(warm.data, train_folds=(2, 3)), optim=replace(warm.optim, epochs=1))
    assert torch.equal(planes(Training(other, corpus, tmp_path / "c", cache=tmp_path / "cache")), planes(first))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, seed=8),
        lambda r: replace(r, captions=replace(r.captions, age=0.0)),
        lambda r: replace(r, data=replace(r.data, leave_out=("femur",))),
        lambda r: replace(r, optim=replace(r.optim, text_steps=13)),
        lambda r: replace(r, optim=replace(r.optim, number_steps=3)),
        lambda r: replace(r, optim=replace(r.optim, age_width=0.1)),
    ],
)
def test_another_text_side_has_another_key(warm, change):
    assert warmup._key(change(warm)) != warmup._key(warm)


def test_a_plane_left_out_is_in_none_of_its_captions(warm, monkeypatch):
    import random

    rng = random.Random(0)
    for plane in ("brain", "femur"):
        without = replace(warm, data=replace(warm.data, leave_out=(plane,)))
        drawn = [warmup._facts(without, rng) for _ in range(400)]
        assert plane not in {facts.plane for facts in drawn}
        assert all(facts.subplane is None or facts.plane == "brain" for facts in drawn)
    assert {facts.plane for facts in (warmup._facts(warm, rng) for _ in range(400))} >= {"brain", "femur"}


def test_a_damaged_cache_is_told(warm, corpus, quick, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / f"text-{warmup._key(warm)}.pt").write_bytes(b"no tower")
    with pytest.raises(BadCheckpoint, match="warmed text tower"):
        Training(warm, corpus, tmp_path / "run", cache=cache)


def test_a_resumed_run_is_not_warmed_up_again(warm, corpus, quick, tmp_path, monkeypatch):
    short = replace(warm, optim=replace(warm.optim, epochs=1))
    Training(short, corpus, tmp_path).run()
    monkeypatch.setattr(warmup, "warm_up", lambda *_: pytest.fail("warmed up again"))
    monkeypatch.setattr("fetalclip.fit.loop.warm_up", lambda *_: pytest.fail("warmed up again"))
    assert Training(short, corpus, tmp_path).epoch == 1


@pytest.mark.slow
def test_captions_of_ages_are_brought_nearer_to_the_marks_of_their_sizes(warm, corpus, quick, tmp_path):
    """After some steps on captions alone the ruler fits captions that were not among them better than at the start."""
    losses = {}
    for steps in (0, 60):
        optim = replace(warm.optim, text_steps=0, number_steps=steps)
        training = Training(replace(warm, optim=optim), corpus, tmp_path / str(steps))
        said = [training.batches.sampler.aged(day, spacing) for day in (110, 150, 200, 260) for spacing in (0.3, 0.6)]
        sizes = log_pixels([facts for _, facts in said])
        with torch.no_grad():
            losses[steps] = training.ruler(training._texts([text for text, _ in said]), sizes, 0.3).item()
    assert losses[60] < 0.8 * losses[0], losses


def test_without_ages_no_age_is_taught(warm, corpus, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(warmup._Teacher, "ages", lambda *_: pytest.fail("an age was taught"))
    optim = replace(warm.optim, number_steps=4, text_steps=2, age_texts=0)
    Training(replace(warm, optim=optim), corpus, tmp_path / "none")
    without = replace(warm, data=replace(warm.data, leave_out=("brain",)))
    Training(replace(without, optim=replace(without.optim, number_steps=4)), corpus, tmp_path / "brain")
