"""A release folder of a model: weights, cards, results, recipe, split, sums, and what openness it reaches.

The same model gives the same bytes: nothing in the folder tells when or where it was made.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from fetalclip import __version__
from fetalclip.bench import openness as mof
from fetalclip.bench.datacard import render_data, split_lines
from fetalclip.bench.evidence import CODE_LICENSE, DOCUMENTS, Subject, look
from fetalclip.bench.told import cell, inner, portable, portable_text, training_data
from fetalclip.cards import Card, read_folder
from fetalclip.config import MODEL_SCHEMA
from fetalclip.data.splits import COLUMNS
from fetalclip.disk import appearing, free_bytes
from fetalclip.errors import BadCheckpoint, OutputError, UsageError
from fetalclip.models.tiny import TINY, build_tiny
from fetalclip.models.weights import save_folder
from fetalclip.result import DISCLAIMER

SUMS = "SHA256SUMS"
_MAX_TEXT = 10_000_000  # bytes of a README or a document


@dataclass(frozen=True)
class Release:
    """A release folder that was written.

    Attributes:
        folder: where.
        model: name of the model.
        files: SHA-256 of each file by its path in the folder, without the list of sums itself.
        openness: what of the openness framework is there.
    """

    folder: Path
    model: str
    files: Mapping[str, str]
    openness: mof.Openness

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "schema": "fetalclip.release/1",
            "folder": str(self.folder),
            "model": self.model,
            "files": dict(self.files),
            "openness": self.openness.to_dict(),
        }


def release(card: Card, out: Path) -> Release:
    """Put a model into a release folder, which appears whole or not at all.

    Args:
        card: the model.
        out: the folder to make; it must not hold anything yet.

    Raises:
        NotAvailable: the model is not here.
        UsageError: the model has no folder.
        BadCheckpoint: its weights are not those its config names, or a value in the config is of the wrong kind.
        OutputError: the folder cannot be written, or the disk is too full.
    """
    card = card.require()
    _check_place(out)
    with _source(card) as source:
        assert source.folder is not None
        weights = source.folder / _weights(source)
        if (free := free_bytes(out)) < weights.stat().st_size * 1.05:
            raise OutputError(f"{free / 1e9:.1f} GB free for {weights.stat().st_size / 1e9:.1f} GB", "more room")
        try:
            with appearing(out) as folder:
                found = _fill(source, weights, folder)
                sums = _sums(folder)
        except OSError as error:
            raise OutputError(f"{out} cannot be written ({error.strerror})", "a writable folder with room") from None
        except (UnicodeEncodeError, RecursionError):
            raise BadCheckpoint(
                "config.json holds text that is no Unicode, or is nested too deep", "plain JSON"
            ) from None
    return Release(out, card.name, sums, found)


def _check_place(out: Path) -> None:
    try:
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise OutputError(f"{out} cannot be read ({error.strerror})", "a new folder") from None
    if taken:
        raise OutputError(f"{out} is there already", "a new folder", f"fetalclip models release {out}-2")


@contextmanager
def _source(card: Card) -> Iterator[Card]:
    """The model with a folder; random weights are drawn into one for as long as the block runs."""
    if card.folder is not None:
        yield card
        return
    if card.name != TINY:
        raise UsageError(f"{card.name} has no folder", "a model folder", "--model FOLDER")
    config, model, tokenizer = build_tiny()
    about = {"schema": MODEL_SCHEMA, "name": card.name, "summary": card.summary, "license": card.license}
    with TemporaryDirectory() as folder:
        told = {**about, **config, "training": {}, "results": {}}
        save_folder(model, tokenizer, told, Path(folder), _stub(told))
        yield read_folder(Path(folder))


def _weights(card: Card) -> str:
    """Name of the weight file; one that could stand in for another file of the folder is refused."""
    name = str(card.config["weights"]["file"])
    if not name.endswith(".safetensors"):
        raise BadCheckpoint(f"'weights.file' in config.json is {name!r:.60}", "a name that ends in .safetensors")
    return name


def _fill(card: Card, weights: Path, folder: Path) -> mof.Openness:
    """Everything but the sums."""
    assert card.folder is not None
    config = portable(dict(card.config))
    for path in (weights, card.folder / "tokenizer.json"):
        _copy(path, folder / path.name)
    with (folder / weights.name).open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != card.sha256:
            raise BadCheckpoint(f"{weights.name} is not the file its config names", "the same sha256", "copy it again")
    _write(folder / "config.json", _json(config))
    _write(folder / "README.md", _text(card.folder / "README.md") or _stub(config))
    for name in (name + suffix for name, suffixes in DOCUMENTS.items() for suffix in suffixes):
        if (path := card.folder / name).is_file():
            _copy(path, folder / name) if path.suffix == ".pdf" else _write(folder / name, _text(path))
    _write(folder / "DATA.md", render_data(config))
    _made_from(config, folder)
    _licenses(card, config, folder)
    found = mof.assess(*look(Subject(folder, config, random=card.name == TINY)))
    _write(folder / "openness.json", _json(found.to_dict()))
    _write(folder / "OPENNESS.md", found.to_markdown(card.name))
    return found


def _made_from(config: Mapping[str, Any], folder: Path) -> None:
    """Results, recipe and split, each where the config has what it is made of."""
    if results := inner(config, "results"):
        head = {"schema": "fetalclip.results/1", "model": config["name"], "model_sha256": config["weights"]["sha256"]}
        _write(folder / "results.json", _json({**head, "results": results}))
    if recipe := inner(config, "training", "recipe"):
        about = f"# Recipe of {config['name']}, resolved. Again: fetalclip train recipe.yaml data.root=DIR --out RUN\n"
        _write(folder / "recipe.yaml", about + yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100))
    if lines := split_lines(training_data(config)):
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([COLUMNS, *lines])
        _write(folder / "split.csv", table.getvalue())


def _licenses(card: Card, config: Mapping[str, Any], folder: Path) -> None:
    """``LICENSE.md``, which says what is under which licence, and the texts this package carries."""
    word = str(config["license"])
    known = mof.spdx(word)
    link = f"[{known}](https://spdx.org/licenses/{known}.html)" if known else f"{cell(word)} (ask who made the model)"
    rows = [
        f"| the model: weights, config, tokenizer, cards and pages, results, recipe | {link} |",
        f"| the code that runs it, fetalclip {__version__}, not in this folder | {CODE_LICENSE} |",
        *(f"| data set {cell(d.name)}, not in this folder | {cell(d.license)} |" for d in training_data(config)),
    ]
    if (folder / "split.csv").is_file():
        rows.append(f"| `split.csv`, a file of fetalclip | {CODE_LICENSE} |")
    texts = {"fetalclip-LICENSE": _distributed("LICENSE")}
    if inner(config, "tokenizer").get("cleaning") == "clip":
        rows.append("| the vocabulary in `tokenizer.json`, CLIP's, Copyright (c) 2021 OpenAI | MIT |")
        path = resources.files("fetalclip") / "assets" / "tokenizers" / "LICENSE"
        texts["clip-vocabulary-LICENSE"] = path.read_text("utf-8")
    if card.folder is not None and card.folder.parent == Path(__file__).parents[1] / "assets" / "models":
        texts["fetalclip-NOTICE"] = _distributed("NOTICE")  # it names the data of the bundled models
    head = [f"# Licences of {config['name']}", "", "| what | licence |", "| --- | --- |"]
    kept = {f"LICENSES/{name}": text for name, text in sorted(texts.items()) if text}
    tail = ["", "Texts: " + ", ".join(f"`{name}`" for name in kept) + "."] if kept else []
    _write(folder / "LICENSE.md", "\n".join([*head, *rows, *tail, ""]))
    for name, text in kept.items():
        (folder / name).parent.mkdir(exist_ok=True)
        _write(folder / name, text)


def _distributed(name: str) -> str:
    """A licence text of the installed package; empty where it is not installed or has none."""
    try:
        paths = metadata.files("fetalclip") or []
    except metadata.PackageNotFoundError:
        return ""
    for path in paths:
        if path.name == name and path.parent.as_posix().endswith((".dist-info", ".dist-info/licenses")):
            return Path(str(path.locate())).read_text("utf-8")
    return ""


def _sums(folder: Path) -> dict[str, str]:
    """Write the sums as ``sha256sum --check`` reads them, and give them back."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = {}
    for name in names:
        with (folder / name).open("rb") as stream:
            sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    _write(folder / SUMS, "".join(f"{sha256}  {name}\n" for name, sha256 in sums.items()))
    return sums


def _copy(source: Path, target: Path) -> None:
    try:
        with source.open("rb"):
            pass
    except OSError as error:
        raise BadCheckpoint(f"{source.name} cannot be read ({error.strerror})", "a readable file") from None
    shutil.copyfile(source, target)


def _text(path: Path) -> str:
    """A text of the model folder without places on this machine; empty where there is none."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_TEXT + 1)
    except OSError as error:
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror})", "a readable file") from None
    if len(raw) > _MAX_TEXT:
        raise BadCheckpoint(f"{path.name} is larger than {_MAX_TEXT} bytes", "a text")
    return portable_text(raw.decode("utf-8", errors="replace"))


def _stub(config: Mapping[str, Any]) -> str:
    said = [f"# {config['name']}", config["summary"], f"Licence of the weights: {config['license']}.", DISCLAIMER]
    return "\n\n".join(said) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")
