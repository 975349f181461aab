"""A sample's files: what goes in comes out, nothing of the patient goes in, and what cannot be meant is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical.factory import Record
from fetalclip.data import Row
from fetalclip.data.shards import sample, tar
from fetalclip.errors import InputError, UnreadableInput

ROW = Row(
    "mine",
    Path("/secret/place/anna.png"),
    "anna.png",
    "patient-anna",
    0,
    "train",
    plane="brain",
    planes=("brain", "spine"),
    subplane="trans-thalamic",
    machine="Voluson",
    age_days=143,
    findings=("polyhydramnios",),
    text="a text with ü",
    operator="Bob",
)
PIXELS = np.arange(30 * 30, dtype=np.uint32).reshape(30, 30).astype(np.uint8)


def test_there_and_back() -> None:
    files = sample.encode(ROW, 7, PIXELS, 0.123456789)
    pair = sample.decode(files, 30, 30)
    assert np.array_equal(pair.pixels, PIXELS)
    facts = (("brain", "spine"), "trans-thalamic", 143, 0.123456789, "Voluson", ("polyhydramnios",), "a text with ü")
    assert pair.record == Record(*facts)
    assert pair.caption is None


def test_no_patient_no_path_no_name_no_operator() -> None:
    files = sample.encode(ROW, 7, PIXELS, None)
    assert not any(word in b"".join(files.values()).lower() for word in (b"anna", b"secret", b"bob", b"mine"))
    assert json.loads(files["json"])["group"] == 7


def test_scaled_down_the_spacing_grows() -> None:
    files = sample.encode(ROW, 0, PIXELS, 0.1)
    pair = sample.decode(files, 30, 15)
    assert pair.pixels.shape == (15, 15)
    assert pair.record.spacing == pytest.approx(0.2)
    assert np.array_equal(pair.pixels, sample.decode(files, 30, 15).pixels)


@pytest.mark.parametrize(
    "facts",
    [
        {"views": "brain"},
        {"views": ["brain", 3]},
        {"views": ["head"]},
        {"views": ["brain"] * 51},
        {"views": ["femur"], "subplane": "trans-thalamic"},
        {"views": ["brain"], "subplane": ["trans-thalamic"]},
        {"age_days": 20},
        {"age_days": True},
        {"age_days": 143.0},
        {"mm_per_pixel": 0},
        {"mm_per_pixel": "0.1"},
        {"mm_per_pixel": float("nan")},
        {"mm_per_pixel": float("inf")},
        {"mm_per_pixel": 10**400},
        {"machine": "a\nb"},
        {"machine": "x" * 301},
        {"findings": {"a": 1}},
        {"findings": [""]},
        {"text": "x" * 5001},
        {"text": 3},
    ],
)
def test_a_fact_that_cannot_be_meant(facts: dict) -> None:
    data = json.dumps(facts).encode()
    with pytest.raises(InputError):
        sample.record_of(sample.facts_of(data))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 90_000, b'{"a": 1' + b" " * tar.MAX_WORDS])
def test_a_json_that_is_none(data: bytes) -> None:
    with pytest.raises(UnreadableInput):
        sample.facts_of(data)


def test_an_unknown_fact_says_nothing() -> None:
    assert sample.record_of({"views": ["femur"], "colour": "blue"}) == Record(("femur",))


def test_a_picture_that_is_another() -> None:
    good = sample.encode(ROW, 0, PIXELS, None)
    colour = np.zeros((30, 30, 3), np.uint8)
    colour[..., 0] = 200
    half = good["png"][: len(good["png"]) // 2]
    for data in (b"", b"GIF89a" + b"0" * 50, half, sample.png(PIXELS[:29]), sample.png(colour)):
        with pytest.raises(InputError):
            sample.decode({**good, "png": data}, 30, 30)
    for kind in ("json", "png"):
        with pytest.raises(UnreadableInput, match=f"without .{kind}"):
            sample.decode({k: v for k, v in good.items() if k != kind}, 30, 30)


def test_a_bomb_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that announces another size is refused before Pillow sees the bytes."""
    files = sample.encode(ROW, 0, np.zeros((300, 300), np.uint8), None)
    monkeypatch.setattr(Image, "open", lambda *a, **k: pytest.fail("decoded"))
    with pytest.raises(UnreadableInput, match="another size"):
        sample.decode(files, 30, 30)
