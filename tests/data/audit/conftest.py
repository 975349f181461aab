"""A small data set of drawn planes with every flaw the audit looks for, planted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.data import Row
from fetalclip.phantom import PLANES, draw

Make = Callable[..., Row]


@pytest.fixture(scope="session")
def drawn() -> dict[tuple[str, int], np.ndarray]:
    """Grey pictures by plane and seed."""
    return {(plane, seed): draw(plane, seed).frame.gray for plane in PLANES for seed in range(3)}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A row with a picture of its own file."""

    def one(name: str, pixels: np.ndarray | None, group: str, split: str, plane: str | None = None, **known) -> Row:
        path = tmp_path / name
        if pixels is not None:
            Image.fromarray(pixels).save(path)
        return Row(known.pop("dataset", "table"), path, name, group, -3, split, plane, **known)

    return one
