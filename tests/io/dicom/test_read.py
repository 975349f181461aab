"""DICOM pictures and clips: pixels against pydicom and recorded references, times, spacing, bad input."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.io import inspect, is_clip, read, read_at, read_cine, read_size
from fetalclip.io.dicom import header, shape
from fetalclip.io.dicom import read as reader
from fetalclip.io.dicom.syntaxes import CLASSES

from .conftest import CAPTURE, SECRET, build, pattern, region

IMPLICIT, EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))
JPEG, LOSSLESS, JPEGLS, NEAR, J2K, RLE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.81", "4.90", "5")
)
# SHA-256 of the pixels that GDCM 3.2.6 gives, which pydicom cannot decode without it.
GDCM = {
    "SC_rgb_jpeg_gdcm.dcm": "169e619557b12114a7f0be8602026e9abb3d5045804311736ec14cecb026aca9",
    "JPGLosslessP14SV1_1s_1f_8b.dcm": "36e27e4f1e87a7d50407463323ddc3736736ecff35eb4e4a4c1b74646938835d",
    "GDCMJ2K_TextGBR.dcm": "bea5673fdd49313fd8c391f115e57ac501f44194aa3915c22293ddb55f1d0b88",
}
PYDICOM_ERRS = ("OBXXXX1A_expb.dcm", "OBXXXX1A_expb_2frame.dcm")  # palettes of big endian files; see the twins below


def stored() -> list[Path]:
    """Every ultrasound or colour file of pydicom's package and of pydicom-data."""
    folders = [Path(pydicom.data.__file__).parent]
    try:
        import data_store
    except ImportError:
        pass
    else:
        folders.append(Path(data_store.__file__).parent)
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                seen = pydicom.dcmread(path, stop_before_pixels=True)
                us = str(seen.SOPClassUID) in CLASSES and "ultrasound" in CLASSES[seen.SOPClassUID]
            except Exception:  # not a file of one picture
                continue
        if "Rows" in seen and (us or seen.get("SamplesPerPixel") == 3):
            found.append(path)
    return found


FILES = stored()


def ours(path: Path) -> np.ndarray:
    """All pictures in three channels, uint8 (frames, H, W, 3)."""
    frames = [shot.frame for shot in read_cine(path)] if is_clip(path) else [read(path)]
    return np.stack([f.pixels if f.pixels.ndim == 3 else f.pixels[..., None].repeat(3, -1) for f in frames])


def theirs(path: Path) -> np.ndarray:
    """The same by pydicom, its own way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = pydicom.dcmread(path)
        pixels = pydicom.pixels.pixel_array(seen)
        if seen.PhotometricInterpretation == "PALETTE COLOR":
            pixels = pydicom.pixels.apply_color_lut(pixels, seen)
    pixels = (pixels >> 8 * (pixels.dtype.itemsize - 1)).astype(np.uint8)
    if pixels.shape[-1] != 3:
        pixels = pixels[..., None].repeat(3, -1)
    return pixels if pixels.ndim == 4 else pixels[None]


def test_the_files_are_there() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_reference_pixels(path: Path) -> None:
    found = ours(path)
    if path.name in GDCM:
        told = found[..., 0] if read(path).pixels.ndim == 2 else found
        assert hashlib.sha256(np.ascontiguousarray(told[0]).tobytes()).hexdigest() == GDCM[path.name]
    elif path.name not in PYDICOM_ERRS:
        other = theirs(path)
        assert found.shape == other.shape
        # colours of YBR_FULL are rounded once here and once there
        assert int(np.abs(found.astype(int) - other).max()) <= (1 if "ybr_full" in path.name else 0)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("OBXXXX1A_expb.dcm", "OBXXXX1A.dcm"),
        ("OBXXXX1A_expb_2frame.dcm", "OBXXXX1A_2frame.dcm"),
        ("OBXXXX1A_rle.dcm", "OBXXXX1A.dcm"),
        ("US1_J2KR.dcm", "US1_UNCR.dcm"),
        ("US1_J2KI.dcm", "US1_UNCI.dcm"),
        ("gdcm-US-ALOKA-16_big.dcm", "gdcm-US-ALOKA-16.dcm"),
        ("color-px.dcm", "color-pl.dcm"),
        ("SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmd.dcm"),
        ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_ebcr_dcmd.dcm"),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_ebcyn1_dcmd.dcm"),
        ("SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_dcmtk_ebcys4_dcmd.dcm"),
        ("SC_rgb_gdcm_KY.dcm", "SC_rgb_gdcm2k_uncompressed.dcm"),
    ],
)
def test_a_file_and_its_twin_of_another_maker(name: str, twin: str) -> None:
    by_name = {path.name: path for path in FILES}
    if not {name, twin} <= set(by_name):
        pytest.skip("pydicom-data is not installed")
    assert int(np.abs(ours(by_name[name]).astype(int) - ours(by_name[twin])).max()) <= 1


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, RLE, JPEGLS])
@pytest.mark.parametrize("size", [(48, 64), (48, 64, 3), (3, 48, 64), (3, 48, 64, 3), (25, 27), (3, 25, 27, 3)])
def test_what_is_written_is_read(syntax: str, size: tuple[int, ...]) -> None:
    pixels = pattern(*size)
    data = build(pixels, syntax)
    if syntax == BIG:  # written as bytes; some write them in words, each pair turned round
        assert b"OB" in data
    moving = len(size) > 2 and size[0] == 3
    assert is_clip(data) == moving
    found = np.stack([shot.frame.pixels for shot in read_cine(data)]) if moving else read(data).pixels
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG, RLE, JPEGLS])
def test_sixteen_bits_of_which_twelve_count(syntax: str) -> None:
    pixels = pattern(48, 64, deep=True)
    data = build(pixels, syntax, BitsStored=12, HighBit=11)
    expected = np.rint(pixels / pixels.max() * 255)
    assert int(np.abs(read(data).pixels - expected).max()) <= 1
    turned = build(pixels, syntax, BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read(turned).pixels, 255 - read(data).pixels)


def test_windows() -> None:
    pixels = np.array([[0, 1000, 2000, 4000]] * 2, np.uint16)
    fields: dict[str, Any] = {"WindowCenter": "2000", "WindowWidth": "2000", "VOILUTFunction": "LINEAR_EXACT"}
    assert read(build(pixels, **fields)).pixels[0].tolist() == [0, 0, 128, 255]
    assert read(build(pixels, RescaleSlope="2", RescaleIntercept="-2000", **fields)).pixels[0].tolist() == [
        0,
        0,
        128,
        255,
    ]
    sigmoid = read(build(pixels, **fields | {"VOILUTFunction": "SIGMOID"})).pixels[0].tolist()
    assert sigmoid == [round(255 / (1 + math.exp(-4 * (x - 2000) / 2000))) for x in (0, 1000, 2000, 4000)]
    for broken in ({"WindowWidth": "0"}, {"WindowWidth": "-5"}, {"WindowCenter": "1e30"}):
        assert read(build(pixels, **fields | broken)).pixels[0].tolist() == [0, 64, 128, 255]


def test_signed_samples() -> None:
    pixels = np.array([[-100, 0, 100, 300]] * 2, np.int16)
    assert read(build(pixels, PixelRepresentation=1)).pixels[0].tolist() == [0, 64, 128, 255]


def test_the_first_picture_sets_the_tones_of_a_clip() -> None:
    pixels = np.stack([np.full((4, 4), 2000, np.uint16), np.full((4, 4), 1000, np.uint16)])
    assert [shot.frame.pixels[0, 0] for shot in read_cine(build(pixels))] == [255, 128]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize("deep", [False, True])
def test_one_picture_of_a_clip_is_that_of_the_whole(syntax: str, deep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = build(pattern(6, 48, 64, deep=deep), syntax)
    expected = [shot.frame for shot in read_cine(data)]
    decoded = []
    decode = reader.decode
    monkeypatch.setattr(reader, "decode", lambda *words: (decoded.append(1), decode(*words))[1])
    for index in (0, 4):
        found = read_at(data, index)
        assert np.array_equal(found.pixels, expected[index].pixels)
        assert found.mm_per_pixel == expected[index].mm_per_pixel
    assert len(decoded) == (3 if deep else 2)  # the first settles the greys of a deep one


def test_a_picture_that_is_not_in_the_clip() -> None:
    data = build(pattern(3, 48, 64))
    with pytest.raises(UnreadableInput, match="no picture 3"):
        read_at(data, 3)
    with pytest.raises(UnreadableInput, match="no picture 2"):
        read_at(data[: -48 * 64], 2)
    with pytest.raises(UnreadableInput, match="not a clip"):
        read_at(build(pattern(48, 64)), 0)
    assert np.array_equal(read_at(build(pattern(48, 64))).pixels, pattern(48, 64))


def jpegs(pixels: np.ndarray, form: str = "JPEG", **options: Any) -> list[bytes]:
    found = []
    for picture in pixels:
        out = BytesIO()
        Image.fromarray(picture).save(out, form, **options)
        found.append(out.getvalue())
    return found


def smooth(frames: int = 3) -> np.ndarray:
    """uint8 (frames, 48, 64, 3)."""
    y, x = np.mgrid[:48, :64]
    return np.stack([np.stack([3 * x, 4 * y, x + y + 20 * n], -1) for n in range(frames)]).astype(np.uint8)


@pytest.mark.parametrize(("syntax", "form"), [(JPEG, "JPEG"), (J2K, "JPEG2000")])
def test_fragments_with_and_without_a_table(syntax: str, form: str) -> None:
    pictures = smooth()
    parts = jpegs(pictures, form)
    expected = np.stack([np.asarray(Image.open(BytesIO(part)).convert("RGB")) for part in parts])
    whole = build(pictures, syntax, parts, PhotometricInterpretation="YBR_FULL_422")
    table = whole.index(b"\xfe\xff\x00\xe0\x0c\0\0\0")  # three offsets
    bare = whole[: table + 4] + b"\0\0\0\0" + whole[table + 20 :]
    wrong = whole[: table + 8] + struct.pack("<3L", 0, 12, 99_999) + whole[table + 20 :]
    for data in (whole, bare, wrong):
        assert np.array_equal(np.stack([shot.frame.pixels for shot in read_cine(data)]), expected)
    split = [part[at : at + 200] for part in parts for at in range(0, len(part), 200)]
    pieces = build(pictures, syntax, [piece + b"\0" * (len(piece) % 2) for piece in split])
    item = pieces.index(b"\xfe\xff\x00\xe0" + struct.pack("<L", 4 * len(split)))
    pieces = pieces[: item + 4] + b"\0\0\0\0" + pieces[item + 8 + 4 * len(split) :]
    assert np.array_equal(np.stack([shot.frame.pixels for shot in read_cine(pieces)]), expected)


def test_times() -> None:
    pixels = pattern(3, 4, 4)
    cine = read_cine(build(pixels))
    assert cine.rate == pytest.approx(25)
    assert [shot.seconds for shot in cine] == pytest.approx([0, 0.04, 0.08])
    assert cine.info["seconds"] == pytest.approx(0.12)
    uneven = read_cine(build(pixels, FrameTimeVector=["0", "40", "100"]))
    assert [shot.seconds for shot in uneven] == pytest.approx([0, 0.04, 0.14])
    assert uneven.info["variable_rate"]
    assert read_cine(build(pixels, FrameTime=None, CineRate="20")).rate == 20
    for broken in ("0", "-4", "1e9"):
        untold = read_cine(build(pixels, FrameTime=broken))
        assert untold.rate is None
        assert all(math.isnan(shot.seconds) for shot in untold)
        assert any("neither times nor a rate" in warning for warning in untold.warnings)


def test_spacing_comes_from_the_regions_alone() -> None:
    pixels = pattern(48, 64)
    assert read(build(pixels)).mm_per_pixel == pytest.approx((0.2, 0.2))
    assert read(build(pixels, regions=[region(PhysicalDeltaY=0.03)])).mm_per_pixel == pytest.approx((0.2, 0.3))
    none = read(build(pixels, regions=[], PixelSpacing=["0.1", "0.1"], ImagerPixelSpacing=["0.1", "0.1"]))
    assert none.mm_per_pixel is None
    assert none.info["warnings"] == ["no millimetres per pixel: the file has no ultrasound regions"]
    negative = read_cine(build(pattern(2, 48, 64), regions=[region(PhysicalDeltaX=-0.02)]))
    assert negative.mm_per_pixel is None
    assert "negative" in negative.warnings[0]
    given = read(build(pixels), 0.5)
    assert given.mm_per_pixel == (0.5, 0.5)
    assert "not those of the file" in given.info["warnings"][0]
    assert read(build(pixels), 0.2001).info["warnings"] == []
    assert [shot.frame.mm_per_pixel for shot in read_cine(build(pattern(2, 48, 64)))] == [pytest.approx((0.2, 0.2))] * 2


def test_pydicoms_clip_that_was_made_smaller_gives_no_spacing() -> None:
    path = next(path for path in FILES if path.name == "examples_ybr_color.dcm")  # half its size, its regions are not
    cine = read_cine(path)
    assert cine.mm_per_pixel is None
    assert "cropped or resized" in cine.warnings[0]


def test_without_a_preamble(tmp_path: Path) -> None:
    pixels = pattern(48, 64)
    bare = build(pixels)[132:]
    assert np.array_equal(read(bare).pixels, pixels)
    data = pydicom.dcmread(BytesIO(build(pixels)))
    for little, implicit in ((True, True), (True, False), (False, False)):
        out = BytesIO()
        data.file_meta, data.preamble = pydicom.dataset.FileMetaDataset(), None
        pydicom.dcmwrite(out, data, little_endian=little, implicit_vr=implicit, enforce_file_format=False)
        path = tmp_path / f"{little}{implicit}"
        path.write_bytes(out.getvalue())
        assert out.getvalue()[128:132] != b"DICM"
        assert np.array_equal(read(path).pixels, pixels)
        assert read_size(path) == (64, 48)


def test_classes() -> None:
    pixels = pattern(8, 8)
    for end in ("6.1", "6", "3.1", "3", "7", "7.2", "7.3", "7.4"):
        assert read(build(pixels, SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{end}")).width == 8
    assert read(build(pixels, SOPClassUID=CAPTURE)).info["sop_class"] == "secondary capture"
    with pytest.raises(UnreadableInput, match="another kind: CT Image Storage"):
        read(build(pixels, SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))
    with pytest.raises(UnreadableInput, match="not registered") as caught:
        read(build(pixels, SOPClassUID="1.2.999.17"))
    assert "999" not in str(caught.value)


BAD: dict[str, tuple[bytes, str]] = {
    "no pixels": (build(None), "without pixels"),
    "a syntax that is not read": (build(pattern(8, 8), "1.2.840.10008.1.2.4.102", [b"\0\0"]), "MPEG-4"),
    "a syntax of nobody": (
        build(pattern(8, 8), JPEG, [b"\0\0"]).replace(b"840.10008.1.2.4", b"999.10008.1.2.4"),
        "not reg",
    ),
    "no rows": (build(pattern(8, 8), Rows=0), "size"),
    "one bit": (build(pattern(8, 8), BitsAllocated=1), "bits"),
    "more bits stored than there are": (build(pattern(8, 8), BitsStored=12), "bits"),
    "colours of nobody": (build(pattern(8, 8), PhotometricInterpretation="HSV"), "not known"),
    "a palette that is missing": (build(pattern(8, 8), PhotometricInterpretation="PALETTE COLOR"), "palette"),
    "larger than its pixels": (build(pattern(8, 8), Rows=80), "truncated"),
    "cut in the pixels": (build(pattern(48, 64))[:-100], "truncated"),
    "cut in the header": (build(pattern(48, 64))[:400], "size|pixels"),
    "a JPEG that is none": (build(pattern(8, 8), JPEG, [b"what is this?"]), "no JPEG"),
    "a JPEG of another size": (build(pattern(9, 9), JPEG, jpegs(smooth(1)[..., 0])), "another size"),
    "a JPEG of other colours": (build(smooth(1)[0, ..., 0], JPEG, jpegs(smooth(1))), "another kind"),
    "a JPEG that is cut": (build(smooth(1)[0], JPEG, [jpegs(smooth(1))[0][:700]]), "truncated"),
    "a JPEG 2000 that is cut": (build(smooth(1)[0], J2K, [jpegs(smooth(1), "JPEG2000")[0][:-100]]), "truncated"),
    "RLE that is none": (build(pattern(8, 8), EXPLICIT, [b"\xff" * 80]).replace(b"1.2.1\0", b"1.2.5\0", 1), "segments"),
    "pixels said to be in fragments": (build(pattern(8, 8)).replace(b"1.2.1\0", b"1.2.5\0", 1), "not"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_has_an_error_that_names_nobody(what: str, caplog: pytest.LogCaptureFixture) -> None:
    data, said = BAD[what]
    with caplog.at_level(logging.DEBUG), pytest.raises(UnreadableInput, match=said) as caught:
        read(data)
    assert caught.value.fix
    assert caught.value.__cause__ is None
    assert "ROE" not in str(caught.value) + caplog.text
    assert inspect(data)["error"] == str(caught.value)


def test_clips_that_break_off_give_what_there_is() -> None:
    pixels = pattern(4, 48, 64)
    cut = read_cine(build(pixels)[: -48 * 64 - 10])
    assert cut.count == len(list(cut)) == 2
    assert any("2 of 4 pictures" in warning for warning in cut.warnings)
    more = read_cine(build(pixels, NumberOfFrames=9))
    assert more.count == len(list(more)) == 4
    assert any("4 of 9 pictures" in warning for warning in more.warnings)
    fewer = read_cine(build(pixels, NumberOfFrames=2))
    assert fewer.count == 2
    assert any("longer than the pictures" in warning for warning in fewer.warnings)
    parts = jpegs(smooth())
    damaged = read_cine(build(smooth(), JPEG, [*parts[:2], parts[2][:600]]))
    assert len(list(damaged)) == 2
    assert any("picture 2 is damaged" in warning for warning in damaged.warnings)
    assert "truncated" in " ".join(read_cine(build(smooth(), JPEG, parts)[:-1000]).warnings)
    several = read(build(smooth(1)[0], JPEG, parts))
    assert "tells of 1 pictures and holds 3" in " ".join(several.info["warnings"])


def test_limits_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputTooLarge, match="5000 x 5000"):
        read(build(pattern(8, 8), Rows=5000, Columns=5000))
    with pytest.raises(InputTooLarge, match="1 x 60000"):
        read(build(pattern(8, 8), Rows=60_000, Columns=1))
    monkeypatch.setattr(header, "MAX_INFLATED", 1000)
    with pytest.raises(InputTooLarge, match="inflates"):
        read(build(pattern(48, 64), DEFLATED))
    monkeypatch.setattr(header, "MAX_READS", 20)
    with pytest.raises(InputTooLarge, match="header"):
        read(build(pattern(48, 64)))
    assert shape.MAX_PIXELS == 20_000_000


def test_why_there_is_no_spacing_comes_with_the_picture() -> None:
    found = read(build(pattern(48, 64), regions=[region(PhysicalUnitsXDirection=4)]))
    assert found.mm_per_pixel is None
    assert found.info["uncalibrated"] == "the units of its 2D tissue region are not cm"
    assert read(build(pattern(48, 64))).info["uncalibrated"] == ""


def _below(depth: int, call: Callable[[], object]) -> None:
    if depth:
        _below(depth - 1, call)
    else:
        call()


def test_deep_nesting_and_values_that_are_longer_than_the_file() -> None:
    level = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data = build(pattern(8, 8))
    at = data.index(b"\x10\x00\x10\x00PN")
    deep = data[:at] + level * 20_000 + data[at:]
    for below in range(40):  # where in pydicom the stack runs out depends on how much of it is taken
        with pytest.raises(UnreadableInput, match="nested too deeply"):
            _below(below, lambda: read(deep))
    long = b"\x09\x00\x10\x10OB\0\0\xf0\xff\xff\xff"
    with pytest.raises(UnreadableInput):
        read(data[:at] + long + data[at:])


def test_a_still_is_no_clip_and_a_clip_no_still() -> None:
    with pytest.raises(UnreadableInput, match="clip of 3 pictures"):
        read(build(pattern(3, 8, 8)))
    with pytest.raises(UnreadableInput, match="still picture"):
        read_cine(build(pattern(8, 8)))


def test_info_names_fields_and_shows_values_to_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(build(pattern(3, 48, 64), regions=[region(), region(RegionDataType=2)]))
    found = inspect(path)
    assert (found["kind"], found["format"], found["frames"], found["rate"]) == ("cine", "DICOM", 3, pytest.approx(25))
    assert found["sop_class"] == "ultrasound multi-frame image"
    assert found["transfer_syntax"] == "explicit little endian"
    assert [one["data"] for one in found["regions"]] == ["tissue", "colour flow"]
    assert found["mm_per_pixel"] == pytest.approx([0.2, 0.2])
    assert {"PatientName", "PatientID", "PatientBirthDate", "SOPInstanceUID"} <= set(found["identifiers"])
    assert SECRET not in repr(found)
    assert "19900101" not in repr(found)
    assert inspect(path, show_identifiers=True)["identifier_values"]["PatientName"] == SECRET
    assert SECRET not in repr(read_cine(path).info)


@pytest.mark.slow
def test_mutated_files_give_a_result_or_an_error_of_ours() -> None:
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "dicom_fuzz.py"
    # a process of its own: its children have a limit of memory, and those of this one would begin with what it holds
    ran = subprocess.run([sys.executable, script, "--count", "300", "--seed", "7"], capture_output=True, text=True)
    found = json.loads(ran.stdout)
    assert found["bad"] == []
    assert ran.returncode == 0
    assert sum(found["outcomes"].values()) == 300
    assert found["slowest_seconds"] < 5.0
    assert len(found["outcomes"]) >= 3
