"""``prepare``: overlay modes, spacing, warnings, colour; ``to_tensor``: scale and layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fetalclip.errors import UsageError
from fetalclip.frame import Frame
from fetalclip.overlay import Overlay, find_overlay, mask_overlay, overlay_only
from fetalclip.phantom import draw
from fetalclip.preprocess import OVERLAY_MODES, letterbox, pipeline, prepare, to_tensor


@pytest.fixture(scope="module")
def frame() -> Frame:
    return draw("brain", 3, profile="test").frame


def covering(share: float):
    """A stand-in for ``find_overlay`` that masks this share of the sector, from the top."""

    def find(gray):
        mask = np.zeros(gray.shape, bool)
        mask[: round(share * gray.shape[0])] = True
        return Overlay(mask, np.ones(gray.shape, bool))

    return find


def test_each_mode_is_what_the_overlay_module_makes(frame):
    found = find_overlay(frame.gray)
    wanted = {
        "keep": frame.gray,
        "mask": mask_overlay(frame.gray, found),
        "only": overlay_only(frame.gray, found),
    }
    assert set(wanted) == set(OVERLAY_MODES)
    for mode, gray in wanted.items():
        np.testing.assert_array_equal(prepare(frame, 97, mode).pixels, letterbox(gray, 97)[0])


def test_mask_and_only_share_the_picture_out(monkeypatch):
    monkeypatch.setattr(pipeline, "find_overlay", covering(0.25))
    frame = Frame(np.full((40, 40), 90, np.uint8))
    mask, only, keep = (prepare(frame, 40, mode).pixels for mode in ("mask", "only", "keep"))
    assert not mask[:10].any()
    assert (mask[10:] == 90).all()
    assert (only[:10] == 90).all()
    assert not only[10:].any()
    np.testing.assert_array_equal(mask + only, keep)


def test_an_overlay_is_not_looked_for_when_kept(monkeypatch, frame):
    monkeypatch.setattr(pipeline, "find_overlay", lambda gray: pytest.fail("looked for"))
    ready = prepare(frame, 64, "keep")
    assert (ready.covered, ready.warnings) == (None, ())


@pytest.mark.parametrize("mode", ["", "Mask", "none"])
def test_an_unknown_mode_is_refused(frame, mode):
    with pytest.raises(UsageError, match="mask, keep, only"):
        prepare(frame, 64, mode)


@pytest.mark.parametrize(("share", "warned"), [(0.0, False), (0.10, False), (0.11, True), (0.6, True)])
def test_more_than_a_tenth_covered_is_told(monkeypatch, share, warned):
    monkeypatch.setattr(pipeline, "find_overlay", covering(share))
    frame = Frame(np.full((100, 80), 90, np.uint8))
    ready = prepare(frame, 64)
    assert ready.covered == pytest.approx(share)
    assert [f"{share:.0%}" in line for line in ready.warnings] == ([True] if warned else [])
    assert prepare(frame, 64, "only").warnings == ()


@pytest.mark.parametrize(("height", "width", "size", "factor"), [(300, 400, 100, 4.0), (50, 20, 100, 0.5)])
def test_spacing_goes_with_the_pixels(height, width, size, factor):
    frame = Frame(np.full((height, width), 90, np.uint8), (0.1, 0.2))
    ready = prepare(frame, size, "keep")
    assert ready.mm_per_pixel == pytest.approx((0.1 * factor, 0.2 * factor))
    assert ready.letterbox.spacing_out(ready.mm_per_pixel) == pytest.approx((0.1, 0.2))


def test_no_spacing_stays_none(frame):
    assert prepare(frame.with_spacing(None), 64).mm_per_pixel is None


def test_a_colour_frame_is_seen_by_its_luma(frame):
    gray_in_colour = frame.with_pixels(np.repeat(frame.gray[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(prepare(gray_in_colour, 80).pixels, prepare(frame, 80).pixels)
    tinted = np.zeros((20, 20, 3), np.uint8)
    tinted[..., 1] = 100
    assert (prepare(Frame(tinted), 20, "keep").pixels == 59).all()  # 0.587 of 100


def test_the_frame_is_left_as_it_was(frame):
    before = frame.pixels.copy()
    prepare(frame, 64)
    np.testing.assert_array_equal(frame.pixels, before)


def test_to_tensor_scales_and_repeats():
    pictures = [np.full((8, 8), level, np.uint8) for level in (0, 51, 255)]
    x = to_tensor(pictures, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))
    assert (x.shape, x.dtype) == ((3, 3, 8, 8), torch.float32)
    assert x.is_contiguous(memory_format=torch.channels_last)
    levels = torch.tensor([0.0, 0.2, 1.0])[:, None]
    wanted = (levels - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.5, 0.25, 0.2])  # (3 pictures, 3 channels)
    torch.testing.assert_close(x, wanted[:, :, None, None].expand_as(x))


@pytest.mark.parametrize("side", [40, 96, 150])
def test_a_square_is_resized_on_tensors_as_by_the_letterbox(frame, side):
    square = np.array(letterbox(frame.gray, 112)[0])
    found = pipeline.resize(torch.from_numpy(square)[None].float() / 255, side)[0]
    meant = letterbox(square, side)[0]
    assert found.shape == (side, side)
    assert np.abs(found.numpy() * 255 - meant).max() < 1.5  # Pillow rounds after each direction
    assert pipeline.resize(found[None], side).data_ptr() == found.data_ptr()
