"""What a model is, as data: architecture, preprocessing, planes, licence, hash. Answers without torch.

A model is a folder: ``config.json``, ``model.safetensors``, ``tokenizer.json`` and ``README.md`` (the card).
Bundled folders live in ``assets/models``, pulled ones in ``models`` of the cache folder; models without a folder are
described in ``assets/cards``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fetalclip.config import Checker, check_config
from fetalclip.errors import BadCheckpoint, ModelNotFound, NotAvailable
from fetalclip.foreign import IMAGENET, Foreign, is_foreign, look
from fetalclip.settings import cache_folder

CARD_SCHEMA = "fetalclip.card/1"
DEFAULT_MODEL = "fetalclip-open"

_MAX_CONFIG_BYTES = 1_000_000
_MAX_README_CHARACTERS = 200_000


@dataclass(frozen=True)
class Card:
    """One model, as data.

    Attributes:
        name: what the user types.
        summary: one sentence.
        license: SPDX name of the weights' licence.
        folder: the model folder, or None when there is none.
        config: the content of ``config.json`` (of a card without folder: what is known, maybe empty).
        sha256: hash of the weight file as the config states it, 64 hex digits, or empty without a file.
        available: whether it can be loaded here and now.
        note: why not, or a caution; empty when there is nothing to say.
        hub: the repository on the Hugging Face hub where the weights live, or empty.
        file: the weight file in that repository, of a model this package can pull; else empty.
        foreign: what somebody else's model is (`fetalclip.foreign`); None of a model folder.
    """

    name: str
    summary: str
    license: str
    folder: Path | None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sha256: str = ""
    available: bool = False
    note: str = ""
    hub: str = ""
    file: str = ""
    foreign: Foreign | None = None

    @property
    def readme(self) -> str:
        """The written card (Markdown), or empty when the model has none."""
        path = self.folder / "README.md" if self.folder else None
        if path is None or not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_MAX_README_CHARACTERS)

    def require(self) -> Card:
        """This card, if the model can be loaded.

        Raises:
            NotAvailable: if it cannot; the message says why.
        """
        if self.foreign is not None:
            self.foreign.require()
        if not self.available:
            why = f": {self.note}" if self.note else ""
            fix = f"fetalclip models pull {self.name}" if self.file else "fetalclip models list"
            raise NotAvailable(f"the model {self.name} cannot be used here{why}", "", fix)
        return self

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, one line of ``fetalclip models list --json``."""
        return {
            "schema": CARD_SCHEMA,
            "name": self.name,
            "summary": self.summary,
            "license": self.license,
            "available": self.available,
            "note": self.note,
            "hub": self.hub or None,
            "folder": str(self.folder) if self.folder else None,
            "sha256": self.sha256 or None,
        }


def labels_seen(card: Card, dataset: str) -> tuple[str, ...] | None:
    """Labels of a data set's training side that a model was told in its own training.

    Args:
        card: the model's.
        dataset: name of the data set.

    Returns:
        Of ``plane`` and ``subplane``; empty where it never saw them, None where its card does not tell.
    """
    training = card.config.get("training")
    if not isinstance(training, Mapping) or not isinstance(training.get("data"), Mapping):
        return None
    if dataset not in training["data"]:
        return ()
    told = training.get("labels", ["plane", "subplane"])
    return tuple(str(label) for label in told) if isinstance(told, list) else None


def list_cards() -> list[Card]:
    """Every model known by name, bundled or in the cache folder, the default first, then by name.

    A damaged folder is listed as not available, with the reason, so that one cannot hide the others. A folder in the
    cache stands in for a model that is only described here, never for one that this package carries.
    """
    found = described_cards()
    for path in _children(_assets() / "models", ""):
        found[path.name] = _foldered(path, found.get(path.name))
    for path in _children(pulled_folder(), ""):
        known = found.get(path.name)
        if known is None or not (known.available or known.folder):
            found[path.name] = _foldered(path, known)
    return sorted(found.values(), key=lambda card: (card.name != DEFAULT_MODEL, card.name))


def described_cards() -> dict[str, Card]:
    """The cards of ``assets/cards`` by name: what this package says of a model, whether it is here or not."""
    return {card.name: card for card in map(_described, _children(_assets() / "cards", ".json"))}


def pulled_folder() -> Path:
    """The folder whose folders are models known by name; not created here."""
    return cache_folder() / "models"


def get_card(name: str | Path) -> Card:
    """The card of a model by name or by folder; names win over folders of the same name.

    Args:
        name: a name from ``list_cards()``, a path to a model folder, or a name of `fetalclip.foreign`.

    Raises:
        ModelNotFound: no such name and no such folder; the message lists the names.
        BadCheckpoint: the folder's ``config.json`` is missing or is not what it must be.
    """
    cards = {card.name: card for card in list_cards()}
    word = str(name)
    if isinstance(name, str) and word in cards:
        return cards[word]
    if isinstance(name, str) and is_foreign(word):
        return _of_foreign(look(word))
    path = Path(name)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        is_folder = is_there = False
    if is_folder:
        return read_folder(path)
    if is_there:
        raise ModelNotFound(f"{word!r} is a file", "a model folder or a name", f"fetalclip models show {path.parent}")
    near = get_close_matches(word, cards, n=1)
    fix = near[0] if near else "fetalclip models list"
    raise ModelNotFound(f"no model {word!r:.200}", "a model folder or one of " + ", ".join(cards), fix)


def read_folder(folder: Path) -> Card:
    """The card of a model folder; ``available`` tells whether weights and tokenizer are there too.

    Raises:
        BadCheckpoint: ``config.json`` is missing, too large, not JSON, or a value in it is of the wrong kind.
    """
    data = read_json(folder / "config.json")
    where = f"{folder.name}/config.json"
    check_config(data, where)
    weights = data["weights"]
    missing = [name for name in (weights["file"], "tokenizer.json") if not (folder / name).is_file()]
    return Card(
        name=data["name"],
        summary=data["summary"],
        license=data["license"],
        folder=folder,
        config=data,
        sha256=weights["sha256"].lower(),
        available=not missing,
        note=f"{' and '.join(missing)} missing in the model folder" if missing else "",
    )


def _of_foreign(found: Foreign) -> Card:
    """The card of somebody else's model; its architecture and its hash are known when it is loaded."""
    return Card(
        name=found.name,
        summary=found.summary,
        license=found.license,
        folder=None,
        config={"training": {"data": {}}} if found.kind == IMAGENET else {},
        available=found.here and found.installed,
        note=found.note,
        hub=found.repository,
        foreign=found,
    )


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object from a small file.

    Raises:
        BadCheckpoint: missing, unreadable, too large, not JSON, or no object.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        if not path.is_file():
            raise BadCheckpoint(f"no {path.name} in {path.parent.name}", "a model folder", "fetalclip models list")
        with path.open("rb") as stream:
            raw = stream.read(_MAX_CONFIG_BYTES + 1)
        if len(raw) > _MAX_CONFIG_BYTES:
            raise BadCheckpoint(f"{where} is larger than {_MAX_CONFIG_BYTES} bytes", "a small JSON file")
        data = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise BadCheckpoint(f"{where} could not be read ({error.strerror})", "a readable file") from error
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{where} is not JSON", "one JSON object", "a model folder that is whole") from error
    if not isinstance(data, dict):
        raise BadCheckpoint(f"{where} holds a {type(data).__name__}", "one JSON object")
    return data


def _described(path: Path) -> Card:
    data = read_json(path)
    check = Checker(data, path.name)
    check.text("schema", lambda v: v == CARD_SCHEMA, repr(CARD_SCHEMA))
    for key in ("name", "summary", "license"):
        check.text(key, lambda v: v != "", "a short text")
    return Card(
        name=data["name"],
        summary=data["summary"],
        license=data["license"],
        folder=None,
        config=data.get("config", {}),
        available=bool(data.get("available", False)),
        note=data.get("note", ""),
        hub=data.get("hub", ""),
        file=data.get("file", ""),
    )


def _foldered(path: Path, known: Card | None) -> Card:
    """The card of a folder that is known by its own name; a damaged one is a card too, which says why."""
    source = (known.hub, known.file) if known else ("", "")
    try:
        card = read_folder(path)
        if card.name != path.name:
            raise BadCheckpoint(f"{path.name}/config.json is named {card.name!r}", "the folder's own name")
        return replace(card, hub=source[0], file=source[1])
    except BadCheckpoint as error:
        summary, license_ = (known.summary, known.license) if known else ("A model that is damaged.", "unknown")
        return Card(path.name, summary, license_, path, note=str(error), hub=source[0], file=source[1])


def _assets() -> Path:
    return Path(__file__).parent / "assets"


def _children(folder: Path, suffix: str) -> list[Path]:
    """Files of a suffix, or folders when it is empty; what is hidden is unfinished or not ours."""
    try:
        found = [p for p in folder.iterdir() if (p.suffix == suffix if suffix else p.is_dir())]
    except OSError:  # no such folder, or one that may not be read
        return []
    return sorted(p for p in found if not p.name.startswith("."))
