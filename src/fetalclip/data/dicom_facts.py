"""What one file of an archive says for its row of a manifest: from its header alone, and nothing that identifies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fetalclip.errors import InputError, UnreadableInput
from fetalclip.io import read_size
from fetalclip.io.deid.key import Key
from fetalclip.io.deid.origin import origin_of
from fetalclip.io.deid.source import trusting_nothing
from fetalclip.io.dicom.age import age_of
from fetalclip.io.dicom.places import find_places
from fetalclip.io.dicom.read import Opened, begin_pixels, open_dicom
from fetalclip.io.formats import HEAD, sniff, sniff_clip
from fetalclip.io.source import MAX_DICOM, check_regular, refusal, shown

_SQUARE = 1e-3  # relative difference of width and height up to which a pixel is square
_MACHINE = 80  # characters of the column
_YOUNGEST = 35  # days that the column takes: before, there is nothing to see


@dataclass(frozen=True)
class Facts:
    """One file of pictures.

    Attributes:
        cells: columns of the manifest that its header fills.
        frames: pictures of a clip that are there; None of a still.
        patient, study: pseudonyms under the key; empty where the file does not tell.
        named: whether the file names a patient; else nothing but its study tells who it is.
        dicom: whether it is a DICOM file.
        oblong: whether its pixels are not square, so that one number cannot tell their size.
    """

    cells: Mapping[str, str] = field(default_factory=dict)
    frames: int | None = None
    patient: str = ""
    study: str = ""
    named: bool = False
    dicom: bool = False
    oblong: bool = False


def facts_of(path: Path, key: Key) -> Facts | None:
    """Facts of one file; None of a file that is no picture and no DICOM clip.

    Args:
        path: the file.
        key: makes the pseudonyms.

    Raises:
        UnreadableInput, InputTooLarge: it cannot be opened, or is a picture that cannot be used: damaged, without
            pixels, of another SOP class. The message names no value of the file.
    """
    label = shown(str(path))
    try:
        check_regular(str(path), label, limit=None)
        with path.open("rb") as stream:
            head = stream.read(HEAD)
        form = sniff(head)
        if form != "DICOM":
            return None if form is None or sniff_clip(head) else _still(path)
        with trusting_nothing(label):
            opened = open_dicom(lambda: path.open("rb"), label)
            if opened.shape.frames == 1:
                check_regular(str(path), label, MAX_DICOM)
            return _dicom(opened, key)
    except (OSError, ValueError) as error:
        raise refusal(error, str(path), label) from None


def why(path: Path, error: InputError) -> str:
    """What was wrong with a file, without its name: that stands beside it where it may stand."""
    return error.found.replace(shown(str(path)), "the file")


def _still(path: Path) -> Facts:
    width, height = read_size(path)
    return Facts({"dataset": "pictures", "width": str(width), "height": str(height)})


def _dicom(opened: Opened, key: Key) -> Facts:
    dataset, shape = opened.header.dataset, opened.shape
    origin = origin_of(dataset, key)
    cells = {"dataset": "dicom", "width": str(shape.width), "height": str(shape.height)}
    if machine := " ".join(origin.machine.split())[:_MACHINE].strip():
        cells["machine"] = machine
    age = age_of(dataset).age
    if age is not None and age.days >= _YOUNGEST:
        cells["age_days"] = str(age.days)
    spacing, oblong = opened.spacing, False
    if spacing is not None:
        oblong = not math.isclose(*spacing, rel_tol=_SQUARE)
        if not oblong:
            cells["mm_per_pixel"] = f"{spacing[0]:.9g}"
    return Facts(cells, _frames(opened), origin.patient, origin.study, origin.named, True, oblong)


def _frames(opened: Opened) -> int | None:
    """How many pictures of a clip are there, whatever its header tells; None of a still."""
    if opened.shape.frames == 1:
        return None
    with begin_pixels(opened) as file:
        count = len(find_places(file, opened.header, opened.shape).frames)
    if not count:
        raise UnreadableInput(f"{opened.header.label} holds no whole picture", "a clip", "copy it again")
    return count
