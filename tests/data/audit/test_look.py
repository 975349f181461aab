"""One look: hashes of file and pixels, small squares, marks by kind and place; bad files are told without a name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fetalclip.data.audit.look import SIDE, look, look_all, marks_of


def test_the_same_pixels_in_two_formats(tmp_path, drawn):
    gray = drawn["brain", 0]
    Image.fromarray(gray).save(tmp_path / "a.png")
    Image.fromarray(np.stack([gray] * 3, axis=-1)).save(tmp_path / "b.bmp")
    one, two = look(tmp_path / "a.png"), look(tmp_path / "b.bmp")
    assert one.pixels == two.pixels
    assert one.file != two.file
    assert (one.width, one.height) == gray.shape[::-1]
    assert one.size == (tmp_path / "a.png").stat().st_size
    assert one.small.shape == one.marks.shape == one.filled.shape == (SIDE, SIDE)
    assert not one.blank


def test_another_shape_of_the_same_bytes_is_another_picture(tmp_path):
    pixels = np.arange(96, dtype=np.uint8).repeat(100)
    Image.fromarray(pixels.reshape(96, 100)).save(tmp_path / "a.png")
    Image.fromarray(pixels.reshape(100, 96)).save(tmp_path / "b.png")
    assert look(tmp_path / "a.png").pixels != look(tmp_path / "b.png").pixels


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_bad_file_is_told_without_its_name(tmp_path, content):
    path = tmp_path / "Mary-Smith-1990.png"
    path.write_bytes(content)
    found = look(path)
    assert found.error
    assert "Mary" not in found.error
    assert str(tmp_path) not in found.error
    assert found.blank
    missing = look(tmp_path / "Jane-Doe.png")
    assert missing.error
    assert "Jane" not in missing.error


def test_workers_give_the_same_looks_in_order(tmp_path, drawn):
    paths = []
    for i in range(70):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((20, 20 + i), 90, np.uint8)).save(paths[-1])
    paths[33].write_bytes(b"")
    alone, pooled = list(look_all(paths, workers=1)), list(look_all(paths, workers=2))
    assert [x.pixels for x in alone] == [x.pixels for x in pooled]
    assert [x.width for x in pooled][30:36] == [50, 51, 52, 0, 54, 55]


@pytest.mark.parametrize(
    ("box", "mark"),
    [
        ((10, 300, 40, 390), ("text", "upper right")),
        ((250, 20, 262, 120), ("text", "lower left")),
        ((0, 8, 290, 16), ("ruler", "left")),
        ((270, 0, 282, 400), ("banner", "bottom")),
        ((10, 0, 100, 12), ("grey bar", "left")),
        ((10, 200, 20, 208), ("small mark", "upper right")),
    ],
)
def test_a_mark_is_named_by_its_shape_and_place(box, mark):
    mask = np.zeros((290, 400), dtype=bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    assert marks_of(mask) == (mark,)


def test_no_marks():
    assert marks_of(np.zeros((50, 60), dtype=bool)) == ()


def test_a_picture_of_a_clip(tmp_path, dicoms):
    pictures = dicoms.pattern(3, 48, 64)
    (tmp_path / "jane").write_bytes(dicoms.build(pictures))
    Image.fromarray(pictures[2]).save(tmp_path / "b.png")
    found = look(tmp_path / "jane", 2)
    assert found.pixels == look(tmp_path / "b.png").pixels
    assert (found.width, found.height, found.size) == (64, 48, (tmp_path / "jane").stat().st_size)
    whole, beyond = look_all([tmp_path / "jane"] * 2, 1, [None, 9])
    assert "clip of 3 pictures" in whole.error
    assert "no picture 9" in beyond.error
    assert "jane" not in whole.error + beyond.error
