"""A corpus and a recipe so small that a whole training takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical.captions import Facts
from fetalclip.clinical.sampling import texts as caption_texts
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.fit import loop
from fetalclip.fit.corpus import NO_ANATOMY, NOT_ULTRASOUND, Corpus, Item
from fetalclip.fit.recipe import DataRecipe, ModelRecipe, OptimRecipe, Recipe
from fetalclip.models.text import TextConfig
from fetalclip.phantom import draw

SIDE = 40


def _make_corpus(per_fold: int = 1, side: int = SIDE, seed: int = 0) -> Corpus:
    """Every source on every fold, the test folds too: each plane is a bright bar in a place of its own.

    The first brain of every fold has a known sub-plane, the others of them have none.
    """
    items = []
    for fold in (-1, 0, 1, 2, 3, 4):
        for number, plane in enumerate(KNOWN * per_fold):
            subplane = list(SUBPLANES)[fold % 3] if (plane, number) == ("brain", 1) else None
            items.append(Item(Facts(plane, subplane), "planes", fold))
        if fold >= 0:
            items += [
                Item(Facts("brain", None, 130 + fold, 0.5 + 0.1 * fold), "hc18", fold, circumference=140.0 + fold)
            ] * per_fold
        items += [Item(Facts(NOT_ULTRASOUND), "reject", fold), Item(Facts(NO_ANATOMY), "reject", fold)] * per_fold
    items += [Item(Facts(plane, None, None, 0.8), "simulated", -2) for plane in KNOWN]
    rng = np.random.default_rng(seed)
    pictures = rng.integers(5, 60, (len(items), side, side)).astype(np.uint8)
    for picture, item in zip(pictures, items, strict=True):
        if item.facts.plane in KNOWN:
            band = KNOWN.index(item.facts.plane) * side // 4
            picture[band : band + side // 4] += 180
    return Corpus(pictures, tuple(items))


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    return _make_corpus


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return _make_corpus()


@pytest.fixture
def recipe() -> Recipe:
    """Two epochs of three steps over the four training folds."""
    return Recipe(
        name="small",
        seed=7,
        data=DataRecipe(hc18_per_epoch=3, simulated_per_epoch=2, rejects_per_epoch=4, subplanes_per_epoch=0),
        model=ModelRecipe("random", 32, 16, 0, TextConfig(117, 400, 32, 1, 2)),
        optim=OptimRecipe(
            epochs=2, batch=8, warmup_steps=2, foreign_texts=3, rival_texts=6, text_steps=0, number_steps=0, age_texts=4
        ),
    )


@pytest.fixture
def quick(monkeypatch) -> None:
    """Learn the vocabulary from a few captions."""
    monkeypatch.setattr(loop, "caption_texts", lambda count, seed: caption_texts(min(count, 300), seed))


@pytest.fixture(scope="module")
def few_words():
    """Let a pretraining learn its vocabulary from a few captions."""
    from fetalclip.fit import towers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(towers, "CAPTIONS", 300)
        yield


@pytest.fixture(scope="session")
def drawn_table(tmp_path_factory) -> Path:
    """A table of forty simulated planes, every fifth for validation."""
    folder = tmp_path_factory.mktemp("drawn")
    lines = ["path,dataset,group,split,plane,mm_per_pixel"]
    for seed in range(40):
        plane = KNOWN[seed % len(KNOWN)]
        frame = draw(plane, seed, profile="train").frame
        Image.fromarray(frame.gray).save(folder / f"{seed:02}.png")
        spacing = frame.mm_per_pixel[0] if frame.mm_per_pixel else ""
        lines.append(f"{seed:02}.png,simulated,s{seed},{'val' if seed % 5 == 4 else 'train'},{plane},{spacing}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


@pytest.fixture(scope="session")
def drawn_shards(drawn_table) -> Path:
    """The same as shards of eight, for towers that see 32 pixels."""
    from fetalclip.cli import main

    out = drawn_table.parent / "shards"
    assert main(["data", "shards", str(drawn_table), "-o", str(out), "--image-size", "32", "--per-shard", "8"]) == 0
    return out
