"""Segmentation: masks on the picture's own pixels, whatever its shape; heads by name; another encoder's refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fetalclip import api
from fetalclip.errors import BadCheckpoint, NotAvailable
from fetalclip.frame import Frame
from fetalclip.models.dense import DecoderConfig, MaskDecoder
from fetalclip.models.mask_head import load_head, save_head
from fetalclip.preprocess.looks import LOOKS
from fetalclip.tasks.segment import SegmentTask

WIDTHS = (8, 8, 8, 8, 8)


class Bright(MaskDecoder):
    """Draws what is brighter than the middle grey: its logit is the grey level."""

    def forward(self, maps, images):
        grey = images.mean(dim=1, keepdim=True) * 0.502 + 0.498
        return 20 * (F.avg_pool2d(grey, 2) - 0.3)


def told(model, **more):
    return {
        "name": "bright",
        "license": "CC-BY-4.0",
        "structures": ["head"],
        "outset": {"head": {"pixels": 2.0, "side": 200}},
        "encoder": {"name": "fetalclip-tiny", "sha256": model.encoder.tower_sha256},
        "preprocess": {"image_size": 96, "overlay": "keep", "depths": [3, 5, 11, 15]},
        **more,
    }


@pytest.fixture(scope="module")
def model():
    return api.load("fetalclip-tiny")


@pytest.fixture
def folder(model, tmp_path):
    torch.manual_seed(0)
    decoder = MaskDecoder(DecoderConfig(1, (24, 40, 112, 192), widths=WIDTHS))
    return save_head(decoder, told(model), tmp_path / "bright")


@pytest.fixture
def bright(model, folder):
    head = load_head(folder, model.encoder.tower_sha256)
    head.decoder.__class__ = Bright
    return SegmentTask(model.encoder, head)


def ellipse(width, height):
    y, x = np.mgrid[0:height, 0:width] + 0.5
    inside = ((x - 0.45 * width) / (0.3 * width)) ** 2 + ((y - 0.55 * height) / (0.3 * height)) ** 2 < 1
    return inside, Frame((inside * 180).astype(np.uint8), (0.2, 0.3))


@pytest.mark.parametrize("size", [(200, 140), (90, 130), (97, 61)])
@pytest.mark.parametrize("views", [True, False])
def test_masks_lie_on_the_pictures_own_pixels(bright, size, views):
    true, frame = ellipse(*size)
    (found,) = bright([frame], views)
    assert found.mask.shape == true.shape
    assert len(found.views) == (len(LOOKS) if views else 0)
    for mask in (found.mask, *(view["head"] for view in found.views)):
        assert 2 * (mask & true).sum() / (mask.sum() + true.sum()) > 0.97
    assert found.lit.shape == true.shape
    assert (found.mm_per_pixel, found.head) == ((0.2, 0.3), "bright")
    assert found.outset == {"head": pytest.approx(2.0 * max(size) / 200)}


def test_the_edge_is_finer_than_the_decoders_grid(bright):
    """The logits have 48 to 400 pixels of the picture: a mask of whole cells would be off by far more."""
    true, frame = ellipse(400, 300)
    (found,) = bright([frame], views=False)
    assert abs(int(found.mask.sum()) - int(true.sum())) / true.sum() < 0.02
    edge = found.mask.sum(axis=1)
    assert len(np.unique(edge[edge > 0])) > 60


def test_many_pictures_are_answered_in_their_order(bright):
    pairs = [ellipse(100 + 10 * i, 120) for i in range(11)]
    found = bright([frame for _, frame in pairs])
    alone = [bright([frame])[0] for _, frame in pairs[:2]]
    assert [one.mask.shape for one in found] == [true.shape for true, _ in pairs]
    assert all((one.mask == other.mask).mean() > 0.999 for one, other in zip(found, alone, strict=False))


def test_a_model_finds_its_heads_and_others(model, folder, tmp_path):
    (tmp_path / "model" / "heads").mkdir(parents=True)
    folder.rename(tmp_path / "model" / "heads" / "head")
    from fetalclip.tasks.segment import Segmenter

    segmenter = Segmenter(model.encoder, tmp_path / "model")
    assert list(segmenter.folders) == ["head"]
    assert segmenter.task("head") is segmenter.task("head")
    assert segmenter.config("head").name == "bright"
    _, frame = ellipse(60, 40)
    found = model.segment([frame, frame], tmp_path / "model" / "heads" / "head")
    assert [one.head for one in found] == ["bright", "bright"]
    with pytest.raises(NotAvailable, match="no head 'neck'"):
        model.segment(frame, "neck")


def test_a_head_of_another_encoder_is_refused(model, tmp_path):
    decoder = MaskDecoder(DecoderConfig(1, (24, 40, 112, 192), widths=WIDTHS))
    other = told(model, encoder={"name": "other", "sha256": "ab" * 32})
    with pytest.raises(BadCheckpoint, match="trained on the encoder abab"):
        model.segment(ellipse(60, 40)[1], save_head(decoder, other, tmp_path / "other"))
    deep = told(model, preprocess={"image_size": 96, "overlay": "keep", "depths": [3, 5, 11, 40]})
    with pytest.raises(BadCheckpoint, match="blocks"):
        model.segment(ellipse(60, 40)[1], save_head(decoder, deep, tmp_path / "deep"))
