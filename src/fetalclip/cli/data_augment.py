"""``fetalclip data augment``: what training does to pictures, on one sheet to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.errors import InputError, UsageError

if TYPE_CHECKING:
    from fetalclip.fit import Recipe
    from fetalclip.frame import Pixels
    from fetalclip.preprocess.augment import Augmentation

EFFECTS = {
    "affine": ("rotate", "zoom", "shift", "flip"),
    "gain": ("brightness", "contrast", "gamma"),
    "time gain": ("tgc",),
    "speckle": ("speckle",),
    "attenuation": ("attenuation",),
    "shadow": ("shadow",),
    "haze": ("haze",),
    "erase": ("erase_corners", "erase_patch"),
}
"""Columns of one effect alone, each with its fields of ``Augmentation``."""

_SURE = ("shadow", "erase_corners", "erase_patch")  # chances: certain in the column of their own
_CELL = 224  # pixels: a larger picture is drawn smaller


def augment(  # noqa: PLR0913
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Pictures, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="SHEET.png", help="The sheet to write.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="R", help="A YAML file, or the name of one that is included.")
    ] = "open",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="key=value", help="Change the recipe (augment.shadow=1); may be repeated."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="The same seed draws the same sheet.")
    ] = 0,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, max=32, help="Of more pictures, so many are taken evenly.")
    ] = 8,
    draws: Annotated[
        int, typer.Option("--draws", metavar="K", min=0, max=8, help="Columns with all effects at once.")
    ] = 4,
    as_json: AsJson = False,
) -> int:
    """Draw a contact sheet of the changes that training makes to pictures.

    A row for each picture: as it is, each effect by itself, all at once. A file that cannot be read is told and
    left out (exit code 1).
    """
    voice = Voice()
    if out.suffix.lower() != ".png":
        raise UsageError(f"-o {out}", "a file name that ends in .png", "-o sheet.png")
    files.check_file(out, "-o")
    from fetalclip import fit, io
    from fetalclip.report.sheet import contact_sheet
    from fetalclip.settings import load_recipe

    loaded = load_recipe(fit.Recipe, recipe, changes)
    pictures, names, failed = _read(_evenly(list(io.walk(paths)), rows), loaded, voice)
    columns = _columns(loaded.augment, draws, seed)
    made = _draw(pictures, loaded, list(columns.values()))
    note = (
        "A shadow and erasing are certain in their own columns, chances elsewhere. All 1 has the seeds of those before."
    )
    title = f"Augmentation by the recipe {loaded.name}, seed {seed}"
    sheet = contact_sheet(title, list(columns), made, note)
    with files.whole(out, "-o") as part:
        part.write_bytes(sheet)
    told = {"schema": "fetalclip.augment/1", "path": out, "recipe": loaded.name, "seed": seed}
    voice.data(
        json_line({**told, "columns": list(columns), "rows": names, "failed": failed}) if as_json else printable(out)
    )
    for number, name in enumerate(names, 1):
        voice.talk(f"row {number}: {printable(name)}")
    return 1 if failed else 0


def _evenly(found: Sequence[Path], most: int) -> list[Path]:
    """At most so many of the files, from the first on in even steps."""
    count = min(most, len(found))
    return [found[i * len(found) // count] for i in range(count)]


def _read(inputs: Sequence[Path], recipe: Recipe, voice: Voice) -> tuple[list[Pixels], list[Path], int]:
    """Pictures as training stores them, the files they came from, and how many could not be read."""
    from fetalclip import io
    from fetalclip.preprocess import prepare
    from fetalclip.preprocess.augment import STORE
    from fetalclip.report.hidden import without_banner

    pictures, names = [], []
    for path in voice.progress(inputs, len(inputs), "augment"):
        try:
            pictures.append(prepare(without_banner(io.read(path)), round(recipe.model.image_size * STORE)).pixels)
            names.append(path)
        except InputError as error:
            voice.talk(failure(path, str(error)))
    if not pictures:
        raise InputError(f"none of {len(inputs)} files could be read", "at least one picture, for a sheet")
    return pictures, names, len(inputs) - len(pictures)


def _columns(ranges: Augmentation, draws: int, seed: int) -> dict[str, tuple[Augmentation, int]]:
    """Name of each column, with its ranges and seed. An effect the recipe does not have gets no column."""
    from dataclasses import replace

    from fetalclip.preprocess.augment import Augmentation

    none = Augmentation.none()
    columns = {"original": (none, seed)}
    for name, keys in EFFECTS.items():
        used = {key: getattr(ranges, key) for key in keys if getattr(ranges, key) != getattr(none, key)}
        if used:
            sure: dict[str, Any] = {key: 1.0 if key in _SURE else value for key, value in used.items()}
            columns[name] = (replace(none, **sure), seed)
    return columns | {f"all {k + 1}": (ranges, seed + k) for k in range(draws)}


def _draw(
    pictures: Sequence[Pixels], recipe: Recipe, columns: Sequence[tuple[Augmentation, int]]
) -> list[list[Pixels]]:
    """Rows of drawn pictures, uint8 (S, S)."""
    import numpy as np
    import torch
    from PIL import Image

    from fetalclip.preprocess.augment import augment as change

    batch = torch.from_numpy(np.stack(pictures)).float().div_(255)
    drawn = []
    for ranges, seed in columns:
        made, _ = change(batch, recipe.model.image_size, ranges, [seed * 1_000_003 + i for i in range(len(batch))])
        drawn.append(made.mul_(255).round_().byte().numpy())
    rows = [[column[i] for column in drawn] for i in range(len(batch))]
    if recipe.model.image_size <= _CELL:
        return rows
    size, way = (_CELL, _CELL), Image.Resampling.BOX
    return [[np.asarray(Image.fromarray(cell).resize(size, way)) for cell in row] for row in rows]
