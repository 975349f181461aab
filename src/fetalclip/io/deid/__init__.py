"""De-identification of DICOM pictures: header, burned-in text, and a proof by reading the result again."""

from __future__ import annotations

from fetalclip.io.deid.actions import Choices
from fetalclip.io.deid.folder import Folder
from fetalclip.io.deid.key import Key, find_key
from fetalclip.io.deid.source import NotDicom
from fetalclip.io.deid.write import Written, deidentify

__all__ = ["Choices", "Folder", "Key", "NotDicom", "Written", "deidentify", "find_key"]
