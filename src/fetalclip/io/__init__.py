"""Bytes in, ``Frame`` or ``Cine`` out: pictures and clips are known by their content and never by their suffix."""

from __future__ import annotations

from fetalclip.io.cine import is_clip, read_at, read_cine, read_sequence
from fetalclip.io.info import inspect
from fetalclip.io.spacing import read_spacing_table
from fetalclip.io.stills import read, read_size
from fetalclip.io.walk import walk

__all__ = [
    "inspect",
    "is_clip",
    "read",
    "read_at",
    "read_cine",
    "read_sequence",
    "read_size",
    "read_spacing_table",
    "walk",
]
