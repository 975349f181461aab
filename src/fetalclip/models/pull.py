"""Weights of other people, fetched from the hub when the user has accepted their licence, and converted once.

What can be pulled stands on the cards in ``assets/cards`` (``hub`` and ``file``), its architecture in
``assets/openclip``. Nothing of theirs is part of this package.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip.cards import Card, described_cards, list_cards, pulled_folder
from fetalclip.disk import free_bytes
from fetalclip.errors import BadCheckpoint, FetalclipError, ModelNotFound, NotAvailable, OutputError, UsageError
from fetalclip.models import hub
from fetalclip.settings import cache_folder

MAIN = "main"
_FILE_AND_FOLDER = 2.2  # disk space, in sizes of the file: the file, the converted folder, some air
_FOLDER = 1.2

# What a licence means to the user, in a sentence; its text is what holds.
LICENSES = {
    "CC-BY-NC-4.0": (
        "CC BY-NC 4.0: you may use, change and share the weights for purposes that are not commercial, and must name "
        "their authors. The same holds for what is made from them: converted, fine-tuned and exported weights. "
        "Full text: https://creativecommons.org/licenses/by-nc/4.0/legalcode"
    )
}


@dataclass(frozen=True)
class Offer:
    """What a pull would fetch, before anything is fetched.

    Attributes:
        card: the model.
        file: its weight file, as the hub (or, offline, the cache) describes it.
        local: the same file in the hub client's cache, when it is there.
    """

    card: Card
    file: hub.HubFile
    local: Path | None = None

    @property
    def meaning(self) -> str:
        """The licence of the weights, in a sentence."""
        return LICENSES.get(self.card.license, self.card.license)


@dataclass(frozen=True)
class Pulled:
    """A model that has been pulled.

    Attributes:
        offer: what was fetched.
        folder: the model folder it became.
        parameters: number of parameters.
    """

    offer: Offer
    folder: Path
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, what ``fetalclip models pull --json`` prints."""
        file = self.offer.file
        return {
            "schema": "fetalclip.pull/1",
            "name": self.offer.card.name,
            "license": self.offer.card.license,
            "repository": file.repository,
            "file": file.name,
            "revision": file.revision,
            "commit": file.commit or None,
            "bytes": file.size,
            "sha256": file.sha256 or None,
            "parameters": self.parameters,
            "folder": str(self.folder),
            "fetched": True,
        }


def find(name: str) -> Card:
    """The card of a model that can be pulled, or that is here already.

    Raises:
        ModelNotFound: no such name.
        NotAvailable: this package has no way to load it; the message says what is missing.
    """
    cards = {card.name: card for card in list_cards()}
    if name not in cards:
        names = ", ".join(card.name for card in cards.values() if card.file)
        raise ModelNotFound(f"no model {name!r:.200} to pull", f"one of {names}", "fetalclip models list")
    card = cards[name]
    if not card.available and not card.file:
        where = f" (it lives at {card.hub})" if card.hub else ""
        raise NotAvailable(
            f"{name} cannot be pulled{where}, nothing was downloaded: {card.note}",
            "a model whose towers this package has",
            "fetalclip models pull fetalclip-vit-l-14, or fetalclip-open, which is here",
        )
    return card


def offer(name: str, revision: str = MAIN, offline: bool = False) -> Offer:
    """Ask what a pull would fetch; no weights are fetched.

    Args:
        name: a model's name.
        revision: branch, tag or commit of the repository.
        offline: ask only the hub client's own cache; ``HF_HUB_OFFLINE=1`` does too.

    Raises:
        NotAvailable: no such model, no network, or (offline) not in the cache.
    """
    if not find(name).file:
        raise UsageError(f"{name}, which is part of this package", "a model from the hub", "fetalclip models list")
    card = described_cards()[name]  # not the card of an older pull
    if not (offline or hub.is_offline()):
        file = hub.ask(card.hub, card.file, revision)
        return Offer(card, file, _trusted(file))
    held = hub.in_cache(card.hub, card.file, revision)
    if held is None:
        raise NotAvailable(
            f"{card.file} of {card.hub} is not in the hub's cache, and this pull is offline",
            "the file in the cache, or a network",
            f"fetalclip models pull {name} without --offline and HF_HUB_OFFLINE",
        )
    return Offer(card, held, hub.cached(card.hub, card.file, revision))


def pull(offered: Offer, accepted: bool, say: Callable[[str], None] = lambda line: None) -> Pulled:
    """Fetch, check and convert; a model folder appears whole or not at all, the download is removed after use.

    Args:
        offered: what `offer` found.
        accepted: whether the user has accepted the licence of the weights.
        say: told what is being done, a line at a time.

    Raises:
        UsageError: the licence is not accepted.
        OutputError: too little disk, or a folder that cannot be written.
        NotAvailable: the download stopped; what has come is kept for the next try.
        BadCheckpoint: what came is not the file the hub described, or not the model this package knows.
    """
    if not accepted:
        raise refusal(offered.card)
    _room(offered)
    downloads = cache_folder() / "downloads"
    if offered.local is None:
        say(f"Downloading {offered.file.name} from {offered.file.repository} …")
        weights = hub.fetch(offered.file, downloads)
    else:
        say(f"{offered.file.name} is in the hub's cache already …")
        weights = offered.local
        _check_cached(weights, offered.file)
    say("Converting …")
    folder = pulled_folder() / offered.card.name
    try:
        with _in_place_of(folder):
            parameters = _convert(offered, weights, folder)
    except OutputError:
        raise  # the download is good: kept for the next try
    except FetalclipError:
        _forget(offered, weights)
        raise
    _forget(offered, weights)
    return Pulled(offered, folder, parameters)


def refusal(card: Card) -> UsageError:
    """The error of a licence that was not accepted."""
    return UsageError(
        f"the licence of {card.name} ({card.license}) was not accepted; nothing was downloaded",
        "that you accept it",
        f"fetalclip models pull {card.name} --accept-license",
    )


def openclip_config(name: str) -> Path:
    """The architecture of a model that can be pulled, as OpenCLIP writes it."""
    return Path(__file__).parents[1] / "assets" / "openclip" / f"{name}.json"


def _convert(offered: Offer, weights: Path, folder: Path) -> int:
    from fetalclip.models.convert import Wanted, convert

    card, file = offered.card, offered.file
    at = f", commit {file.commit[:12]}" if file.commit else ""
    summary = f"{card.summary} Converted from {file.name} of {file.repository}{at}."
    wanted = Wanted(name=card.name, summary=summary, license=card.license)
    try:
        return convert(openclip_config(card.name), weights, folder, wanted).parameters
    except OutputError as error:
        raise OutputError(
            error.found, error.expected, f"FETALCLIP_CACHE=FOLDER fetalclip models pull {card.name}"
        ) from error


def _trusted(file: hub.HubFile) -> Path | None:
    """The file in the hub client's own cache, if it is the one the hub describes."""
    path = hub.cached(file.repository, file.name, file.commit)
    if path is None:
        return None
    try:
        hub.check(path, file)
    except (BadCheckpoint, OSError):
        return None
    return path


def _check_cached(path: Path, file: hub.HubFile) -> None:
    try:
        hub.check(path, file)
    except BadCheckpoint as error:
        # Other programs share that cache: the user decides what is deleted there.
        raise BadCheckpoint(
            f"{error.found} in the hub's cache", error.expected, f"delete {path}, then pull again"
        ) from error
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read ({error.strerror})", "a readable file") from error


def _room(offered: Offer) -> None:
    """Look whether the disk has room before anything is fetched."""
    size = offered.file.size or 0
    have = 0
    share = _FOLDER
    if offered.local is None:
        whole = hub.place(offered.file, cache_folder() / "downloads")
        have = sum(path.stat().st_size for path in (whole, hub.part_of(whole)) if path.is_file())
        share = _FILE_AND_FOLDER
    needed = size * share - min(have, size)
    free = free_bytes(pulled_folder())
    if free < needed:
        raise OutputError(
            f"{free / 1e9:.1f} GB free in {cache_folder()}",
            f"{needed / 1e9:.1f} GB for the file and the folder made from it",
            f"FETALCLIP_CACHE=FOLDER fetalclip models pull {offered.card.name}",
        )


def _forget(offered: Offer, weights: Path) -> None:
    """Remove a download of ours; a file in the hub client's cache is left alone."""
    if offered.local is None:
        shutil.rmtree(weights.parent, ignore_errors=True)


@contextmanager
def _in_place_of(folder: Path) -> Iterator[None]:
    """Set an older or damaged folder aside, and back when the block fails."""
    aside = folder.with_name(f".{folder.name}.old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
    except OSError as error:
        found = f"{folder} cannot be replaced ({error.strerror})"
        raise OutputError(found, "a cache folder that can be written to", "FETALCLIP_CACHE=FOLDER") from error
    try:
        yield
    except BaseException:
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
