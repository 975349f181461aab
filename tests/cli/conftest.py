"""A model that needs no torch: it answers by the picture's mean grey, so that tests know what to expect."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fetalclip
from fetalclip import cards, io
from fetalclip.errors import FetalclipError
from fetalclip.result import Analysis, InputInfo, PlaneScores, Provenance

BRIGHT, DARK = "brain", "femur"


class FakeModel:
    """``analyze`` of the real one, by brightness: above 128 brain, below femur, black abstains."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[dict[str, Any]] = []

    def analyze(self, paths: list[Path], **options: Any) -> Iterator[Analysis]:
        self.calls.append({"paths": list(paths), **options})
        for path in paths:
            yield self._one(path, options)

    def expected(self) -> str:
        return ""

    def _one(self, path: Path, options: dict[str, Any]) -> Analysis:
        table = options.get("spacing_table") or {}
        spacing = table.get(Path(path).name, options.get("spacing"))
        try:
            frame = io.read(path, mm_per_pixel=spacing)
        except FetalclipError as error:
            return Analysis(InputInfo(str(path)), error=str(error))
        mean = float(frame.pixels.mean())
        share = 0.9 if mean > 128 else 0.2
        scores = {BRIGHT: share, DARK: 1 - share}
        plane = PlaneScores(scores, abstained=mean == 0, reason="blank" if mean == 0 else "")
        seen = InputInfo(str(path), "image", frame.width, frame.height, 1, frame.mm_per_pixel)
        made = Provenance("0", self.name, "0" * 64, "CC0-1.0", "fake", 0.01)
        return Analysis(seen, plane, ("blank",) if mean == 0 else (), None, made)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The fake in place of ``fetalclip.api.load``; every name and folder gets it."""
    made = FakeModel("fetalclip-open")
    api = ModuleType("fetalclip.api")
    api.load = lambda name="fetalclip-open", device=None, precision=None: made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fetalclip.api", api)
    monkeypatch.setattr(fetalclip, "api", api, raising=False)
    card = cards.Card("fetalclip-open", "fake", "CC0-1.0", Path("."), available=True)
    monkeypatch.setattr(cards, "get_card", lambda name: card)
    return made


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a bright, a dark and a black picture, and a file that is none."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, level in (("a-bright.png", 200), ("b-dark.png", 50), ("c-black.png", 0)):
        Image.fromarray(np.full((48, 64), level, np.uint8)).save(folder / name)
    (folder / "d-words.txt").write_text("no picture")
    return folder
