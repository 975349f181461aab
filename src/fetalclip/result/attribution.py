"""Where on a picture the score of a text comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.result.analysis import Provenance

EXPLAIN_SCHEMA = "fetalclip.explain/1"

LOG_ODDS, COSINE = "log-odds", "cosine"
"""What is explained: the text against others, or its likeness to the picture alone."""

Heat = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attribution:
    """A heat map of one image-text score.

    Attributes:
        map: float32 (H, W) on the scan's own pixels, 0 to 1, not writeable; all 0 where nothing speaks for the text.
        method: what made it, of ``fetalclip.explain.METHODS``.
        text: the text, or the name of a plane.
        against: the texts or planes it was held against; empty where it stood alone.
        score: what was explained: log-odds against the others, or the cosine where there are none.
        cosine: of picture and text.
        warnings: what the user should know.
        provenance: how it was made.

    Raises:
        UsageError: a map that is not float32 of two axes, or not within 0 to 1.
    """

    map: Heat
    method: str
    text: str
    against: tuple[str, ...]
    score: float
    cosine: float
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        heat = np.asarray(self.map)
        if heat.dtype != np.float32 or heat.ndim != 2 or heat.size == 0:
            raise UsageError(f"a map of type {heat.dtype} and shape {heat.shape}", "float32 (H, W), not empty")
        if not np.isfinite(heat).all() or heat.min() < 0 or heat.max() > 1:
            raise UsageError("a map with values outside 0 to 1", "finite values of 0 to 1")
        heat = heat.copy()
        heat.flags.writeable = False
        object.__setattr__(self, "map", heat)

    @property
    def quantity(self) -> str:
        """What ``score`` is: `LOG_ODDS` or `COSINE`."""
        return LOG_ODDS if self.against else COSINE

    @property
    def empty(self) -> bool:
        """Whether nothing on the picture speaks for the text."""
        return not self.map.any()

    @property
    def peak(self) -> tuple[int, int] | None:
        """x and y of the hottest pixel; None of an empty map."""
        if self.empty:
            return None
        row, column = np.unravel_index(int(self.map.argmax()), self.map.shape)
        return int(column), int(row)

    def inside(self, mask: npt.NDArray[np.bool_]) -> float:
        """Share of the map's energy within a bool (H, W) mask, 0 to 1; 0 of an empty map.

        Raises:
            UsageError: a mask of another size.
        """
        if mask.shape != self.map.shape:
            raise UsageError(f"a mask of shape {mask.shape}", f"shape {self.map.shape}, the map's")
        return energy_inside(self.map, mask)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the map."""
        return {
            "method": self.method,
            "text": self.text,
            "against": list(self.against),
            "quantity": self.quantity,
            "score": float(self.score),
            "cosine": float(self.cosine),
            "peak": None if self.peak is None else list(self.peak),
            "warnings": list(self.warnings),
            "provenance": None if self.provenance is None else self.provenance.to_dict(),
        }


def energy_inside(heat: npt.NDArray[np.floating[Any]], mask: npt.NDArray[np.bool_]) -> float:
    """Share of a map's sum within a mask of its shape, 0 to 1; 0 of an empty map.

    Source: the energy-based pointing game of Wang et al. 2020 (arXiv 1910.01279).
    """
    total = float(heat.sum(dtype=np.float64))
    return float(heat[mask].sum(dtype=np.float64)) / total if total > 0 else 0.0
