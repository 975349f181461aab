"""``fetalclip explain``: where on each picture the score of a text comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import MapMethod, Model
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.cli.pictures import Names
from fetalclip.errors import InputError, UsageError

if TYPE_CHECKING:
    from fetalclip.frame import Frame
    from fetalclip.result import Attribution


def explain(  # noqa: PLR0913  (one parameter per option)
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Pictures, or folders of them.")],
    text: Annotated[
        str | None,
        typer.Option(
            "--text", metavar="T", help="A text or a plane's name. Default: the plane the model itself names."
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", metavar="T", help="A text or plane to hold it against; repeatable. Default: the other planes."
        ),
    ] = None,
    method: MapMethod = None,
    model: Model = "fetalclip-open",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for one PNG per picture, made if needed.")
    ] = Path("explained"),
    maps: Annotated[
        bool, typer.Option("--maps", help="Save each map too, as an array of the picture's size in an NPZ file.")
    ] = False,
    overlay: Annotated[
        Literal["mask", "keep"],
        typer.Option("--overlay", help="Burned-in text and rulers: hidden from the model, or kept."),
    ] = "mask",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file on stdout.")] = False,
) -> int:
    """Show where on each picture the score of a text comes from.

    A heat map shows what moves the score, not where a structure lies. A plane is held against the model's other
    planes, another text against those of --against or against nothing. A file that cannot be read is told and does
    not stop the others (exit code 1).
    """
    voice = Voice()
    _check(text, against, method, out)
    from fetalclip import io

    inputs = list(io.walk(paths))
    if any(path.parent.resolve() == out.resolve() for path in inputs):
        raise UsageError(f"-o {out} holds input files", "another folder", f"-o {out / 'explained'}")
    network = load(model, voice)
    network.explainer.method(method)
    network.explainer.ask(text or "brain", against or None)  # what is wrong is told before the first picture
    failed, names = 0, Names()
    for path in voice.progress(inputs, len(inputs), "explain"):
        try:
            frame = io.read(path)
            found = network.explain(frame, text, method, against or None, overlay)
        except InputError as error:
            failed += 1
            voice.talk(failure(path, str(error)))
            voice.data(json_line(_told(path, None, None, str(error))) if as_json else f"{printable(path)}  not read")
            continue
        _write(out / names.next(path.name), frame, found, maps)
        voice.data(json_line(_told(path, frame, found, None)) if as_json else _line(path, found))
    if len(inputs) > failed:
        voice.talk(f"Written: {printable(out)}")
    return 1 if failed else 0


def _check(text: str | None, against: list[str] | None, method: str | None, out: Path) -> None:
    """Everything cheap that can be wrong, before torch is loaded."""
    if method is not None:
        from fetalclip.explain.registry import method_named

        method_named(method)
    if text is None and against:
        raise UsageError("--against without --text", "the text that is held against others", '--text "fetal brain"')
    if any(not one.strip() for one in ["a text" if text is None else text, *(against or [])]):
        raise UsageError("an empty text", "words that describe a picture", '--text "fetal brain"')
    files.check_folder(out, "-o")


def _write(target: Path, frame: Frame, found: Attribution, maps: bool) -> None:
    """The picture, and the map where it was asked for, each whole or not at all."""
    from fetalclip.report.heat import draw_attribution

    with files.whole(target, "-o") as temporary:
        draw_attribution(frame, found).save(temporary, format="PNG")
    if maps:
        import numpy as np

        told = {"method": found.method, "text": found.text, "quantity": found.quantity, "against": list(found.against)}
        arrays: dict[str, Any] = {name: np.array(value, dtype=np.str_) for name, value in told.items()}
        with files.whole(target.with_suffix(".npz"), "-o") as temporary:
            np.savez_compressed(temporary, map=found.map, score=np.float64(found.score), **arrays)


def _told(path: Path, frame: Frame | None, found: Attribution | None, error: str | None) -> dict[str, Any]:
    """One line of JSON; what there is none of is null."""
    from fetalclip.result import EXPLAIN_SCHEMA

    nothing = dict.fromkeys(("method", "text", "against", "quantity", "score", "cosine", "peak"))
    size = {"width": None, "height": None} if frame is None else {"width": frame.width, "height": frame.height}
    return {
        "schema": EXPLAIN_SCHEMA,
        "input": {"path": str(path), **size},
        **(nothing | {"warnings": [], "provenance": None} if found is None else found.to_dict()),
        "error": error,
    }


def _line(path: Path, found: Attribution) -> str:
    from fetalclip.report.heat import score_words

    warnings = "".join(f" [warning: {printable(warning)}]" for warning in found.warnings)
    return f"{printable(path)}: {printable(found.text)}, {printable(score_words(found))}{warnings}"
