"""``fetalclip data shards``: a manifest's pictures, prepared, as WebDataset shards to train from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, printable

if TYPE_CHECKING:
    from fetalclip.data.manifest import Problem
    from fetalclip.data.shards.index import Index


def shards(  # noqa: PLR0913
    source: Annotated[Path, typer.Argument(metavar="MANIFEST|FOLDER", help="A manifest, or a folder with a table.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder of the shards and their index.")],
    image_size: Annotated[
        int, typer.Option("--image-size", metavar="N", min=1, help="Side the tower sees; 7/6 of it is stored.")
    ] = 224,
    overlay: Annotated[
        str, typer.Option("--overlay", metavar="MODE", help="Burned-in text and rulers: mask or keep.")
    ] = "mask",
    per_shard: Annotated[int, typer.Option("--per-shard", metavar="N", min=1, help="Pictures of a shard.")] = 1000,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="SIDE", help="train, val or test; may be repeated. Default: train and val."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Deals the pictures to the shards.")] = 0,
    as_json: AsJson = False,
) -> int:
    """Write prepared pictures and their facts as tar shards, to train from.

    The same command writes the same bytes and goes on where it was stopped. Paths, file names and patients are not
    written. Rows and pictures that cannot be used are left out and named (exit code 1).
    """
    from fetalclip.data.shards.plan import Options, make_plan
    from fetalclip.data.shards.writing import ShardWriter
    from fetalclip.data.table_pairs import read_source
    from fetalclip.preprocess.augment import STORE

    voice = Voice()
    options = Options(round(image_size * STORE), overlay, per_shard, tuple(split or ("train", "val")), seed)
    manifest = read_source(source)
    plan = make_plan(manifest, options)
    files.check_folder(out, "-o")
    with ShardWriter(plan, out) as writer:
        if writer.done:
            voice.talk(f"{writer.done} of {writer.total} pictures are in whole shards already.")
        for _ in voice.progress(writer.run(), writer.total, "shards", writer.done):
            pass
    index = writer.index
    assert index is not None
    problems = [*manifest.problems, *sorted(writer.problems, key=lambda problem: problem.row)]
    voice.data(json_line(_facts(index, out, plan.silent, problems)) if as_json else printable(out))
    _tell(voice, index, plan.silent, problems)
    return 1 if writer.problems or manifest.refused else 0


def _facts(index: Index, out: Path, silent: int, problems: list[Problem]) -> dict[str, Any]:
    told = index.to_dict()
    for one in told["splits"].values():
        one["shards"], one["bytes"] = len(one["shards"]), sum(shard["bytes"] for shard in one["shards"])
    return {**told, "path": out, "nothing_known": silent, "problems": list(map(vars, problems))}


def _tell(voice: Voice, index: Index, silent: int, problems: list[Problem]) -> None:
    from fetalclip.data.tally import told

    for line in told(problems):
        voice.talk(printable(line))
    if silent:
        voice.talk(f"{silent} rows with neither a plane nor a text were passed over.")
    for name, one in index.splits.items():
        size = sum(shard.size for shard in one.shards) / 1e6
        left = f"; {len(one.left_out)} left out" if one.left_out else ""
        voice.talk(
            f"{name}: {one.count} pictures of {one.groups} groups, {len(one.shards)} shards, {size:,.1f} MB{left}"
        )
