"""The sources of masks as rows: data sets, simulated views, this project's own outlines, a user's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.data import splits
from fetalclip.data.manifest import Row
from fetalclip.data.masks import STRUCTURES, Mask, head_mask, structures_mask
from fetalclip.data.outlines import Line, Outline, read_outlines
from fetalclip.data.published import LICENSES
from fetalclip.data.readers import READERS
from fetalclip.data.structures import Outlined, StructureSet, joined
from fetalclip.errors import BadRecipe, DataMissing, UnreadableInput
from fetalclip.frame import Frame
from fetalclip.io import read
from fetalclip.phantom import PLANES, draw

_MAX_BYTES = 20_000_000
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


def outlined(wanted: StructureSet, root: str | Path, folder: str | Path | None = None) -> list[Outlined]:
    """Every picture that a structure set has masks of, test sides included and labelled so.

    Args:
        wanted: the set.
        root: folder that holds the published data set folders.
        folder: a user's own masks, for sources of kind ``folder`` that name none.

    Raises:
        DataMissing: a data set is absent or incomplete.
        BadRecipe: a source lacks a key or names what it does not have.
        UnreadableInput: a table of outlines or labels that cannot be used.
    """
    rows: list[Outlined] = []
    for source in wanted.sources:
        kind, maps = source["source"], source["structures"]
        if kind in ("hc18", "head-structures"):
            rows += _published(kind, root, maps)
        elif kind == "phantom":
            rows += _simulated(source, maps)
        elif kind == "outlines":
            rows += _drawn(source, root, maps)
        else:
            rows += _own(Path(folder or source.get("root", "")), maps)
    return rows


def _published(name: str, root: str | Path, maps: Mapping[str, Sequence[str]]) -> Iterator[Outlined]:
    for row in READERS[name].read(root, True):
        if row.mask is not None:
            load = partial(_load_row, row, maps)
            stamp = _sizes(row.path, row.mask)
            yield Outlined(load, tuple(maps), row.name, row.group, row.split, name, LICENSES[name].license, stamp)


def _load_row(row: Row, maps: Mapping[str, Sequence[str]]) -> tuple[Frame, dict[str, Mask]]:
    frame = read(row.path, row.mm_per_pixel)
    assert row.mask is not None
    if row.mask_kind == "head":
        theirs = {"head": head_mask(row.mask)[0]}
    else:
        labels = structures_mask(row.mask)
        theirs = {name: labels == number for number, name in STRUCTURES.items()}
    return frame, _fitting(joined(theirs, maps), frame, row.name)


def _simulated(source: Mapping[str, Any], maps: Mapping[str, Sequence[str]]) -> Iterator[Outlined]:
    plane, count = source.get("plane"), source.get("count", 200)
    if plane not in PLANES or type(count) is not int or not 1 <= count <= 100_000:
        raise BadRecipe(f"a phantom source of plane {plane!r}, count {count!r}", "plane of " + ", ".join(PLANES))
    for seed in range(count):
        # every sixth for choosing: other seeds of the same profile; the `test` profile is the benchmark's
        split = "val" if seed % 6 == 5 else "train"
        load = partial(load_simulated, str(plane), seed, "train", maps)
        yield Outlined(load, tuple(maps), f"{plane}-{seed}", f"phantom:{plane}:{seed}", split, "phantom", "CC-BY-4.0")


def load_simulated(
    plane: str, seed: int, profile: str, maps: Mapping[str, Sequence[str]]
) -> tuple[Frame, dict[str, Mask]]:
    """A simulated view with our masks; a structure that the frame cuts off or that is not in this view is empty."""
    made = draw(plane, seed, profile)
    nothing = np.zeros(made.frame.gray.shape, bool)
    theirs = {name: made.masks.get(name, nothing) for names in maps.values() for name in names}
    return made.frame, joined(theirs, maps)


def _drawn(source: Mapping[str, Any], root: str | Path, maps: Mapping[str, Sequence[str]]) -> Iterator[Outlined]:
    """This project's outlines; only of pictures that are not on the test side."""
    name = "fetal-planes-db"
    known = {row.name: row for row in READERS[name].read(root, False)}
    for outline in read_outlines(str(source.get("file", ""))):
        row = known.get(outline.file)
        if row is not None and row.split != "test":
            load = partial(_load_drawn, row, outline, maps)
            yield Outlined(load, tuple(maps), row.name, row.group, row.split, name, "CC-BY-4.0", repr(outline.shape))


def _load_drawn(row: Row, outline: Outline, maps: Mapping[str, Sequence[str]]) -> tuple[Frame, dict[str, Mask]]:
    frame = read(row.path)
    return frame, dict.fromkeys(maps, outline_mask(outline, frame.height, frame.width))


def outline_mask(outline: Outline, height: int, width: int) -> Mask:
    """An outline as a head is to learn it: a line becomes a bar that ends at its end points, without round caps.

    What is measured of a shaft is its length, and caps would lie outside it by half its thickness.

    Args:
        outline: of a picture.
        height, width: of that picture here, which may be larger than the one drawn on.
    """
    drawn, shape = outline.mask((height, width)), outline.shape
    if not isinstance(shape, Line):
        return drawn
    y = (np.arange(height)[:, None] + 0.5) * (outline.height / height) - 0.5  # on the picture drawn on
    x = (np.arange(width)[None, :] + 0.5) * (outline.width / width) - 0.5
    dx, dy = shape.x1 - shape.x0, shape.y1 - shape.y0
    share = ((x - shape.x0) * dx + (y - shape.y0) * dy) / shape.length**2
    return drawn & (share >= 0) & (share <= 1)


def _own(folder: Path, maps: Mapping[str, Sequence[str]]) -> list[Outlined]:
    """A user's masks: ``images/``, ``masks/`` with a PNG of labels of the same stem, and ``labels.json``.

    ``labels.json`` has ``labels`` (number to name) and may have ``license``, ``mm_per_pixel`` (file name to a number)
    and ``groups`` (file name to the patient's key; without it each picture is a patient of its own). The split is by
    the group's hash, as of every other picture: fold 0 test, fold 1 validation.
    """
    if not (folder / "images").is_dir() or not (folder / "masks").is_dir() or not (folder / "labels.json").is_file():
        raise DataMissing("a folder of masks without images, masks or labels.json", "all three", "data.folder=DIR")
    data = _json(folder / "labels.json")
    labels, groups, spacing = (data.get(key, {}) for key in ("labels", "groups", "mm_per_pixel"))
    if not all(isinstance(part, dict) for part in (labels, groups, spacing)) or not labels:
        raise UnreadableInput("labels.json without labels", '{"labels": {"1": "brain"}}')
    if not all(str(n).isdigit() and 0 < int(n) < 256 and isinstance(v, str) for n, v in labels.items()):
        raise UnreadableInput("labels.json with odd labels", "numbers 1 to 255, each with a name")
    lacking = [name for names in maps.values() for name in names if name not in labels.values()]
    if lacking:
        raise BadRecipe(f"no label {lacking[0]!r:.60} in labels.json", "of " + ", ".join(sorted(labels.values())))
    rows = []
    for path in sorted(p for p in (folder / "images").iterdir() if p.suffix.lower() in _PICTURES):
        mask = folder / "masks" / f"{path.stem}.png"
        if mask.is_file():
            group = f"own:{groups.get(path.name, path.name)}"
            fold = splits.fold_of(group)
            split = {0: "test", 1: "val"}.get(fold, "train")
            numbers = {int(n): name for n, name in labels.items()}
            load = partial(_load_own, path, mask, numbers, maps, spacing.get(path.name))
            license_ = str(data.get("license", "unknown"))
            stamp = _sizes(path, mask)
            rows.append(Outlined(load, tuple(maps), path.name, group, split, "own", license_, stamp))
    if not rows:
        raise DataMissing("a folder of masks without a picture that has one", "masks/NAME.png beside images/NAME.png")
    return rows


def _load_own(
    path: Path, mask: Path, numbers: Mapping[int, str], maps: Mapping[str, Sequence[str]], spacing: Any
) -> tuple[Frame, dict[str, Mask]]:
    frame = read(path, spacing if isinstance(spacing, (int, float)) else None)
    labels = structures_mask(mask, numbers)
    names = set(numbers.values())
    theirs = {name: np.isin(labels, [n for n, said in numbers.items() if said == name]) for name in names}
    return frame, _fitting(joined(theirs, maps), frame, path.name)


def _sizes(*paths: Path) -> str:
    """Sizes and dates of files."""
    return ",".join(f"{found.st_size}:{found.st_mtime_ns}" for found in (path.stat() for path in paths))


def _fitting(masks: dict[str, Mask], frame: Frame, name: str) -> dict[str, Mask]:
    for mask in masks.values():
        if mask.shape != frame.gray.shape:
            found = f"{name} has {frame.width} x {frame.height} pixels, its mask {mask.shape[1]} x {mask.shape[0]}"
            raise UnreadableInput(found, "a mask of the picture's own size")
    return masks


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        data = json.loads(raw.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} cannot be read ({type(error).__name__})", "a JSON file") from None
    if not isinstance(data, dict):
        raise UnreadableInput(f"{path.name} holds a {type(data).__name__}", "one JSON object")
    return data
