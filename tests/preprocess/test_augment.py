"""Augmentation: repeats itself, tells the true scale, leaves the black ground black."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fetalclip.preprocess.augment import Augmentation, augment

STILL = Augmentation(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Nothing changes."""

MOVED = {
    "nothing": STILL,
    "zoom": replace(STILL, zoom=(0.7, 1.4)),
    "rotate": replace(STILL, rotate=25.0),
    "rotate and zoom": replace(STILL, rotate=25.0, zoom=(0.7, 1.4)),
    "flip": replace(STILL, flip=1.0),
    "everything that moves": replace(STILL, rotate=20.0, zoom=(0.75, 1.3), shift=0.05, flip=0.5),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(n: int = 4, side: int = 40) -> torch.Tensor:
    return torch.rand(n, side, side, generator=generator(9)) * 0.8 + 0.1


def blobs(side: int, centres: list[tuple[float, float]]) -> list[torch.Tensor]:
    """One (S, S) picture per centre (x, y in pixels) with a soft dot there."""
    axis = torch.arange(side) + 0.5
    return [torch.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * 3.0**2)) for x, y in centres]


def centre(pictures: torch.Tensor) -> torch.Tensor:
    """Centre of mass (B, 2) in pixels, x and y."""
    axis = torch.arange(pictures.shape[-1]) + 0.5
    mass = pictures.sum(dim=(1, 2))
    across, down = pictures.sum(dim=1) @ axis, pictures.sum(dim=2) @ axis
    return torch.stack([across / mass, down / mass], dim=1)


@pytest.mark.parametrize("size", [96, 150, 60])
@pytest.mark.parametrize("kind", MOVED)
def test_the_scale_told_is_the_scale_seen(kind, size):
    side, count = 120, 8
    ends = [(45.0, 50.0), (75.0, 70.0)]
    # The same draw moves both pictures, since only the pixels differ.
    moved = []
    for dot in blobs(side, ends):
        batch = dot.expand(count, side, side).clone()
        made, scale = augment(batch, size, MOVED[kind], generator(5))
        moved.append(centre(made))
    length = (moved[1] - moved[0]).norm(dim=1)
    before = torch.tensor(ends[1]).sub(torch.tensor(ends[0])).norm()
    torch.testing.assert_close(length / before, scale, rtol=0.02, atol=0.0)
    if "zoom" not in kind and "every" not in kind:
        torch.testing.assert_close(scale, torch.full((count,), size / side))
    else:
        assert scale.max() / scale.min() > 1.1


def test_zoom_stays_in_its_range():
    _, scale = augment(noise(200, 8), 8, replace(STILL, zoom=(0.8, 1.25)), generator())
    assert 0.8 <= scale.min() < 0.85
    assert 1.18 < scale.max() <= 1.25 + 1e-6


def test_nothing_asked_nothing_changed():
    batch = noise()
    made, scale = augment(batch, 40, STILL, generator())
    torch.testing.assert_close(made, batch, rtol=0, atol=1e-5)
    assert scale.tolist() == [1.0] * 4


def test_a_flip_is_left_to_right():
    batch = noise()
    made, _ = augment(batch, 40, replace(STILL, flip=1.0), generator())
    torch.testing.assert_close(made, batch.flip(2), rtol=0, atol=1e-5)


def test_the_same_seed_repeats_itself_and_another_does_not():
    batch = noise()
    first, again, other = (augment(batch, 32, Augmentation(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_the_global_random_state_plays_no_part():
    batch = noise()
    torch.manual_seed(1)
    first, _ = augment(batch, 32, Augmentation(), generator(3))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, _ = augment(batch, 32, Augmentation(), generator(3))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("n", "side", "size"), [(1, 40, 32), (3, 33, 47), (2, 224, 192)])
def test_shapes_and_range(n, side, size):
    made, scale = augment(noise(n, side), size, Augmentation(), generator())
    assert made.shape == (n, size, size)
    assert scale.shape == (n,)
    assert made.isfinite().all()
    assert 0 <= made.min() <= made.max() <= 1


def test_the_input_is_left_as_it_was():
    batch = noise()
    before = batch.clone()
    augment(batch, 40, Augmentation(), generator())
    assert torch.equal(batch, before)


def test_black_ground_stays_black():
    batch = torch.zeros(6, 60, 60)
    assert not augment(batch, 60, Augmentation(), generator())[0].any()
    batch[:, 20:40, 20:40] = 0.5
    bright = replace(STILL, brightness=0.5, contrast=0.5, gamma=0.5, speckle=0.5)
    made, _ = augment(batch, 60, bright, generator())
    inside = torch.zeros(60, 60, dtype=torch.bool)
    inside[19:41, 19:41] = True  # one pixel of interpolation
    assert not made[:, ~inside].any()
    levels = made[:, 25:35, 25:35].mean(dim=(1, 2))
    assert levels.max() - levels.min() > 0.05


def test_corners_are_blanked_when_asked():
    batch = torch.full((40, 60, 60), 0.5)
    made, _ = augment(batch, 60, replace(STILL, erase_corners=1.0), generator())
    for corner in (made[:, 0, 0], made[:, 0, -1], made[:, -1, 0], made[:, -1, -1]):
        assert not corner.any()
    torch.testing.assert_close(made[:, 15:45, 15:45], batch[:, 15:45, 15:45], rtol=0, atol=1e-5)
    some, _ = augment(batch, 60, replace(STILL, erase_corners=0.5), generator())
    assert 0.2 < (some[:, 0, 0] == 0).float().mean() < 0.8


def test_a_patch_is_blanked_when_asked():
    batch = torch.full((20, 60, 60), 0.5)
    made, _ = augment(batch, 60, replace(STILL, erase_patch=1.0), generator())
    share = (made == 0).float().mean(dim=(1, 2))
    assert share.min() > 0
    assert share.max() < 0.08  # at most 0.2 of each side and 4 pixels
