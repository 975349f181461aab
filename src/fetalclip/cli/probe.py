"""``fetalclip probe``: a table of labelled pictures in, a head folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import AsJson, Model
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import UsageError

Table = Annotated[
    Path, typer.Argument(metavar="TABLE.csv", help="Columns: path or filename, label, optionally patient and split.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="HEAD", help="The head folder to write; it must be new.")]
Shots = Annotated[
    int, typer.Option("--shots", metavar="K", min=0, help="Learn from K patients of each class; 0 from all.")
]
Method = Annotated[
    str,
    typer.Option("--method", metavar="M", help="logistic, published, few-shot-published, prompt-mean or tip-adapter."),
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="The column of labels, if it is not called label.")
]
Patient = Annotated[
    str | None, typer.Option("--patient", metavar="COLUMN", help="The column of patients, if not called patient.")
]
Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="Folder of relative paths, if not the table's.")
]
Sets = Annotated[int, typer.Option("--sets", metavar="N", min=1, help="Support sets that are measured.")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="M", min=1, help="Seeds of each, where they matter.")]
Number = Annotated[
    str | None, typer.Option("--number", metavar="UNIT", help="The labels are numbers in this unit, such as days.")
]
Prompts = Annotated[
    str | None, typer.Option("--prompts", metavar="F", help="Texts of the classes, for prompt-mean and tip-adapter.")
]
OverlayMode = Annotated[str, typer.Option("--overlay", metavar="O", help="Burned-in text: mask, or keep.")]
License = Annotated[str, typer.Option("--license", metavar="L", help="Licence of the head: that of its labels.")]
Title = Annotated[str, typer.Option("--title", metavar="T", help="What the head is called in its card.")]


def probe(  # noqa: PLR0913  (one parameter per option)
    table: Table,
    out: Out,
    shots: Shots = 0,
    method: Method = "logistic",
    label: Label = None,
    patient: Patient = None,
    root: Root = None,
    sets: Sets = 5,
    seeds: Seeds = 5,
    number: Number = None,
    prompts: Prompts = None,
    overlay: OverlayMode = "mask",
    license: License = "",
    title: Title = "",
    model: Model = "fetalclip-open",
    as_json: AsJson = False,
) -> int:
    """A probe from labelled pictures: classes or numbers of your own, on the frozen encoder.

    It is measured on patients it did not learn from: the table's test rows, else patients held out. ``fetalclip
    analyze scan.png --head HEAD`` uses it.
    """
    voice = Voice()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"-o {out} is {'not empty' if out.is_dir() else 'a file'}", "a new folder", f"-o {out}-2")
    from fetalclip.bench.ask import progress
    from fetalclip.data.labelled import read_labelled
    from fetalclip.fit.probe_table import ProbeOptions, probe_table

    options = ProbeOptions(
        method, shots, sets, seeds, number is not None, number or "", prompts, overlay, license, title
    )
    options.check()
    read = read_labelled(table, label, patient, root=root)
    files.check_folder(out.parent, "-o")
    network = load(model, voice)
    with progress("embed", len(read.rows)) as step:
        run = probe_table(network, read, out, options, step, voice.talk)
    voice.data(json_line(run) if as_json else printable(run.folder))
    for line in _told(run.told):
        voice.talk(line)
    voice.talk(f"Next: fetalclip analyze your-scan.png --head {printable(run.folder)}" + _model(model))
    return 1 if run.failed else 0


def _told(told: dict[str, Any]) -> list[str]:
    """What was learned from and how well, for a person."""
    measured = told["measured"]
    said = f"Learned from {told['n']} pictures of {told['patients']} patients"
    said += "" if "classes" not in told else ": " + ", ".join(f"{name} {n}" for name, n in told["classes"].items())
    lines = [printable(said) + "."]
    name, word = ("macro_f1", "macro F1") if "macro_f1" in measured else ("mean_error", "mean error")
    if measured.get(name) is None:
        return [*lines, f"Measured on {measured['on']}."]
    value = f"{word} {measured[name]:.3f}"
    if measured["low"] is not None:
        value += f" ({measured['low']:.3f} to {measured['high']:.3f})"
    return [*lines, f"{value}, n = {measured['n']}, {measured['on']}."]


def _model(name: str) -> str:
    return "" if name == "fetalclip-open" else f" --model {printable(name)}"
