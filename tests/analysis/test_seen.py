"""Files as ``analyze`` reads them: text that the tower would see is told, and never read out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fetalclip.analysis import Asked, seen
from fetalclip.encoder.engine import Normalisation
from fetalclip.phantom import draw

WANTED = Normalisation(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
WORDS = "ROE JANE 12345"
SIZE = (800, 600)
PLANES = ("planes",)


def tissue(seed: int = 1) -> np.ndarray:
    return np.array(Image.fromarray(draw("brain", seed).frame.gray).resize(SIZE, Image.Resampling.BICUBIC))


def written(gray: np.ndarray, level: int, height: int, *places: tuple[int, int]) -> np.ndarray:
    page = Image.fromarray(gray)
    for place in places:
        ImageDraw.Draw(page).text(place, WORDS, fill=level, font=ImageFont.load_default(height))
    return np.array(page)


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[str]]:
    """What is said of text on a picture, or in the bytes of a file."""

    def of(content: np.ndarray | bytes, tasks: tuple[str, ...] = PLANES, **asked: Any) -> list[str]:
        path = tmp_path / "scan"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path, format="PNG")
        found = seen.see(path, "scan", None, Asked(tasks, **asked), WANTED)
        return [warning for warning in found.warnings if "burned-in text" in warning]

    return of


def test_kept_text_is_told_with_what_hides_it(told: Callable[..., list[str]]) -> None:
    page = written(tissue(), 255, 20, (100, 150), (400, 400))
    (said,) = told(page, overlay="keep")
    assert said.startswith("burned-in text in 2 places: ")
    assert "--overlay mask" in said
    assert not any(word in said for word in WORDS.split())
    assert told(tissue(), overlay="keep") == []


def test_masked_text_is_not_told_and_what_the_mask_left_is(told: Callable[..., list[str]]) -> None:
    assert told(written(tissue(), 255, 24, (100, 150))) == []
    (said,) = told(written(tissue(), 170, 12, (160, 200)))
    assert said.startswith("burned-in text in 1 place that the overlay mask left: ")
    assert "crop" in said
    assert "--overlay mask" not in said


def test_nobody_looks_where_no_tower_does(told: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    page = written(tissue(), 255, 20, (100, 150))
    assert told(page, ("heart", "planes"), overlay="keep")

    def never(*_: Any) -> None:
        raise AssertionError("looked for text")

    monkeypatch.setattr(seen, "text_left", never)
    assert told(page, ("heart",), overlay="keep") == []
    assert told(page, overlay="only") == []


@pytest.mark.parametrize(
    ("field", "words"),
    [("YES", "(the header says so too)"), ("NO", "(the header says that there is none)"), (None, "")],
)
def test_the_header_is_compared(
    told: Callable[..., list[str]], dicoms: ModuleType, field: str | None, words: str
) -> None:
    fields = {} if field is None else {"BurnedInAnnotation": field}
    page = written(tissue(), 255, 20, (100, 150))
    (said,) = told(dicoms.build(page, **fields), overlay="keep")
    assert words in said
    assert ("header" in said) == (field is not None)
    assert told(dicoms.build(tissue(), **fields), overlay="keep") == []


@pytest.mark.parametrize("overlay", ["keep", "mask"])
def test_a_clip_is_looked_at_once(
    told: Callable[..., list[str]], dicoms: ModuleType, monkeypatch: pytest.MonkeyPatch, overlay: str
) -> None:
    rng = np.random.default_rng(0)
    moving = [np.clip(tissue() + rng.normal(0, 14, SIZE[::-1]), 0, 255).astype(np.uint8) for _ in range(6)]
    clip = np.stack([written(picture, 255, 20, (300, 250)) for picture in moving])
    looks, whole = [], seen.text_left

    def counted(*args: Any) -> Any:
        looks.append(args)
        return whole(*args)

    monkeypatch.setattr(seen, "text_left", counted)
    said = told(dicoms.build(clip, SOPClassUID=dicoms.CLIP, FrameTime=33.0), overlay=overlay)
    assert len(looks) == 1
    assert looks[0][0].shape == SIZE[::-1]
    assert [warning.split(":")[0] for warning in said] == (["burned-in text in 1 place"] if overlay == "keep" else [])
