"""The engine: batches change nothing, texts are encoded once, the scale is the model's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation, unit
from fetalclip.encoder.store import PromptStore
from fetalclip.errors import UsageError
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tiny import build_tiny
from fetalclip.models.vit import ViTConfig
from fetalclip.preprocess import to_tensor

NORMALISATION = Normalisation(32, (0.498,) * 3, (0.502,) * 3)


@pytest.fixture(scope="module")
def parts():
    _, model, tokenizer = build_tiny(1)
    return model, tokenizer


@pytest.fixture
def encoder(parts) -> Encoder:
    return Encoder(*parts, NORMALISATION, "cpu", batch=4)


def pictures(n: int, side: int = 32) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8))


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(np.abs(wanted).max()))


@pytest.mark.parametrize("batch", [1, 100])
def test_the_size_of_a_batch_changes_nothing(parts, encoder, batch):
    seven = pictures(7)  # the other engine takes 4 and 3
    found = Encoder(*parts, NORMALISATION, "cpu", batch=batch).images(seven)
    assert (found.shape, found.dtype) == ((7, 16), np.float32)
    close(found, encoder.images(seven))


def test_order_is_kept(encoder):
    seven = pictures(7)
    found = encoder.images(seven)
    close(encoder.images(seven[::-1]), found[::-1])
    assert np.abs(found[0] - found[1]).max() > 1e-3 * np.abs(found).max()


def test_images_are_the_towers_raw_output(parts, encoder):
    two = pictures(2)
    with torch.inference_mode():
        wanted = parts[0].visual(to_tensor(two, NORMALISATION.mean, NORMALISATION.std)).numpy()
    close(encoder.images(two), wanted)


def test_mirrored_it_is_the_mean_of_both_sides(parts, encoder):
    five = pictures(5)
    both = Encoder(*parts, replace(NORMALISATION, mirror=True), "cpu", batch=4)
    flipped = [np.ascontiguousarray(picture[:, ::-1]) for picture in five]
    wanted = (encoder.images(five) + encoder.images(flipped)) / 2
    assert np.abs(encoder.images(five) - wanted).max() > 1e-3 * np.abs(wanted).max()
    close(both.images(five), wanted)
    close(both.images(flipped), wanted)  # so left and right mean nothing


def test_nothing_in_nothing_out(encoder):
    for found in (encoder.images([]), encoder.texts([])):
        assert (found.shape, found.dtype) == ((0, 16), np.float32)


def test_texts_are_the_towers_raw_output_in_order(parts, encoder):
    model, tokenizer = parts
    words = ["fetal heart", "a femur", "a much longer text about a fetal brain", "a femur"]
    found = encoder.texts(words)
    assert (found.shape, found.dtype) == ((4, 16), np.float32)
    np.testing.assert_array_equal(found[1], found[3])
    for text, row in zip(words, found, strict=True):
        with torch.inference_mode():
            wanted = model.encode_text(*tokenizer([text]), normalize=False)[0].numpy()
        close(row, wanted)


def test_each_distinct_text_is_encoded_once(parts, encoder, monkeypatch):
    tower, seen = parts[0].text, []
    whole = tower.forward

    def counted(ids, end):
        seen.append(len(ids))
        return whole(ids, end)

    monkeypatch.setattr(tower, "forward", counted)
    first = encoder.texts(["a", "b", "a"])
    assert seen == [2]
    again = encoder.texts(["b", "a", "c"])
    assert seen == [2, 1]
    np.testing.assert_array_equal(again[:2], first[[1, 0]])


def test_more_texts_than_one_pass_takes(parts, encoder):
    many = [f"text number {i}" for i in range(300)]
    found = encoder.texts(many)
    some = [0, 255, 256, 299]
    alone = Encoder(*parts, NORMALISATION, "cpu").texts([many[i] for i in some])
    close(found[some], alone)


def test_a_long_list_leaves_nothing_behind(parts, tmp_path):
    store = PromptStore(tmp_path / "p.sqlite", "m")
    engine = Encoder(*parts, NORMALISATION, "cpu", store=store)
    found = engine.texts(["b", "a", "b"], keep=False)
    assert not store.path.exists()
    np.testing.assert_array_equal(found[0], found[2])
    close(engine.texts(["b", "a", "b"]), found)
    assert store.path.exists()


def test_what_is_in_the_store_needs_no_tower(parts, tmp_path, monkeypatch):
    store = PromptStore(tmp_path / "p.sqlite", "m")
    wanted = Encoder(*parts, NORMALISATION, "cpu", store=store).texts(["a femur", "a heart"])
    monkeypatch.setattr(parts[0].text, "forward", lambda *_: pytest.fail("the text tower was asked"))
    again = Encoder(*parts, NORMALISATION, "cpu", store=store).texts(["a heart", "a femur"])
    np.testing.assert_array_equal(again, wanted[::-1])


def test_trimmed_texts_are_as_if_padded_to_the_whole_context(parts, encoder):
    model, tokenizer = parts
    ids, end = tokenizer(["a femur", "an ultrasound image of the fetal abdomen"])
    whole = torch.full((2, tokenizer.context_length), tokenizer.end_id)
    whole[:, : ids.shape[1]] = ids
    with torch.inference_mode():
        padded = model.encode_text(whole, end).numpy()
    found = unit(encoder.texts(["a femur", "an ultrasound image of the fetal abdomen"]))
    assert np.abs(found - padded).max() <= 1e-5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_is_told_and_stays_close(precision):
    _, model, tokenizer = build_tiny(1)
    _, other, _ = build_tiny(1)
    found = Encoder(model, tokenizer, NORMALISATION, "cpu", precision=precision)
    exact = Encoder(other, tokenizer, NORMALISATION, "cpu")
    assert found.engine == ("torch-cpu" if precision == "fp32" else "torch-cpu-bf16")
    three = pictures(3)
    assert found.images(three).dtype == np.float32
    cosine = (unit(found.texts(["a femur"])) * unit(exact.texts(["a femur"]))).sum()
    assert cosine > 0.999
    assert (unit(found.images(three)) * unit(exact.images(three))).sum(axis=1).min() > 0.99


def test_an_unknown_precision_is_refused(parts):
    with pytest.raises(UsageError, match="fp8"):
        Encoder(*parts, NORMALISATION, "cpu", precision="fp8")


def test_colour_pictures_keep_their_colour(parts, encoder):
    grey = pictures(1)[0]
    three = np.repeat(grey[..., None], 3, axis=-1)
    red = three.copy()
    red[..., 1:] = 0
    found = encoder.images([grey, three, red])
    close(found[1], found[0])
    assert np.abs(found[2] - found[0]).max() > 1e-3 * np.abs(found).max()


def test_what_is_given_out_may_be_changed(encoder):
    first = encoder.texts(["a femur"])
    wanted = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(encoder.texts(["a femur"]), wanted)


def test_the_scale_is_the_models(parts, encoder):
    assert encoder.scale == pytest.approx(math.exp(parts[0].logit_scale.item()))
    assert encoder.scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_the_device_is_told_and_a_missing_one_refused(parts, encoder, monkeypatch):
    assert (encoder.device, encoder.engine) == ("cpu", "torch-cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Encoder(*parts, NORMALISATION, "auto").device == "cpu"
    with pytest.raises(UsageError, match="no GPU"):
        Encoder(*parts, NORMALISATION, "cuda")


def test_the_model_is_put_to_evaluation(parts):
    parts[0].train()
    Encoder(*parts, NORMALISATION, "cpu")
    assert not parts[0].training


def test_unit_rows_have_unit_length_and_zero_stays_zero():
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]], np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
    assert rows.dtype == np.float32


@pytest.fixture(scope="module", params=["efficientnet", "vit"])
def seen(request, parts) -> Encoder:
    """A tiny encoder of each kind of tower, which sees 32 x 32 pixels."""
    model, tokenizer = parts
    if request.param == "vit":
        tower = ViTConfig(image_size=32, patch_size=8, width=24, layers=5, heads=4)
        torch.manual_seed(0)
        model = DualEncoder(Architecture(16, tower, TextConfig(117, 50, 16, 1, 2)))
    return Encoder(model, tokenizer, NORMALISATION, "cpu", batch=4)


def test_details_are_pooled_token_maps(seen):
    seven, grids = pictures(7), {5: 2, 3: 1, 4: 3}
    embeddings, details = seen.details(seven, grids)
    close(embeddings, seen.images(seven))
    maps = seen.token_maps(to_tensor(seven, NORMALISATION.mean, NORMALISATION.std), list(grids))
    wanted = []
    for one, cells in zip(maps, grids.values(), strict=True):
        for row in range(cells):  # no whole cells in 4 / 3: the edges overlap, as in adaptive pooling
            for column in range(cells):
                height, width = one.shape[2:]
                top, bottom = row * height // cells, -(-(row + 1) * height // cells)
                left, right = column * width // cells, -(-(column + 1) * width // cells)
                wanted.append(one[:, :, top:bottom, left:right].mean(dim=(2, 3)))
    by_cell = [torch.stack(wanted[a:b], dim=2).flatten(1) for a, b in ((0, 4), (4, 5), (5, 14))]
    close(details, torch.cat(by_cell, dim=1).numpy())
    assert details.dtype == np.float32


def test_details_say_where(seen):
    dark = np.zeros((32, 32), np.uint8)
    corner = dark.copy()
    corner[18:, :14] = 255  # lower left
    _, found = seen.details([dark, corner], {3: 2})
    moved = np.abs(found[1] - found[0]).reshape(-1, 4).mean(axis=0)
    assert moved.argmax() == 2


def test_no_picture_has_no_details(seen):
    embeddings, details = seen.details([], {3: 2})
    assert embeddings.shape == (0, 16)
    assert len(details) == 0
    with pytest.raises(UsageError):
        seen.details(pictures(1), {99: 2})


def test_details_look_at_no_mirror_image(parts, encoder):
    both = Encoder(*parts, replace(NORMALISATION, mirror=True), "cpu", batch=4)
    close(both.details(pictures(3), {3: 2})[0], encoder.images(pictures(3)))
