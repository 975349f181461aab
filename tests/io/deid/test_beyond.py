"""What the reading of a header passes over: not in the copy, and looked for in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from fetalclip.errors import NotVerified
from fetalclip.io.deid import Choices, Key, deidentify
from fetalclip.io.deid import write as writing
from fetalclip.io.deid.beyond import beyond, spelled
from fetalclip.io.deid.source import open_source

NUMBER, NAME = "735192", "Quillfeather"
PLACES = ("long value", "long sequence", "long bytes", "after the pixels", "within the pixels", "preamble")


@pytest.fixture
def source(tmp_path: Path, sim: SimpleNamespace, planted: Any) -> Callable[[str], Path]:
    """Writes a file with a name and a number where no header reader looks, and the number in the header too."""

    def make(where: str) -> Path:
        from pydicom.dataset import Dataset

        new, path = sim.header(planted), tmp_path / "in.dcm"
        sim.add_region(new)
        new.InstanceNumber = int(NUMBER)
        said = f"{NAME} {NUMBER} "
        block = new.private_block(0x0021, "LONG", create=True)
        if where == "long value":
            block.add_new(1, "UT", said * 80_000)
        elif where == "long sequence":
            item = Dataset()
            item.PatientComments, item.PixelPaddingValue = said, 0
            item.add_new(0x00420011, "OB", bytes(1 << 21))
            block.add_new(1, "SQ", [item])
        elif where == "long bytes":
            noise = np.random.default_rng(1).bytes(1 << 20)
            block.add_new(1, "OB", noise + b"\0" + said.encode() + b"\0" + noise)
        elif where == "after the pixels":
            new.add_new(0xFFFCFFFC, "OB", said.encode())
        elif where == "preamble":
            new.preamble = said.encode().ljust(128, b"\0")
        sim.put(new, sim.screen("HIDDEN"), path)
        if where == "within the pixels":  # more of them than the pictures take
            data, size = path.read_bytes(), 300 * 400
            more = said.encode().ljust(40, b"\0")
            length = (size + len(more)).to_bytes(4, "little")
            path.write_bytes(data[: -size - 4] + length + data[-size:] + more)
        return path

    return make


@pytest.mark.parametrize("where", PLACES)
def test_it_is_found_and_travels_nowhere(
    source: Callable[[str], Path], where: str, out: Path, key: Key, sim: SimpleNamespace
) -> None:
    path = source(where)
    assert NAME.encode() in path.read_bytes()
    found = beyond(open_source(path))
    assert any(NAME in text for text in found)
    assert any(NUMBER in text for text in found)
    done = deidentify(path, out, key, Choices())
    got = dcmread(out / done.place)
    assert got.InstanceNumber is None
    assert max(got.keys()) == 0x7FE00010
    data = sim.everything(out)
    assert [text for text in (NAME, NUMBER) if text.encode() in data] == []
    assert done.verified


def test_without_it_the_number_stays(source: Callable[[str], Path], out: Path, key: Key) -> None:
    done = deidentify(source("nowhere"), out, key, Choices())
    assert dcmread(out / done.place).InstanceNumber == int(NUMBER)


def test_after_compressed_pixels(source: Callable[[str], Path], out: Path, key: Key, tmp_path: Path) -> None:
    packed = dcmread(source("after the pixels"))
    packed.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    packed.save_as(tmp_path / "packed")
    done = deidentify(tmp_path / "packed", out, key, Choices())
    assert dcmread(out / done.place).InstanceNumber is None


def test_pictures_that_are_left_over_are_no_words(
    out: Path, key: Key, tmp_path: Path, sim: SimpleNamespace, planted: Any
) -> None:
    """Grey levels can be letters, those of a third picture and of a private copy; the first two have them too."""
    new, letters = sim.header(planted), np.random.default_rng(3).integers(65, 91, (300, 400), dtype=np.uint8)
    letters[:, ::12] = 0
    sim.add_region(new)
    new.private_block(0x0021, "RAW", create=True).add_new(1, "OB", letters.tobytes() * 9)
    source = sim.put(new, np.stack([letters] * 3), tmp_path / "in.dcm", NumberOfFrames=2)
    assert len(beyond(open_source(source))) > 100
    done = deidentify(source, out, key, Choices(keep_text=True))
    assert done.checked.frames == 2


def test_what_is_no_word_is_not_looked_for() -> None:
    assert spelled(b"") == set()
    assert spelled(b"0.0231999 1.25 -0.0231999 3.1415926535 " * 50_000) == set()
    assert len(spelled(np.random.default_rng(2).bytes(1 << 21))) < 200
    assert spelled(b"\1\2\0ROE^JANE-MARY\0\xff") == set()  # a short word in bytes is as likely chance
    assert "QUILLFEATHER" in spelled(b"\1\2\0QUILLFEATHER^JANE\0\xff")
    assert spelled("Quillfeather".encode("utf-16-le") + b"\xff") == {"Quillfeather"}


def test_an_element_after_the_pixels_is_a_fault(
    source: Callable[[str], Path], out: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = writing.save

    def more(new: Any, *given: Any) -> None:
        new.add_new(0xFFFCFFFC, "OB", b"\1\2\3\4")
        right(new, *given)

    monkeypatch.setattr(writing, "save", more)
    with pytest.raises(NotVerified, match="after the pixels"):
        deidentify(source("nowhere"), out, key, Choices())
    assert list(out.iterdir()) == []


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
