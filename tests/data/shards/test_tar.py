"""Tar files: the same to the byte, every dialect that is about, and one kind of error from a damaged one."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.data.shards import tar
from fetalclip.errors import UnreadableInput

SAMPLES = [("000000-00000", {"json": b"{}", "png": b"x" * 700}), ("000000-00001", {"json": b"{}", "png": b""})]


def scan(data: bytes) -> list[tar.Sample]:
    return tar.scan(io.BytesIO(data), len(data))


def archive(entries: list[tuple[str, bytes]], format: int = tarfile.USTAR_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as made:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def parts(data: bytes) -> list[tuple[str, dict[str, bytes]]]:
    """What a scan finds, with the bytes at its places."""
    return [(one.key, {k: data[at : at + size] for k, (at, size) in one.parts.items()}) for one in scan(data)]


def test_written_and_read(tmp_path: Path) -> None:
    assert tar.write(tmp_path / "a.tar", SAMPLES) == 2
    data = (tmp_path / "a.tar").read_bytes()
    assert parts(data) == SAMPLES
    tar.write(tmp_path / "b.tar", SAMPLES)
    assert (tmp_path / "b.tar").read_bytes() == data
    with tarfile.open(tmp_path / "a.tar") as made:
        for entry in made:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) == (0, 0, 0, "", "", 0o644)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_folders(format: int) -> None:
    long = "a" * 80 + "/" + "b" * 60
    data = archive([(f"{long}.txt", b"one"), (f"{long}.png", b"two"), ("d/ü.seg.png", b"three")], format)
    assert parts(data) == [(long, {"txt": b"one", "png": b"two"}), ("d/ü", {"seg.png": b"three"})]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_longer_than_a_header(format: int) -> None:
    long = "n" * 300
    assert parts(archive([(f"{long}.txt", b"one")], format)) == [(long, {"txt": b"one"})]


def test_what_is_no_regular_file_is_passed_over() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo("a.png")
            entry.type, entry.linkname, entry.size = kind, "/etc/passwd", 0
            made.addfile(entry)
        entry = tarfile.TarInfo("a.txt")
        entry.size = 1
        made.addfile(entry, io.BytesIO(b"t"))
    assert parts(stream.getvalue()) == [("a", {"txt": b"t"})]


def test_the_first_of_two_files_of_a_name_counts_and_odd_names_do_not() -> None:
    data = archive([("a.txt", b"1"), ("a.TXT", b"2"), ("README", b"3"), (".hidden", b"4"), ("a.png", b"5")])
    assert parts(data) == [("a", {"txt": b"1", "png": b"5"})]


@pytest.mark.parametrize("end", [0, 100, 512, 700, 1024])
def test_cut_short(end: int, tmp_path: Path) -> None:
    tar.write(tmp_path / "a.tar", SAMPLES)
    with pytest.raises(UnreadableInput):
        scan((tmp_path / "a.tar").read_bytes()[:end])


def test_sparse_and_overlong() -> None:
    data = bytearray(archive([("a.txt", b"1")]))
    data[156:157] = b"S"
    data[148:156] = b"%06o\0 " % (sum(data[:512]) - sum(data[148:156]) + 256)
    with pytest.raises(UnreadableInput, match="sparse"):
        scan(bytes(data))
    data = bytearray(archive([("n" * 300 + ".txt", b"1")], tarfile.PAX_FORMAT))
    data[124:136] = b"77777777777\0"
    data[148:156] = b"%06o\0 " % (sum(data[:512]) - sum(data[148:156]) + 256)
    with pytest.raises(UnreadableInput, match="a name of"):
        scan(bytes(data))


BASE = archive([("n" * 120 + ".txt", b"one"), ("b.json", b"{}"), ("b.png", b"y" * 600)], tarfile.PAX_FORMAT)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
def test_damage_is_one_kind_of_error(changes: list[tuple[int, int]], mend: bool) -> None:
    """Any bytes changed, with the headers' checksums mended or not: samples within the file, or `UnreadableInput`."""
    data = bytearray(BASE)
    for place, value in changes:
        data[place] = value
    if mend:
        for start in range(0, len(data), 512):
            block = data[start : start + 512]
            if block[257:262] == b"ustar":
                data[start + 148 : start + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    try:
        found = scan(bytes(data))
    except UnreadableInput:
        return
    assert all(at + size <= len(data) for one in found for at, size in one.parts.values())
