"""``fetalclip map``: a file of embeddings to a picture, a page to move in, and numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, plain, printable, table
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.embeddings import Embeddings
    from fetalclip.mapping import Labels, Layout
    from fetalclip.report.map_page import Points

_METHODS = {"umap": ("umap",), "pca": ("pca",), "both": ("umap", "pca")}


@dataclass(frozen=True)
class _Targets:
    """Where to write: the page, and the PNG of each method, if any."""

    page: Path
    pictures: dict[str, Path]


Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for page and pictures; or F.html: the page alone.")
]
Table = Annotated[
    Path | None, typer.Option("--labels", metavar="T.csv", help="Table to colour by; pictures by path or base name.")
]
Label = Annotated[str, typer.Option("--label", metavar="COLUMN", help="Its column with the labels.")]
Group = Annotated[
    str,
    typer.Option("--group", metavar="COLUMN", help="Its column with the patients, who must not vouch for themselves."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="COLUMN=VALUE", help="Only its rows with this cell; may be repeated."),
]
Png = Annotated[
    Path | None,
    typer.Option("--png", metavar="F.png", help="The picture, where -o is a page; of both: F-umap.png, F-pca.png."),
]
Thumbnails = Annotated[
    bool, typer.Option("--thumbnails/--no-thumbnails", help="Small pictures on the page: they are patients' pictures.")
]
Names = Annotated[bool, typer.Option("--names/--no-names", help="File names on the page: they can hold identifiers.")]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Of what is random; the same gives the same map.")
]


def map_(  # noqa: PLR0913  (one parameter per option)
    embeddings: Annotated[Path, typer.Argument(metavar="F.npz", help="What 'fetalclip embed' wrote.")],
    out: Out,
    labels: Table = None,
    label: Label = "",
    group: Group = "",
    where: Where = None,
    method: Annotated[str, typer.Option("--method", metavar="M", help="umap, pca or both.")] = "both",
    png: Png = None,
    thumbnails: Thumbnails = True,
    names: Names = True,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> int:
    """Embeddings as a map to look at, with numbers of how far labels lie apart.

    Colours are the table's labels, else the folders the pictures lie in. Numbers of the embedding come first: a
    map shows clusters where there are none.
    """
    voice = Voice()
    if method not in _METHODS:
        raise UsageError(f"--method {method:.40}", "umap, pca or both", "--method both")
    if labels is None and (label or group or where):
        raise UsageError("--label, --group or --where without a table", "--labels T.csv", "--labels table.csv")
    cells = dict(_pair(word) for word in where or [])
    targets = _targets(out, png, _METHODS[method])
    from fetalclip.embeddings import read_embeddings
    from fetalclip.mapping import folder_labels, lay_out, read_labels

    found = read_embeddings(embeddings)
    if labels is not None:
        seen = read_labels(labels, found.names, label, group, cells)
    else:
        # A folder's name may be a patient's: without names there are no labels of folders either.
        seen = folder_labels(found.names if found.kind == "paths" and names else [""] * len(found.names))
    vectors = found.vectors[list(seen.rows)]
    layouts = [lay_out(one, vectors, seed) for one in voice.progress(_METHODS[method], len(_METHODS[method]), "map")]
    told = _told(found, seen, layouts, seed)
    told["input"]["path"], told["where"] = embeddings, " and ".join(where or [])
    points = _points(found, seen, thumbnails, names, voice)
    told["files"] = _write(targets, told, layouts, points)
    for line in [json_line(told)] if as_json else _summary(told):
        voice.data(line)
    for file in told["files"]:
        voice.talk(f"Written: {printable(file)}")
    return 0


def _pair(word: str) -> tuple[str, str]:
    column, sign, value = word.partition("=")
    if not sign or not column.strip():
        raise UsageError(f"--where {word:.60}", "COLUMN=VALUE", "--where split=test")
    return column.strip(), value.strip()


def _targets(out: Path, png: Path | None, methods: Sequence[str]) -> _Targets:
    """Checked before any work is done."""
    if png is not None and png.suffix.lower() != ".png":
        raise UsageError(f"--png {png}", "a file name that ends in .png", "--png map.png")
    if out.suffix.lower() in (".html", ".htm"):
        page, first = files.check_file(out, "-o"), png
    else:
        page = files.check_folder(out, "-o") / "map.html"
        first = png or out / "map.png"
    if first is None:
        return _Targets(page, {})
    files.check_file(first, "--png")
    whole = png is not None and len(methods) == 1
    return _Targets(page, {one: first if whole else first.with_stem(f"{first.stem}-{one}") for one in methods})


def _told(found: Embeddings, seen: Labels, layouts: Sequence[Layout], seed: int) -> dict[str, Any]:
    """The map as JSON, schema ``fetalclip.map/1``."""
    from fetalclip import __version__
    from fetalclip.mapping import embedding_quality, layout_quality
    from fetalclip.report.maps import by_size

    vectors = found.vectors[list(seen.rows)]
    of = embedding_quality(vectors, seen.labels, seen.groups, seed)
    warnings = []
    if seen.unmatched:
        warnings.append(f"{seen.unmatched} of {len(seen.rows)} embeddings are not in the table: they have no label")
    if of and not seen.groups:
        warnings.append(
            "no patients are known: pictures of one patient vouch for each other, and intervals are too narrow"
        )
    if seen.labels and not of:
        warnings.append("fewer than two labels: how far they lie apart cannot be said")
    return {
        "schema": "fetalclip.map/1",
        "input": {"path": "", "rows": len(found.names), "width": found.vectors.shape[1], "kind": found.kind},
        "shown": len(seen.rows),
        "label": seen.name or None,
        "labels": dict(by_size(seen.labels)),
        "patients": seen.patients if seen.groups else None,
        "embedding": {"numbers": [number.to_dict() for number in of]},
        "maps": [
            {
                "method": one.method,
                "made": dict(one.facts),
                "numbers": [n.to_dict() for n in layout_quality(one, vectors, seen.labels, seen.groups, seed)],
            }
            for one in layouts
        ],
        "warnings": warnings,
        "provenance": {
            **found.facts,
            "version": __version__,
            "embedded_with": found.facts.get("version"),
            "seed": seed,
        },
    }


def _points(found: Embeddings, seen: Labels, thumbnails: bool, names: bool, voice: Voice) -> Points:
    """What the page shows of each row; pictures that are not there any more have no thumbnail."""
    from fetalclip.report.map_page import Points

    paths = found.kind == "paths"
    given = [found.names[i] for i in seen.rows]
    shown = [os.path.basename(name) or name for name in given] if paths else given
    thumbs, sprite = _thumbnails(given, voice) if thumbnails and paths else (None, None)
    return Points(seen.rows, seen.labels, shown if names else None, thumbs, sprite)


def _thumbnails(names: Sequence[str], voice: Voice) -> tuple[list[int] | None, Any]:
    """The place of each picture in the sheet of small ones, and the sheet; of too many, some drawn at random."""
    import numpy as np

    from fetalclip import io
    from fetalclip.errors import InputError
    from fetalclip.report.sprite import MOST, Sprite

    wanted = np.arange(len(names))
    if len(names) > MOST:
        wanted = np.sort(np.random.default_rng(0).choice(len(names), MOST, replace=False))
    places, read = [-1] * len(names), iter(range(MOST))

    def frames() -> Any:
        for i in voice.progress(wanted.tolist(), len(wanted), "thumbnails"):
            try:
                frame = io.read(names[i])
            except InputError:
                continue
            places[i] = next(read)
            yield frame

    sprite = Sprite(frames())
    return (places, sprite) if sprite.sizes else (None, None)


def _write(targets: _Targets, told: dict[str, Any], layouts: Sequence[Layout], points: Points) -> list[str]:
    """Draw everything, then write the files, each whole or not at all."""
    from fetalclip.report.map_page import TITLES, map_page
    from fetalclip.report.maps import draw_map

    model = told["provenance"].get("model") or ""
    facts = f"{told['shown']} embeddings" + (f" of {model}" if model else "")
    facts += f", coloured by {told['label']}" if told["label"] else ""
    facts += f", only {told['where']}" if told["where"] else ""
    drawn = {
        targets.pictures[one.method]: draw_map(
            one.places, points.labels, f"{TITLES[one.method]} of embeddings", facts, _foot(one)
        )
        for one in layouts
        if one.method in targets.pictures
    }
    for path, data in drawn.items():
        with files.whole(path, "--png") as part:
            part.write_bytes(data)
    maps = [(one.method, one.places) for one in layouts]
    with files.whole(targets.page, "-o") as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(map_page(plain(told), maps, points, datetime.now().astimezone()))
    return [str(path) for path in (targets.page, *drawn)]


def _foot(layout: Layout) -> str:
    if layout.method == "pca":
        first, second = layout.facts["explained_variance"]
        return f"across: {100 * first:.1f} % of the variance; up: {100 * second:.1f} %"
    return f"UMAP, {layout.facts['n_neighbors']} neighbours by cosine; sides and distances have no unit"


def _summary(told: dict[str, Any]) -> list[str]:
    """The numbers as lines of text."""
    from fetalclip.report.map_page import TITLES, number_cells

    parts = [("embedding", told["embedding"]["numbers"])]
    parts += [(TITLES[one["method"]], one["numbers"]) for one in told["maps"]]
    rows = [(of, *number_cells(plain(number))) for of, numbers in parts for number in numbers]
    lines = table(rows, ("of", "number", "value", "95 %", "by chance", "what it means")) if rows else []
    return lines + [f"warning: {printable(warning)}" for warning in told["warnings"]]
