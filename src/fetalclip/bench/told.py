"""What a ``config.json`` tells of how a model was made, read with suspicion: any value may be missing or odd."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s;,\"'<>]+")
# Places on a machine inside a text, never the path of an address: folders after a root, a drive or a home, and a single
# one after a home or, as a word of its own, after the root.
_NAME = r"[^\s/\\\"'`,;:|<>()\[\]]+"
_PLACES = (
    re.compile(rf"(?<![\w.:/~\\<])(?:file:/{{0,2}}|[A-Za-z]:|~\w*)?(?:[/\\]+{_NAME}){{2,}}[/\\]*"),
    re.compile(rf"(?<![\w.:/~\\<])~\w*[/\\]+{_NAME}"),
    re.compile(rf"(?<![^\s=\"'`])/(?=[A-Za-z]){_NAME}"),
)


@dataclass(frozen=True)
class DataSet:
    """A data set a model was trained on, as its config states it; empty or None where it does not.

    Attributes:
        name, license, citation, url: of the data set.
        pictures, groups: how many were trained on; groups are patients or examinations.
    """

    name: str
    license: str
    citation: str
    url: str
    pictures: int | None
    groups: int | None

    @property
    def record(self) -> str:
        """Address of its public record: of the first DOI in the citation, else ``url``; empty without one."""
        if doi := _DOI.search(self.citation):
            return "https://doi.org/" + doi[0].rstrip(".)")
        return self.url if self.url.startswith("https://") else ""


def inner(config: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The mapping under the keys; empty where there is none."""
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def training_data(config: Mapping[str, Any]) -> list[DataSet]:
    """The data sets under ``training.data``, in their order; what is not a mapping is left out."""
    found = []
    for name, facts in inner(config, "training", "data").items():
        if isinstance(facts, Mapping):
            license_, citation, url = (_word(facts.get(key)) for key in ("license", "citation", "url"))
            pictures, groups = (_count(facts.get(key)) for key in ("pictures", "groups"))
            found.append(DataSet(name, license_, citation, url, pictures, groups))
    return found


def protocols(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Results of ``bench`` by protocol, those of this model's weights, whole."""
    found, results = {}, inner(config, "results")
    for key, result in results.items():
        made = inner(results, key, "provenance")
        same = made.get("model_sha256") == config["weights"]["sha256"].lower()
        if key.startswith("bench_") and same and made.get("limit") is None:
            found[key.removeprefix("bench_")] = result
    return found


def doi_of(text: str) -> str:
    """The DOI that a text is, as ``10.prefix/suffix``; empty for anything else."""
    found = _DOI.fullmatch(text.removeprefix("https://doi.org/").removeprefix("doi:"))
    return found[0] if found else ""


def portable(value: Any) -> Any:
    """The value without places on the machine it was made on: of a path, the last name is kept."""
    if isinstance(value, str):
        return portable_text(value)
    if isinstance(value, Mapping):
        return {portable(key): portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [portable(item) for item in value]
    return value


def portable_text(text: str) -> str:
    """A text without the folders of absolute paths in it."""
    if "\n" not in text and (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()):
        return _last(text)
    for place in _PLACES:
        text = place.sub(lambda found: _last(found[0]), text)
    return text


def cell(text: object) -> str:
    """Text for one line or one cell of a Markdown table: no line breaks, no markup of its own."""
    words = " ".join(str(text).split())[:1000]
    return "".join("\\" + char if char in "|<>[]`*\\" else char for char in words)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int else None


def _last(path: str) -> str:
    return re.split(r"[/\\]+", path.rstrip("/\\"))[-1]
