"""Other people's shards: as webdataset writes them, prepared as at inference, their captions as they stand."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical.factory import Record
from fetalclip.data.shards.foreign import files, open_pattern, side_of
from fetalclip.data.sources import open_pairs
from fetalclip.errors import DataMissing, InputError, UnreadableInput, UsageError
from fetalclip.frame import Frame
from fetalclip.phantom import draw
from fetalclip.preprocess import prepare

FRAMES = [draw(plane, i).frame for i, plane in enumerate(("brain", "femur", "abdomen"))]


def picture(frame: Frame, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame.gray).save(stream, kind)
    return stream.getvalue()


def pack(path: Path, *entries: tuple[str, bytes | str]) -> Path:
    with tarfile.open(path, "w") as made:
        for name, data in entries:
            data = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return path


def test_what_webdataset_writes_is_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "pairs-000.tar")) as writer:
        for i, frame in enumerate(FRAMES):
            writer.write({"__key__": f"scan/{i}", "png": picture(frame), "txt": f"caption\n {i}", "json": {"width": 3}})
    pairs = open_pairs(str(tmp_path), "train", side=50, overlay="mask")
    assert len(pairs) == 3
    for i, frame in enumerate(FRAMES):
        pair = pairs.load(i)
        assert pair.caption == f"caption {i}"
        assert pair.record == Record()
        assert np.array_equal(pair.pixels, prepare(Frame(frame.gray), 50, "mask").pixels)
    assert pairs.name(1) == "pairs-000.tar sample 1"


def test_captions_and_facts_of_json(tmp_path: Path) -> None:
    facts = {"views": ["brain"], "age_days": 143, "mm_per_pixel": 0.1}
    path = pack(
        tmp_path / "a.tar",
        ("a.jpg", picture(FRAMES[0], "JPEG")),
        ("a.json", json.dumps({"caption": "said here", "views": 1234})),
        ("b.jpeg", picture(FRAMES[1], "JPEG")),
        ("b.json", json.dumps(facts)),
        ("c.png", picture(FRAMES[2])),
        ("c.npy", b"0" * 100),
        ("d.png", picture(FRAMES[2])),
        ("d.json", "{}"),
    )
    pairs = open_pattern(str(path), "train", 50, "keep", 0)
    assert len(pairs) == 3  # nothing is said of c
    assert pairs.load(0).caption == "said here"
    second = pairs.load(1)
    longest = max(FRAMES[1].width, FRAMES[1].height)
    assert (second.caption, second.record.views, second.record.age) == (None, ("brain",), 143)
    assert second.record.spacing == pytest.approx(0.1 * longest / 50)
    with pytest.raises(InputError, match=r"^a.tar sample 2: a sample with nothing said of it"):
        pairs.load(2)


def test_sides_are_told_by_names(tmp_path: Path) -> None:
    for name in ("train-0.tar", "my_valid-0.tar", "my_valid-1.tar", "latest.tar"):
        pack(tmp_path / name, ("a.png", picture(FRAMES[0])), ("a.txt", "a"))
    names = {"Train.tar": "train", "x-dev-1.tar": "val", "latest.tar": "", "restrained.tar": ""}
    assert {name: side_of(name) for name in names} == names
    pattern = f"{tmp_path}/*.tar"
    assert len(open_pattern(pattern, "train", 40, "mask", 0)) == 2
    assert len(open_pattern(pattern, "val", 40, "mask", 0)) == 2
    assert len(open_pattern(pattern, "val", 40, "mask", 0, whole=True)) == 3
    with pytest.raises(DataMissing, match="none of the split test"):
        open_pattern(pattern, "test", 40, "mask", 0)
    with pytest.raises(DataMissing, match="no file"):
        open_pattern(f"{tmp_path}/no-*.tar", "train", 40, "mask", 0)


def test_braces(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"a-{i:02d}.tar").touch()
    names = [path.name for path in files(f"{tmp_path}/a-{{08..11}}.tar")]
    assert names == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert [path.name for path in files(f"{tmp_path}/{{a,b}}-0{{3,5}}.tar")] == ["a-03.tar", "a-05.tar"]
    for many in ("{0..999999999}", "{0..999}-{0..999}"):
        with pytest.raises(UsageError, match="more than 100000 names"):
            files(f"{tmp_path}/a-{many}.tar")


def test_bad_samples_and_bad_files(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        ("a.png", b"no picture"),
        ("a.txt", "a"),
        ("b.png", picture(FRAMES[0])),
        ("b.txt", b"\xff\xfe"),
        ("c.png", picture(FRAMES[0])),
        ("c.txt", "x" * 5001),
        ("d.png", picture(FRAMES[0])),
        ("d.txt", "fine"),
    )
    pairs = open_pattern(str(path), "train", 40, "mask", 0)
    for number, said in ((0, "not a picture"), (1, "not UTF-8"), (2, "a caption with")):
        with pytest.raises(InputError, match=f"^a.tar sample {number}: .*{said}"):
            pairs.load(number)
    assert pairs.load(3).caption == "fine"
    data = path.read_bytes()
    for spoilt in (data[:700], b"\x1f\x8b" + data[2:], b"", data[:1030]):
        path.write_bytes(spoilt)
        with pytest.raises(UnreadableInput, match=r"a\.tar"):
            open_pattern(str(path), "train", 40, "mask", 0)


def test_the_fingerprint_is_of_what_is_in_them(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", ("a.png", picture(FRAMES[0])), ("a.txt", "one"))
    first = open_pattern(str(path), "train", 40, "mask", 0).fingerprint
    assert open_pattern(str(path), "train", 40, "mask", 0).fingerprint == first
    assert open_pattern(str(path), "train", 40, "keep", 0).fingerprint != first
    pack(path, ("a.png", picture(FRAMES[1])), ("a.txt", "other"))
    assert open_pattern(str(path), "train", 40, "mask", 0).fingerprint != first
