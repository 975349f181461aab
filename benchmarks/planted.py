"""Made-up people planted in DICOM files: nothing of them may be in what the commands print, log or write.

Every file is full of one person: names with accents and carets, numbers, dates, addresses, telephone numbers, UIDs,
private elements in text and bytes, nested sequences, values of wrong kinds, comments, a banner burned into the pixels,
EXIF inside a JPEG, a preamble, what stands after the pixels. Many files are damaged. The commands then run with every
warning and every log line captured, and each planted text is searched for in every byte of what came out, as it is
written and in other cases, encodings, escapes, base64, hexadecimal digits and plain hashes.

A banner is a picture: it is searched for in the text and the metadata of drawings and pages, not by reading pixels.

    python benchmarks/planted.py --count 200 --json planted.json
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from planted_files import KINDS, Person, people, written
from planted_search import Search, alone

__all__ = ["KINDS", "Person", "Search", "people", "run", "written"]

TABLES = ("dicom.", "audit-manifest.")  # a table of pictures tells maker and model of the machine, which name nobody
KEY = bytes(range(1, 33)).hex()  # the same each time: by another a date may by chance become that of somebody else
CONTROL = "control"  # the one command that is asked for identifiers: there the search must find them


def commands(folder: Path, out: Path, model: str) -> dict[str, list[str]]:
    """What is run: a name, and the words after ``fetalclip``."""
    (out / "table.csv").write_text(
        "image,group,split\n" + "".join(f"{path},{path.name},train\n" for path in sorted(folder.iterdir()))
    )
    pictures, key = str(folder), ["--key-file", str(out.parent / "planted.key")]
    return {
        "analyze-json": ["analyze", pictures, "--model", model, "--json"],
        "analyze-exam": ["analyze", pictures, "--model", model, "--exam", "--report", str(out / "page.html"),
                         "--drawings", str(out / "drawings")],
        "info": ["info", pictures],
        "info-json": ["info", pictures, "--json"],
        "embed": ["embed", pictures, "--model", model, "-o", str(out / "embedded.npz")],
        "deid-json": ["data", "deid", pictures, "-o", str(out / "clean"), *key, "--json"],
        "deid": ["data", "deid", pictures, "-o", str(out / "masked"), *key, "--without-regions", "mask"],
        "audit": ["data", "audit", str(out / "table.csv"), "--report", str(out / "audit.html"), "--json"],
        "manifest": ["data", "manifest", pictures, "--dicom", "--split", *key, "-o", str(out / "dicom.csv"), "--json"],
        "audit-manifest": ["data", "audit", str(out / "dicom.csv"), "--report", str(out / "dicom.html"), "--json"],
        CONTROL: ["info", pictures, "--identifiers"],
    }  # fmt: skip


def inside(todo: dict[str, list[str]], out: Path) -> None:
    """Run the commands in this process, each with its streams and its log in files of its own."""
    from fetalclip.cli import main as fetalclip

    codes, root = {}, logging.getLogger()
    root.setLevel(logging.DEBUG)
    for name, words in todo.items():
        handler = logging.FileHandler(out / f"{name}.log", encoding="utf-8", errors="backslashreplace")
        root.addHandler(handler)
        for descriptor, stream in ((1, "stdout"), (2, "stderr")):
            with (out / f"{name}.{stream}").open("wb") as file:
                os.dup2(file.fileno(), descriptor)
        codes[name] = fetalclip(words)
        sys.stdout.flush()
        sys.stderr.flush()
        root.removeHandler(handler)
        handler.close()
    (out / "codes.json").write_text(json.dumps(codes))


def run(folder: Path, out: Path, model: str, who: dict[str, tuple[Person, str]]) -> dict[str, Any]:
    """Run every command over the files and search what came out.

    Returns:
        ``codes`` of the commands, ``bytes`` that were searched, ``texts`` that were planted, ``control``: how many of
        them are found where they are asked for, and ``leaks``.
    """
    out.mkdir()
    (out.parent / "planted.key").write_text(KEY + "\n")
    todo = commands(folder, out, model)
    words = [sys.executable, "-W", "default", __file__, "--inside", json.dumps(todo), str(out)]
    subprocess.run(words, check=True, timeout=3600)
    (out / "table.csv").unlink()
    search = Search(text for person, _ in who.values() for text in person.told.values())
    machines = {repr(person.told.get(what)) for person, _ in who.values() for what in ("maker", "model")}
    leaks, control, size = [], 0, 0
    for path in sorted(out.rglob("*")):
        data = b"\n\0".join(alone(path))
        found = search(data)
        if path.name.startswith(TABLES):
            found = [one for one in found if one.partition(" as ")[0] not in machines]
        if path.name.startswith(CONTROL):
            control += len(found)
        else:
            leaks += [f"{path.relative_to(out)}: {one}" for one in found]
            size += len(data)
    told = (path.read_text("utf-8", "replace") for path in out.glob("*.std*"))
    return {
        "files": len(who),
        "kinds": len({kind for _, kind in who.values()}),
        "codes": json.loads((out / "codes.json").read_text()),
        "texts": len({text for person, _ in who.values() for text in person.told.values()}),
        "forms": search.count,
        "bytes": size,
        "control": control,
        "tracebacks": sum(text.count("Traceback") for text in told),
        "leaks": sorted(set(leaks)),
    }


def main() -> int:
    """Print what was found; exit code 1 when anything leaked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--model", default="fetalclip-tiny")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="Leave files and outputs there.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        inside(json.loads(asked.inside[0]), Path(asked.inside[1]))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        base = asked.keep or Path(temporary)
        who = people(base / "files", asked.count, asked.first)
        found = run(base / "files", base / "out", asked.model, who)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if found["leaks"] or found["tracebacks"] or not found["control"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
