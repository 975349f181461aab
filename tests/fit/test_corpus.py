"""The corpus: prepared as at inference, spacing with the pixels, test side unread, the same from the cache."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fetalclip.io as io
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.data import Row
from fetalclip.errors import InputError
from fetalclip.fit import corpus as module
from fetalclip.fit.corpus import NO_ANATOMY, NOT_ULTRASOUND, Item, build_corpus, training_rows
from fetalclip.fit.recipe import DataRecipe
from fetalclip.phantom import draw
from fetalclip.preprocess import prepare

SIDE = 48
DATA = DataRecipe(simulated_pool=4, far_pool=3)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[Row]:
    """Three planes, a head with spacing, and one row each that must not be read."""
    made, tmp_path = [], tmp_path_factory.mktemp("data")

    def add(dataset, name, fold, split, plane, **known):
        path = tmp_path / f"{name}.png"
        if split != "test" and plane in KNOWN:
            Image.fromarray(draw(plane, len(made), profile="train").frame.gray).save(path)
        else:
            path.write_bytes(f"decoding {name} is an error".encode())
        made.append(Row(dataset, path, path.name, f"G:{name}", fold, split, plane, **known))

    add("fetal-planes-db", "p0", 0, "train", "femur")
    add("fetal-planes-db", "p1", 1, "val", "brain", subplane="trans-thalamic")
    add("fetal-planes-db", "p2", 3, "train", "thorax")
    add("fetal-planes-db", "t", -1, "test", "abdomen")
    add("fetal-planes-db", "o", 2, "train", None)
    add("hc18", "h3", 3, "train", "brain", mm_per_pixel=0.1, hc_mm=175.0, age_days=142)
    add("hc18", "h0", 0, "test", "brain", mm_per_pixel=0.1, hc_mm=175.0, age_days=142)
    return made


@pytest.fixture(scope="module", autouse=True)
def data(rows):
    """The rows in place of the data sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_dataset", lambda name, root: [row for row in rows if row.dataset == name])
        yield


@pytest.fixture(scope="module")
def built(data):
    return build_corpus(DATA, SIDE)


@pytest.fixture
def grey(monkeypatch):
    """One grey picture a job in place of reading and drawing; the list of jobs made."""
    made = []

    def make(job, side, overlay):
        made.append(job)
        facts = Facts("brain", "trans-thalamic", 150, 0.25) if job.row else Facts(NOT_ULTRASOUND)
        return [(np.full((side, side), len(made), np.uint8), Item(facts, "planes" if job.row else "reject", 3))]

    monkeypatch.setattr(module, "_make", make)
    return made


def test_the_test_side_and_what_has_no_plane_are_left_out(rows, built):
    assert [row.name for row in training_rows(DATA)] == ["p0.png", "p1.png", "p2.png", "h3.png"]
    assert len([x for x in built.items if x.source in ("planes", "hc18")]) == 4


def test_pictures_are_prepared_as_at_inference(rows, built):
    real = [i for i, x in enumerate(built.items) if x.source in ("planes", "hc18")]
    assert built.pictures.dtype == np.uint8
    assert built.pictures.shape == (len(built.items), SIDE, SIDE)
    for i, row in zip(real, training_rows(DATA), strict=True):
        frame = io.read(row.path, mm_per_pixel=row.mm_per_pixel)
        ready = prepare(frame, SIDE)
        np.testing.assert_array_equal(built.pictures[i], ready.pixels)
        item = built.items[i]
        assert (item.facts.plane, item.facts.subplane, item.facts.age_days) == (row.plane, row.subplane, row.age_days)
        assert item.fold == row.fold
        if row.mm_per_pixel:
            assert item.facts.spacing == pytest.approx(0.1 * max(frame.width, frame.height) / SIDE)
        else:
            assert item.facts.spacing is None


def test_rejects_state_nothing_and_stand_on_the_fold_of_their_picture(rows, built):
    rejects = [x for x in built.items if x.source == "reject"]
    assert {x.facts for x in rejects} == {Facts(NOT_ULTRASOUND), Facts(NO_ANATOMY)}
    near = {x.fold for x in rejects if x.facts.plane == NO_ANATOMY}
    assert near <= {row.fold for row in training_rows(DATA)}
    assert {0, 1, 3} <= near  # each of the planes gives some


def test_simulated_planes_are_of_the_training_profile(built):
    simulated = [i for i, x in enumerate(built.items) if x.source == "simulated"]
    assert [built.items[i].facts.plane for i in simulated] == list(KNOWN)
    for seed, i in enumerate(simulated):
        wanted = prepare(draw(KNOWN[seed], seed, profile="train").frame, SIDE)
        np.testing.assert_array_equal(built.pictures[i], wanted.pixels)
        assert built.items[i].facts.spacing == pytest.approx(wanted.mm_per_pixel[0])
        assert built.items[i].fold == -2


def test_rows_are_found_by_source_and_fold(built):
    for source in module.SOURCES:
        for folds in ((), (0,), (0, 3), (0, 1, 2, 3, 4)):
            found = built.rows(source, folds)
            wanted = [i for i, x in enumerate(built.items) if x.source == source and x.fold in (*folds, -2)]
            assert found.tolist() == wanted
            assert found.dtype.kind == "i"


def test_the_cache_gives_the_same_and_reads_nothing(grey, tmp_path):
    cache = tmp_path / "cache"
    first = build_corpus(DATA, SIDE, cache)
    assert len(list(cache.iterdir())) == 1
    assert len(grey) == 4 + 4 + 3
    again = build_corpus(DATA, SIDE, cache)
    assert len(grey) == 11
    np.testing.assert_array_equal(again.pictures, first.pictures)
    assert again.items == first.items
    assert len({item.facts for item in again.items}) == 2


@pytest.mark.parametrize("change", [{"simulated_pool": 5}, {"far_pool": 4}, {"overlay": "keep"}])
def test_another_recipe_has_another_cache(grey, tmp_path, change):
    build_corpus(DATA, SIDE, tmp_path)
    build_corpus(replace(DATA, **change), SIDE, tmp_path)
    build_corpus(DATA, SIDE + 1, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_another_file_of_the_same_name_has_another_cache(grey, rows, tmp_path):
    build_corpus(DATA, SIDE, tmp_path)
    path = rows[0].path
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    build_corpus(DATA, SIDE, tmp_path)
    path.write_bytes(whole)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_of_everyday_pictures_joins_the_far_rejects(data, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        colours = np.random.default_rng(i).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(colours).save(folder / f"{i}.png")
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "0.png").rename(tmp_path / "elsewhere.png")
    jobs = module._jobs([], DataRecipe(simulated_pool=0, far_pool=0, far_folder=str(folder)))
    added = [item for job in jobs for _, item in module._make(job, SIDE, "mask")]
    assert [(x.facts.plane, x.source, x.fold) for x in added] == [(NOT_ULTRASOUND, "reject", i) for i in range(2)]


def test_a_leak_is_refused_unless_told(rows, monkeypatch):
    leaking = [*rows, replace(rows[0], fold=-1, split="test")]
    monkeypatch.setattr(module, "read_dataset", lambda name, root: [row for row in leaking if row.dataset == name])
    with pytest.raises(InputError, match=r"on the test side of the data and on another.*allow_leaks=true"):
        training_rows(DATA)
    allowed = training_rows(replace(DATA, allow_leaks=True))
    assert [row.name for row in allowed] == ["p0.png", "p1.png", "p2.png", "h3.png"]


def test_training_and_validation_mixed_is_a_warning(rows, monkeypatch):
    mixed = [*rows, replace(rows[0], fold=1, split="val", name="copy.png")]
    monkeypatch.setattr(module, "read_dataset", lambda name, root: [row for row in mixed if row.dataset == name])
    with pytest.warns(UserWarning, match="both training and validation"):
        assert len(training_rows(DATA)) == 5
