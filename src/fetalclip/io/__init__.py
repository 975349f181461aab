"""Bytes in, ``Frame`` out: pictures are known by their content and never by their suffix."""

from __future__ import annotations

from fetalclip.io.info import inspect
from fetalclip.io.spacing import read_spacing_table
from fetalclip.io.stills import read, read_size
from fetalclip.io.walk import walk

__all__ = ["inspect", "read", "read_size", "read_spacing_table", "walk"]
