"""What libraries say of a file is kept silent while it is read, and nothing else is."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset

from fetalclip import io
from fetalclip.io.dicom import values
from fetalclip.io.quiet import quiet
from fetalclip.phantom import draw

SECRET = "Qzvkwmtb"


def picture(form: str, frames: int = 1) -> bytes:
    """A picture that carries a name in its EXIF, and in the texts or the comment of its kind."""
    page, out = Image.fromarray(draw("femur", 1).frame.gray), BytesIO()
    exif = Image.Exif()
    exif[270] = exif[315] = SECRET
    exif.get_ifd(0x8769)[0x9286] = SECRET.encode()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET)
    more = {"pnginfo": texts} if form == "PNG" else {"comment": SECRET.encode()} if form == "JPEG" else {}
    if frames > 1:
        more |= {"save_all": True, "append_images": [page.rotate(180)] * (frames - 1)}
    page.save(out, form, exif=exif, **more)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "frames"), [("JPEG", 1), ("PNG", 1), ("TIFF", 1), ("TIFF", 3), ("WEBP", 1), ("PNG", 3)]
)
def test_no_exif_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str, frames: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(picture(form, frames))
    with caplog.at_level(logging.DEBUG):
        assert io.inspect(path)["error"] is None
        if io.is_clip(path):
            assert sum(1 for _ in io.read_cine(path)) == frames
        else:
            assert io.read(path).width > 100
    assert caplog.records == []


def test_no_exif_of_a_jpeg_in_dicom_is_logged(
    dicom: Callable[..., bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gray, path = draw("femur", 1).frame.gray, tmp_path / "a"
    path.write_bytes(dicom(gray, "1.2.840.10008.1.2.4.50", [picture("JPEG")]))
    with caplog.at_level(logging.DEBUG):
        assert io.read(path).height == len(gray)
        assert io.inspect(path)["error"] is None
    assert caplog.records == []


def test_pydicom_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    data = Dataset()
    data.add_new("StudyDate", "LO", SECRET)
    data["StudyDate"].VR = "DA"
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with quiet():
            logging.getLogger("pydicom").warning(SECRET)
            warnings.warn(SECRET, stacklevel=1)
        values.text(data, "StudyDate")
    assert (caplog.records, said) == ([], [])


def test_outside_and_in_other_threads_all_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("PIL.TiffImagePlugin")
    with caplog.at_level(logging.DEBUG):
        with quiet(), quiet():
            logger.debug("not heard")
            other = threading.Thread(target=logger.debug, args=("of another thread",))
            other.start()
            other.join()
        logger.debug("outside")
    assert [record.message for record in caplog.records] == ["of another thread", "outside"]


@pytest.fixture
def dicom(dicoms: ModuleType) -> Callable[..., bytes]:
    """Makes small DICOM files."""
    return dicoms.build
