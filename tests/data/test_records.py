"""A record by its own API: described, fetched with resume, held against the checksum it serves. All on this machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fetalclip.data import READERS, records
from fetalclip.data.obtain import describe, find, lines, manifest_of, obtain
from fetalclip.errors import DataMissing, NotAvailable, UsageError

DATA = random.Random(0).randbytes(3_000_000)


def zip_of(files: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def png() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (40, 30)).save(stream, "PNG")
    return stream.getvalue()


def test_a_record_is_described_by_its_own_api(zenodo) -> None:
    zenodo.files["7"] = {"a.bin": b"abc", "b.bin": b""}
    found = records.ask("7")
    assert (found.title, found.license, found.doi) == ("A test set", "cc-by-4.0", "10.5281/zenodo.7")
    assert [(f.name, f.size) for f in found.files] == [("a.bin", 3), ("b.bin", 0)]
    assert found.files[0].md5 == "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321's own test value
    assert zenodo.downloads() == []


def test_a_file_comes_whole_and_is_not_fetched_twice(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": DATA, "empty.bin": b""}
    seen: list[int] = []
    for file in records.ask("7").files:
        records.fetch(file, tmp_path, seen.append)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert (tmp_path / "empty.bin").read_bytes() == b""
    assert seen[-1] == len(DATA)
    before = len(zenodo.downloads())
    records.fetch(records.ask("7").files[0], tmp_path)
    assert len(zenodo.downloads()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "empty.bin"]


def test_a_cut_download_goes_on_in_the_same_call(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": DATA}
    zenodo.cut = [1_200_000, 700_000]
    records.fetch(records.ask("7").files[0], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    spans = zenodo.downloads()
    assert spans[0] == ""
    assert len(spans) == 3
    assert all(span.startswith("bytes=") for span in spans[1:])


def test_a_stopped_download_goes_on_with_the_next_call(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": DATA}
    zenodo.cut = [1_500_000, 0]
    with pytest.raises(NotAvailable, match="what has come is kept"):
        records.fetch(records.ask("7").files[0], tmp_path)
    have = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < have <= 1_500_000
    records.fetch(records.ask("7").files[0], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert zenodo.downloads()[-1] == f"bytes={have}-"


def test_a_server_without_ranges_sends_all_again(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": DATA}
    (tmp_path / "a.bin.part").write_bytes(DATA[:1000])
    zenodo.ranges = False
    records.fetch(records.ask("7").files[0], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1] + b"x", lambda d: d + b"more", lambda d: b"x" * len(d)],
    ids=["a byte", "longer", "another"],
)
def test_a_file_of_another_checksum_is_removed(zenodo, tmp_path: Path, change) -> None:
    zenodo.files["7"] = {"a.bin": DATA}
    zenodo.sent["a.bin"] = change(DATA)
    with pytest.raises(DataMissing, match=r"md5|longer than its record"):
        records.fetch(records.ask("7").files[0], tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_a_wrong_file_already_there_is_removed_and_told(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": DATA}
    (tmp_path / "a.bin").write_bytes(b"other")
    with pytest.raises(DataMissing, match="as the record says"):
        records.fetch(records.ask("7").files[0], tmp_path)
    records.fetch(records.ask("7").files[0], tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def _with(**changes: object):
    def change(record: dict) -> dict:
        record["files"][0] |= changes
        return record

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda r: b"<html>sign in</html>",
        lambda r: b"[" * 100_000,
        lambda r: {},
        lambda r: [],
        lambda r: {**r, "id": 8},
        lambda r: {**r, "files": []},
        lambda r: {**r, "files": r["files"] * 2},
        _with(key="../up.bin"),
        _with(key=".hidden"),
        _with(key="a\x00b"),
        _with(key="c:evil"),
        _with(key=3),
        _with(size=-1),
        _with(size="3"),
        _with(checksum="sha1:abc"),
        _with(checksum="md5:xyz"),
        _with(checksum=None),
        _with(links={"self": "http://elsewhere.example/a.bin"}),
        _with(links={"self": "file:///etc/passwd"}),
        _with(links={}),
    ],
)
def test_an_answer_of_another_shape_is_no_record(zenodo, change) -> None:
    zenodo.files["7"] = {"a.bin": b"abc"}
    zenodo.change = change
    with pytest.raises(NotAvailable, match="not a record"):
        records.ask("7")
    assert zenodo.downloads() == []


def test_no_record_no_server_no_address(zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAvailable, match="404 for record 9"):
        records.ask("9")
    monkeypatch.setenv("FETALCLIP_ZENODO", "http://127.0.0.1:9/api")
    with pytest.raises(NotAvailable, match="could not be fetched"):
        records.ask("9")
    monkeypatch.setenv("FETALCLIP_ZENODO", "ftp://mirror")
    with pytest.raises(UsageError, match="FETALCLIP_ZENODO"):
        records.ask("9")


HC18_TABLE = b"filename,pixel size(mm),head circumference (mm)\n9000_HC.png,0.1,180\n"


@pytest.mark.parametrize("prefix", ["", "training_set/"], ids=["flat archive", "archive with its folder"])
def test_a_set_is_obtained_found_and_read(zenodo, tmp_path: Path, prefix: str) -> None:
    archive = zip_of({f"{prefix}9000_HC.png": png(), f"{prefix}9000_HC_Annotation.png": png()})
    zenodo.files["1327317"] = {"training_set_pixel_size_and_HC.csv": HC18_TABLE, "training_set.zip": archive}
    said: list[str] = []
    made = obtain(describe(READERS["hc18"]), tmp_path, said.append)
    assert made.folder == tmp_path / "hc18" == made.readable
    assert made.unpacked == {"training_set.zip": 2}
    assert "fetalclip data manifest hc18 --root" in made.next
    found = manifest_of("hc18", tmp_path)
    assert [(r.name, r.width, r.mask_kind) for r in found.rows] == [("9000_HC.png", 40, "head")]
    assert found.problems == ()
    obtain(describe(READERS["hc18"]), tmp_path)  # again: nothing new is fetched
    assert len(zenodo.downloads()) == 2


def test_another_layout_is_told_not_guessed(zenodo, tmp_path: Path) -> None:
    zenodo.files["8265464"] = {"all.zip": zip_of({"Some/Where/x.png": png()}), "notes.txt": b"hello"}
    made = obtain(describe(READERS["head-structures"]), tmp_path)
    assert made.readable is None
    assert "index.csv and images" in made.next
    assert "--table FILE" in made.next
    assert (tmp_path / "head-structures" / "Some" / "Where" / "x.png").is_file()


def test_one_file_may_be_asked_for(zenodo, tmp_path: Path) -> None:
    zenodo.files["1327317"] = {"a.csv": HC18_TABLE, "b.zip": zip_of({"x": b"1"})}
    found = describe(READERS["hc18"], ["a.csv"])
    obtain(found, tmp_path)
    assert [path.name for path in (tmp_path / "hc18").iterdir()] == ["a.csv"]
    with pytest.raises(UsageError, match=r"no file 'c.csv'"):
        describe(READERS["hc18"], ["c.csv"])


def test_a_changed_licence_is_told(zenodo) -> None:
    zenodo.files["1327317"] = {"a.csv": HC18_TABLE}
    assert not any("Note" in line for line in lines(describe(READERS["hc18"])))
    zenodo.license = "cc-by-nc-4.0"
    assert any("cc-by-nc-4.0" in line for line in lines(describe(READERS["hc18"])))


def test_the_table_is_looked_for_a_few_folders_down(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    (deep / "training_set").mkdir(parents=True)
    (deep / "training_set_pixel_size_and_HC.csv").write_bytes(HC18_TABLE)
    assert find(READERS["hc18"], tmp_path) == deep
    assert find(READERS["fetal-planes-db"], tmp_path) is None


def test_absent_and_unreadable_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "training_set").mkdir()
    table = HC18_TABLE + b"9001_HC.png,0.1,190\n9002_HC.png,0.1,200\n"
    (tmp_path / "training_set_pixel_size_and_HC.csv").write_bytes(table)
    (tmp_path / "training_set" / "9000_HC.png").write_bytes(png())
    (tmp_path / "training_set" / "9001_HC.png").write_bytes(b"no picture")
    found = manifest_of("hc18", tmp_path)
    assert [row.name for row in found.rows] == ["9000_HC.png"]
    assert sorted((p.path, p.kind) for p in found.problems) == [
        ("9001_HC.png", "unreadable picture"),
        ("9002_HC.png", "missing file"),
    ]


def test_every_reader_is_a_file_of_its_own() -> None:
    from fetalclip.data import LICENSES, readers

    folder = Path(readers.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "reader"}
    assert len(modules) == len(READERS) >= 3
    for name, reader in READERS.items():
        assert LICENSES[name] is reader.license
        assert reader.license.url.endswith(reader.record)
