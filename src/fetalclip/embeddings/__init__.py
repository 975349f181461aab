"""Files of embeddings: made part by part and resumable, written and read in bounded memory. No torch."""

from __future__ import annotations

from fetalclip.embeddings.parts import Parts, parts_folder
from fetalclip.embeddings.read import Embeddings, read_embeddings
from fetalclip.embeddings.write import SUFFIXES, write_embeddings

__all__ = ["SUFFIXES", "Embeddings", "Parts", "parts_folder", "read_embeddings", "write_embeddings"]
