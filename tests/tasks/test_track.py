"""An eye looks at the square about the heart, at the tower's maps, and says by its key what a track hangs on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fetalclip import api
from fetalclip.encoder import Encoder
from fetalclip.errors import NotAvailable, UsageError
from fetalclip.frame import Frame
from fetalclip.models.dense import DecoderConfig, MaskDecoder
from fetalclip.models.mask_head import save_head
from fetalclip.overlay import Overlay
from fetalclip.tasks.chest import FACTS
from fetalclip.tasks.segment import Segmenter, SegmentTask
from fetalclip.tasks.sight import LAGS, Sight, find_heart, rhythm
from fetalclip.tasks.track import Eye, Track, shots_of

SIGHT = Sight("keep", locator="chest", margin=1.5)


class Drawer(SegmentTask):
    """Stands for a loaded head: what is brighter than 200 is heart, than 50 thorax, and grey 150 is spine."""

    def __init__(self, structures: tuple[str, ...] = ("heart", "thorax", "spine"), sha256: str = "ab" * 32) -> None:
        told = {"weights": {"sha256": sha256}}
        self.head = SimpleNamespace(config=SimpleNamespace(structures=structures, told=told))
        self.asked = 0

    def __call__(self, frames, views=True, overlays=None):
        self.asked += 1
        wanted = self.head.config.structures
        masks = [{"heart": f.gray > 200, "thorax": f.gray > 50, "spine": f.gray == 150} for f in frames]
        return [SimpleNamespace(masks={name: one[name] for name in wanted}) for one in masks]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    with pytest.warns(UserWarning, match="RANDOM"):
        return api.load("fetalclip-tiny").encoder


def frames(count: int = 5, heart: bool = True, colour: bool = False) -> list[Frame]:
    rng = np.random.default_rng(3)
    made = []
    for _ in range(count):
        pixels = np.full((90, 120), 10, np.uint8)
        pixels[10:80, 20:100] = rng.integers(60, 140, (70, 80))
        pixels[70:76, 56:62] = 150
        if heart:
            pixels[30:50, 40:70] = rng.integers(210, 255, (20, 30))
        made.append(Frame(np.repeat(pixels[..., None], 3, axis=2) if colour else pixels))
    return made


@pytest.mark.parametrize("colour", [False, True])
def test_frames_are_cut_out_about_the_heart(encoder, colour):
    shown, task = frames(colour=colour), Drawer()
    found = Eye(encoder, SIGHT, task)(shots_of(shown))
    box, told = find_heart(Drawer(), shown, 1.5)
    assert box.side < 60
    cut = Eye(encoder, Sight("keep"))(shots_of([Frame(box.cut(frame.pixels)) for frame in shown]))
    np.testing.assert_allclose(found.embeddings, cut.embeddings, atol=1e-4)
    np.testing.assert_array_equal(found.facts, told)
    whole = Eye(encoder, Sight("keep"))(shots_of(shown))
    assert np.abs(found.embeddings - whole.embeddings).max() > 1e-3 * np.abs(whole.embeddings).max()
    assert len(whole.facts) == 0


def test_the_heart_is_looked_for_once(encoder):
    task = Drawer()
    eye = Eye(encoder, SIGHT, task)
    eye(shots_of(frames(2) * 20))  # more than go through the tower together
    assert task.asked == 1
    eye(shots_of(frames(2)))
    assert task.asked == 2  # and again in the next clip


def test_without_a_heart_the_whole_frames_are_looked_at(encoder):
    found = Eye(encoder, SIGHT, Drawer())(shots_of(frames(heart=False)))
    whole = Eye(encoder, Sight("keep"))(shots_of(frames(heart=False)))
    np.testing.assert_allclose(found.embeddings, whole.embeddings, atol=1e-4)
    assert found.facts.shape == (len(FACTS),)
    assert not found.facts.any()


def test_marks_are_hidden_in_the_square_too(encoder):
    hidden = np.zeros((90, 120), bool)
    hidden[35:45, 50:60] = True
    shown = frames()
    found = Eye(encoder, replace(SIGHT, overlay="mask"), Drawer())(shots_of(shown), Overlay(hidden, ~hidden))
    blank = [frame.with_pixels(np.where(hidden, np.uint8(0), frame.pixels)) for frame in shown]
    box, _ = find_heart(Drawer(), shown, 1.5)
    wanted = Eye(encoder, Sight("keep"))(shots_of([Frame(box.cut(frame.pixels)) for frame in blank]))
    np.testing.assert_allclose(found.embeddings, wanted.embeddings, atol=1e-4)


def test_what_a_net_is_given_of_a_frame(encoder):
    found = Eye(encoder, replace(SIGHT, grids={3: 2, 11: 1}), Drawer())(shots_of(frames()))
    details = 24 * 4 + 112
    assert found.details.shape == (5, details)
    assert found.whole.shape == (2 * len(LAGS) + len(FACTS),)
    assert found.seen.shape == (5, 16 + details + len(found.whole))
    np.testing.assert_array_equal(found.seen[:, :16], found.embeddings)
    np.testing.assert_array_equal(found.seen[:, 16 : 16 + details], found.details)
    np.testing.assert_array_equal(found.seen[:, 16 + details :], np.repeat(found.whole[None], 5, axis=0))
    np.testing.assert_array_equal(found.whole[: 2 * len(LAGS)], rhythm(found.details, found.seconds))
    part = found.part(1, 4)
    np.testing.assert_array_equal(part.details, found.details[1:4])
    np.testing.assert_array_equal(part.facts, found.facts)
    assert part.seen.shape == (3, found.seen.shape[1])
    plain = Track(found.embeddings, found.seconds, found.index)
    np.testing.assert_array_equal(plain.seen, found.embeddings)  # a head of embeddings alone is given no more
    with pytest.raises(UsageError):
        Eye(encoder, Sight("keep", grids={99: 2}))(shots_of(frames(1)))


def test_the_key_hangs_on_sight_and_locator(encoder):
    keys = [
        Eye(encoder).key,
        Eye(encoder, Sight("keep")).key,
        Eye(encoder, Sight(rate=30.0)).key,
        Eye(encoder, Sight(grids={3: 2})).key,
        Eye(encoder, Sight(grids={3: 4})).key,
        Eye(encoder, SIGHT, Drawer()).key,
        Eye(encoder, replace(SIGHT, margin=2.0), Drawer()).key,
        Eye(encoder, SIGHT, Drawer(sha256="cd" * 32)).key,
    ]
    assert len(set(keys)) == len(keys)
    assert keys[5] == Eye(encoder, replace(SIGHT), Drawer()).key


def test_a_locator_without_a_heart_is_refused(encoder):
    for locator in (None, Drawer(("head", "thorax"))):
        with pytest.raises(NotAvailable, match="'chest' that draws a heart"):
            Eye(encoder, SIGHT, locator)
    Eye(encoder, Sight(), Drawer(("head",)))  # not asked


def test_a_saved_head_serves_as_locator(encoder, tmp_path):
    torch.manual_seed(0)
    decoder = MaskDecoder(DecoderConfig(2, (24, 40, 112, 192), widths=(8, 8, 8, 8, 8)))
    told = {
        "name": "chest",
        "license": "CC-BY-4.0",
        "structures": ["heart", "thorax"],
        "outset": {},
        "encoder": {"name": "fetalclip-tiny", "sha256": encoder.tower_sha256},
        "preprocess": {"image_size": 64, "overlay": "keep", "depths": [3, 5, 11, 15]},
    }
    task = Segmenter(encoder, None).task(save_head(decoder, told, tmp_path / "chest"))
    eye = Eye(encoder, SIGHT, task)
    assert task.head.config.told["weights"]["sha256"] in eye.key
    found = eye(shots_of(frames(3)))
    assert found.embeddings.shape == (3, 16)
    assert found.facts.shape == (len(FACTS),)
