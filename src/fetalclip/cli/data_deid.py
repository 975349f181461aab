"""``fetalclip data deid``: DICOM pictures without the patient, in a folder of their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.keys import check_apart, is_below, lasting_key
from fetalclip.cli.output import Voice, failure, json_line, printable
from fetalclip.errors import InputError, UsageError

if TYPE_CHECKING:
    from fetalclip.io.deid import Choices, Folder, Key

SCHEMA = "fetalclip.deid/1"
RETAIN = ("device", "patient")


def deid(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="DICOM files, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new folder, or one of the same key.")],
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="F", help="The secret key; made if it is not there. Keep it elsewhere."),
    ] = None,
    retain: Annotated[
        list[str] | None,
        typer.Option("--retain", metavar="WHAT", help="device: machine; patient: age, size, weight. Repeatable."),
    ] = None,
    keep_text_inside: Annotated[
        bool, typer.Option("--keep-text-inside", help="Leave text inside the ultrasound regions, unverified.")
    ] = False,
    without_regions: Annotated[
        str, typer.Option("--without-regions", metavar="MODE", help="Files that name no region: refuse or mask.")
    ] = "refuse",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file on stdout.")] = False,
) -> int:
    """Write DICOM pictures without names, dates, numbers and burned-in text.

    Every file is read again and checked before it is there; DIR/audit.jsonl says what was done and names nobody.
    No check sees everything: a person looks at the pictures before they are passed on.
    """
    from fetalclip import io
    from fetalclip.io.deid import Choices, Folder

    voice = Voice()
    wanted = set(retain or ())
    if unknown := wanted.difference(RETAIN):
        raise UsageError(f"--retain {', '.join(sorted(unknown))!r:.200}", " or ".join(RETAIN), "--retain device")
    if without_regions not in ("refuse", "mask"):
        raise UsageError(f"--without-regions {without_regions!r:.200}", "refuse or mask", "--without-regions mask")
    choices = Choices("device" in wanted, "patient" in wanted, keep_text_inside, without_regions == "mask")
    found = [path for path in io.walk(paths) if not is_below(path, out)]
    key = _key(voice, key_file, out)
    files.check_folder(out, "-o")
    counts: Counter[str] = Counter()
    with Folder(out, key, choices) as folder:
        for path in voice.progress(found, len(found), "deid"):
            line = _one(voice, folder, path)
            counts[line["status"]] += 1
            voice.data(json_line({"schema": SCHEMA, **line}) if as_json else _text(line))
    _tell(voice, counts, out, choices)
    return 1 if counts["refused"] else 0


def _one(voice: Voice, folder: Folder, path: Path) -> dict[str, Any]:
    """What became of one file."""
    from fetalclip.io.deid import NotDicom

    line: dict[str, Any] = {"path": path, "status": "refused", "error": None}
    try:
        written = folder.add(path)
    except NotDicom:
        return {**line, "status": "not DICOM"}
    except InputError as error:
        voice.talk(failure(path, str(error)))
        return {**line, "error": str(error)}
    status = "written" if written.verified else "not verified"
    return {**line, "status": status, **written.to_dict()}


def _text(line: dict[str, Any]) -> str:
    place = f"  {printable(line['place'])}" if "place" in line else ""
    return f"{line['status']:<12}  {printable(line['path'])}{place}"


def _key(voice: Voice, key_file: Path | None, out: Path) -> Key:
    """The key; a folder that was begun with another one is refused before a new one is made."""
    from fetalclip.io.deid.folder import MARK, check_key

    begun = (out / MARK).is_file()
    check_apart(key_file, [out])
    key = lasting_key(voice, key_file, make=not begun)
    if begun:
        check_key(out, key)
    return key


def _tell(voice: Voice, counts: Counter[str], out: Path, choices: Choices) -> None:
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    voice.talk(f"{told}. Log: {printable(out / 'audit.jsonl')}")
    if counts["written"] or counts["not verified"]:
        voice.talk("A person looks at the pictures before they are passed on; docs/deid.md says what no check sees.")
    if counts["refused"] and not choices.without_regions:
        voice.talk("Files that were refused are not in the folder.")
