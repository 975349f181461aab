"""The header within limits: deflated files that end oddly."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pytest

from fetalclip.errors import UnreadableInput
from fetalclip.io import read
from fetalclip.io.dicom.header import _inflated

from .conftest import build

DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("after", [0, 1, 100, 200_000])
def test_what_follows_the_end_is_passed_over(size: int, after: int) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = squeeze.compress(b"a" * size) + squeeze.flush()
    assert len(_inflated(BytesIO(data + b"x" * after), 0, "it")) == size
    with pytest.raises(UnreadableInput):
        _inflated(BytesIO(data[:-1]), 0, "it")


def test_a_deflated_picture_that_deflates_well() -> None:
    pixels = np.zeros((1500, 1500), np.uint8)
    data = build(pixels, DEFLATED)
    assert len(data) < 10_000
    assert np.array_equal(read(data).pixels, pixels)
    assert np.array_equal(read(data + b"\0" * 5000).pixels, pixels)
    with pytest.raises(UnreadableInput):
        read(data[:-200])
