"""What a DICOM file is, for ``fetalclip info``."""

from __future__ import annotations

from typing import Any

from fetalclip.frame import Cine
from fetalclip.io.dicom.header import Opener
from fetalclip.io.dicom.names import identifying
from fetalclip.io.dicom.read import Spacing, is_moving, open_dicom, read_clip, read_frame


def inspect_dicom(begin: Opener, name: str, label: str, spacing: Spacing, show: bool) -> dict[str, Any]:
    """The answer of ``fetalclip.io.inspect`` for a DICOM file, its first picture decoded.

    Args:
        begin: opens its bytes.
        name: the path as given.
        label: what it is called in a message.
        spacing: mm per pixel that the user knows.
        show: whether the values of identifying fields are told too.

    Raises:
        UnreadableInput, InputTooLarge: it cannot be read.
    """
    if is_moving(begin, label):
        seen: Any = read_clip(begin, name, label, spacing)
    else:
        seen = read_frame(begin, name, label, spacing)
    moving, info = isinstance(seen, Cine), seen.info
    fields = identifying(open_dicom(begin, label).header.dataset)
    answer = {
        "path": name,
        "kind": "cine" if moving else "image",
        "format": "DICOM",
        "mode": f"{info['mode']}, {info['bits']} bits",
        "width": seen.width,
        "height": seen.height,
        "frames": seen.count if moving else 1,
        "sop_class": info["sop_class"],
        "transfer_syntax": info["transfer_syntax"],
        "regions": info["regions"],
        "burned_in": info["burned_in"],
        "age": info["age"],
        "mm_per_pixel": None if seen.mm_per_pixel is None else list(seen.mm_per_pixel),
        "identifiers": list(fields),
    }
    if show:
        answer["identifier_values"] = fields
    if moving:
        answer |= {"rate": seen.rate, "seconds": info["seconds"], "variable_rate": info["variable_rate"]}
    return answer | {"warnings": list(info["warnings"]), "error": None}
