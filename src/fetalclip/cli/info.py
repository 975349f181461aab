"""``fetalclip info``: what a file holds, without any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fetalclip.cli.output import Voice, failure, json_line, printable

SCHEMA = "fetalclip.info/1"


def info(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Pictures, clips, or folders of them.")],
    identifiers: Annotated[
        bool, typer.Option("--identifiers", help="Show the values of identifying fields of DICOM files too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file on stdout.")] = False,
) -> int:
    """Say what was read: size, frames, millimetres per pixel, kind.

    Of a DICOM file also its class, transfer syntax and ultrasound regions. Fields that may identify somebody are
    named; their values are shown only with --identifiers.
    """
    from fetalclip import io

    voice = Voice()
    failed = 0
    found = list(io.walk(paths))
    for path in voice.progress(found, len(found), "info"):
        seen = io.inspect(path, show_identifiers=identifiers)
        if seen["error"] is not None:
            failed += 1
            voice.talk(failure(path, seen["error"]))
        for line in [json_line({"schema": SCHEMA, **seen})] if as_json else _lines(path, seen):
            voice.data(line)
    return 1 if failed else 0


def _lines(path: Path, seen: dict[str, Any]) -> list[str]:
    if seen["error"] is not None:
        return [f"{printable(path)}: not read"]
    told = [printable(path)]
    for key, value in seen.items():
        if key in ("path", "error", "schema"):
            continue
        told.append(f"  {key.replace('_', ' '):<16}  {_value(value)}")
    return told


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        return ", ".join(f"{printable(key)} {_value(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
        return "; ".join(map(_value, value))
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value) or "none"
    return printable(value)
