"""Nothing planted in DICOM files is in what the commands print, log or write: a sample of ``benchmarks/planted.py``."""

from __future__ import annotations

import base64
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def planted() -> Iterator[ModuleType]:
    """The benchmark, with the search beside it."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("planted")
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in ("planted", "planted_search", "planted_files"):
            sys.modules.pop(name, None)


def _none(planted: ModuleType, folder: Path, count: int) -> None:
    who = planted.people(folder / "files", count)
    found = planted.run(folder / "files", folder / "out", "fetalclip-tiny", who)
    assert found["leaks"] == []
    assert found["tracebacks"] == 0
    assert set(found["codes"].values()) == {1}  # some files are damaged, and no command ends for that
    assert found["kinds"] == len(planted.KINDS)
    assert found["control"] > 20 * count  # the search finds them where they are asked for
    assert len(list((folder / "out" / "clean").rglob("*.dcm"))) > count / 2
    assert len(list((folder / "out" / "drawings").iterdir())) > count / 2


@pytest.mark.slow
def test_of_one_file_of_each_kind_nothing_is_told(planted: ModuleType, tmp_path: Path) -> None:
    _none(planted, tmp_path, len(planted.KINDS))


@pytest.mark.slow
def test_of_200_people_nothing_is_told(planted: ModuleType, tmp_path: Path) -> None:
    _none(planted, tmp_path, 200)


@pytest.mark.parametrize(
    "said",
    [
        b"Quillf\xf6rth".lower(),
        "QUILLFÖRTH".encode(),
        "Quillfo\u0308rth".encode(),
        b"quillforth",
        "x Quillförth y".encode("utf-16-le"),
        b"Quillf&#246;rth",
        b"Quillf%C3%B6rth",
        b'"Quillf\\u00f6rth"',
        b"Quillf\\xf6rth",
        "Quillförth".encode().hex().encode(),
        base64.b64encode("a Quillförth b".encode()),
        base64.b64encode(b"ab Quillf\xf6rth"),
        b"born 3 March 1987",
        b"1987-03-03",
        b"03.03.1987",
        b"id=4711220;",
    ],
)
def test_the_search_finds(planted: ModuleType, said: bytes) -> None:
    search = planted.Search(["Quillförth^Ann", "19870303", "4711220"])
    assert len(search(b"some text " + said + b" and more")) == 1
    assert search(b"some text and more 14711220 0.4711220 1987") == []


def test_a_plain_hash_is_found(planted: ModuleType) -> None:
    import hashlib

    search = planted.Search(["4711220"])
    assert search(hashlib.sha256(b"4711220").hexdigest().upper().encode())


def test_people_are_planted_everywhere(planted: ModuleType) -> None:
    data, person, kind = planted.written(0)
    assert kind == "sound"
    assert len(person.told) > 45
    said, absent = data.decode("latin-1"), {"private wide", "planted where it must not be"}
    assert [what for what, text in person.told.items() if text not in said and what not in absent] == []
