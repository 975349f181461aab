"""Whole files: what is written, what is blanked, what is proved, what is refused."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from fetalclip.errors import FetalclipError, InputTooLarge, NotVerified, UnreadableInput, UsageError
from fetalclip.io.deid import Choices, Folder, Key, NotDicom, deidentify
from fetalclip.io.deid import verify as checking
from fetalclip.io.deid import write as writing


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def inside(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(box[1], box[3]), slice(box[0], box[2])


def test_a_still(still: Callable[..., Path], out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    source = still()
    done = deidentify(source, out, key, Choices())
    old, new = dcmread(source), dcmread(out / done.place)
    assert np.array_equal(new.pixel_array[inside(sim.box)], old.pixel_array[inside(sim.box)])
    rest = np.ones(new.pixel_array.shape, dtype=bool)
    rest[inside(sim.box)] = False
    assert old.pixel_array[rest].max() == 255
    assert new.pixel_array[rest].max() == 0
    assert (done.verified, done.frames, done.text, done.regions) == (True, 1, (), (sim.box,))
    assert (new.PatientIdentityRemoved, new.BurnedInAnnotation) == ("YES", "NO")
    assert new.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [code.CodeValue for code in new.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113101"]
    assert done.place == f"{new.PatientID}/{new.StudyInstanceUID}/{new.SOPInstanceUID}.dcm"
    assert done.sha256 == hashlib.sha256((out / done.place).read_bytes()).hexdigest()
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    data = sim.everything(out).lower()
    assert [name for name, word in planted.words.items() if word.lower().encode() in data] == []
    assert [path.name for path in out.iterdir()] == [done.pseudonym]


def test_text_inside_is_blanked_and_nothing_else(
    still: Callable[..., Path], out: Path, key: Key, sim: SimpleNamespace, planted: Any
) -> None:
    source = still(inside=planted.word("inside", 12))
    done = deidentify(source, out, key, Choices())
    old, new = dcmread(source).pixel_array, dcmread(out / done.place).pixel_array
    assert len(done.text) >= 1
    blank = np.ones(old.shape, dtype=bool)
    blank[inside(sim.box)] = False
    for box in done.text:
        blank[inside(box)] = True
    assert np.array_equal(new, np.where(blank, 0, old))
    words = old[inside(sim.box)][60:76, 40:140] == 255
    assert words.sum() > 50
    assert new[inside(sim.box)][60:76, 40:140][words].max() == 0
    assert not done.verified  # where letters were, others may be that nobody found
    assert "BurnedInAnnotation" not in dcmread(out / done.place)
    kept = deidentify(source, out, key, Choices(keep_text=True))
    assert not kept.verified
    left = dcmread(out / kept.place)
    assert np.array_equal(left.pixel_array[inside(sim.box)], old[inside(sim.box)])
    assert "BurnedInAnnotation" not in left
    assert "113101" not in [code.CodeValue for code in left.DeidentificationMethodCodeSequence]


def coloured(sim: SimpleNamespace, count: int) -> np.ndarray:
    """A clip in colour whose tissue differs from frame to frame, uint8 (n, H, W, 3)."""
    gray = np.stack([sim.screen("HIDDEN PERSON", seed=seed) for seed in range(count)])
    return np.stack([gray, gray // 2, np.roll(gray, 3, axis=2)], axis=-1)


def test_a_clip_in_colour(tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    new = sim.header(planted)
    sim.add_region(new)
    pixels = coloured(sim, 5)
    source = sim.put(new, pixels, tmp_path / "clip.dcm")
    done = deidentify(source, out, key, Choices())
    got = dcmread(out / done.place)
    x0, y0, x1, y1 = sim.box
    assert got.pixel_array.shape == pixels.shape
    assert (got.NumberOfFrames, got.FrameTime, got.PhotometricInterpretation) == (5, 40, "RGB")
    assert got.FrameIncrementPointer == 0x00181063
    assert np.array_equal(got.pixel_array[:, y0:y1, x0:x1], pixels[:, y0:y1, x0:x1])
    got.pixel_array[:, y0:y1, x0:x1] = 0
    assert done.checked.frames == 5
    outside = got.pixel_array.copy()
    outside[:, y0:y1, x0:x1] = 0
    assert outside.max() == 0


def test_sixteen_bits_and_inverted(tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    pixels = (4095 - sim.screen("HIDDEN").astype(np.uint16) * 16).astype(np.uint16)
    new = sim.header(planted)
    sim.add_region(new)
    told = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    hidden = pixels | 0xF000  # an overlay in the bits that do not count
    done = deidentify(sim.put(new, hidden, tmp_path / "in.dcm", **told), out, key, Choices())
    got = dcmread(out / done.place)
    assert (got.PhotometricInterpretation, got.BitsStored) == ("MONOCHROME1", 12)
    assert np.array_equal(got.pixel_array[inside(sim.box)], pixels[inside(sim.box)])
    assert set(got.pixel_array[:40].ravel()) == {4095}  # black


def test_a_palette(tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    new = sim.header(planted)
    sim.add_region(new)
    ramp = np.arange(255, -1, -1, dtype="<u2") * 257  # index 255 is black
    told: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        told |= {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16]}
        told |= {f"{colour}PaletteColorLookupTableData": ramp.tobytes()}
    pixels = 255 - sim.screen("HIDDEN")
    done = deidentify(sim.put(new, pixels, tmp_path / "in.dcm", **told), out, key, Choices())
    got = dcmread(out / done.place)
    assert np.array_equal(got.pixel_array[inside(sim.box)], pixels[inside(sim.box)])
    assert set(got.pixel_array[:40].ravel()) == {255}
    assert got.RedPaletteColorLookupTableData == ramp.tobytes()


def test_ybr_stays_ybr(tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    new = sim.header(planted)
    sim.add_region(new)
    gray = sim.screen("HIDDEN")
    pixels = np.stack([gray, np.full_like(gray, 120), np.full_like(gray, 140)], axis=-1)
    source = sim.put(new, pixels, tmp_path / "in.dcm", PhotometricInterpretation="YBR_FULL")
    got = dcmread(out / deidentify(source, out, key, Choices()).place)
    stored = np.frombuffer(got.PixelData, np.uint8).reshape(pixels.shape)
    assert got.PhotometricInterpretation == "YBR_FULL"
    assert np.array_equal(stored[inside(sim.box)], pixels[inside(sim.box)])
    assert (stored[:40] == [0, 128, 128]).all()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2"])
def test_other_encodings(
    tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, still: Callable[..., Path], syntax: str
) -> None:
    plain = dcmread(still())
    pixels = plain.pixel_array
    if syntax.endswith(".5"):
        plain.compress(syntax)
    plain.file_meta.TransferSyntaxUID = syntax
    plain.save_as(
        tmp_path / "packed.dcm",
        implicit_vr=syntax == "1.2.840.10008.1.2",
        little_endian=True,
        enforce_file_format=True,
    )
    got = dcmread(out / deidentify(tmp_path / "packed.dcm", out, key, Choices()).place)
    assert np.array_equal(got.pixel_array[inside(sim.box)], pixels[inside(sim.box)])
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_twice_is_once_to_the_byte(still: Callable[..., Path], out: Path, tmp_path: Path, key: Key) -> None:
    once = deidentify(still(inside="FORGETME"), out, key, Choices())
    (tmp_path / "again").mkdir()
    twice = deidentify(out / once.place, tmp_path / "again", key, Choices())
    assert (twice.sha256, twice.place, twice.text) == (once.sha256, once.place, ())
    assert (twice.removed, twice.replaced) == ({}, {})
    assert not twice.verified  # no letters are left to be seen, but the doubt is


@pytest.mark.parametrize("frames", [1, 3])
def test_masking_twice_is_masking_once(
    tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any, frames: int
) -> None:
    from fetalclip.phantom import draw

    gray, choices = draw("brain", 2).frame.gray, Choices(without_regions=True)
    pixels = gray if frames == 1 else np.stack([gray] * frames)
    once = deidentify(sim.put(sim.header(planted), pixels, tmp_path / "in.dcm"), out, key, choices)
    (tmp_path / "again").mkdir()
    twice = deidentify(out / once.place, tmp_path / "again", key, choices)
    assert (twice.sha256, twice.place, twice.verified) == (once.sha256, once.place, False)
    written = dcmread(out / once.place)
    written.PatientID = "another"  # what only says that it was written by us is looked at anew
    written.save_as(tmp_path / "other.dcm")
    other = deidentify(tmp_path / "other.dcm", tmp_path / "again", key, choices)
    assert other.kept < twice.kept


def test_files_of_a_patient_belong_together(
    still: Callable[..., Path], out: Path, key: Key, other_key: Key, tmp_path: Path
) -> None:
    one, two, other = still("1.dcm"), still("2.dcm"), still("3.dcm", person="b")
    done = [deidentify(path, out, key, Choices()) for path in (one, two, other)]
    folders = [Path(written.place).parent for written in done]
    assert folders[0] == folders[1] != folders[2]
    (tmp_path / "run2").mkdir()
    assert deidentify(one, tmp_path / "run2", key, Choices()).sha256 == done[0].sha256
    assert deidentify(one, tmp_path / "run2", other_key, Choices()).pseudonym != done[0].pseudonym


@pytest.mark.parametrize("boxes", [[], [(0, 0, 400, 300)], [(60, 48, 700, 500)]])
def test_without_telling_regions(
    tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any, boxes: list[tuple[int, int, int, int]]
) -> None:
    new = sim.header(planted)
    for box in boxes:
        sim.add_region(new, box)
    source = sim.put(new, sim.screen("HIDDEN PERSON"), tmp_path / "in.dcm")
    with pytest.raises(NotVerified, match="no ultrasound region"):
        deidentify(source, out, key, Choices())
    assert list(out.iterdir()) == []
    done = deidentify(source, out, key, Choices(without_regions=True))
    assert not done.verified
    got = dcmread(out / done.place)
    assert "BurnedInAnnotation" not in got
    assert got.pixel_array[:30].max() == 0
    assert got.pixel_array[60:250, 100:300].std() > 5


def test_only_2d_regions_are_kept(tmp_path: Path, out: Path, key: Key, sim: SimpleNamespace, planted: Any) -> None:
    new = sim.header(planted)
    sim.add_region(new)
    spectrum = deepcopy(new.SequenceOfUltrasoundRegions[0])
    spectrum.RegionSpatialFormat, spectrum.RegionLocationMinY0, spectrum.RegionLocationMaxY1 = 3, 0, 40
    new.SequenceOfUltrasoundRegions.append(spectrum)
    done = deidentify(sim.put(new, sim.screen("HIDDEN"), tmp_path / "in.dcm"), out, key, Choices())
    assert done.regions == (sim.box,)
    assert len(dcmread(out / done.place).SequenceOfUltrasoundRegions) == 2


def test_a_fault_in_writing_is_found(
    still: Callable[..., Path], out: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, right = still(inside="FORGETME"), writing.blanked
    monkeypatch.setattr(writing, "save", _spoiling(b"\xff"))
    with pytest.raises(NotVerified, match="not written as it was meant"):
        deidentify(source, out, key, Choices())
    monkeypatch.undo()
    monkeypatch.setattr(writing, "text_boxes", lambda *given: [])  # the finder of the writer is blind
    with pytest.raises(NotVerified, match="letters are still seen"):
        deidentify(source, out, key, Choices())
    monkeypatch.undo()
    assert writing.blanked is right
    assert list(out.iterdir()) == []


def _spoiling(byte: bytes) -> Callable[..., None]:
    from fetalclip.io.deid.told import save

    def spoil(new: Any, pixels: Any, form: Any, path: Path) -> None:
        save(new, pixels, form, path)
        with path.open("r+b") as stream:
            stream.seek(-200 * 150, 2)
            stream.write(byte)

    return spoil


@pytest.mark.parametrize("where", ["value", "between", "pixels"])
def test_a_forgotten_name_is_found(
    still: Callable[..., Path],
    out: Path,
    key: Key,
    monkeypatch: pytest.MonkeyPatch,
    planted: Any,
    where: str,
) -> None:
    source = still()
    name = planted.words["familya"]
    from fetalclip.io.deid.told import save

    def forget(new: Any, pixels: Any, form: Any, path: Path) -> None:
        if where == "value":
            new.ImageComments = f"seen by {name.lower()}"
        if where == "pixels":
            pixels.seek(20_000)
            pixels.write(name.encode())
            pixels.seek(0)
        save(new, pixels, form, path)
        if where == "between":
            data = bytearray(path.read_bytes())
            data[:9] = name.encode()  # the preamble
            path.write_bytes(bytes(data))

    monkeypatch.setattr(writing, "save", forget)
    if where == "pixels":  # else the comparison of the frames would find it first
        monkeypatch.setattr(checking.np, "array_equal", lambda *given: True)
    with pytest.raises(NotVerified, match="a string that was removed"):
        deidentify(source, out, key, Choices())
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("kind", ["text", "empty", "directory", "picture"])
def test_other_files(tmp_path: Path, out: Path, key: Key, kind: str) -> None:
    from fetalclip.phantom import draw

    path = tmp_path / "other"
    if kind == "picture":
        from PIL import Image

        Image.fromarray(draw("femur", 1).frame.gray).save(path, format="PNG")
    else:
        path.write_bytes({"text": b"hello " * 50, "empty": b""}.get(kind, b""))
    if kind == "directory":
        path.unlink()
        path.mkdir()
        with pytest.raises(UnreadableInput, match="folder"):
            deidentify(path, out, key, Choices())
        return
    with pytest.raises(NotDicom):
        deidentify(path, out, key, Choices())


def test_hostile_files_give_our_errors_and_leave_nothing(
    still: Callable[..., Path], out: Path, tmp_path: Path, key: Key, planted: Any
) -> None:
    data = still().read_bytes()
    rng = random.Random(3)
    header = len(data) - 120_000
    told: list[str] = []
    for number in range(60):
        spoiled = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            spoiled[rng.randrange(132, header)] = rng.randrange(256)
        if number % 3 == 0:
            del spoiled[rng.randrange(200, len(spoiled)) :]
        path = tmp_path / "spoiled.dcm"
        path.write_bytes(bytes(spoiled))
        try:
            deidentify(path, out, key, Choices())
        except NotDicom:
            pass
        except FetalclipError as error:
            told.append(str(error))
        assert not list(out.glob(".unfinished*"))
    assert len(told) > 20
    assert [word for word in planted.words.values() if word in "".join(told)] == []


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"NumberOfFrames": 7}, UnreadableInput),
        ({"Rows": 60000, "Columns": 60000}, InputTooLarge),
        ({"PhotometricInterpretation": "SOMETHING"}, UnreadableInput),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, UnreadableInput),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, UnreadableInput),
        ({"SOPClassUID": "1.2.3.4.5"}, UnreadableInput),
        ({"StudyInstanceUID": ""}, UnreadableInput),
    ],
)
def test_what_cannot_be(
    still: Callable[..., Path], out: Path, key: Key, told: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        deidentify(still(**told), out, key, Choices())
    assert list(out.iterdir()) == []


def test_the_folder_is_of_one_key(
    still: Callable[..., Path], out: Path, key: Key, other_key: Key, planted: Any, sim: SimpleNamespace
) -> None:
    source = still()
    with Folder(out, key, Choices()) as folder:
        done = folder.add(source)
        with pytest.raises(UnreadableInput):
            folder.add(source.with_name("missing.dcm"))
        with pytest.raises(FetalclipError, match="another run"), Folder(out, key, Choices()):
            pass
    lines = [json.loads(line) for line in (out / "audit.jsonl").read_text().splitlines()]
    assert [line["error"] for line in lines] == [None, "UnreadableInput"]
    assert lines[0]["sha256"] == done.sha256
    assert lines[0]["removed"]["private"] == 4
    assert lines[0]["checked"] == {"frames": 1, "text": 0, "strings": done.checked.strings}
    with pytest.raises(UsageError, match="another key"), Folder(out, other_key, Choices()):
        pass
    with Folder(out, key, Choices()) as folder:
        assert folder.add(source).sha256 == done.sha256
    data = sim.everything(out).lower()
    assert [name for name, word in planted.words.items() if word.lower().encode() in data] == []


def test_a_uid_of_two_pictures_loses_neither(still: Callable[..., Path], out: Path, tmp_path: Path, key: Key) -> None:
    first = still()
    data = dcmread(first)
    data.PixelData = bytes(255 - byte for byte in data.PixelData)
    other = tmp_path / "other.dcm"
    data.save_as(other)
    with Folder(out, key, Choices()) as folder:
        written = folder.add(first)
        with pytest.raises(UnreadableInput, match="the UID of another file"):
            folder.add(other)
        assert folder.add(first).sha256 == written.sha256
    assert hashlib.sha256((out / written.place).read_bytes()).hexdigest() == written.sha256
    assert len(list(out.rglob("*.dcm"))) == 1
    told = [json.loads(line) for line in (out / "audit.jsonl").read_text().splitlines()]
    assert [(line["error"], line.get("again")) for line in told] == [
        (None, None),
        ("UnreadableInput", None),
        (None, True),
    ]


def test_a_folder_of_something_else_is_left_alone(out: Path, key: Key) -> None:
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="other files"), Folder(out, key, Choices()):
        pass
    assert sorted(path.name for path in out.iterdir()) == ["thesis.txt"]
