"""From HC18's annotations to its table: how far the measuring code alone is from the published head circumference.

Two layouts. The filled masks lie 1.40 pixels outside the published ellipse. The published layout, a thin line, is drawn
here: three pixels wide, closed, centred on the ellipse of the filled mask scaled to the circumference of the table; it
is read as any outline annotation and lies half a line's width, 1.5 pixels, outside.

    python benchmarks/annotation_to_hc.py --root DIR [--json]

The exit status is 1 when a target is missed. Not a test: see README.md in this folder.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fetalclip import Measurement, Segmentation, measure
from fetalclip.data import Row, read_dataset
from fetalclip.data.masks import head_mask

FILLED, LINE = 1.40, 3  # pixels: outset of the filled masks; width of an outline
TARGETS = {"filled": 0.1, "outline": 0.3}  # mm, mean absolute difference


def measured(annotation: Path, mm: float, outset: float) -> Measurement:
    """HC of an annotation of either layout."""
    mask, kind = head_mask(annotation)
    return measure(Segmentation({"head": mask}, (mm, mm), kind, outset={"head": outset}), "HC")


def outlined(row: Row, path: Path) -> None:
    """Draw the published circumference as a closed line of three pixels, on the ellipse of the row's filled mask."""
    assert row.mask is not None
    assert row.mm_per_pixel is not None
    assert row.hc_mm is not None
    mask, _ = head_mask(row.mask)
    found = measure(Segmentation({"head": mask}, (row.mm_per_pixel,) * 2), "HC")
    assert found.value is not None, found.note
    points = np.array(found.drawing)
    middle = points.mean(axis=0)
    points = middle + (points - middle) * (row.hc_mm / found.value)
    corners = np.concatenate([_smooth(points), _smooth(points)[:2]])
    canvas = Image.new("L", (mask.shape[1], mask.shape[0]))
    ImageDraw.Draw(canvas).line([(float(x), float(y)) for x, y in corners], fill=255, width=LINE, joint="curve")
    canvas.save(path)


def _smooth(points: np.ndarray, count: int = 360) -> np.ndarray:
    """An ellipse through 72 of its points, equal turns apart, as ``count`` points."""
    n = len(points)
    turn = np.arange(n) * (2 * math.pi / n)
    fine = np.arange(count) * (2 * math.pi / count)
    middle = points.mean(axis=0)
    along, across = (2 / n * (wave[:, None] * points).sum(axis=0) for wave in (np.cos(turn), np.sin(turn)))
    return middle + np.cos(fine)[:, None] * along + np.sin(fine)[:, None] * across


def differences(rows: Sequence[Row], layout: str) -> np.ndarray:
    """Measured less published HC of each row, mm, (n,); NaN where the measure was refused."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            assert row.mask is not None
            assert row.mm_per_pixel is not None
            assert row.hc_mm is not None
            path, outset = row.mask, FILLED
            if layout == "outline":
                path, outset = Path(folder) / "outline.png", LINE / 2
                outlined(row, path)
            mm = measured(path, row.mm_per_pixel, outset).mm
            found.append(math.nan if mm is None else mm - row.hc_mm)
    return np.array(found)


def summary(off: np.ndarray) -> dict[str, float]:
    """Counts and differences in mm."""
    given = off[np.isfinite(off)]
    return {
        "n": len(off),
        "measured": len(given),
        "mean_absolute": float(np.abs(given).mean()),
        "mean": float(given.mean()),
        "largest": float(np.abs(given).max()),
    }


def speed() -> dict[str, float]:
    """Seconds of one core for all measures of a head on a picture of 800 x 540, best of 20."""
    y, x = np.mgrid[:540, :800]
    masks = {"head": ((x - 400) / 250) ** 2 + ((y - 270) / 200) ** 2 <= 1}
    found = {}
    for name, views in (("one mask", 0), ("one mask and five views", 5)):
        whole = Segmentation(masks, (0.1, 0.1), views=(masks,) * views)
        times = []
        for _ in range(20):
            began = time.process_time()
            measure(whole, "HC")
            times.append(time.process_time() - began)
        found[name] = min(times)
    return found


def main() -> None:
    """Measure, print, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", required=True, help="folder that holds hc18")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    rows = [row for row in read_dataset("hc18", options.root) if row.mask and row.hc_mm and row.mm_per_pixel]
    test = np.array([row.fold == 0 for row in rows])
    told: dict[str, Any] = {"seconds": speed()}
    for layout in TARGETS:
        off = differences(rows, layout)
        told[layout] = {"all": summary(off), "fold 0": summary(off[test])}
    missed = [name for name, most in TARGETS.items() for one in told[name].values() if one["mean_absolute"] > most]
    if options.json:
        print(json.dumps(told))
    else:
        for layout in TARGETS:
            for part, one in told[layout].items():
                print(
                    f"{layout:8} {part:7} {one['measured']}/{one['n']} measured; mean |difference| "
                    f"{one['mean_absolute']:.3f} mm, mean {one['mean']:+.3f}, largest {one['largest']:.2f}"
                )
        for name, seconds in told["seconds"].items():
            print(f"{name}: {1000 * seconds:.1f} ms")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
