"""Every method on both kinds of tower: shapes, the way back to the scan, mirror models, what is asked, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip.encoder import Encoder
from fetalclip.errors import MissingPackage, NotAvailable, UsageError
from fetalclip.explain import METHODS, Explainer, Question
from fetalclip.explain.explainer import finish
from fetalclip.explain.registry import CONVOLUTIONAL, TRANSFORMER, method_for
from fetalclip.explain.view import View, onto
from fetalclip.frame import Frame
from fetalclip.overlay import find_overlay
from fetalclip.phantom import draw
from fetalclip.preprocess import prepare
from fetalclip.preprocess.letterbox import Letterbox
from fetalclip.tasks import PlaneRule, PlaneTask

PAIRS = [(kind, name) for name, method in METHODS.items() for kind in method.towers]


@pytest.fixture
def frame() -> Frame:
    return draw("brain", 1, "test").frame


def towers(lite: Explainer, vit: Explainer) -> dict[str, Explainer]:
    return {CONVOLUTIONAL: lite, TRANSFORMER: vit}


def everywhere(side: int) -> torch.Tensor:
    return torch.ones(side, side, dtype=torch.bool)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_map_is_on_the_scans_own_pixels_and_the_same_again(lite, vit, frame, kind, name):
    explainer = towers(lite, vit)[kind]
    found = explainer(frame, "brain", method=name)
    assert found.map.shape == (frame.height, frame.width)
    assert found.map.dtype == np.float32
    assert found.map.min() >= 0
    assert found.map.max() == pytest.approx(1.0) or found.empty
    assert (found.method, found.text, len(found.against)) == (name, "brain", 8)
    again = explainer(frame, "brain", method=name)
    np.testing.assert_allclose(found.map, again.map, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_mirror_model_explains_a_mirrored_picture_by_the_mirrored_map(lite, vit, frame, kind, name):
    plain = towers(lite, vit)[kind]
    encoder = plain.encoder
    both = Encoder(encoder.model, encoder.tokenizer, replace(encoder.normalisation, mirror=True), "cpu", batch=16)
    explainer = Explainer(both, PlaneTask(both, PlaneRule()))
    left = explainer(frame, "femur", method=name, overlay="keep")
    turned = explainer(Frame(frame.pixels[:, ::-1]), "femur", method=name, overlay="keep")
    np.testing.assert_allclose(left.map, turned.map[:, ::-1], atol=0.02)
    assert left.score == pytest.approx(turned.score, abs=1e-3)


def test_what_a_text_is_held_against(lite, frame):
    assert lite.ask("Head").against == lite.ask("brain").against  # an alias
    assert lite.ask("fetal brain").against == lite.ask("brain").against  # a phrase of the vocabulary
    assert "brain" not in lite.ask("brain").against
    assert lite.ask("a cat on a sofa").against == ()
    assert lite.ask("brain", ["femur", "a cat", "femur"]).against == ("femur", "a cat")
    assert lite.ask("brain", []).against == ()
    alone = lite(frame, "a cat on a sofa")
    assert alone.quantity == "cosine"
    assert alone.score == pytest.approx(alone.cosine, abs=1e-5)


def test_the_score_is_that_of_the_planes(lite, frame):
    found = lite(frame, "brain")
    image = lite.encoder.images([frame_square(lite, frame)])
    share = lite.planes.scores(image, None)[0]["brain"]  # at temperature 1
    assert 1 / (1 + np.exp(-found.score)) == pytest.approx(share, abs=1e-4)


def frame_square(explainer: Explainer, frame: Frame) -> np.ndarray:
    return prepare(frame, explainer.encoder.normalisation.image_size).pixels


def test_without_a_text_the_models_own_plane_is_explained(lite, frame):
    found = lite(frame)
    label = lite.planes(lite.encoder.images([frame_square(lite, frame)]))[0].label
    assert found.text == label
    np.testing.assert_array_equal(found.map, lite(frame, label).map)


def test_hires_cam_finds_a_planted_score():
    """A tower whose embedding is what its map has in one place: the map is there and nowhere else."""

    class Planted(torch.nn.Module):
        def with_maps(self, images, depths):
            seen = images * 1.0
            raw = torch.stack([seen[:, 0, 2, 5], seen[:, 0].flatten(1).mean(1) * 0 + 1], dim=1)
            return raw, [seen]

    question = Question("a", (), np.array([[1.0, 0.0]], np.float32), 1.0)
    picture = torch.ones(1, 3, 8, 8)
    found = METHODS["hires-cam"].load()(View(Planted(), picture, picture, everywhere(8), question))
    assert found.argmax() == 2 * 8 + 5
    assert found.abs().sum() == pytest.approx(float(found[2, 5]))
    assert found[2, 5] > 0


def test_erasing_finds_what_is_left_and_looks_into_the_sector_only():
    """A tower whose score is the brighter of two spots: the second shows once the first is gone."""

    class Either(torch.nn.Module):
        def with_maps(self, images, depths):
            seen = images * 1.0
            spots = torch.stack([seen[:, 0, 1, 1], seen[:, 0, 6, 6]], dim=1).max(dim=1).values
            return torch.stack([spots, torch.ones_like(spots)], dim=1), [seen]

    question = Question("a", (), np.array([[1.0, 0.0]], np.float32), 1.0)
    picture, blurred = torch.full((1, 3, 8, 8), 0.1), torch.full((1, 3, 8, 8), 0.1)
    picture[..., 1, 1], picture[..., 6, 6] = 3.0, 2.0
    once = METHODS["hires-cam"].load()(View(Either(), picture, blurred, everywhere(8), question))
    assert once[6, 6] == 0
    found = METHODS["erasing"].load()(View(Either(), picture, blurred, everywhere(8), question))
    assert found[1, 1] > found[6, 6] > 0
    assert found.sum() == pytest.approx(float(found[1, 1] + found[6, 6]), abs=0.5)
    outside = everywhere(8)
    outside[:4] = False  # the first spot is never erased: the second is never found
    assert METHODS["erasing"].load()(View(Either(), picture, blurred, outside, question))[6, 6] == 0


@pytest.mark.parametrize("name", ["occlusion", "score-cam-centred", "grad-cam"])
def test_a_planted_bright_patch_is_found(name):
    """A tower that sees only how bright its upper left quarter is."""

    class Bright(torch.nn.Module):
        depth = 1

        def __init__(self):
            super().__init__()
            self.blocks = torch.nn.ModuleList([torch.nn.Identity()] * 11)

        def forward(self, images):
            seen = self.blocks[10](images * torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1))
            corner = seen[:, 0, :16, :16].mean(dim=(1, 2))
            return torch.stack([corner, torch.ones_like(corner)], dim=1)

        def token_maps(self, images, depths):
            half = images[:, :1] * 0.0
            left, right = half.clone(), half.clone()
            left[..., :16, :16] = 1
            right[..., 16:, 16:] = 1
            return [torch.cat([left, right], dim=1)]

    question = Question("a", (), np.array([[1.0, 0.0]], np.float32), 1.0)
    picture = torch.full((1, 3, 32, 32), 0.1)
    picture[..., 4:12, 4:12] = 2.0
    picture[..., 20:28, 20:28] = 2.0  # as bright, and of no weight
    view = View(Bright(), picture, torch.full((1, 3, 32, 32), 0.1), everywhere(32), question)
    found = np.maximum(METHODS[name].load()(view).detach().numpy(), 0)
    if name == "grad-cam":  # one channel, and its mean gradient: it cannot tell the two apart
        assert found[4:12, 4:12].mean() == pytest.approx(found[20:28, 20:28].mean())
        return
    assert found[:16, :16].sum() > 4 * found[16:, 16:].sum()


def test_rollout_by_hand(vit, frame):
    """Against attention written out block by block in numpy."""
    tower = vit.encoder.visual
    picture = vit.encoder.tensor([frame_square(vit, frame)])
    question = vit.ask("brain")
    found = METHODS["rollout"].load()(View(tower, picture, picture, everywhere(64), question)).numpy()
    with torch.inference_mode():
        states = [tower.tokens(picture)]
        for block in tower.transformer.resblocks:
            states.append(block(states[-1], False))
        flow = np.eye(65)
        for block, x in zip(tower.transformer.resblocks, states[:-1], strict=True):
            q, k, _ = block.project(x)
            heads = [(q[0, h] @ k[0, h].T).numpy() / 4 for h in range(2)]  # 32 / 2 = 16 wide
            soft = [np.exp(a - a.max(1, keepdims=True)) for a in heads]
            mean = np.mean([a / a.sum(1, keepdims=True) for a in soft], axis=0)
            flow = (0.5 * mean + 0.5 * np.eye(65)) @ flow
    np.testing.assert_allclose(found.reshape(-1), flow[0, 1:], atol=1e-5)
    assert flow.sum(1) == pytest.approx(np.ones(65))


def test_rollout_says_that_it_reads_no_text(vit, frame):
    first, second = (vit(frame, text, method="rollout") for text in ("brain", "femur"))
    np.testing.assert_array_equal(first.map, second.map)
    assert any("reads no text" in warning for warning in first.warnings)


def test_a_map_comes_back_through_the_letterbox():
    grid = np.zeros((8, 8), np.float32)
    grid[4, 2] = 1.0  # middle of the cell: 2.5 / 8 of the side from the left, 4.5 / 8 from the top
    for width, height in ((160, 80), (80, 160), (100, 100), (33, 57)):
        box = Letterbox(width, height, 64)
        heat = onto(grid, box)
        assert heat.shape == (height, width)
        wanted = box.points_out([[2.5 / 8 * 64, 4.5 / 8 * 64]])[0]
        if 0 < wanted[0] < width:
            row, column = np.unravel_index(heat.argmax(), heat.shape)
            assert abs(column + 0.5 - wanted[0]) <= 1
            assert abs(row + 0.5 - wanted[1]) <= 1
    flat = onto(np.full((6, 6), 0.7, np.float32), Letterbox(50, 31, 64))
    np.testing.assert_allclose(flat, 0.7, atol=1e-6)
    wide = onto(np.ones((12, 12), np.float32), Letterbox(30_000, 3, 192))  # no square of 30,000 is made
    assert wide.shape == (3, 30_000)


def test_only_what_speaks_for_the_text_is_heat():
    box = Letterbox(64, 64, 64)
    assert not finish(np.full((4, 4), -1, np.float32), box).any()
    assert finish(np.full((4, 4), np.nan, np.float32), box).max() == 0
    sector = np.zeros((64, 64), bool)
    sector[:, :32] = True
    grid = np.ones((4, 4), np.float32)
    grid[:, 3] = 5
    heat = finish(grid, box, 2.0, sector)
    assert heat.max() == 1
    assert not heat[:, 32:].any()


def test_marks_outside_the_sector_have_no_heat_unless_they_are_kept(lite):
    frame = Frame(np.pad(draw("abdomen", 3, "test").frame.gray, ((20, 20), (90, 90))))
    sector = find_overlay(frame.gray).sector
    assert not sector.all()
    assert not lite(frame, "abdomen").map[~sector].any()
    assert lite(frame, "abdomen", overlay="keep").map[~sector].any()


def test_what_cannot_be_asked(lite, vit, frame):
    with pytest.raises(UsageError, match="no-such"):
        lite(frame, "brain", method="no-such")
    with pytest.raises(UsageError, match="rollout on a convolutional"):
        lite(frame, "brain", method="rollout")
    with pytest.raises(UsageError, match="transformer"):
        vit(frame, "brain", method="grad-cam")
    for text in ("", "   ", "\ud800"):
        with pytest.raises(UsageError, match="empty text"):
            lite(frame, text)
    with pytest.raises(UsageError, match="itself"):
        lite(frame, "femur", against=["femur"])
    supervised = Explainer(lite.encoder, PlaneTask(lite.encoder, PlaneRule(classes=("a", "b"))))
    with pytest.raises(NotAvailable, match="reads no text"):
        supervised(frame, "brain")


def test_a_black_and_a_tiny_picture_have_a_map(lite):
    for pixels in (np.zeros((40, 60), np.uint8), np.full((1, 1), 9, np.uint8), np.zeros((3, 400, 3), np.uint8)):
        found = lite(Frame(pixels), "brain")
        assert found.map.shape == pixels.shape[:2]


def test_captum_is_asked_for_by_name(lite, frame, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    for name in ("grad-cam", "occlusion"):
        with pytest.raises(MissingPackage, match=rf"method {name}.*fetalclip\[explain\]"):
            lite(frame, "brain", method=name)


def test_every_tower_has_a_method_of_its_own():
    assert method_for(CONVOLUTIONAL).name == "erasing"
    assert method_for(TRANSFORMER).name == "score-cam-centred"
    assert {kind for method in METHODS.values() for kind in method.towers} == {CONVOLUTIONAL, TRANSFORMER}
