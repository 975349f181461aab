"""Small clips made with PyAV."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np
import pytest


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Bright upper left quarter on black, and a column of grey that moves with the index; uint8 (H, W, 3)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = 240
    pixels[-8:, 4 * index : 4 * index + 4] = 120
    return pixels


def clip(  # noqa: PLR0913  (one parameter per way to differ)
    container: str = "mp4",
    codec: str = "libx264",
    form: str = "yuv420p",
    *,
    count: int = 12,
    size: tuple[int, int] = (96, 64),
    times: Sequence[int] | None = None,
    turn: int | None = None,
    draw: Callable[[int, int, int], np.ndarray] = picture,
    options: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a clip of 30 pictures per second, or of pictures at ``times`` (1/30 s)."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options or {}) as target:
        stream = target.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, form
        stream.codec_context.time_base = Fraction(1, 30)
        stream.codec_context.thread_count = 1
        if turn is not None:
            stream.set_display_rotation(turn)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(draw(index, *size), format="rgb24").reformat(format=form)
            frame.pts = index if times is None else times[index]
            frame.time_base = Fraction(1, 30)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return out.getvalue()


@pytest.fixture
def encode_clip() -> Callable[..., bytes]:
    return clip
