"""Maps of embeddings: two dimensions to look at, labels to colour by, numbers that say how far to trust the look."""

from __future__ import annotations

from fetalclip.mapping.labels import Labels, folder_labels, read_labels
from fetalclip.mapping.layout import METHODS, Layout, lay_out
from fetalclip.mapping.quality import Number, embedding_quality, layout_quality

__all__ = [
    "METHODS",
    "Labels",
    "Layout",
    "Number",
    "embedding_quality",
    "folder_labels",
    "lay_out",
    "layout_quality",
    "read_labels",
]
