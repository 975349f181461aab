"""``fetalclip models convert`` and ``export-…``: other people's checkpoints in, this package's models out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, printable

_OUT = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make; it must be new.")]
_NAME = Annotated[str, typer.Argument(metavar="NAME", help="A name from the list, or a model folder.")]


def convert(
    config: Annotated[
        Path, typer.Option("--config", metavar="C", help="OpenCLIP's JSON, or the config.json of a transformers CLIP.")
    ],
    weights: Annotated[
        Path, typer.Option("--weights", metavar="W", help="Its checkpoint: .pt without code in it, or safetensors.")
    ],
    out: _OUT,
    context_length: Annotated[
        int | None,
        typer.Option("--context-length", metavar="N", min=2, help="Resize the text position table to N tokens."),
    ] = None,
    positions: Annotated[
        Literal["keep", "linear"],
        typer.Option("--positions", help="How: first 20 positions kept, or all stretched as in the published model."),
    ] = "keep",
    card: Annotated[
        tuple[str, str],
        typer.Option("--card", metavar="NAME LICENCE", help="Name and licence for the card of the new folder."),
    ] = ("", "unknown"),
    as_json: AsJson = False,
) -> None:
    """Turn any OpenCLIP or transformers ViT CLIP checkpoint into a model folder."""
    from fetalclip.models.convert import Wanted
    from fetalclip.models.convert import convert as make

    voice = Voice()
    wanted = Wanted(context_length, positions, name=card[0], license=card[1])
    report = make(config, weights, out, wanted)
    before, after = report.positions
    if report.cosine:
        said = ", ".join(f"{way} {cosine:.6f}" for way, cosine in report.cosine.items())
        voice.talk(
            f"Text positions: {before} to {after} by '{positions}'. Short texts before and after, cosine: {said}"
        )
    for note in report.notes:
        voice.talk(f"Note: {printable(note)}.")
    voice.data(json_line(report) if as_json else printable(report.folder))
    voice.talk(
        f"{report.parameters:,} parameters. Next: fetalclip embed your-scan.png --model {printable(out)} -o F.npz"
    )


def export_openclip(name: _NAME, out: _OUT, as_json: AsJson = False) -> None:
    """Write a ViT model as OpenCLIP reads it: open_clip.create_model("local-dir:DIR")."""
    from fetalclip.cards import get_card
    from fetalclip.models.convert import export_openclip as make

    _told(make(get_card(name), out), as_json)


def export_transformers(name: _NAME, out: _OUT, as_json: AsJson = False) -> None:
    """Write a ViT model as transformers reads it: CLIPModel.from_pretrained(DIR)."""
    from fetalclip.cards import get_card
    from fetalclip.models.convert import export_transformers as make

    _told(make(get_card(name), out), as_json)


def _told(folder: Path, as_json: bool) -> None:
    files = sorted(path.name for path in folder.iterdir())
    made = {"schema": "fetalclip.export/1", "folder": folder, "files": files}
    Voice().data(json_line(made) if as_json else printable(folder))
