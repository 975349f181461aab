"""Sector and marks of a clip from what moves: simulated fans with moving speckle, text, a ruler and an ECG strip."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fetalclip.errors import UsageError
from fetalclip.frame import Cine, Frame
from fetalclip.io import read_cine
from fetalclip.overlay.motion import MOST, Motion, find_motion
from fetalclip.phantom.sector import Sector, place

HEIGHT, WIDTH = 480, 640


@dataclass
class Scene:
    """A simulated screen.

    Attributes:
        sector: where echoes are.
        words: bool (H, W), static text and ruler outside the sector.
        label: bool (H, W), a static word inside the sector.
        ecg: (first row, row after the last) of the strip with the running trace.
    """

    sector: np.ndarray
    words: np.ndarray
    label: np.ndarray
    ecg: tuple[int, int] = (440, 472)

    def pictures(self, count: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Rayleigh speckle, new in each picture, over tissue that drifts, dark with depth and with a black cyst."""
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        depth = (1.1 - y / HEIGHT).clip(0.25, 1)
        for index in range(count):
            tissue = 60 * depth * (1 + 0.5 * np.sin((x + 3 * index) / 40) * np.cos(y / 55))
            tissue[(x - 330) ** 2 + (y - 230) ** 2 < 45**2] = 1
            speckle = tissue * rng.rayleigh(1.0, (HEIGHT, WIDTH))
            out = np.where(self.sector, speckle, 0).clip(0, 255).astype(np.uint8)
            out[self.words | self.label] = 220
            trace = np.arange(30, 300)
            beat = (trace - 9 * index) % 60
            rows = np.where(beat < 4, self.ecg[0] + 2, (self.ecg[0] + self.ecg[1]) // 2)
            for thick in (0, 1):
                out[rows + thick, trace] = 255
            yield out


def words(at: tuple[int, int], text: str) -> np.ndarray:
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).text(at, text, fill=255, font=ImageFont.load_default(18))
    return np.asarray(image) > 128


def scene(seed: int, style: str = "fan") -> Scene:
    rng = np.random.default_rng(seed)
    # the fan takes the middle of the screen, above the strip
    inner = place(rng, style, (440, 420), 0.3).inside
    sector = np.zeros((HEIGHT, WIDTH), bool)
    sector[10:430, 110:550] = inner
    outside = words((4, 4), "CARDIAC 4CH") | words((4, 30), "21.3 Hz") | words((556, 300), "GA 20w3d")
    outside[20:420:20, 630:638] = True  # a ruler
    return Scene(sector, outside & ~sector, words((300, 60), "LV") & sector)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("style", ["fan", "zoom"])
@pytest.mark.parametrize("seed", range(3))
def test_the_sector_is_found_and_nothing_else(seed: int, style: str) -> None:
    made = scene(seed, style)
    motion = find_motion(Cine.of(list(made.pictures(24)), rate=30))
    assert motion.warnings == ()
    assert motion.pictures == 24
    print(f"{style} {seed}: IoU {iou(motion.sector, made.sector):.4f}")
    assert iou(motion.sector, made.sector) > 0.95
    strip = slice(*made.ecg)
    assert not motion.sector[strip].any()
    assert motion.moving[strip, 30:300].sum() > 500
    assert (motion.static & made.words).sum() > 0.7 * made.words.sum()


def test_what_is_masked_is_black() -> None:
    made = scene(1)
    pictures = list(made.pictures(24))
    motion = find_motion(Cine.of(pictures, rate=30))
    masked = motion.mask(Frame(pictures[5])).pixels
    assert not masked[made.words].any()
    assert not masked[slice(*made.ecg)].any()
    inner = made.sector & motion.sector & ~made.label
    assert (masked[inner] == pictures[5][inner]).mean() > 0.98
    assert (masked[made.label] > 200).mean() < 0.3  # the word on the moving tissue
    colour = motion.mask(Frame(np.repeat(pictures[5][..., None], 3, axis=2))).pixels
    np.testing.assert_array_equal(colour[..., 1], masked)
    with pytest.raises(UsageError):
        motion.mask(Frame(np.zeros((10, 10), np.uint8)))


def test_a_lossy_codec_does_not_hide_the_sector(tmp_path: Path) -> None:
    """H.264 stirs still pixels beside moving ones; the sector and most of the text are found all the same."""
    made = scene(1)
    with av.open(str(tmp_path / "a.mp4"), "w") as target:
        stream = target.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in made.pictures(16):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        target.mux(stream.encode())
    motion = find_motion(read_cine(tmp_path / "a.mp4"))
    assert iou(motion.sector, made.sector) > 0.95
    assert not (motion.sector & made.words).any()
    assert not motion.sector[slice(*made.ecg)].any()


def test_two_views_side_by_side() -> None:
    sector = np.zeros((HEIGHT, WIDTH), bool)
    sector[60:400, 20:300] = sector[60:400, 340:620] = True
    made = Scene(sector, words((310, 200), "II") & ~sector, np.zeros_like(sector))
    motion = find_motion(Cine.of(list(made.pictures(16)), rate=30))
    assert iou(motion.sector, sector) > 0.95


def test_a_clip_that_stands_still_is_treated_like_a_still() -> None:
    picture = next(iter(scene(2).pictures(1)))
    for count in (1, 5):
        motion = find_motion(Cine.of([picture] * count, rate=30))
        assert any("too little moves" in said for said in motion.warnings)
        assert iou(motion.sector, scene(2).sector) > 0.7


def test_any_size_of_picture() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 500), (59, 61), (70, 90), (900, 700)):
        clip = [rng.integers(0, 255, shape, dtype=np.uint8) for _ in range(4)]
        motion = find_motion(Cine.of(clip, rate=10))
        assert motion.sector.shape == motion.static.shape == motion.moving.shape == shape
        assert motion.mask(Frame(clip[0])).pixels.shape == shape
    assert motion.sector.mean() > 0.95  # all of the largest moves


def test_memory_does_not_grow_with_the_clip() -> None:
    made = scene(0)
    few = list(made.pictures(8))

    def peak(count: int) -> int:
        cine = Cine.of(lambda: (few[index % 8] for index in range(count)), rate=30)
        tracemalloc.start()
        found = find_motion(cine)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.pictures == count
        return most

    assert peak(6 * MOST) < 1.1 * peak(2 * MOST)


def test_the_sector_serves_the_mask_of_a_still() -> None:
    sector = Sector(100, 80, 0.3, (15.0, -4.0), 5.0, 26.0, 0.6, 24.0).inside
    marks = np.zeros_like(sector)
    marks[40, 50] = True
    overlay = Motion(sector, marks, np.zeros_like(marks), 3).overlay
    np.testing.assert_array_equal(overlay.mask, ~sector | marks)
    assert overlay.covered == pytest.approx(1 / sector.sum())


def test_where_only_the_heart_beats_the_sector_is_the_stills():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:200, 0:240]
    tissue = (60 + 40 * rng.random((200, 240))) * (np.hypot(x - 120, y + 40) < 220) * (np.abs(x - 120) < 30 + y / 2)
    pictures = []
    for i in range(24):
        beating = tissue.copy()
        beating[np.hypot(x - 120, y - 110) < 25 + 4 * np.sin(i)] = 15
        pictures.append(beating.astype(np.uint8))
    found = find_motion(Cine.of(pictures, 30.0))
    lit = pictures[0] > 30
    assert (found.sector & lit).sum() > 0.95 * lit.sum()
    assert not found.static[lit].any()
    assert "does not change" in found.warnings[0]
