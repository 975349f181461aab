"""``fetalclip data``: public data sets, manifests, captions, shards, de-identification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import data_audit, data_augment, data_deid, data_manifest, data_shards, files
from fetalclip.cli.data_manifest import tell_problems
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, printable, table
from fetalclip.errors import OutputError, UsageError

if TYPE_CHECKING:
    from fetalclip.data.tally import Tally

app = typer.Typer(
    no_args_is_help=True,
    help="Data sets, manifests, captions.",
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Data sets, manifests, captions."""


@app.command("captions", no_args_is_help=True)
def captions(  # noqa: PLR0913
    manifest_file: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, .csv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F.jsonl", help="The captions, one JSON object a line.")],
    per_image: Annotated[
        int, typer.Option("--per-image", metavar="K", min=1, max=1000, help="Captions of one picture, at most.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed writes the same captions.")] = 0,
    model: Annotated[
        str, typer.Option("--model", metavar="M", help="Whose tokenizer, context and picture size to write for.")
    ] = "fetalclip-open",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="F", help="What was written, as .json or .html.")
    ] = None,
    reword_url: Annotated[
        str | None,
        typer.Option("--reword-url", metavar="URL", help="Send the facts to an OpenAI-compatible API, for new words."),
    ] = None,
    reword_model: Annotated[
        str, typer.Option("--reword-model", metavar="NAME", help="The model's name there.")
    ] = "default",
    reword_timeout: Annotated[
        float, typer.Option("--reword-timeout", metavar="S", help="Seconds to wait for one answer.")
    ] = 20.0,
    as_json: AsJson = False,
) -> int:
    """Write captions that are true of each picture, by a grammar.

    Rows that cannot be used are left out and named (exit code 1). Nothing is sent anywhere without
    --reword-url; with it, facts and captions are, but no picture, path or free text.
    """
    from dataclasses import replace

    from fetalclip.data.reword import Rewording

    voice = Voice()
    _check_places(out, report)
    reword = None if reword_url is None else Rewording(reword_url, reword_model, reword_timeout)
    from fetalclip.data import captions as writer
    from fetalclip.data.tally import Tally

    if reword is not None:
        voice.talk(f"Facts and captions are sent to {printable(reword.url)}; no picture, path or free text.")
    rows = writer.read_manifest(manifest_file)
    job = replace(writer.for_model(model, per_image, seed), reword=reword)
    tally = Tally()
    with files.whole(out, "-o") as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        lines = writer.write(rows, job, tally)
        for line in voice.progress(lines, len(rows.rows) * per_image, "captions"):
            stream.write(json_line(line) + "\n")
    options = {"manifest": manifest_file, "model": model, "image_size": job.image_size, "limit": job.limit}
    options |= {"per_image": per_image, "seed": seed, "reword_url": reword_url}
    told = tally.to_dict(_made_by(options), None if reword is None else reword.counts)
    voice.data(json_line({**told, "path": out}) if as_json else printable(out))
    _tell_captions(voice, tally, told, report)
    return 1 if told["rows_refused"] or tally.wrong else 0


@app.command("get", no_args_is_help=True)
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set; without --root it is only described.")],
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Where to put it; a folder NAME is made in it.")
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", metavar="F", help="Only this file of the record; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Fetch a public data set from its own record, with the record's own checksums.

    Licence and citation are printed first. A download that breaks goes on when you type the command again.
    """
    from fetalclip.data import READERS

    voice = Voice()
    if name not in READERS or not READERS[name].record:
        known = " or ".join(reader.name for reader in READERS.values() if reader.record)
        raise UsageError(f"no data set {name!r:.200} to fetch", known, f"fetalclip data get {next(iter(READERS))}")
    reader = READERS[name]
    for line in table([("licence", reader.license.license), ("cite", reader.license.citation)]):
        voice.talk(line)
    voice.talk(f"record   {reader.license.url}")
    if root is not None:
        files.check_folder(root, "--root")
    from fetalclip.data import obtain

    found = obtain.describe(reader, file or [])
    for line in obtain.lines(found):
        voice.talk(line)
    facts: dict[str, Any] = {"schema": "fetalclip.get/1", **found.to_dict()}
    if root is None:
        voice.data(json_line({**facts, "folder": None, "fetched": False}) if as_json else name)
        voice.talk(f"Nothing was fetched. Next: fetalclip data get {name} --root DIR")
        return 0
    made = obtain.obtain(found, root, voice.talk)
    voice.data(json_line({**facts, **made.to_dict(), "fetched": True}) if as_json else printable(made.folder))
    voice.talk(made.next)
    return 0


def _check_places(out: Path, report: Path | None) -> None:
    """Raise UsageError or OutputError before any work is done."""
    files.check_file(out, "-o")
    if report is not None:
        if report.suffix.lower() not in (".json", ".html"):
            raise UsageError(f"--report {report}", "a file name that ends in .json or .html", "--report report.html")
        files.check_file(report, "--report")


def _tell_captions(voice: Voice, tally: Tally, told: dict[str, Any], report: Path | None) -> None:
    if report is not None:
        _save_report(report, told)
    tell_problems(voice, tally.problems)
    again = told["duplicates"]
    voice.talk(
        f"{tally.captions} captions of {tally.rows} pictures, {again['distinct']} different; "
        f"at most {told['tokens'].get('most', 0)} tokens; {tally.checked} read back, {len(tally.wrong)} wrong."
    )
    for outcome, count in (told["rewording"] or {}).items():
        voice.talk(f"Rewording: {count} {outcome}")
    for wrong in tally.wrong[:5]:
        voice.talk(printable(f"Read back wrong: {wrong}"))


def _save_report(path: Path, told: dict[str, Any]) -> None:
    import json

    from fetalclip.cli.output import plain
    from fetalclip.data.tally import page

    text = page(plain(told)) if path.suffix.lower() == ".html" else json.dumps(plain(told), indent=1) + "\n"
    try:
        with files.whole(path, "--report") as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--report {path} cannot be written ({error.strerror})") from None


def _made_by(options: dict[str, Any]) -> dict[str, Any]:
    from fetalclip import __version__
    from fetalclip.cli.output import plain

    return {"version": __version__, **plain(options)}


app.command("manifest", no_args_is_help=True)(data_manifest.manifest)
app.command("audit", no_args_is_help=True)(data_audit.audit)
app.command("augment", no_args_is_help=True)(data_augment.augment)
app.command("shards", no_args_is_help=True)(data_shards.shards)
app.command("deid", no_args_is_help=True)(data_deid.deid)
