"""Pictures of a table or a data set as raw embeddings, a batch at a time, by the model's own road."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.encoder.engine import Array
from fetalclip.errors import InputError
from fetalclip.io import read_at

BATCH = 32


def embed_paths(
    model: Any,
    paths: Sequence[Path],
    overlay: str = "mask",
    step: Callable[[int], None] = lambda done: None,
    say: Callable[[str], None] | None = None,
    indices: Sequence[int | None] | None = None,
) -> tuple[Array, list[int]]:
    """Raw embeddings of pictures.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``encode_image``.
        paths: the pictures.
        overlay: what to do with burned-in text.
        step: called with the number of pictures done after each batch.
        say: told of each picture that cannot be read, which is then left out; None stops there.
        indices: of each which picture of a clip it is, None of a still; None where there are no clips.

    Returns:
        (m, d) float32 and the places of those m pictures among ``paths``.

    Raises:
        InputError: a picture cannot be read, and ``say`` is None.
    """
    parts: list[Array] = []
    kept: list[int] = []
    for start in range(0, len(paths), BATCH):
        frames = []
        for place in range(start, min(start + BATCH, len(paths))):
            try:
                frames.append(read_at(paths[place], indices[place] if indices else None))
                kept.append(place)
            except InputError as error:
                if say is None:
                    raise
                say(f"{paths[place].name} left out: {error}")
        if frames:
            parts.append(model.encode_image(frames, normalize=False, overlay=overlay))
        step(len(paths[start : start + BATCH]))
    return (np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)), kept
