"""Codes that may stay: those in pydicom's tables of the standard's context groups, with the meaning from there.

The meaning in a file is free text; the code value could be anything. So both are looked up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_RETIRED = {"99SDM": "SRT", "SNM3": "SRT"}  # what SNOMED RT was called before (PS3.16, section 8)


def known_code(item: Any) -> Dataset | None:
    """A new item for the code of another, or None when the standard's tables do not have it."""
    from pydicom.dataset import Dataset

    try:
        value, scheme = str(item.CodeValue).strip(), str(item.CodingSchemeDesignator).strip()
    except Exception:  # not there, or not readable
        return None
    meaning = _meanings().get((_RETIRED.get(scheme, scheme), value))
    if meaning is None:
        return None
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, _RETIRED.get(scheme, scheme), meaning
    return code


@lru_cache(maxsize=1)
def _meanings() -> dict[tuple[str, str], str]:
    """Scheme and value to meaning."""
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    found: dict[tuple[str, str], str] = {}
    tables: Any = concepts
    for scheme, words in tables.items():
        for values in words.values():
            for value, (meaning, _) in values.items():
                found[scheme, value] = meaning[:64]
    for value, new in mapping["SRT"].items():
        if ("SCT", new) in found:
            found["SRT", value] = found["SCT", new]
    return found
