"""What a check looks at: one picture, its sector, and the structures that were outlined on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Frame, Pixels
from fetalclip.overlay import Overlay, find_overlay

Mask = npt.NDArray[np.bool_]

STRUCTURE_OF: Mapping[str, str] = {"brain": "head", "abdomen": "abdomen", "femur": "femur", "thorax": "thorax"}
"""Plane to the structure that should fill it."""

_LEAST_SECTOR = 0.2  # of the picture: a smaller sector was not found, since what is dark is taken for outside


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture with what is known of it.

    Attributes:
        gray: uint8 (H, W).
        sector: (H, W) bool, the imaged area.
        marks: (H, W) bool, burned-in text and rulers.
        plane: what it shows.
        subplane: of a brain; empty where it is not certain.
        masks: structure to (H, W) bool; without the structures that nobody outlined.
        cerebellum: of a brain, the probability of a plane through the cerebellum; None where no model told one.
    """

    gray: Pixels
    sector: Mask
    marks: Mask
    plane: str
    subplane: str = ""
    masks: Mapping[str, Mask] = field(default_factory=dict)
    cerebellum: float | None = None

    @classmethod
    def of(
        cls,
        frame: Frame,
        plane: str,
        subplane: str = "",
        masks: Mapping[str, Mask] | None = None,
        overlay: Overlay | None = None,
        cerebellum: float | None = None,
    ) -> Scene:
        """The scene of a frame; its sector and marks are found here, unless they are known already."""
        gray = frame.gray
        found = find_overlay(gray) if overlay is None else overlay
        return cls(gray, found.sector, found.mask, plane, subplane, dict(masks or {}), cerebellum)

    @property
    def structure(self) -> str:
        """The structure that should fill the plane, or empty."""
        return STRUCTURE_OF.get(self.plane, "")

    @property
    def outline(self) -> Mask | None:
        """The mask of that structure; None where nobody drew one, or it is empty."""
        mask = self.masks.get(self.structure)
        return mask if mask is not None and mask.any() else None

    @property
    def lost(self) -> bool:
        """Whether so little of the picture is lit that its sector is not known."""
        return float(self.sector.mean()) < _LEAST_SECTOR

    @cached_property
    def levels(self) -> Pixels:
        """Grey levels of the sector without burned-in marks, (n,); of the whole picture where the sector is lost."""
        where = ~self.marks if self.lost else self.sector & ~self.marks
        return self.gray[where] if where.any() else self.gray.reshape(-1)

    def no_outline(self) -> str:
        """Why a check of the structure cannot be told."""
        if not self.structure:
            return f"no structure is known for a {self.plane}" if self.plane else "no plane is certain"
        return f"the {self.structure} was not outlined"
