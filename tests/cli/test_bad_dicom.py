"""Bad DICOM through every command: one clear line for each file, the rest goes on, and nothing is left half-written."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fetalclip.cli import main
from fetalclip.phantom import draw

RLE, VIDEO = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.102"
MODEL = ("--model", "fetalclip-tiny")
PICTURE = "Expected a PNG, JPEG, TIFF, BMP, WebP or DICOM picture"
ULTRASOUND = "Expected ultrasound or a secondary capture"
AGAIN, LEAVE = "Try: copy it again", "Try: leave it out"
TRUNCATED = ("starts like DICOM but is truncated or damaged", ULTRASOUND, AGAIN)
NO_PIXELS = ("is a DICOM object without pixels, or it is cut off or damaged before them", ULTRASOUND, AGAIN)
LEVEL = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"

REFUSED: dict[str, tuple[str, ...]] = {
    "bits": ("says that 40 bits of a sample of 8 count", "8, 16 or 32 bits", "Try: export it in 8 bits"),
    "colours": ("the colours one that is not known", "RGB or YBR_FULL of three", "Try: export it as RGB"),
    "cut-header": NO_PIXELS,
    "cut-meta": NO_PIXELS,
    "cut-pixels": TRUNCATED,
    "empty": ("is empty (0 bytes)", PICTURE, "Try: copy or export the picture again"),
    "first-fragment-cut": TRUNCATED,
    "gone": ("is a link to a file that is not there", PICTURE, "Try:"),
    "length-long": NO_PIXELS,
    "loop": ("is a link that leads back to itself", PICTURE, "Try: remove the link"),
    "nested": ("is nested too deeply", ULTRASOUND, "Try: export it again"),
    "no-pixels": NO_PIXELS,
    "not-dicom": ("it looks like text", PICTURE, "Try: export the picture as PNG"),
    "other-class": ("is a DICOM object of another kind: one that is not registered", ULTRASOUND, LEAVE),
    "pixel-length-odd": TRUNCATED,
    "pixel-length-short": TRUNCATED,
    "report": ("is a DICOM object of another kind: Comprehensive SR Storage", ULTRASOUND, LEAVE),
    "rows-huge": ("announces 60000 x 60000 pixels", "Expected at most 20 megapixels", "Try: export it smaller"),
    "rows-none": ("does not tell the size of its picture", ULTRASOUND, "Try: export it again"),
    "syntax-unknown": ("compressed in a way that is not read: one that is not registered", ULTRASOUND, "export it un"),
    "syntax-video": ("compressed in a way that is not read: MPEG-4 AVC/H.264", ULTRASOUND, "export it un"),
}  # fmt: skip
"""What every command says of a file: found, expected, next."""

WARNED = {
    "clip-cut": "the file is truncated or damaged: 1 of 3 pictures are there",
    "fragment-length": "the file is truncated or damaged: 2 of 3 pictures are there",
    "fragments-cut": "the file is truncated or damaged: 1 of 3 pictures are there",
    "frames-fewer": "the pixel data are 76800 bytes longer than the pictures",
    "frames-more": "the file is truncated or damaged: 3 of 7 pictures are there",
    "negative-spacing": "no millimetres per pixel: its 2D tissue region gives a pixel a negative size or none",
    "pixel-length-long": "the pixel data are 2147406832 bytes longer than the pictures",
}
"""What is read all the same, with a warning."""

UNEQUAL = {"clip-cut": 1, "fragment-length": 2, "fragments-cut": 1, "frames-more": 3}
"""Clips that `deid` refuses, with the pictures that are there: a copy would not be whole."""


def _spliced(data: bytes, after: bytes, skip: int, new: bytes, last: bool = False) -> bytes:
    """The bytes with ``new`` written over what stands ``skip`` bytes after the start of ``after``."""
    at = (data.rfind(after) if last else data.index(after)) + skip
    return data[:at] + new + data[at + len(new) :]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, dicoms: ModuleType) -> Path:
    """A folder with all of them, between a good file at its begin and one at its end."""
    folder = tmp_path_factory.mktemp("bad")
    gray = np.ascontiguousarray(draw("brain", 1).frame.gray[:240, :320])
    box = {"RegionLocationMinX0": 20, "RegionLocationMinY0": 20, "RegionLocationMaxX1": 299, "RegionLocationMaxY1": 219}

    def build(
        pixels: np.ndarray | None = gray, *syntax: str, fragments: Any = None, delta: float = 0.02, **told: Any
    ) -> bytes:
        uids = {"StudyInstanceUID": "1.2.5", "SeriesInstanceUID": "1.2.6"}
        regions = [dicoms.region(PhysicalDeltaX=delta, **box)]
        return dicoms.build(pixels, *syntax, fragments=fragments, regions=regions, **uids | told)

    good, clip = build(), build(np.stack([gray] * 3))
    packed, size, name = build(np.stack([gray] * 3), RLE), b"\xe0\x7f\x10\x00OB", b"\x10\x00\x10\x00PN"
    item = b"\xfe\xff\x00\xe0"
    made = {
        "a-good": good,
        "bits": build(BitsStored=40),
        "clip-cut": clip[:-100_000],
        "colours": build(PhotometricInterpretation="ODD"),
        "cut-header": good[:600],
        "cut-meta": good[:200],
        "cut-pixels": good[:-1000],
        "empty": b"",
        "first-fragment-cut": packed[: packed.index(size) + 2000],
        "fragment-length": _spliced(packed, item, 4, struct.pack("<L", 0x7FFFFFFF), last=True),
        "fragments-cut": packed[: -len(packed) // 3],
        "frames-fewer": build(np.stack([gray] * 3), NumberOfFrames=2, SOPInstanceUID="1.2.7"),
        "frames-more": build(np.stack([gray] * 3), NumberOfFrames=7),
        "length-long": _spliced(good, name, 6, b"\xff\xff"),
        "negative-spacing": build(delta=-0.02, SOPInstanceUID="1.2.7.1"),
        "nested": good[: good.index(name)] + LEVEL * 5000 + good[good.index(name) :],
        "no-pixels": build(None),
        "not-dicom": b"nothing but words " * 30,
        "other-class": build(SOPClassUID="1.2.3.4.5"),
        "pixel-length-long": _spliced(good, size, 8, struct.pack("<L", 0x7FFFFFF0)),
        "pixel-length-odd": _spliced(good, size, 8, struct.pack("<L", gray.size - 1)),
        "pixel-length-short": _spliced(good, size, 8, struct.pack("<L", 100)),
        "report": build(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"),
        "rows-huge": build(Rows=60000, Columns=60000),
        "rows-none": build(Rows=0),
        "syntax-unknown": good.replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.10"),
        "syntax-video": build(gray, VIDEO, fragments=[b"\0\0\0\1" * 10]),
        "z-good": build(SOPInstanceUID="1.2.9"),
    }  # fmt: skip
    for file, data in made.items():
        (folder / file).write_bytes(data)
    (folder / "loop").symlink_to("loop")
    (folder / "around").symlink_to(folder)
    (folder / "gone").symlink_to("nothing")
    return folder


def _said(lines: str, name: str) -> str:
    """The one line of stderr that speaks of a file."""
    found = [line for line in lines.splitlines() if f"/{name} " in line or f"/{name}:" in line]
    assert len(found) == 1, (name, found)
    return found[0]


def _check(lines: str, refused: dict[str, tuple[str, ...]]) -> None:
    for name, parts in refused.items():
        line = _said(lines, name)
        assert [part for part in parts if part not in line] == [], line
    assert "Traceback" not in lines
    assert "SECRET" not in lines
    assert "ROE" not in lines


@pytest.mark.parametrize("words", [["info"], ["analyze", *MODEL], ["analyze", "--exam", *MODEL]], ids=" ".join)
def test_reading(bad: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, str(bad), "--json"]) == 1
    out, err = capsys.readouterr()
    _check(err, REFUSED)
    lines = [json.loads(line) for line in out.splitlines()]
    if "--exam" in words:
        assert lines.pop()["schema"] == "fetalclip.exam/1"
    told = {Path(line["path"] if words == ["info"] else line["input"]["path"]).name: line for line in lines}
    assert set(told) == {*REFUSED, *WARNED, "a-good", "z-good"}
    assert {name for name, line in told.items() if line["error"]} == set(REFUSED)
    for name, warning in WARNED.items():
        assert warning in told[name]["warnings"]


def test_deid(bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    assert main(["data", "deid", str(bad), "-o", str(out), "--key-file", str(key), "--json"]) == 1
    said = capsys.readouterr()
    others = ("empty", "not-dicom")
    refused = {name: parts for name, parts in REFUSED.items() if name not in others}
    for name, count in UNEQUAL.items():
        refused[name] = (f"pictures and {count} are there", "Expected as many as it says", AGAIN)
    _check(said.err, refused)
    lines = {Path(line["path"]).name: line for line in map(json.loads, said.out.splitlines())}
    status = {name: line["status"] for name, line in lines.items()}
    assert {name for name, word in status.items() if word == "refused"} == set(refused)
    assert {name for name, word in status.items() if word == "not DICOM"} == set(others)
    written = {line["place"] for line in lines.values() if line["status"] == "written"}
    there = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    assert sorted(there) == sorted([*written, "audit.jsonl", "deid.json"])


def test_embed(bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "e.npz"
    assert main(["embed", str(bad), *MODEL, "-o", str(table)]) == 1
    clips = dict.fromkeys((*UNEQUAL, "frames-fewer"), ("is a clip of", "Expected a still picture"))
    refused = REFUSED | clips | {"first-fragment-cut": clips["frames-more"]}
    _check(capsys.readouterr().err, refused)
    with np.load(table, allow_pickle=False) as arrays:
        names = [Path(path).name for path in arrays["paths"].tolist()]
    assert names == ["a-good", "negative-spacing", "pixel-length-long", "z-good"]
    assert list(tmp_path.iterdir()) == [table]


def _of_another(folder: Path) -> Path:
    path = folder.parent / "another"
    path.write_text(bytes(range(32)).hex())
    return path


KEYS: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "missing": (lambda out: out.parent / "missing", 1, "is not there or no file. Expected a key file. Try: --key-file"),
    "folder": (lambda out: out.parent, 1, "is not there or no file. Expected a key file. Try: --key-file"),
    "short": (lambda out: _written(out, b"abc123"), 1, "holds 6 characters that are no key. Expected 64 hexadecimal"),
    "long": (lambda out: _written(out, b"ab" * 600), 1, "holds a long text that are no key. Expected 64 hexadecimal"),
    "no digits": (lambda out: _written(out, b"xy" * 32), 1, "holds 64 characters that are no key. Expected 64"),
    "bytes": (lambda out: _written(out, bytes(range(128, 160))), 1, "that are no key. Expected 64 hexadecimal digits"),
    "guessed": (lambda out: _written(out, b"0" * 64), 1, "holds a key that can be guessed"),
    "another": (_of_another, 2, "was begun with another key. Expected the key of that folder. Try: --key-file with"),
    "inside": (lambda out: out / "key", 2, "lies in"),
    "none": (lambda out: Path(), 2, "no key. Expected --key-file, or the key in FETALCLIP_DEID_KEY. Try: --key-file"),
}


def _written(out: Path, data: bytes) -> Path:
    path = out.parent / "key-of-this-test"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", KEYS)
def test_wrong_keys(
    bad: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FETALCLIP_DEID_KEY", raising=False)
    out, right = tmp_path / "out", tmp_path / "right"
    words = ["data", "deid", str(bad / "a-good"), "-o", str(out), "--key-file"]
    assert main([*words, str(right)]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    find, code, text = KEYS[kind]
    path = find(out)
    capsys.readouterr()
    assert main([*words, str(path)] if path.name else words[:-1]) == code
    said = capsys.readouterr()
    assert text in said.err
    assert said.out == ""
    assert [word for word in ("abc123", right.read_text().strip()) if word in said.err] == []
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "missing").exists()
