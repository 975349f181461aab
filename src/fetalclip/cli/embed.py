"""``fetalclip embed``: pictures or texts to a table of embeddings, however many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import AsJson, Model
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.errors import UnreadableInput, UsageError

if TYPE_CHECKING:
    from fetalclip.embeddings import Parts

_PICTURES, _TEXTS = 32, 1024  # a batch
_MAX_TEXT_BYTES = 1_000_000_000


@dataclass(frozen=True)
class _Work:
    """What is to be embedded and how.

    Attributes:
        kind: ``paths`` or ``texts``.
        inputs: each with a word that changes when it does.
        prepare, encode, batch: see `fetalclip.encoder.stream`.
        overlay: what is done with burned-in text; empty for texts.
    """

    kind: str
    inputs: Iterable[tuple[str, str]]
    prepare: Callable[[str], Any]
    encode: Callable[[Any], Any]
    batch: int
    overlay: str = ""


def embed(  # noqa: PLR0913  (one parameter per option)
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F.npz", help="The file to write, .npz or .parquet.")],
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH", help="Pictures, or folders of them.")] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", metavar="F", help="Texts instead of pictures, one on each line.")
    ] = None,
    model: Model = "fetalclip-open",
    mask_overlay: Annotated[
        bool, typer.Option("--mask-overlay", help="Hide burned-in text first, even if the model's card does not ask.")
    ] = False,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="P", help="fp32, or bf16: faster, cosine above 0.999.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where an earlier run of this file was interrupted.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Pictures or texts to embeddings, in one file.

    The file has ``embeddings`` (n x d, float32, unit length) and ``paths`` or ``texts``, row for row. A
    file that cannot be read is told and left out (exit code 1). A run that was interrupted goes on when the same
    command is typed again.
    """
    voice = Voice()
    if bool(paths) == (text_file is not None):
        found = "both PATH and --text-file" if paths else "neither PATH nor --text-file"
        raise UsageError(found, "one of them", "fetalclip embed scan.png -o F.npz")
    from fetalclip.embeddings import Parts, parts_folder
    from fetalclip.embeddings.write import check_suffix

    check_suffix(out)
    files.check_file(out, "-o")
    if text_file is not None:
        lines = _lines(text_file)
        network = load(model, voice, precision)
        work = _texts(network, lines)
    else:
        from fetalclip import io

        next(io.walk(paths or []))  # nothing there is told before seconds are spent on the model
        network = load(model, voice, precision)
        work = _pictures(network, _inputs(paths or [], out), "mask" if mask_overlay else None)
    parts, whole = Parts(parts_folder(out), restart), False
    try:
        _work(network, work, parts, out, voice)
        whole = True
    finally:
        parts.close(remove=whole)
        if not whole and parts.done:
            voice.talk(f"{parts.done} of {parts.inputs} are kept; the same command goes on after them.")
    _tell(network, parts, out, voice, as_json)
    return 1 if parts.failed else 0


def _work(network: Any, work: _Work, parts: Parts, out: Path, voice: Voice) -> None:
    """Embed all of it, and write the file."""
    from fetalclip.embeddings import write_embeddings
    from fetalclip.encoder.stream import stream

    facts = _provenance(network, work.overlay)
    # The card of the tiny model has no hash of its weights.
    weights = network.card.sha256 or network.encoder.embedding_sha256
    parts.begin(work.inputs, {**facts, "model_sha256": weights, "kind": work.kind, "width": network.encoder.dim})
    if not parts.inputs:
        raise UsageError(f"no file but {out.name} itself", "pictures, or folders of them")
    if parts.done:
        voice.talk(f"Going on after {parts.done} of {parts.inputs} that an earlier run finished.")
        for name, why in parts.failures():
            voice.talk(failure(name, why))
    steps = stream(parts, work.prepare, work.encode, work.batch)
    for step in voice.progress(steps, parts.inputs, "embed", parts.done, lambda step: step.inputs):
        for name, why in step.failures:
            voice.talk(failure(name, why))
    with files.whole(out, "-o") as part:
        write_embeddings(part, parts, work.kind, facts)


def _inputs(paths: list[Path], out: Path) -> Iterator[tuple[str, str]]:
    """Every file of the paths with its size and time; neither ``out`` nor its own parts is an input."""
    from fetalclip import io
    from fetalclip.embeddings import parts_folder

    own, written = os.path.abspath(parts_folder(out)), os.path.abspath(out)
    for path in io.walk(paths):
        place = os.path.abspath(path)
        if place == written or os.path.dirname(place) == own:
            continue
        try:
            seen = path.stat()
            yield str(path), f"{seen.st_size} {seen.st_mtime_ns}"
        except (OSError, ValueError):  # reading it says why
            yield str(path), ""


def _pictures(network: Any, inputs: Iterable[tuple[str, str]], overlay: str | None) -> _Work:
    from fetalclip import io
    from fetalclip.encoder.engine import unit

    way = overlay or network.overlay
    return _Work(
        "paths",
        inputs,
        lambda path: network.prepare(io.read(path), way).pixels,
        lambda pictures: unit(network.encoder.images(pictures)),
        _PICTURES,
        way,
    )


def _texts(network: Any, lines: list[str]) -> _Work:
    return _Work(
        "texts",
        ((line, "") for line in lines),
        lambda text: text,
        lambda texts: network.encode_text(texts, keep=False),
        _TEXTS,
    )


def _provenance(network: Any, overlay: str) -> dict[str, str]:
    from fetalclip import __version__

    told = {"model": network.card.name, "model_sha256": network.card.sha256, "version": __version__}
    told |= {"engine": network.encoder.engine, "overlay": overlay}
    return {name: str(value) for name, value in told.items()}


def _tell(network: Any, parts: Parts, out: Path, voice: Voice, as_json: bool) -> None:
    rows, width, failed = parts.rows, parts.width, parts.failed
    if as_json:
        told = {"schema": "fetalclip.embed/1", "path": out, "rows": rows, "width": width, "failed": failed}
        voice.data(json_line({**told, "model": network.card.name, "model_sha256": network.card.sha256 or None}))
    else:
        voice.data(printable(out))
    voice.talk(f"{rows} embeddings of width {width}" + (f", {failed} files not read." if failed else "."))


def _lines(path: Path) -> list[str]:
    """The lines of a text file, empty ones too; the last line's end is not another line."""
    try:
        if path.stat().st_size > _MAX_TEXT_BYTES:
            raise UnreadableInput(f"{path.name} is larger than {_MAX_TEXT_BYTES} bytes", "a smaller file")
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableInput(f"{path.name} could not be read ({error.strerror})", "a text file") from None
    except UnicodeDecodeError:
        raise UnreadableInput(f"{path.name} is not UTF-8 text", "one text on each line, as UTF-8") from None
    if not lines:
        raise UnreadableInput(f"{path.name} is empty", "one text on each line")
    return lines
