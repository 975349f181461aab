"""What one file of an archive says for its row."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fetalclip.data.dicom_facts import Facts, facts_of, why
from fetalclip.errors import InputError
from fetalclip.frame import spread
from fetalclip.io.deid.key import Key

KEY = Key(bytes(range(32)))
ABDOMEN_CT = "1.2.840.10008.5.1.4.1.1.2"


def facts(path: Path, data: bytes) -> Facts:
    path.write_bytes(data)
    found = facts_of(path, KEY)
    assert found is not None
    return found


def test_a_still(tmp_path: Path, dicoms: ModuleType) -> None:
    made = {"Manufacturer": "M" * 40, "ManufacturerModelName": "x" * 60, "StudyInstanceUID": "1.2.3"}
    found = facts(tmp_path / "a", dicoms.build(dicoms.pattern(48, 64), **made))
    assert dict(found.cells) == {
        "dataset": "dicom",
        "width": "64",
        "height": "48",
        "mm_per_pixel": "0.2",
        "machine": "M" * 40 + " " + "x" * 39,
    }
    assert (found.frames, found.dicom, found.oblong) == (None, True, False)
    assert found.patient == KEY.pseudonym("SECRET-17")
    assert found.study == KEY.uid("1.2.3")
    assert found.named


def test_a_clip_has_as_many_pictures_as_are_there(tmp_path: Path, dicoms: ModuleType) -> None:
    data = dicoms.build(dicoms.pattern(7, 48, 64))
    assert facts(tmp_path / "whole", data).frames == 7
    assert facts(tmp_path / "cut", data[: -3 * 48 * 64]).frames == 4
    with pytest.raises(InputError):
        facts(tmp_path / "empty", data[: -7 * 48 * 64])


def test_only_one_number_for_a_pixel_that_is_square(tmp_path: Path, dicoms: ModuleType) -> None:
    pixels = dicoms.pattern(48, 64)
    oblong = facts(tmp_path / "a", dicoms.build(pixels, regions=[dicoms.region(PhysicalDeltaY=0.03)]))
    assert (oblong.cells.get("mm_per_pixel"), oblong.oblong) == (None, True)
    capture = facts(tmp_path / "b", dicoms.build(pixels, regions=[], SOPClassUID=dicoms.CAPTURE, PixelSpacing=[1, 1]))
    assert (capture.cells.get("mm_per_pixel"), capture.oblong) == (None, False)


def test_who_names_nobody_is_nobody(tmp_path: Path, dicoms: ModuleType) -> None:
    found = facts(tmp_path / "a", dicoms.build(dicoms.pattern(48, 64), PatientID="", PatientName=""))
    assert (found.patient, found.study, found.named) == ("", "", False)
    for who in ("", "1.2.3"):
        about = {"PatientID": who, "PatientName": "", "StudyInstanceUID": "1.2.3"}
        found = facts(tmp_path / "b", dicoms.build(dicoms.pattern(48, 64), **about))
        assert (found.patient, found.named) == (KEY.pseudonym("1.2.3"), False)


def test_other_pictures_and_other_files(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "a.png")
    assert facts_of(tmp_path / "a.png", KEY) == Facts({"dataset": "pictures", "width": "30", "height": "20"})
    (tmp_path / "b.txt").write_text("a letter")
    (tmp_path / "c").write_bytes(b"")
    Image.new("L", (8, 8)).save(tmp_path / "d.gif", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    assert [facts_of(tmp_path / name, KEY) for name in ("b.txt", "c", "d.gif")] == [None] * 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SOPClassUID": ABDOMEN_CT}, "another kind"),
        ({"pixels": None}, "without pixels"),
        ({"Columns": 0}, "size of its picture"),
        ({"cut": 250}, "without pixels"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, dicoms: ModuleType, change: dict, words: str) -> None:
    cut = change.pop("cut", None)
    pixels = change.pop("pixels", dicoms.pattern(48, 64))
    path = tmp_path / "1"
    path.write_bytes(dicoms.build(pixels, **change)[:cut])
    with pytest.raises(InputError) as caught:
        facts_of(path, KEY)
    told = why(path, caught.value)
    assert words in told
    assert "the file" in told
    assert str(tmp_path) not in told
    assert not any(secret in str(caught.value) for secret in ("ROE", "SECRET"))


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match="link to a file that is not there"):
        facts_of(tmp_path / "a", KEY)


def test_pictures_of_a_clip_are_spread_evenly() -> None:
    assert [spread(9, k) for k in (0, 1, 3)] == [[], [4], [1, 4, 7]]
    assert spread(3, 5) == [0, 1, 2]
    assert spread(1, 1) == [0]
    for frames in range(1, 40):
        for count in range(1, frames + 1):
            places = spread(frames, count)
            assert len(set(places)) == count
            assert 0 <= min(places) <= max(places) < frames
