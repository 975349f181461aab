"""Our own outlines of structures on training pictures of FETAL_PLANES_DB: coordinates only, no picture.

The files are ``assets/outlines/STRUCTURE.json``, schema ``fetalclip.outlines/1``; ``docs/outlines.md`` says how they
were drawn and how well they repeat. Coordinates are in pixels with the centre of the top left pixel at (0, 0), x to the
right and y down: a pixel belongs to a mask where its centre lies inside the shape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.errors import DataMissing, UsageError

Mask = npt.NDArray[np.bool_]

SCHEMA = "fetalclip.outlines/1"
STRUCTURES = ("abdomen", "femur")

_ROOMY = 4096  # px, no picture that was drawn on is larger, and no shape reaches farther


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse.

    Attributes:
        cx, cy: centre in px.
        a, b: semi-axes in px, the longer one first.
        angle_deg: angle of ``a`` from the x axis towards the y axis (down), -90 up to 90.
    """

    cx: float
    cy: float
    a: float
    b: float
    angle_deg: float

    def __post_init__(self) -> None:
        if not 0 < self.b <= self.a:
            raise ValueError("semi-axes must be above 0 and the longer one first")

    @property
    def circumference(self) -> float:
        """Length of the curve in px."""
        return float(ellipse_circumference(2 * self.a, 2 * self.b))

    def covers(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Mask:
        """Whether the points (x, y), px, lie inside or on the curve; bool of their common shape."""
        turn = math.radians(self.angle_deg)
        dx, dy = x - self.cx, y - self.cy
        along = (dx * math.cos(turn) + dy * math.sin(turn)) / self.a
        across = (dy * math.cos(turn) - dx * math.sin(turn)) / self.b
        return np.asarray(along**2 + across**2 <= 1)


@dataclass(frozen=True)
class Line:
    """A capsule: every point within half the thickness of the segment between two end points.

    Attributes:
        x0, y0, x1, y1: the end points in px.
        thickness: full width in px.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    thickness: float

    def __post_init__(self) -> None:
        if self.thickness <= 0 or self.length == 0:
            raise ValueError("thickness and length must be above 0")

    @property
    def length(self) -> float:
        """Distance of the end points in px."""
        return math.hypot(self.x1 - self.x0, self.y1 - self.y0)

    def covers(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Mask:
        """Whether the points (x, y), px, lie inside or on the edge; bool of their common shape."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        share = np.clip(((x - self.x0) * dx + (y - self.y0) * dy) / self.length**2, 0, 1)  # foot on the segment
        return np.asarray(np.hypot(x - self.x0 - share * dx, y - self.y0 - share * dy) <= self.thickness / 2)


_KINDS: dict[str, type[Ellipse] | type[Line]] = {"ellipse": Ellipse, "line": Line}


@dataclass(frozen=True)
class Outline:
    """One structure drawn on one picture.

    Attributes:
        dataset, file: the picture: data set and file name.
        structure: "abdomen" or "femur".
        width, height: size in px of the picture that was drawn on.
        drawing: which pass it is from: 1 first, 2 drawn again from scratch on some of the pictures.
        shape: ``Ellipse`` or ``Line``, on the pixels of that picture.
    """

    dataset: str
    file: str
    structure: str
    width: int
    height: int
    drawing: int
    shape: Ellipse | Line

    def mask(self, shape: tuple[int, int] | None = None) -> Mask:
        """The filled outline; the part that lies outside the picture is cut off.

        Args:
            shape: (H, W) of another size of the same whole picture, the drawn size if ``None``.

        Returns:
            bool (H, W), true where the pixel's centre is inside.

        Raises:
            UsageError: a shape that is not two sizes from 1 px on.
        """
        rows, columns = (self.height, self.width) if shape is None else shape
        if not (0 < rows <= _ROOMY and 0 < columns <= _ROOMY):
            raise UsageError(f"a mask of {rows} x {columns} pixels", f"(height, width) of 1 to {_ROOMY} each")
        # Centres of the asked pixels on the drawn picture: both span the same field, edge to edge.
        y = (np.arange(rows) + 0.5) * (self.height / rows) - 0.5
        x = (np.arange(columns) + 0.5) * (self.width / columns) - 0.5
        return self.shape.covers(x[None, :], y[:, None])


def read_outlines(structure: str, drawing: int | None = 1) -> tuple[Outline, ...]:
    """The outlines of one structure that come with the package.

    Args:
        structure: one of ``STRUCTURES``.
        drawing: which pass: 1 has every picture once, 2 some of them again; ``None`` for both.

    Raises:
        UsageError: no structure of that name, or a pass that was never drawn.
        DataMissing: the file is absent or damaged.
    """
    if structure not in STRUCTURES:
        raise UsageError(f"There are no outlines of {structure!r:.40}", " or ".join(STRUCTURES))
    if drawing not in (None, 1, 2):
        raise UsageError(f"pass {drawing!r:.20} of the outlines", "1, 2 or None for both")
    path = resources.files("fetalclip").joinpath("assets", "outlines", f"{structure}.json")
    if not path.is_file():
        raise DataMissing(f"There are no outlines of the {structure} in this package", "a complete installation")
    found = parse(path.read_text(encoding="utf-8"), structure)
    return tuple(outline for outline in found if drawing is None or outline.drawing == drawing)


def parse(text: str, structure: str) -> tuple[Outline, ...]:
    """The outlines in the text of a file of schema ``fetalclip.outlines/1``.

    Raises:
        DataMissing: not such a file, of another structure, or a row with a value that cannot be meant.
    """
    expected = f"schema {SCHEMA} of the {structure}"
    try:
        told = json.loads(text)
        if told["schema"] != SCHEMA or told["structure"] != structure:
            raise ValueError("another schema or structure")
        kind = _KINDS[told["kind"]]
        return tuple(_outline(row, kind, str(told["dataset"]), structure) for row in told["rows"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataMissing(f"the outlines of the {structure} cannot be read ({reason:.120})", expected) from None


def _outline(row: Mapping[str, Any], kind: type[Ellipse] | type[Line], dataset: str, structure: str) -> Outline:
    values = {name: _number(row[name]) for name in kind.__dataclass_fields__}
    sizes = {name: row[name] for name in ("width", "height", "pass")}
    if not all(type(size) is int and 0 < size <= _ROOMY for size in sizes.values()) or sizes["pass"] > 2:
        raise ValueError("a width, height or pass that cannot be meant")
    name = row["file"]
    if not isinstance(name, str) or not name or "/" in name or "\\" in name:
        raise ValueError("a file that is not a plain name")
    return Outline(dataset, name, structure, sizes["width"], sizes["height"], sizes["pass"], kind(**values))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _ROOMY:  # NaN fails too
        raise ValueError("a coordinate that is no number or too large")
    return float(value)
