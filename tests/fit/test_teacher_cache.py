"""Cached features: those of the pictures as they are, computed once, and of no other data or teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from paired import Bars
from taught import distilled, teach

from fetalclip.encoder.engine import unit
from fetalclip.errors import BadCheckpoint, InputError, OutputError
from fetalclip.fit import teacher_cache, towers
from fetalclip.fit.teacher import open_teacher
from fetalclip.fit.teacher_cache import open_features
from fetalclip.preprocess import letterbox


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(towers, "CAPTIONS", 300)
        return open_teacher(distilled(teach(tmp_path_factory.mktemp("teacher"))))


def opened(teacher, pairs, folder):
    return open_features(teacher, pairs, folder / "teacher.npz", Accelerator(cpu=True))


def test_a_row_is_the_teachers_feature_of_that_picture(teacher, tmp_path):
    pairs = Bars(37)
    found = opened(teacher, pairs, tmp_path)(torch.tensor([36, 3]))
    squares = [letterbox(pairs.load(number).pixels, 48)[0] for number in (36, 3)]
    assert np.allclose(found.numpy(), unit(teacher.encoder.images(squares)), atol=1e-3)


def test_they_are_computed_once(teacher, tmp_path, monkeypatch):
    first = opened(teacher, Bars(9), tmp_path)
    monkeypatch.setattr(teacher_cache, "_compute", None)
    assert torch.equal(opened(teacher, Bars(9), tmp_path).features, first.features)
    assert [path.name for path in tmp_path.iterdir()] == ["teacher.npz"]


def test_of_other_data_or_another_teacher_they_are_computed_again(teacher, tmp_path, monkeypatch):
    first = opened(teacher, Bars(9), tmp_path)
    second = opened(teacher, Bars(9, first=500), tmp_path)
    assert not torch.equal(first.features, second.features)
    assert len(opened(teacher, Bars(12), tmp_path).features) == 12
    monkeypatch.setattr(type(teacher), "fingerprint", "another")
    monkeypatch.setattr(teacher_cache, "_compute", lambda *_: torch.ones(12, 24))
    assert torch.equal(opened(teacher, Bars(12), tmp_path).features, torch.ones(12, 24).half())


def test_a_picture_that_cannot_be_read_has_none(teacher, tmp_path):
    made = opened(teacher, Bars(9, broken=frozenset({4})), tmp_path)
    assert torch.isfinite(made(torch.tensor([3, 5]))).all()
    with pytest.raises(InputError, match="bar 4 could not be read when"):
        made(torch.tensor([3, 4]))


@pytest.mark.parametrize("damage", ["cut", "text", "objects", "shape"])
def test_a_damaged_file_is_said(teacher, tmp_path, damage):
    file, key = tmp_path / "teacher.npz", teacher_cache.key_of(teacher, Bars(9))
    opened(teacher, Bars(9), tmp_path)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:300])
    elif damage == "text":
        file.write_text("not an archive")
    elif damage == "objects":
        np.savez(file, key=np.array(key), images=np.array([{}], dtype=object))
    else:
        np.savez(file, key=np.array(key), images=np.zeros((9, 7), np.float16))
    before = file.read_bytes()
    with pytest.raises(BadCheckpoint, match=r"teacher\.npz") as told:
        opened(teacher, Bars(9), tmp_path)
    assert "remove it" in str(told.value)
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_said_and_holds_nothing(teacher, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        open_features(teacher, Bars(3), tmp_path / "no" / "teacher.npz", Accelerator(cpu=True))
    assert list(tmp_path.iterdir()) == []
