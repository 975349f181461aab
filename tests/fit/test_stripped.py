"""Pretraining without a label: no caption says it, no loss tells it; another view of a picture stands in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from fetalclip.clinical.captions import Facts
from fetalclip.clinical.vocabulary import PLANES, REJECTS, SUBPLANES, UNNAMED
from fetalclip.clinical.wording import VIEWS
from fetalclip.errors import BadRecipe
from fetalclip.fit.batches import Batches, stripped
from fetalclip.fit.corpus import Corpus
from fetalclip.fit.crossfit import _answers
from fetalclip.fit.loop import Training
from fetalclip.fit.objectives import other_view
from fetalclip.fit.recipe import Recipe
from fetalclip.settings import find_recipe, load_recipe


@pytest.fixture
def bare(recipe: Recipe) -> Recipe:
    """The small recipe, stripped of the planes."""
    optim = replace(
        recipe.optim, text_steps=0, number_steps=0, foreign_texts=0, rival_texts=0, age_texts=0, self_weight=1.0
    )
    data = replace(recipe.data, validate_fold=-1, subplanes_per_epoch=0)
    return replace(recipe, strip=("plane",), optim=optim, data=data)


def batches(corpus: Corpus, recipe: Recipe) -> Batches:
    return Batches(corpus, recipe, lambda text: len(text.split()))


def test_facts_lose_their_labels() -> None:
    facts = Facts("brain", "trans-thalamic", 140, 0.5)
    assert stripped(facts, ("plane",)) == Facts(UNNAMED, None, 140, 0.5)
    assert stripped(facts, ("subplane",)) == Facts("brain", None, 140, 0.5)
    assert stripped(facts, ()) == facts
    assert stripped(Facts("no anatomy"), ("plane",)) == Facts("no anatomy")


def test_no_caption_says_a_plane(corpus: Corpus, bare: Recipe) -> None:
    words = {word.lower() for plane in PLANES for word in VIEWS[plane]}
    words |= {word.lower() for names in SUBPLANES.values() for word in names} | set(PLANES)
    rejects = [text.lower() for names in REJECTS.values() for text in names]
    seen = 0
    for epoch in range(6):
        for batch in batches(corpus, bare).epoch(epoch):
            for text in batch.texts:
                low = text.lower().rstrip(".")
                if not any(one in low for one in rejects):
                    assert not [word for word in words if word in low], text
                    seen += 1
            assert {facts.subplane for facts in batch.facts} == {None}
            assert {facts.plane for facts in batch.facts} <= {UNNAMED, *REJECTS}
    assert seen > 30


def test_the_other_view_is_of_the_same_pictures(corpus: Corpus, bare: Recipe) -> None:
    (first, *_) = batches(corpus, bare).epoch(0)
    (again, *_) = batches(corpus, bare).epoch(0)
    assert first.again is not None
    assert first.again.shape == first.pictures.shape
    assert not torch.equal(first.again, first.pictures)
    assert torch.equal(first.again, again.again)
    plain = replace(bare, optim=replace(bare.optim, self_weight=0.0))
    (none, *_) = batches(corpus, plain).epoch(0)
    assert none.again is None
    assert torch.equal(none.pictures, first.pictures)


def test_other_view_against_its_definition() -> None:
    torch.manual_seed(0)
    a, b = F.normalize(torch.randn(5, 8), dim=1), F.normalize(torch.randn(5, 8), dim=1)
    views, total = torch.cat([a, b]), 0.0
    for i in range(10):
        others = [j for j in range(10) if j != i]
        powers = torch.exp(views[i] @ views[others].T / 0.3)
        total -= float(torch.log(torch.exp(views[i] @ views[(i + 5) % 10] / 0.3) / powers.sum()))
    assert float(other_view(a, b, 0.3)) == pytest.approx(total / 10, rel=1e-5)
    assert other_view(a, a, 0.1) < other_view(a, b, 0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"optim": {"rival_texts": 3}},
        {"optim": {"foreign_texts": 2}},
        {"optim": {"age_texts": 4}},
        {"optim": {"text_steps": 5}},
        {"data": {"subplanes_per_epoch": 9}},
        {"data": {"validate_fold": 1, "train_folds": (0, 2)}},
        {"objective": "supervised"},
        {"crossfit_folds": (0,)},
        {"strip": ("operator",)},
    ],
    ids=str,
)
def test_a_recipe_that_tells_the_label_after_all_is_refused(bare: Recipe, change: dict) -> None:  # type: ignore[type-arg]
    parts = {
        key: replace(getattr(bare, key), **value) if isinstance(value, dict) else value for key, value in change.items()
    }
    with pytest.raises(BadRecipe):
        replace(bare, **parts)


def test_stripped_of_subplanes_the_planes_stay(recipe: Recipe) -> None:
    optim, data = replace(recipe.optim, rival_texts=0), replace(recipe.data, validate_fold=-1, subplanes_per_epoch=0)
    made = replace(recipe, strip=("subplane",), optim=optim, data=data)
    assert _answers(made) == {"tasks": ["planes", "probes"]}
    assert _answers(recipe) == {}


def test_the_bundled_recipe() -> None:
    made = load_recipe(Recipe, find_recipe("stripped"))
    assert made.strip == ("plane",)
    assert made.optim.self_weight > 0
    assert _answers(made) == {"tasks": ["probes"]}


def test_training_moves_the_tower_by_views_alone(corpus: Corpus, bare: Recipe, tmp_path) -> None:  # type: ignore[no-untyped-def]
    training = Training(bare, corpus, tmp_path / "run")
    assert set(training.modules()) == {"model", "ruler", "views"}
    before = training.model.visual.head.weight.detach().clone()
    training.run()
    assert not torch.equal(before, training.model.visual.head.weight)
    resumed = Training(bare, corpus, tmp_path / "run")
    assert resumed.done
    for name, value in training.views.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(value, resumed.views.state_dict()[name])  # type: ignore[union-attr]
