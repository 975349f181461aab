"""The banner of a DICOM picture is on no page and no drawing."""

from __future__ import annotations

import base64
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import fetalclip
from fetalclip.cli import main
from fetalclip.frame import Frame
from fetalclip.phantom import draw
from fetalclip.report.draw import draw_analysis, thumbnail
from fetalclip.report.heat import heated
from fetalclip.report.hidden import without_banner
from fetalclip.report.sprite import Sprite
from fetalclip.result import Analysis, InputInfo

SCAN = (60, 48, 380, 268)  # x0, y0, x1, y1, half open


def screen(inside: str = "", colour: bool = False) -> np.ndarray:
    """A screen of 400 x 300 with a banner above and below the scan."""
    x0, y0, x1, y1 = SCAN
    page = Image.new("RGB" if colour else "L", (400, 300))
    page.paste(Image.fromarray(draw("brain", 2).frame.gray).resize((x1 - x0, y1 - y0)), (x0, y0))
    pen, font, ink = ImageDraw.Draw(page), ImageFont.load_default(14), (255, 220, 0) if colour else 255
    pen.text((6, 8), "ROE JANE 4711-2208", fill=ink, font=font)
    pen.text((6, 276), "12.03.1991 Hospital", fill=ink, font=font)
    if inside:
        pen.text((x0 + 90, y0 + 60), inside, fill=ink, font=font)
    return np.array(page)


def shown(pixels: np.ndarray, scan: tuple[int, int, int, int] | None = SCAN, form: str = "DICOM") -> np.ndarray:
    info = {"format": form, "scan": [] if scan is None else [list(scan)]}
    return without_banner(Frame(pixels, info=info)).pixels


def test_small_pictures_of_a_map_show_no_banner() -> None:
    info = {"format": "DICOM", "scan": [list(SCAN)]}
    sheets = [Sprite([Frame(screen(), info=told)]).data for told in (info, {})]
    got, as_is = (np.asarray(Image.open(io.BytesIO(sheet))) for sheet in sheets)
    assert got[:6].max() < 30  # the banner's rows, and the edge of what JPEG blurs
    assert as_is[:6].max() > 60


def outside() -> np.ndarray:
    mask = np.ones((300, 400), dtype=bool)
    mask[SCAN[1] : SCAN[3], SCAN[0] : SCAN[2]] = False
    return mask


@pytest.mark.parametrize("colour", [False, True])
def test_outside_the_regions_all_is_black_and_inside_the_letters(colour: bool) -> None:
    bare, written = screen(colour=colour), screen("JANE ROE", colour)
    got = shown(written)
    assert got[outside()].max() == 0
    kept = (got == bare).reshape(300, 400, -1).all(axis=2)[~outside()]
    assert kept.mean() > 0.85  # a line is blanked beyond its ends
    letters = (bare != written).reshape(300, 400, -1).any(axis=2) & ~outside()
    assert letters.sum() > 50
    assert (got[letters] > 0).mean() < 0.05


def test_without_regions_the_sector_is_kept() -> None:
    got = shown(screen(), None)
    assert got[:30].max() == got[275:].max() == 0
    assert got[100:200, 150:300].std() > 5


def test_other_formats_and_a_second_time() -> None:
    pixels = screen()
    assert np.array_equal(shown(pixels, form="PNG"), pixels)
    once = without_banner(Frame(pixels, (0.1, 0.1), "a", {"format": "DICOM", "scan": [list(SCAN)], "bits": 8}))
    assert without_banner(once) is once
    assert (once.mm_per_pixel, once.source, once.info["bits"]) == ((0.1, 0.1), "a", 8)


def test_every_way_to_draw() -> None:
    frame = Frame(screen(), info={"format": "DICOM", "scan": [list(SCAN)]})
    top = slice(0, 40)
    assert np.asarray(draw_analysis(frame, Analysis(InputInfo("a"))))[top].max() == 0
    assert np.asarray(heated(frame, np.zeros((300, 400), np.float32)))[top].max() == 0
    small = np.asarray(Image.open(io.BytesIO(thumbnail(frame, 400).data)))
    assert small[top].max() < 20  # JPEG


@pytest.mark.parametrize("frames", [1, 3])
def test_files_through_the_command(
    tmp_path: Path, frames: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in" / "a"
    path.parent.mkdir()
    path.write_bytes(_dicom(np.stack([screen()] * frames) if frames > 1 else screen()))
    monkeypatch.chdir(tmp_path)
    words = ["analyze", "in", "--model", "fetalclip-tiny", "--report", "page.html", "--drawings", "drawn"]
    assert main(words) == 0
    page = (tmp_path / "page.html").read_text()
    pictures = [base64.b64decode(one) for one in re.findall(r"data:image/jpeg;base64,([^\"]+)", page)]
    pictures += [drawn.read_bytes() for drawn in (tmp_path / "drawn").iterdir()]
    assert len(pictures) == 2
    for picture in pictures:
        seen = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
        scale = seen.shape[1] / 400
        assert seen[: int(44 * scale)].max() < 20
        assert seen[int(60 * scale) : int(250 * scale)].std() > 5


def _dicom(pixels: np.ndarray) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    new, item, out = Dataset(), Dataset(), io.BytesIO()
    new.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{'6.1' if pixels.ndim == 2 else '3.1'}"
    new.SOPInstanceUID = "1.2.3"
    new.Rows, new.Columns = pixels.shape[-2:]
    new.SamplesPerPixel, new.PhotometricInterpretation, new.PixelRepresentation = 1, "MONOCHROME2", 0
    new.BitsAllocated, new.BitsStored, new.HighBit = 8, 8, 7
    if pixels.ndim == 3:
        new.NumberOfFrames, new.FrameTime = len(pixels), "40"
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = SCAN[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = SCAN[2] - 1, SCAN[3] - 1
    new.SequenceOfUltrasoundRegions = [item]
    new.PixelData = pixels.tobytes()
    new["PixelData"].VR = "OB"
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    new.file_meta.MediaStorageSOPClassUID, new.file_meta.MediaStorageSOPInstanceUID = new.SOPClassUID, "1.2.3"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new.save_as(out, enforce_file_format=True)
    assert fetalclip.read(out.getvalue()) if pixels.ndim == 2 else True
    return out.getvalue()
