"""Tests of fetalclip.overlay on drawn pictures, and on real ones where they are present."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fetalclip.errors import UsageError
from fetalclip.overlay import Overlay, find_overlay, mask_overlay, overlay_only

Gray = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

REAL = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
LINES = ["2+3.Trim.", "Har-mid", "97", "Gn -4", "C6 / M7", "FF3 / E3"]


def sector(height: int, width: int, full: bool = False, seed: int = 0) -> tuple[Gray, Mask]:
    """Speckle in a fan (or over the whole picture), grey levels about 20 to 120, and where it lies."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    s = max(height, width) / 416
    inside = np.ones((height, width), dtype=bool)
    if not full:
        apex = (-0.25 * height, 0.5 * width)
        radius = np.hypot(y - apex[0], x - apex[1])
        angle = np.abs(np.arctan2(x - apex[1], y - apex[0]))
        inside = (angle < 0.55) & (radius > 0.3 * height) & (radius < 1.2 * height)
    noise = Image.fromarray(rng.normal(0, 1, (height, width)).astype(np.float32) * 40 + 128).convert("L")
    grain = np.asarray(noise.filter(ImageFilter.GaussianBlur(1.6 * s))).astype(np.float64)
    speckle = np.clip(1 + (grain - grain.mean()) / grain.std() * 0.5, 0, None)
    picture = np.where(inside, np.clip(15 + 40 * speckle, 0, 255), 0)
    return picture.astype(np.uint8), inside


def text(shape: tuple[int, int], place: tuple[int, int], lines: list[str], size: float) -> Mask:
    """Pixels of right-aligned lines that end at `place` (x, y of the upper right corner)."""
    layer = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(layer)
    font = ImageFont.load_default(size)
    for k, line in enumerate(lines):
        wide = pen.textlength(line, font=font)
        pen.text((place[0] - wide, place[1] + k * size * 0.95), line, fill=255, font=font)
    return np.asarray(layer) > 100


def recall(found: Overlay, drawn: Mask) -> float:
    return float(found.mask[drawn].mean())


@pytest.mark.parametrize(("height", "width"), [(288, 416), (540, 800), (661, 959)])
@pytest.mark.parametrize("full", [False, True])
def test_preset_text_is_masked(height: int, width: int, full: bool) -> None:
    picture, _ = sector(height, width, full)
    ink = text((height, width), (width - 2, 2), LINES, width / 46)
    picture[ink] = 200
    found = find_overlay(picture)
    assert recall(found, ink) >= 0.95
    assert found.covered < 0.06
    assert (mask_overlay(picture, found)[ink] == 0).mean() >= 0.95


def test_dim_text_on_black_is_masked() -> None:
    picture, _ = sector(288, 416)
    ink = text((288, 416), (410, 30), ["SRI II 3 / CRI 2"], 9)
    picture[ink] = 80
    assert recall(find_overlay(picture), ink) >= 0.95


@pytest.mark.parametrize("full", [False, True])
def test_an_annotation_is_masked(full: bool) -> None:
    picture, _ = sector(288, 416, full)
    picture = (picture * 0.5).astype(np.uint8)
    ink = text((288, 416), (70, 60), ["FETO B"], 12)
    picture[ink] = 255
    assert recall(find_overlay(picture), ink) >= 0.95


def test_the_shape_of_the_blank_does_not_tell_the_word() -> None:
    blanks = []
    for word in ("Cardiac", "2+3.Trim.", "1."):
        picture, _ = sector(288, 416, full=True)
        picture[text((288, 416), (414, 2), [word, *LINES[1:]], 9)] = 200
        blanks.append(find_overlay(picture).mask)
    assert np.array_equal(blanks[0], blanks[1])
    assert np.array_equal(blanks[0], blanks[2])


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("scale", "gap"), [(1, 0), (2, 0), (2, 3)])
def test_bar_and_ruler_are_masked(full: bool, scale: int, gap: int) -> None:
    picture, _ = sector(288 * scale, 416 * scale, full)
    drawn = np.zeros(picture.shape, dtype=bool)
    bar = np.linspace(255, 0, 100 * scale).astype(np.uint8)
    columns = slice(gap, gap + 5 * scale)
    picture[12 * scale : 112 * scale, columns] = bar[:, None]
    drawn[12 * scale : 100 * scale, columns] = True
    for y in range(14 * scale, 280 * scale, 15 * scale):
        mark = np.s_[y : y + scale, 11 * scale : 13 * scale]
        picture[mark] = 220
        drawn[mark] = True
    found = find_overlay(picture)
    assert recall(found, drawn) >= 0.97
    assert found.covered < 0.05


@pytest.mark.parametrize(("height", "width"), [(288, 416), (661, 959)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_anatomy_survives(height: int, width: int, full: bool, seed: int) -> None:
    picture, _ = sector(height, width, full, seed)
    s = width / 416
    layer = Image.new("L", (width, height))
    pen = ImageDraw.Draw(layer)
    pen.ellipse([130 * s, 70 * s, 290 * s, 200 * s], outline=255, width=round(6 * s))  # skull
    pen.line([150 * s, 230 * s, 260 * s, 222 * s], fill=255, width=round(5 * s))  # femur
    pen.arc([150 * s, 40 * s, 266 * s, 70 * s], 210, 330, fill=255, width=round(2 * s))  # skin
    pen.line([170 * s, 135 * s, 250 * s, 135 * s], fill=255, width=round(2 * s))  # midline
    drawn = np.asarray(layer) > 0
    picture[drawn] = 230
    found = find_overlay(picture)
    assert found.mask[drawn].mean() < 0.03
    assert found.covered < 0.03


def test_the_sector_is_found_and_filled() -> None:
    picture, inside = sector(288, 416)
    picture[140:180, 180:240] = 0  # fluid
    found = find_overlay(picture)
    assert found.sector[150:170, 190:230].all()
    assert (found.sector & inside).sum() / (found.sector | inside).sum() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (1, 2000), (61, 61), (2, 2)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_odd_pictures(shape: tuple[int, int], level: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = noise if level is None else np.full(shape, level, dtype=np.uint8)
    found = find_overlay(picture)
    assert found.mask.shape == found.sector.shape == shape
    assert found.mask.dtype == found.sector.dtype == bool
    assert 0 <= found.covered <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_picture_has_no_overlay(level: int) -> None:
    found = find_overlay(np.full((300, 400), level, dtype=np.uint8))
    assert not found.mask.any()
    assert found.sector.all() == bool(level)
    assert found.covered == 0


def test_both_parts_make_up_the_picture() -> None:
    picture, _ = sector(288, 416)
    picture[text((288, 416), (414, 2), LINES, 9)] = 200
    before = picture.copy()
    found = find_overlay(picture)
    rest, marks = mask_overlay(picture, found), overlay_only(picture)
    assert np.array_equal(rest.astype(int) + marks, picture)
    assert not ((rest > 0) & (marks > 0)).any()
    assert rest.dtype == marks.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert rest is not picture


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), dtype=np.float32),
        np.zeros((4, 4, 3), dtype=np.uint8),
        np.zeros((0, 4), dtype=np.uint8),
        [[0, 1], [2, 3]],
        None,
    ],
)
def test_what_is_not_a_grey_picture_is_a_usage_error(wrong: object) -> None:
    for call in (find_overlay, mask_overlay, overlay_only):
        with pytest.raises(UsageError):
            call(wrong)  # type: ignore[arg-type]


def test_an_overlay_of_another_picture_is_a_usage_error() -> None:
    small = np.zeros((10, 10), dtype=np.uint8)
    with pytest.raises(UsageError):
        mask_overlay(small, find_overlay(np.zeros((20, 20), dtype=np.uint8)))


def test_a_picture_that_must_not_be_written_is_left_alone() -> None:
    picture, _ = sector(288, 416)
    picture.flags.writeable = False
    assert mask_overlay(picture).shape == picture.shape


def test_no_letters_are_left_in_the_corner_of_real_pictures() -> None:
    """The upper right corner of some development pictures is empty after masking."""
    folder = REAL / "fetal_planes_db"
    table = folder / "FETAL_PLANES_DB_data.csv"
    if not table.is_file():
        pytest.skip("FETAL_PLANES_DB is not at ../shared/data")
    rows = [line.split(";") for line in table.read_text().splitlines()[1:]]
    names = [row[0] for row in rows if row[-1].strip() == "1"][::24]
    covered, kept = [], 0
    started = time.perf_counter()
    for name in names:
        gray = np.asarray(Image.open(folder / "Images" / f"{name}.png").convert("L"))
        found = find_overlay(gray)
        covered.append(found.covered)
        kept += bool((mask_overlay(gray, found)[: gray.shape[0] // 6, -gray.shape[1] // 8 :] > 0).any())
    assert kept == 0
    assert np.median(covered) < 0.05
    assert max(covered) < 0.10
    assert (time.perf_counter() - started) / len(names) < 1.0  # seconds; far above the usual 0.02
