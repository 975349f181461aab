"""``fetalclip embed``: pictures or texts to a table of embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import AsJson, Model
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.errors import InputError, UnreadableInput, UsageError

if TYPE_CHECKING:
    from fetalclip.frame import Frame

_BATCH = 32
_MAX_TEXT_BYTES = 1_000_000_000


def embed(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F.npz", help="The file to write.")],
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
    as_json: AsJson = False,
) -> int:
    """Pictures or texts to embeddings, in one file.

    The file has ``embeddings`` (n x d, float32, unit length) and ``paths`` or ``texts``, row for row. A
    file that cannot be read is told and left out (exit code 1).
    """
    voice = Voice()
    if bool(paths) == (text_file is not None):
        found = "both PATH and --text-file" if paths else "neither PATH nor --text-file"
        raise UsageError(found, "one of them", "fetalclip embed scan.png -o F.npz")
    if out.suffix.lower() != ".npz":
        raise UsageError(f"-o {out}", "a file name that ends in .npz", "-o embeddings.npz")
    files.check_file(out, "-o")
    if text_file is not None:
        texts = _lines(text_file)
        network = load(model, voice, precision)
        arrays, failed = _texts(network, texts, voice), 0
    else:
        from fetalclip import io

        inputs = list(io.walk(paths or []))
        network = load(model, voice, precision)
        arrays, failed = _pictures(network, inputs, "mask" if mask_overlay else network.overlay, voice)
    import numpy as np

    with files.whole(out, "-o") as part:
        np.savez(part, **arrays)
    rows, width = arrays["embeddings"].shape
    if as_json:
        told = {"schema": "fetalclip.embed/1", "path": out, "rows": rows, "width": width, "failed": failed}
        voice.data(json_line({**told, "model": network.card.name, "model_sha256": network.card.sha256 or None}))
    else:
        voice.data(printable(out))
    voice.talk(f"{rows} embeddings of width {width}" + (f", {failed} files not read." if failed else "."))
    return 1 if failed else 0


def _pictures(network: Any, inputs: list[Path], overlay: str, voice: Voice) -> tuple[dict[str, Any], int]:
    """Embeddings and paths, in the order given, without the files that cannot be read; and how many those were."""
    import numpy as np

    kept: list[str] = []
    parts: list[Any] = []
    failed = 0
    for frames, names, errors in voice.progress(_batches(inputs), -(-len(inputs) // _BATCH), "embed"):
        if frames:
            parts.append(network.encode_image(frames, overlay=overlay))
            kept += names
        for name, error in errors:
            voice.talk(failure(name, str(error)))
        failed += len(errors)
    width = network.encoder.dim
    table = np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
    return {"embeddings": table, "paths": np.array(kept, dtype=np.str_), **_provenance(network, overlay)}, failed


def _batches(inputs: list[Path]) -> Iterator[tuple[list[Frame], list[str], list[tuple[str, InputError]]]]:
    from fetalclip import io

    for start in range(0, len(inputs), _BATCH):
        frames, names, errors = [], [], []
        for path in inputs[start : start + _BATCH]:
            try:
                frames.append(io.read(path))
                names.append(str(path))
            except InputError as error:
                errors.append((str(path), error))
        yield frames, names, errors


def _texts(network: Any, texts: list[str], voice: Voice) -> dict[str, Any]:
    """Embeddings of texts, row for line."""
    import numpy as np

    starts = range(0, len(texts), 1024)
    parts = [network.encode_text(texts[i : i + 1024], keep=False) for i in voice.progress(starts, len(starts), "embed")]
    return {"embeddings": np.concatenate(parts), "texts": np.array(texts, dtype=np.str_), **_provenance(network, "")}


def _provenance(network: Any, overlay: str) -> dict[str, Any]:
    import numpy as np

    from fetalclip import __version__

    told = {"model": network.card.name, "model_sha256": network.card.sha256, "version": __version__}
    told |= {"engine": network.encoder.engine, "overlay": overlay}
    return {name: np.array(value, dtype=np.str_) for name, value in told.items()}


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
