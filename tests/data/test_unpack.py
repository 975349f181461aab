"""Archives of strangers."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from fetalclip.data import unpack as module
from fetalclip.data.unpack import is_archive, unpack
from fetalclip.errors import DataMissing, OutputError


def archive(path: Path, entries: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            opened.writestr(info, data)
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_folders_stay_and_loose_files_get_one(tmp_path: Path) -> None:
    assert unpack(archive(tmp_path / "a.zip", {"x/1.png": b"1", "x/y/2.png": b"2", "z/": b""}), tmp_path / "o") == 2
    assert files(tmp_path / "o") == ["x/1.png", "x/y/2.png"]
    unpack(archive(tmp_path / "loose.zip", {"1.png": b"1"}), tmp_path / "o")
    assert files(tmp_path / "o") == ["loose/1.png", "x/1.png", "x/y/2.png"]
    assert is_archive(tmp_path / "a.zip")
    assert not is_archive(tmp_path / "o" / "x" / "1.png")


@pytest.mark.parametrize(
    "name",
    [
        "../up.txt",
        "a/../../up.txt",
        "/etc/up.txt",
        "a\\..\\up.txt",
        "c:/up.txt",
        "a/nul",
        "a/com1.txt",
        "a/\x07",
        "x" * 300,
    ],
)
def test_a_name_that_leads_out_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    bad = archive(tmp_path / "a.zip", {"fine.txt": b"1", name: b"2"})
    with pytest.raises(DataMissing, match=r"entry.*nothing was unpacked"):
        unpack(bad, tmp_path / "deep" / "o")
    assert files(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(DataMissing, match="a link or a device"):
        unpack(archive(tmp_path / "a.zip", {"link": b"/etc/passwd"}, mode), tmp_path / "o")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive(tmp_path / "a.zip", {"zeros": bytes(3_000_000)})
    monkeypatch.setattr(module, "_FREE", 1_000_000)
    with pytest.raises(DataMissing, match="would become 3000000 bytes"):
        unpack(bomb, tmp_path / "o")
    monkeypatch.setattr(module, "MAX_FILES", 1)
    with pytest.raises(DataMissing, match="2 entries"):
        unpack(archive(tmp_path / "b.zip", {"a": b"", "b": b""}), tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_an_archive_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive(tmp_path / "a.zip", {"zeros": bytes(5000)}).read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataMissing, match=r"nothing was unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_two_names_for_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"'X/A' twice|'x/a' twice"):
        unpack(archive(tmp_path / "a.zip", {"x/a": b"1", "X/A": b"2"}), tmp_path / "o")


def test_damaged_archives_leave_nothing(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip", {"x/a": bytes(range(256)) * 50, "x/b": b"2" * 100}).read_bytes()
    broken = bytearray(whole)
    broken[60:70] = b"\xff" * 10
    (tmp_path / "a.zip").write_bytes(broken)
    with pytest.raises(DataMissing, match="cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "o")
    (tmp_path / "a.zip").write_bytes(whole[:-30])
    with pytest.raises(DataMissing, match="cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "o")
    assert not (tmp_path / "o").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "o" / "x").symlink_to(tmp_path / "outside")
    with pytest.raises(OutputError, match="is a link"):
        unpack(archive(tmp_path / "a.zip", {"x/a": b"1"}), tmp_path / "o")
    assert files(tmp_path / "outside") == []


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO(archive(tmp_path / "a.zip", {"x/a": b"1"}).read_bytes())
    data = bytearray(stream.getvalue())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataMissing, match="encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "o")
