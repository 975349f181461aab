"""Palettes, whole and in segments."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from fetalclip.io.dicom.palette import read_palette


def dataset(descriptor: list[int], red: bytes, green: bytes, blue: bytes, segmented: bool = False) -> Dataset:
    found = Dataset()
    for name, body in (("Red", red), ("Green", green), ("Blue", blue)):
        setattr(found, f"{name}PaletteColorLookupTableDescriptor", descriptor)
        setattr(found, f"{'Segmented' if segmented else ''}{name}PaletteColorLookupTableData", body)
    return found


def words(*numbers: int, big: bool = False) -> bytes:
    return np.array(numbers, ">u2" if big else "<u2").tobytes()


@pytest.mark.parametrize("big", [False, True])
def test_words_bytes_and_words_that_are_bytes(big: bool) -> None:
    expected = [[1, 4, 0], [2, 5, 0], [3, 6, 255]]
    wide = dataset(
        [3, 10, 16], *(words(*(256 * n for n in row), big=big) for row in ([1, 2, 3], [4, 5, 6], [0, 0, 255]))
    )
    first, table = read_palette(wide, not big) or (None, None)
    assert (first, table.tolist()) == (10, expected)
    narrow = dataset([3, 10, 16], *(words(*row, big=big) for row in ([1, 2, 3], [4, 5, 6], [0, 0, 255])))
    assert read_palette(narrow, not big)[1].tolist() == expected
    packed = [bytes(row) for row in ([1, 2, 3, 0], [4, 5, 6, 0], [0, 0, 255, 0])]
    if big:
        packed = [bytes(body[i ^ 1] for i in range(4)) for body in packed]
    assert read_palette(dataset([3, 10, 8], *packed), not big)[1].tolist() == expected


def test_segments() -> None:
    # PS3.3 C.7.9.2: three values, a line of four to 700, and both once more by reference
    part = [0, 3, 256, 512, 300, 1, 4, 700]
    red = words(*part, 2, 2, 0, 0)
    expected = [256, 512, 300, 400, 500, 600, 700, 256, 512, 300, 400, 500, 600, 700]
    found = read_palette(dataset([14, 0, 16], red, red, red, segmented=True))
    assert found is not None
    assert found[1][:, 0].tolist() == [value >> 8 for value in expected]
    narrow = bytes([0, 2, 10, 20, 1, 2, 40, 2, 2, 0, 0, 0, 0, 0])
    assert read_palette(dataset([8, 0, 8], narrow, narrow, narrow, True))[1][:, 1].tolist() == [10, 20, 30, 40] * 2


@pytest.mark.parametrize(
    ("descriptor", "body", "segmented"),
    [
        ([3, 0, 16], b"", False),
        ([4, 0, 16], words(1), False),
        ([3, 0, 12], words(1, 2, 3), False),
        ([3, 0], words(1, 2, 3), False),
        ([3, 0, 16], words(0, 3, 1), True),
        ([3, 0, 16], words(1, 3, 1), True),  # a line from nowhere
        ([3, 0, 16], words(7, 3, 1), True),
        ([0, 0, 16], words(0, 1, 5, *[1, 65535, 9] * 3), True),
        ([3, 0, 16], words(2, 1, 0, 0), True),  # a reference to itself
        ([3, 0, 16], words(0, 0, 0, 0), True),
    ],
)
def test_damaged_palettes_are_none(descriptor: list[int], body: bytes, segmented: bool) -> None:
    assert read_palette(dataset(descriptor, body, body, body, segmented)) is None


def test_none() -> None:
    assert read_palette(Dataset()) is None
