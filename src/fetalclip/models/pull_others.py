"""Other people's models, fetched from the hub when the user has accepted their licence: files as they are, no code.

Which files is fixed by the kind of model (`fetalclip.foreign`): its config, one weight file, its tokenizer, its card.
They become one folder, whole or not at all. What else a repository holds, programs above all, is not fetched.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip.disk import appearing, free_bytes
from fetalclip.errors import BadCheckpoint, NotAvailable, OutputError, UsageError
from fetalclip.foreign import CONFIGS, INSTALL, OPENCLIP, TEXT, TRANSFORMERS, WEIGHTS, Foreign, license_in, place
from fetalclip.models import hub
from fetalclip.models.openclip import model_config
from fetalclip.optional import require
from fetalclip.settings import cache_folder

README = "README.md"
_REQUIRED = {TRANSFORMERS: ("config.json", "preprocessor_config.json"), OPENCLIP: ("open_clip_config.json",)}
_WORDS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")
_REPOSITORY = re.compile(r"([\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)
_ROOM = 2.2  # disk space, in sizes of the files: as they come, and in their folder


@dataclass(frozen=True)
class Offered:
    """What a pull would fetch, before any of the model is fetched.

    Attributes:
        found: the name that was asked for.
        license: as the repository's card states it, or ``unknown``.
        files: place in the folder to the file on the hub.
    """

    found: Foreign
    license: str
    files: dict[str, hub.HubFile]

    @property
    def size(self) -> int:
        """Bytes of all files whose size the hub tells."""
        return sum(file.size or 0 for file in self.files.values())

    @property
    def repository(self) -> str:
        """Where the weights are."""
        return next(file.repository for name, file in self.files.items() if name in WEIGHTS[self.found.kind])

    def to_dict(self, folder: Path, fetched: bool) -> dict[str, Any]:
        """The JSON form, what ``fetalclip models pull --json`` prints."""
        files = {name: {"bytes": file.size, "commit": file.commit} for name, file in self.files.items()}
        return {
            "schema": "fetalclip.pull/1",
            "name": self.found.name,
            "license": self.license,
            "repository": self.repository,
            "bytes": self.size,
            "files": files,
            "folder": str(folder),
            "fetched": fetched,
        }


def offer(found: Foreign, revision: str = "main", offline: bool = False) -> Offered:
    """Ask what a pull would fetch. Of the repository only its card and small configs are read.

    Raises:
        NotAvailable: no network, no such repository, or one without the files of this kind of model.
        MissingPackage: a tag of OpenCLIP without OpenCLIP, which alone knows where it lives.
        UsageError: a name that is not on the hub.
    """
    if offline or hub.is_offline():
        fix = f"fetalclip models pull {found.asked} without --offline and HF_HUB_OFFLINE"
        raise NotAvailable(f"{found.name} is not on this machine, and this pull is offline", "a network", fix)
    repository, weights, required = _where(found)
    files = {name: hub.ask(repository, name, revision) for name in required}
    weight = next((file for name in weights if (file := _asked(repository, name, revision))), None)
    if weight is None:
        raise NotAvailable(f"{repository} has none of {', '.join(weights)}", "a repository with one weight file")
    kept = WEIGHTS[found.kind][0 if weight.name.endswith(".safetensors") else 1]
    files[kept] = weight
    card = _asked(repository, README, revision)
    license_ = "unknown"
    if card is not None:
        files[README] = card
        license_ = license_in(_read(card))
    if found.kind == OPENCLIP and required:
        files |= _text_files(repository, revision, _object(_read(files[CONFIGS[OPENCLIP]])))
    return Offered(found, license_, files)


def pull(offered: Offered, accepted: bool, say: Callable[[str], None] = lambda line: None) -> Path:
    """Fetch all files into one folder.

    Returns:
        The folder.

    Raises:
        UsageError: the licence is not accepted.
        OutputError: too little disk, or a folder that cannot be written.
        NotAvailable: the download stopped; what has come is kept for the next try.
        BadCheckpoint: what came is not what the hub described.
    """
    asked = offered.found.asked
    if not accepted:
        raise UsageError(
            f"the licence of {offered.found.name} ({offered.license}) was not accepted; nothing was downloaded",
            "that you accept it",
            f"fetalclip models pull {asked} --accept-license",
        )
    folder, downloads = place(asked), cache_folder() / "downloads"
    if free_bytes(folder) < offered.size * _ROOM:
        needed = f"{offered.size * _ROOM / 1e9:.1f} GB"
        raise OutputError(
            f"{free_bytes(folder) / 1e9:.1f} GB free in {cache_folder()}", needed, "FETALCLIP_CACHE=FOLDER"
        )
    come: dict[str, Path] = {}
    for name, file in offered.files.items():
        say(f"Downloading {file.name} from {file.repository} …")
        come[name] = hub.fetch(file, downloads)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        with appearing(folder) as part:
            for name, path in come.items():
                (part / name).parent.mkdir(exist_ok=True)
                shutil.move(path, part / name)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror})", "a writable cache folder") from error
    for path in come.values():
        shutil.rmtree(path.parent, ignore_errors=True)
    return folder


def _where(found: Foreign) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Repository, possible weight files, files it must have."""
    if found.repository:
        return found.repository, WEIGHTS[found.kind], _REQUIRED[found.kind]
    if not found.tag:
        raise UsageError(f"{found.name}, which is not on the hub", "a repository or a tag", "fetalclip models list")
    package = require("open_clip", feature=f"where {found.name} lives", install=INSTALL[OPENCLIP])
    stated = package.get_pretrained_cfg(found.architecture, found.tag)
    repository, weights = repository_of(stated or {})
    if not repository:
        fix = f"openclip:{found.architecture}@FILE with a weight file that you have fetched yourself"
        raise NotAvailable(f"OpenCLIP names no repository of {found.name} on the hub", "weights on the hub", fix)
    return repository, weights, ()


def repository_of(stated: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Repository and possible weight files of what OpenCLIP says of a tag; an empty name where it is not on the hub."""
    owner, _, rest = str(stated.get("hf_hub") or "").partition("/")
    name, _, file = rest.partition("/")
    return (f"{owner}/{name}", (file,) if file else WEIGHTS[OPENCLIP]) if name else ("", ())


def _text_files(repository: str, revision: str, config: dict[str, Any]) -> dict[str, hub.HubFile]:
    """Tokenizer files of the repository, and the config of a text model that lives elsewhere."""
    found = dict(_there(repository, _WORDS, revision))
    text = model_config(config)["text_cfg"]
    elsewhere = text.get("hf_model_name")
    if isinstance(elsewhere, str) and _REPOSITORY.fullmatch(elsewhere):
        found[f"{TEXT}/config.json"] = hub.ask(elsewhere, "config.json", "main")
    words = text.get("hf_tokenizer_name")
    if (
        isinstance(words, str)
        and _REPOSITORY.fullmatch(words)
        and "tokenizer.json" not in found
        and "vocab.txt" not in found
    ):
        found |= dict(_there(words, _WORDS, "main"))
    return found


def _there(repository: str, names: tuple[str, ...], revision: str) -> Iterator[tuple[str, hub.HubFile]]:
    for name in names:
        file = _asked(repository, name, revision)
        if file is not None:
            yield name, file


def _asked(repository: str, name: str, revision: str) -> hub.HubFile | None:
    """A file as the hub describes it, or None where the repository does not have it."""
    try:
        return hub.ask(repository, name, revision)
    except NotAvailable as error:
        if error.found == f"{repository} has no file {name}":
            return None
        raise


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadCheckpoint(f"{CONFIGS[OPENCLIP]} of the repository is not JSON", "one JSON object")
    return found


def _read(file: hub.HubFile) -> str:
    """A small text file; what was fetched is kept for the pull itself."""
    if file.size is None or file.size > 1_000_000:
        raise NotAvailable(f"{file.name} of {file.repository} is of {file.size} bytes", "a small text file")
    return hub.fetch(file, cache_folder() / "downloads").read_text("utf-8", errors="replace")
