"""What there is of each component of the openness framework, looked for in a release folder that is being made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from fetalclip import __version__
from fetalclip.bench.card import NO_LIMITS, render, unrecorded
from fetalclip.bench.openness import Found, spdx
from fetalclip.bench.told import doi_of, inner, protocols, training_data
from fetalclip.data import LICENSES
from fetalclip.errors import BadCheckpoint, BadRecipe
from fetalclip.fit.recipe import Recipe
from fetalclip.settings import load_recipe

CODE_LICENSE = "Apache-2.0"
DOCUMENTS = {  # files COMPONENT.SUFFIX of a model folder
    "technical-report": (".md", ".pdf"),
    "research-paper": (".md", ".pdf"),
    "sample-outputs": (".csv", ".json", ".jsonl", ".md"),
}
_ELSEWHERE = (*DOCUMENTS, "intermediate-checkpoints")  # may stand on a public record that config.json names
_LEAST_WORDS = 300  # of a report or paper in Markdown: below it is a note
_MEASURED_ON = {"planes": ("fetal-planes-db", "hc18"), "subplanes": ("fetal-planes-db",), "ga": ("hc18",)}
_CODE = {
    "architecture-code": ("models",),
    "training-code": ("fit",),
    "inference-code": ("api", "encoder", "tasks"),
    "evaluation-code": ("bench", "metrics"),
    "supporting-libraries": ("io", "overlay", "phantom", "clinical", "report"),
    "preprocessing-code": ("preprocess", "data", "overlay", "clinical"),
}


@dataclass(frozen=True)
class Subject:
    """The model that is looked at.

    Attributes:
        folder: the release folder as far as it is made.
        config: its ``config.json``.
        random: whether the weights are random.
    """

    folder: Path
    config: Mapping[str, Any]
    random: bool = False

    @property
    def license(self) -> str:
        """The licence of the weights and of the texts beside them, as SPDX writes it where it is known."""
        word = str(self.config["license"])
        return spdx(word) or word


def look(model: Subject) -> tuple[dict[str, Found], tuple[str, ...]]:
    """What was found by component id, and remarks on the whole model.

    Raises:
        BadCheckpoint: ``published`` in the config is of another shape.
    """
    trained = _trained(model)
    found = {
        "architecture-code": _code("architecture-code"),
        "final-parameters": _parameters(model),
        "evaluation-results": _results(model),
        "model-card": _model_card(model),
        "data-card": _data_card(model),
        "training-code": _code("training-code", trained),
        "inference-code": _code("inference-code"),
        "evaluation-code": _code("evaluation-code", "" if protocols(model.config) else "nothing was measured with it"),
        "evaluation-data": _evaluation_data(model),
        "supporting-libraries": _code("supporting-libraries"),
        "datasets": _datasets(model),
        "preprocessing-code": _code("preprocessing-code", trained),
        "metadata": _metadata(model),
        **{name: _document(model, name) for name in DOCUMENTS},
    }
    for name, there in _published(model.config).items():
        if not found.get(name, Found(False)).present:
            found[name] = there
    for name, gap in _gaps(model).items():
        here = found.get(name, Found(False))
        notes = "; ".join(filter(None, (here.note, gap["note"])))
        found[name] = replace(here, present=here.present and not gap["missing"], note=notes)
    return found, _remarks(model)


def _gaps(model: Subject) -> Mapping[str, Any]:
    """What people know of a model's components and no file shows: ``assets/openness/gaps.json``."""
    path = files("fetalclip") / "assets" / "openness" / "gaps.json"
    return inner(json.loads(path.read_text("utf-8")), "models", str(model.config["name"]))


def _remarks(model: Subject) -> tuple[str, ...]:
    said = []
    if model.random:
        said.append("The weights are random: this model was trained on nothing and its answers mean nothing.")
    elif not (model.folder / "recipe.yaml").is_file():
        said.append("No training by this package is recorded: how these weights came about is not known here.")
    elif _trained(model):
        said.append("The recorded recipe cannot be run by this version of fetalclip.")
    if str(inner(model.config, "training").get("commit", "")).endswith("+"):
        said.append("Trained from code with changes that no commit holds.")
    if not spdx(str(model.config["license"])):
        said.append(
            f"The licence {model.config['license']!r} is not in the table of licences: ask before you share it."
        )
    return tuple(said)


def _trained(model: Subject) -> str:
    """Why the recipe of this model cannot be run again; empty when it can."""
    path = model.folder / "recipe.yaml"
    if not path.is_file():
        return "no recipe in config.json"
    try:
        load_recipe(Recipe, path)
    except BadRecipe:
        return "the recipe is of another version"
    return ""


def _code(name: str, lacking: str = "") -> Found:
    """Code of this package, unless it was not what made the model."""
    if lacking:
        return Found(False, note=lacking)
    modules = ", ".join(f"fetalclip.{part}" for part in _CODE[name])
    return Found(True, (f"fetalclip {__version__}: {modules}",), (CODE_LICENSE,))


def _parameters(model: Subject) -> Found:
    if model.random:
        return Found(False, note="random weights")
    return Found(True, (model.config["weights"]["file"],), (model.license,))


def _results(model: Subject) -> Found:
    measured = protocols(model.config)
    if not measured:
        return Found(False, note="no whole protocol of fetalclip bench was measured on these weights")
    return Found(True, ("results.json",), (model.license,), f"protocols: {', '.join(measured)}")


def _model_card(model: Subject) -> Found:
    """The README counts when it tells results and limits: a stub is none."""
    text = (model.folder / "README.md").read_text("utf-8")
    wanted = {"results": r"result|evaluation|performance", "limits": r"limit|risk|bias"}
    lacking = [what for what, words in wanted.items() if not _section(text, words)]
    if lacking:
        return Found(False, note=f"README.md has no section on {' and '.join(lacking)}")
    by_hand = text != _rendered(model.config)
    return Found(True, ("README.md",), (model.license,), "written by hand, not from config.json" if by_hand else "")


def _section(text: str, words: str) -> bool:
    """Whether a heading with one of the words has text below it, before the next heading of its level."""
    for head in re.finditer(r"^(#{1,6})[ \t]+(.*)$", text, flags=re.MULTILINE):
        level = len(head[1])
        body = re.split(rf"^#{{1,{level}}}[ \t]", text[head.end() :], maxsplit=1, flags=re.MULTILINE)[0]
        said = re.sub(r"^#.*$", "", body, flags=re.MULTILINE).strip()
        if re.search(words, head[2], re.IGNORECASE) and said not in ("", NO_LIMITS):
            return True
    return False


def _rendered(config: Mapping[str, Any]) -> str:
    """The card that the config gives; empty where it gives none."""
    try:
        return "" if unrecorded(config) else render(config)
    except (KeyError, TypeError, ValueError, AttributeError):  # a config changed by hand
        return ""


def _data_card(model: Subject) -> Found:
    if not training_data(model.config):
        return Found(False, note="no data set is named in config.json")
    return Found(True, ("DATA.md",), (model.license,))


def _document(model: Subject, name: str) -> Found:
    """A document of the folder; a note, or what stands in another text of the folder, is none."""
    paths = [path for suffix in DOCUMENTS[name] if (path := model.folder / f"{name}{suffix}").is_file()]
    least = 1 if name == "sample-outputs" else _LEAST_WORDS
    others = [path.read_text("utf-8") for path in model.folder.glob("*.md") if path.stem != name]
    known = {line.strip() for text in others for line in text.splitlines()}
    good = [path for path in paths if _has_words(path, least, known)]
    if not good:
        return Found(False, note=f"{paths[0].name} has fewer than {least} words of its own" if paths else "")
    return Found(True, tuple(path.name for path in good), (model.license,))


def _has_words(path: Path, least: int, known: set[str]) -> bool:
    """Whether a text has that many words in lines that are not known; of a PDF, whether it is one."""
    if path.suffix == ".pdf":
        return path.read_bytes().startswith(b"%PDF-")
    own = [line for line in path.read_text("utf-8").splitlines() if line.strip() not in known]
    return sum(len(line.split()) for line in own) >= least


def _evaluation_data(model: Subject) -> Found:
    measured = protocols(model.config)
    if not measured:
        return Found(False, note="nothing was measured")
    told = {name: _sets(name, result) for name, result in measured.items()}
    if unknown := [name for name, sets in told.items() if not sets]:
        return Found(False, note=f"what {', '.join(unknown)} was measured on is not known here")
    sets = {name: license_ for named in told.values() for name, license_ in named.items()}
    where = tuple(f"{name}: {LICENSES[name].url}" if name in LICENSES else name for name in sets)
    return Found(True, where, tuple(sorted(set(sets.values()))), "the test sides of the frozen split")


def _sets(protocol: str, result: Mapping[str, Any]) -> dict[str, str]:
    """Data sets that a result says it was measured on, or its protocol always is, and their licences."""
    data = inner(result, "provenance").get("data")
    told = [one for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
    given = {str(one.get("name", "")): str(one.get("license", "")) for one in told}
    names = tuple(given) or _MEASURED_ON.get(protocol, ())
    return {name: LICENSES[name].license if name in LICENSES else spdx(given[name]) or given[name] for name in names}


def _datasets(model: Subject) -> Found:
    sets = training_data(model.config)
    if not sets:
        return Found(False, note="no data set is named in config.json")
    recipe = inner(model.config, "training", "recipe")
    where = tuple(f"{data.name}: {data.record}" for data in sets if data.record)
    lacking = [f"{data.name} is on no public record" for data in sets if not data.record]
    if inner(recipe, "data").get("far_folder"):
        lacking.append("the pictures of data.far_folder are on no public record")
    start = inner(recipe, "model").get("start")
    if start == "imagenet":
        lacking.append("ImageNet, which the start was trained on, is not openly licensed")
    elif start != "random":
        lacking.append("what the start was trained on is not recorded")
    licenses = tuple(sorted({spdx(data.license) or data.license for data in sets if data.license}))
    return Found(not lacking, where, licenses, "; ".join(lacking))


def _metadata(model: Subject) -> Found:
    if not (model.folder / "recipe.yaml").is_file():
        return Found(False, note="no recipe in config.json")
    return Found(True, ("config.json", "recipe.yaml"), (model.license,), "without the optimiser's state")


def _published(config: Mapping[str, Any]) -> dict[str, Found]:
    """What ``published`` in the config says stands on a public record; taken at its word, which the note says."""
    told = config.get("published", {})
    expected = "{component: {doi, license}} for " + ", ".join(_ELSEWHERE)
    if not isinstance(told, Mapping) or any(name not in _ELSEWHERE for name in told):
        raise BadCheckpoint("'published' in config.json is of another shape", expected)
    found = {}
    for name in told:
        doi, license_ = (str(inner(told, name).get(key, "")) for key in ("doi", "license"))
        if not doi_of(doi):
            raise BadCheckpoint(
                f"'published.{name}.doi' in config.json is {doi!r:.60}", "a DOI such as 10.5281/zenodo.1"
            )
        licenses = (spdx(license_) or license_,) if license_ else ()
        found[name] = Found(True, (f"https://doi.org/{doi_of(doi)}",), licenses, "named in config.json, not looked up")
    return found
