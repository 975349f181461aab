"""``fetalclip data manifest``: the table of a data set, of a folder with a table, of an archive of DICOM files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetalclip.cli import files
from fetalclip.cli.keys import any_key, check_apart, lasting
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.data.dicom_folder import Choices, Seen
    from fetalclip.data.manifest import Manifest, Problem
    from fetalclip.io.deid.key import Key

_TABLES = (".csv", ".parquet")


def manifest(  # noqa: PLR0913  (one parameter per option)
    name: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A data set, a folder with a table, or one of DICOM files.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="M.csv", help="The table to write: .csv or .parquet.")],
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Of a NAME: its folder, or the one that holds it.")
    ] = None,
    table_file: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="Of a FOLDER: its table, where there are several.")
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="List the FOLDER's DICOM files; only a --table that is named is joined.")
    ] = False,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="K", min=0, max=1000, help="DICOM: pictures of a clip (1).")
    ] = None,
    split: Annotated[bool, typer.Option("--split", help="DICOM: deal train, val and test by patient.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="F", help="DICOM: the key of the pseudonyms, as of data deid."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write the table of a data set: one row per picture, typed and checked.

    Of DICOM files only headers are read; patients become pseudonyms. The table holds paths: keep it where the files
    are kept. Rows and files that cannot be used are left out and named (exit code 1).
    """
    from fetalclip.data import READERS

    voice = Voice()
    if out.suffix.lower() not in _TABLES:
        raise UsageError(f"-o {out}", "a file name that ends in .csv or .parquet", "-o manifest.csv")
    files.check_file(out, "-o")
    asked = {"--dicom": dicom, "--frames": frames is not None, "--split": split, "--key-file": key_file is not None}
    wanted = [option for option, given in asked.items() if given]
    if name in READERS:
        _only_dicom(wanted, f"the data set {name}")
        made = _of_dataset(name, root, table_file)
    elif Path(name).is_dir():
        if root is not None:
            raise UsageError("--root with a folder", "a folder alone, or a name and --root")
        from fetalclip.data.dicom_folder import Choices

        choices = Choices(1 if frames is None else frames, split)
        made = _of_folder(voice, Path(name), (table_file, out), (dicom, wanted), (choices, key_file))
    else:
        fix = f"fetalclip data manifest {next(iter(READERS))} --root DIR -o m.csv"
        raise UsageError(f"no data set and no folder {name!r:.200}", " or ".join([*READERS, "a folder"]), fix)
    return _write(voice, made, out, as_json)


def tell_problems(voice: Voice, problems: Sequence[Problem]) -> None:
    """What was refused and repaired, for a person."""
    from fetalclip.data.tally import told

    for line in told(problems):
        voice.talk(printable(line))


def _write(voice: Voice, made: Manifest, out: Path, as_json: bool) -> int:
    kept = made.usable()
    if not kept.rows:
        made.require()
        raise UsageError("no row to write", "a picture that can be used, or a clip with --frames above 0")
    kept.write(out)
    tell_problems(voice, made.problems)
    splits = _counts(row.split or "none" for row in kept.rows)
    planes = _counts(view for row in kept.rows for view in (row.views or ("none",)))
    facts = {"schema": "fetalclip.manifest/1", "path": out, "rows": len(kept.rows), "splits": splits, "planes": planes}
    voice.data(json_line({**facts, "problems": list(map(vars, made.problems))}) if as_json else printable(out))
    after = " -o captions.jsonl" if planes.keys() != {"none"} or any(row.text for row in kept.rows) else ""
    voice.talk(
        f"{len(kept.rows)} rows. Next: fetalclip data {'captions' if after else 'audit'} {printable(out)}{after}"
    )
    return 1 if made.refused else 0


def _of_dataset(name: str, root: Path | None, table_file: Path | None) -> Manifest:
    """A public data set as a manifest, its missing pictures as problems."""
    if root is None or table_file is not None:
        found = "--table with a data set" if table_file is not None else f"{name} without --root"
        raise UsageError(found, "the folder that holds it", f"fetalclip data manifest {name} --root DIR -o m.csv")
    from fetalclip.data.obtain import manifest_of

    return manifest_of(name, root)


def _of_folder(
    voice: Voice,
    folder: Path,
    tables: tuple[Path | None, Path],
    dicom: tuple[bool, list[str]],
    how: tuple[Choices, Path | None],
) -> Manifest:
    """A folder as a manifest.

    Args:
        voice: tells of the key and has the progress bar.
        folder: where the pictures are.
        tables: the one that was named, and the one to be written, which is no table of the folder.
        dicom: whether it was said that these are DICOM files, and the options that are for those alone.
        how: of DICOM files, what is made of them, and the file of the key.
    """
    from fetalclip.data.dicom_folder import holds_dicom
    from fetalclip.data.table import read_folder

    table, out = tables
    said, wanted = dicom
    if said or holds_dicom(folder):
        table = table if said or table is not None else _beside(voice, folder, out)
        return _of_dicom(voice, folder, table, *how)
    _only_dicom(wanted, "a folder whose first files are not DICOM")
    made = read_folder(folder, table)
    if not made.rows:
        made.require()
    return made


def _beside(voice: Voice, folder: Path, out: Path) -> Path | None:
    """The table of an archive, if it has one; what this command has written there before is none."""
    from fetalclip.data.dicom_labels import written_here

    found = sorted(one for one in folder.iterdir() if one.suffix.lower() in _TABLES and one.is_file())
    found = [one for one in found if one.resolve() != out.resolve()]
    ours = [one for one in found if written_here(one)]
    for one in ours:
        voice.talk(f"Passed over {printable(one)}: a manifest of this command. --table {printable(one)} joins it.")
    found = [one for one in found if one not in ours]
    if len(found) > 1:
        names = ", ".join(one.name for one in found[:5])
        raise UsageError(f"'{folder}' has {len(found)} tables ({names})", "--table FILE, or --dicom for none of them")
    return found[0] if found else None


def _of_dicom(voice: Voice, folder: Path, table: Path | None, choices: Choices, key_file: Path | None) -> Manifest:
    """An archive's manifest, under the user's key or one of this run."""
    from fetalclip.data.dicom_folder import read_dicom_folder

    check_apart(key_file, [folder])
    key = _key(voice, key_file, choices.deal)

    def watch(seen: Iterable[Seen], total: int) -> Iterator[Seen]:
        return voice.progress(seen, total, "headers")

    if table is not None:
        voice.talk(f"Joined by path with {printable(table)}")
    return read_dicom_folder(folder, key, table, choices, watch)


def _key(voice: Voice, key_file: Path | None, deal: bool) -> Key:
    """The key of the pseudonyms; a split needs one that is there next time too."""
    from fetalclip.io.deid.key import ENVIRONMENT

    if not lasting(key_file):
        if deal:
            found = "--split without a key: the next run would deal another"
            raise UsageError(found, f"--key-file, or the key in {ENVIRONMENT}", "--split --key-file deid.key")
        voice.talk("No --key-file: the pseudonyms of patients are of this run alone and differ next time.")
    return any_key(voice, key_file)


def _only_dicom(wanted: list[str], what: str) -> None:
    if wanted:
        raise UsageError(f"{wanted[0]} with {what}", "a folder of DICOM files", "--dicom, if they come later in it")


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
