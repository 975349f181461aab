"""``fetalclip train``: a recipe in, a model folder or a head folder out."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fetalclip.cli import files
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import UsageError


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE.yaml", help="A YAML file, or the name of one that is included.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="key=value", help="Changes to the recipe, such as epochs=3."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the model goes; default runs/ and the recipe's name."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in DIR.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing: say what it is, what it takes, and whether all is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout at the end.")] = False,
) -> None:
    """Train a model by a recipe.

    The folder gets checkpoints while it runs, so that an interrupted training can go on.
    """
    from fetalclip.settings import find_recipe

    voice = Voice()
    path = find_recipe(recipe)
    folder = out if out is not None else Path("runs") / path.stem
    if dry_run:
        return _dry_run(path, changes, folder, voice, as_json)
    first = os.environ.get("RANK", "0") == "0"  # of several processes this one speaks and looks after the folder
    if first and not resume and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"--out {folder} is not empty",
            "a new folder, or --resume to go on",
            f"--out {folder}-2, or --resume",
        )
    if first and resume and not folder.is_dir():
        raise UsageError(f"--resume, but {folder} does not exist", "the folder of a started training")
    from fetalclip import fit
    from fetalclip.settings import load_recipe, recipe_value

    kind = fit.RECIPES.get(recipe_value(path, "objective", changes), fit.Recipe)
    loaded = load_recipe(kind, path, changes)
    files.check_folder(folder, "--out")
    with redirect_stdout(sys.stderr):  # a progress bar is talk, wherever it would go by itself
        made = fit.perform(loaded, folder, resume=resume or not first, say=voice.talk)
    if not first:
        return
    if as_json:
        voice.data(json_line({"schema": "fetalclip.train/1", "recipe": path.name, "model": made}))
    else:
        voice.data(printable(made))
    if isinstance(loaded, fit.HeartRecipe):
        voice.talk(f"Next: fetalclip bench heart --predictions {printable(folder / 'heldout.json')}")
        return
    named = "head" if isinstance(loaded, fit.SegmentRecipe) else "model"
    voice.talk(f"Next: fetalclip analyze your-scan.png --{named} {printable(made)}")


def _dry_run(path: Path, changes: list[str] | None, folder: Path, voice: Voice, as_json: bool) -> None:
    """Say what a recipe is and takes.

    Raises:
        UsageError: a recipe of another kind than pretraining.
    """
    from fetalclip import fit
    from fetalclip.cli.dry_run import lines
    from fetalclip.settings import load_recipe, recipe_value

    word = recipe_value(path, "objective", changes)
    kind = fit.RECIPES.get(word, fit.Recipe)
    if not issubclass(kind, fit.PretrainRecipe):
        found = f"--dry-run of a recipe whose objective is {word or 'contrastive'}"
        raise UsageError(found, "one of pretraining (objective: pretrain)", "fetalclip train published --dry-run")
    from fetalclip.fit.dry_run import dry_run

    with redirect_stdout(sys.stderr):
        told = dry_run(load_recipe(kind, path, changes), folder, say=voice.talk)
    for line in [json_line(told)] if as_json else lines(told):
        voice.data(line)
