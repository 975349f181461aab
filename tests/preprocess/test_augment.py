"""Augmentation: a seed for each picture, the true scale, the sector in view, black left black, each effect alone."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from fetalclip.errors import BadRecipe
from fetalclip.preprocess.augment import Augmentation, augment, augment_with_masks

STILL = Augmentation.none()

MOVED = {
    "nothing": STILL,
    "zoom": replace(STILL, zoom=(0.7, 1.4)),
    "rotate": replace(STILL, rotate=25.0),
    "rotate and zoom": replace(STILL, rotate=25.0, zoom=(0.7, 1.4)),
    "flip": replace(STILL, flip=1.0),
    "everything that moves": replace(STILL, rotate=20.0, zoom=(0.75, 1.3), shift=0.05, flip=0.5),
}

SHADED = {
    "gain": replace(STILL, brightness=0.5, contrast=0.5, gamma=0.5),
    "speckle": replace(STILL, speckle=0.5),
    "shadow": replace(STILL, shadow=1.0),
    "attenuation": replace(STILL, attenuation=1.0),
    "haze": replace(STILL, haze=0.3),
    "tgc": replace(STILL, tgc=0.5),
}
"""Whatever changes grey levels and moves nothing."""

BLANKED = {"corners": replace(STILL, erase_corners=1.0), "patch": replace(STILL, erase_patch=1.0)}


def noise(n: int = 4, side: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.rand(n, side, side, generator=generator) * 0.8 + 0.1


def grey(n: int, side: int = 60) -> torch.Tensor:
    return torch.full((n, side, side), 0.4)


def sector(side: int = 120) -> torch.Tensor:
    """A lit wedge (S, S) under an apex at the top, in the left part of the frame."""
    axis = (torch.arange(side) + 0.5) / side
    x, y = axis[None] - 0.4, axis[:, None] - 0.05
    far = torch.hypot(x, y)
    return ((far > 0.15) & (far < 0.6) & (x.abs() < 0.5 * y)).float() * 0.5


def dots(side: int, centres: list[tuple[float, float]]) -> torch.Tensor:
    """A picture (S, S) with a soft dot at each centre, x and y in pixels."""
    axis = torch.arange(side) + 0.5
    each = [torch.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * 3.0**2)) for x, y in centres]
    return torch.stack(each).sum(dim=0)


def spread(pictures: torch.Tensor) -> torch.Tensor:
    """Root of the mean squared distance (B,) of the light from its own centre, pixels."""
    axis = torch.arange(pictures.shape[-1]) + 0.5
    mass = pictures.sum(dim=(1, 2))
    across, down = pictures.sum(dim=1) / mass[:, None], pictures.sum(dim=2) / mass[:, None]
    return torch.stack([share @ axis**2 - (share @ axis) ** 2 for share in (across, down)]).sum(dim=0).sqrt()


def test_an_augmentation_of_none_has_no_range_left_out():
    given = {field.name: getattr(STILL, field.name) for field in fields(STILL)}
    assert given.pop("zoom") == (1.0, 1.0)
    assert set(given.values()) == {0.0}


@pytest.mark.parametrize("size", [96, 150, 60])
@pytest.mark.parametrize("kind", MOVED)
def test_the_scale_told_is_the_scale_seen(kind, size):
    side, count = 120, 12
    picture = dots(side, [(45.0, 50.0), (75.0, 70.0)])
    made, scale = augment(picture.expand(count, side, side), size, MOVED[kind], range(count))
    torch.testing.assert_close(spread(made) / spread(picture[None]), scale, rtol=0.02, atol=0.0)
    if "zoom" not in kind and "every" not in kind:
        torch.testing.assert_close(scale, torch.full((count,), size / side))
    else:
        assert scale.max() / scale.min() > 1.1


def test_the_affine_is_a_similarity():
    # Four dots of a square stay a square: both diagonals have one length, and it is the scale told.
    side, count, ends = 120, 10, [(40.0, 40.0), (80.0, 40.0), (40.0, 80.0), (80.0, 80.0)]
    axis = torch.arange(side) + 0.5
    seen = []
    for end in ends:
        # The same box for all four: a faint frame of light, which the clipping of the centre below leaves out.
        picture = dots(side, [end])
        picture[30, 30:91] = picture[90, 30:91] = picture[30:91, 30] = picture[30:91, 90] = 0.05
        made, scale = augment(picture.expand(count, side, side), side, MOVED["everything that moves"], range(count))
        made = (made - 0.2).clamp_min(0)
        mass = made.sum(dim=(1, 2))
        seen.append(torch.stack([made.sum(dim=1) @ axis / mass, made.sum(dim=2) @ axis / mass], dim=1))
    one, other = (seen[3] - seen[0]).norm(dim=1), (seen[2] - seen[1]).norm(dim=1)
    torch.testing.assert_close(one, other, rtol=0.01, atol=0)
    torch.testing.assert_close(one / (40 * 2**0.5), scale, rtol=0.01, atol=0)


def test_zoom_stays_in_its_range():
    _, scale = augment(noise(200, 8), 8, replace(STILL, zoom=(0.8, 1.25)), range(200))
    assert 0.8 <= scale.min() < 0.85
    assert 1.18 < scale.max() <= 1.25 + 1e-6


@pytest.mark.parametrize("rotate", [0.0, 15.0])
def test_the_lit_sector_stays_in_the_frame(rotate):
    # 0.6 of the side at most: it fits at every magnification drawn.
    count, picture = 200, sector()
    moved = replace(STILL, rotate=rotate, zoom=(0.9, 1.25), shift=0.4, flip=0.5)
    made, scale = augment(picture.expand(count, 120, 120), 120, moved, range(count))
    area = made.sum(dim=(1, 2)) / picture.sum() / scale**2
    torch.testing.assert_close(area, torch.ones(count), rtol=0.02, atol=0)  # nothing is cut off
    places = made.amax(dim=1).argmax(dim=1)
    assert places.max() - places.min() > 40  # and it does move


def test_a_sector_larger_than_the_frame_fills_it():
    made, _ = augment(noise(50), 40, replace(STILL, zoom=(1.0, 1.3), shift=0.4), range(50))
    assert (made > 0.05).all()


def test_a_picture_without_light_is_moved_as_the_whole_frame():
    made, scale = augment(torch.zeros(3, 40, 40), 40, Augmentation(), range(3))
    assert not made.any()
    assert scale.isfinite().all()


@pytest.mark.parametrize("side", [40, 41])
def test_nothing_asked_nothing_changed(side):
    batch = noise(4, side)
    batch[:, 10:20] *= 0.01  # fluid: almost black, not padding
    made, scale = augment(batch, side, STILL, range(4))
    torch.testing.assert_close(made, batch, rtol=0, atol=1e-5)
    assert scale.tolist() == [1.0] * 4


def test_a_flip_is_left_to_right():
    batch = noise()
    made, _ = augment(batch, 40, replace(STILL, flip=1.0), range(4))
    torch.testing.assert_close(made, batch.flip(2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [*SHADED, *BLANKED, "all"])
def test_a_picture_and_its_seed_make_the_same_result_in_any_batch(kind):
    ranges = {**SHADED, **BLANKED, "all": Augmentation()}[kind]
    batch, seeds = noise(6), [3, 1, 4, 1, 5, 9]
    whole, scale = augment(batch, 32, ranges, seeds)
    for i in (0, 2, 5):
        alone, told = augment(batch[i : i + 1], 32, ranges, [seeds[i]])
        torch.testing.assert_close(alone[0], whole[i], rtol=0, atol=1e-6)
        torch.testing.assert_close(told[0], scale[i])
    backward, _ = augment(batch.flip(0), 32, ranges, torch.tensor(seeds[::-1]))
    torch.testing.assert_close(backward.flip(0), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [*SHADED, *BLANKED, "rotate", "zoom"])
def test_every_effect_follows_the_seed(kind):
    ranges = {**MOVED, **SHADED, **BLANKED}[kind]
    same = noise(1).expand(3, 40, 40)
    made, _ = augment(same, 40, ranges, [7, 7, 8])
    torch.testing.assert_close(made[0], made[1], rtol=0, atol=1e-6)
    assert (made[0] - made[2]).abs().max() > 0.01


def test_one_effect_does_not_change_what_another_draws():
    batch = noise()
    _, scale = augment(batch, 40, replace(STILL, zoom=(0.7, 1.4)), range(4))
    _, again = augment(batch, 40, replace(SHADED["speckle"], zoom=(0.7, 1.4), shadow=1.0, rotate=9.0), range(4))
    assert torch.equal(scale, again)


def test_the_global_random_state_plays_no_part():
    batch = noise()
    torch.manual_seed(1)
    first, _ = augment(batch, 32, Augmentation(), range(4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, _ = augment(batch, 32, Augmentation(), range(4))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("n", "side", "size"), [(1, 40, 32), (3, 33, 47), (2, 224, 192), (1, 5, 3)])
def test_shapes_and_range(n, side, size):
    made, scale = augment(noise(n, side), size, Augmentation(), range(n))
    assert made.shape == (n, size, size)
    assert scale.shape == (n,)
    assert made.isfinite().all()
    assert ((made >= 0) & (made <= 1)).all()


def test_a_seed_for_every_picture():
    with pytest.raises(ValueError, match="3 seeds for 4 pictures"):
        augment(noise(), 32, Augmentation(), range(3))


def test_large_seeds_are_taken():
    made, _ = augment(noise(2), 40, Augmentation(), [2**63 - 1, 2**63 - 2])
    assert not torch.equal(made[0], made[1])


def test_the_input_is_left_as_it_was():
    batch = noise()
    before = batch.clone()
    augment(batch, 40, replace(Augmentation(), erase_corners=1.0), range(4))
    assert torch.equal(batch, before)


@pytest.mark.parametrize("kind", SHADED)
def test_black_ground_stays_black(kind):
    assert not augment(torch.zeros(6, 60, 60), 60, SHADED[kind], range(6))[0].any()
    batch = sector().expand(8, 120, 120)
    made, _ = augment(batch, 120, SHADED[kind], range(8))
    assert made[batch == 0].max() < 1e-5  # what the resampling leaves, untouched
    assert (made - batch).abs().amax(dim=(1, 2)).max() > 0.05


def test_gain_changes_every_picture_as_a_whole():
    made, _ = augment(grey(8), 60, SHADED["gain"], range(8))
    flat = made.amax(dim=(1, 2)) - made.amin(dim=(1, 2))
    levels = made.mean(dim=(1, 2))
    assert flat.max() < 1e-4
    assert levels.min() < 0.35
    assert levels.max() > 0.45


def test_attenuation_goes_with_depth_and_both_ways():
    made, _ = augment(grey(40), 60, SHADED["attenuation"], range(40))
    middle = made[:, :, 30]
    fall = (middle[:, -1] / middle[:, 0]).log()
    assert -1 <= fall.min() < -0.7
    assert 0.7 < fall.max() < 1
    steps = (middle[:, 1:] - middle[:, :-1]) * fall.sign()[:, None]
    assert steps.min() > -1e-4


def test_a_shadow_begins_below_the_probe_and_widens_along_the_beam():
    count, side = 60, 120
    made, _ = augment(grey(count, side), side, SHADED["shadow"], range(count))
    dark = made < 0.3
    assert not dark[:, :3].any()
    widths = dark.sum(dim=2).float()
    assert (made <= 0.4 + 1e-4).all()
    assert (widths.amax(dim=1) > 3).all()
    inside = ~dark[:, :, 0].any(dim=1) & ~dark[:, :, -1].any(dim=1)  # those the frame does not cut
    assert inside.sum() > 10
    grown = widths[inside, -1] - widths[inside, 85]
    assert grown.min() >= 0
    assert grown.mean() > 1
    jumps = (made[:, :, 1:] - made[:, :, :-1]).abs()
    assert jumps.max() < 0.15  # no hard edge


def test_a_shadow_is_as_frequent_as_asked():
    made, _ = augment(grey(300, 30), 30, replace(STILL, shadow=0.3), range(300))
    assert 0.2 < (made.amin(dim=(1, 2)) < 0.3).float().mean() < 0.4


def test_haze_is_added_near_the_probe():
    made, _ = augment(grey(20), 60, SHADED["haze"], range(20))
    added = made - 0.4
    assert added.min() >= -1e-5
    assert added.max() <= 0.3
    assert added[:, :6].mean() > 5 * added[:, -20:].mean() > 0
    assert (added[:, 1:] - added[:, :-1]).abs().max() < 0.05  # low frequency


def test_time_gain_changes_bands_of_depth_smoothly():
    made, _ = augment(grey(20), 60, SHADED["tgc"], range(20))
    middle = made[:, :, 30]
    slopes = middle[:, 1:] - middle[:, :-1]
    assert 0.4 / 1.5 - 1e-3 <= middle.min() < 0.35
    assert 0.45 < middle.max() <= 0.4 * 1.5 + 1e-3
    assert (slopes.amax(dim=1) > 0.002).all()  # up and down along one beam
    assert (slopes.amin(dim=1) < -0.002).all()
    assert slopes.abs().max() < 0.1


def test_speckle_is_multiplicative_and_correlated():
    count, side = 40, 96
    low, _ = augment(grey(count, side) / 4, side, SHADED["speckle"], range(count))
    high, _ = augment(grey(count, side), side, SHADED["speckle"], range(count))
    kept = high < 0.99
    torch.testing.assert_close((low * 4)[kept], high[kept], rtol=1e-3, atol=1e-4)
    log = low.log() - low.log().mean(dim=(1, 2), keepdim=True)
    strength = log.std(dim=(1, 2))
    assert 0.4 < strength.max() < 0.55
    assert strength.min() < 0.1
    power = (log**2).mean()
    across, down = ((log * log.roll(1, dims)).mean() / power for dims in (2, 1))
    assert across > down > 0.4  # longer across the beam
    assert (log * log.roll(12, 2)).mean().abs() / power < 0.1


def test_corners_are_blanked_when_asked():
    batch = torch.full((40, 60, 60), 0.5)
    made, _ = augment(batch, 60, BLANKED["corners"], range(40))
    for corner in (made[:, 0, 0], made[:, 0, -1], made[:, -1, 0], made[:, -1, -1]):
        assert not corner.any()
    torch.testing.assert_close(made[:, 15:45, 15:45], batch[:, 15:45, 15:45], rtol=0, atol=1e-5)
    some, _ = augment(batch, 60, replace(STILL, erase_corners=0.5), range(40))
    assert 0.2 < (some[:, 0, 0] == 0).float().mean() < 0.8


def test_a_patch_is_blanked_when_asked():
    made, _ = augment(torch.full((20, 60, 60), 0.5), 60, BLANKED["patch"], range(20))
    share = (made == 0).float().mean(dim=(1, 2))
    assert share.min() > 0
    assert share.max() < 0.08  # at most 0.2 of each side and 4 pixels


@pytest.mark.parametrize(
    "wrong", [{"shadow": 1.5}, {"flip": -0.1}, {"speckle": -1.0}, {"haze": float("nan")}, {"zoom": (0.0, 1.0)}]
)
def test_ranges_that_mean_nothing_are_told(wrong):
    with pytest.raises(BadRecipe, match=f"augment.{next(iter(wrong))}"):
        Augmentation(**wrong)


def test_masks_move_with_their_pictures():
    disc = torch.zeros(2, 48, 48)
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    disc[:] = (((x - 20) / 12) ** 2 + ((y - 27) / 8) ** 2 < 1).float()
    still = replace(Augmentation.none(), rotate=30.0, zoom=(0.8, 1.2), shift=0.1, flip=0.5)
    pictures, masks, scale = augment_with_masks(disc, torch.stack([disc, 1 - disc], 1), 40, still, [3, 4])
    torch.testing.assert_close(masks[:, 0], pictures, atol=0.02, rtol=0)  # nothing but the geometry changed
    assert (masks[:, 0] * masks[:, 1]).max() < 0.3  # the two halves still part at one edge
    seen, same = augment(disc, 40, still, [3, 4])
    torch.testing.assert_close(seen, pictures)
    torch.testing.assert_close(same, scale)


def test_a_blanked_patch_leaves_the_mask():
    disc = torch.ones(1, 32, 32)
    blank = replace(Augmentation.none(), erase_patch=1.0, erase_corners=1.0)
    pictures, masks, _ = augment_with_masks(disc, disc[:, None], 32, blank, [1])
    assert pictures.min() == 0
    assert masks.min() > 0.99
