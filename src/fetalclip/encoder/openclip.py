"""Both towers of a model that OpenCLIP knows (CLIP, BiomedCLIP, UniMed-CLIP and their like), by its own package.

``open_clip_torch`` brings torchvision, which this package keeps out: it lives in an environment of its own. Pictures go
through this package's letterbox with the model's own side, mean and deviation; texts through OpenCLIP's own tokenizer,
padded to its full context. Weights are safetensors or arrays that ``torch.save`` wrote, never code.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.cards import read_json
from fetalclip.encoder.engine import Normalisation
from fetalclip.encoder.foreign import Towers, nothing_fetched
from fetalclip.errors import BadCheckpoint, FetalclipError, NotAvailable
from fetalclip.foreign import CONFIGS, INSTALL, OPENCLIP, TEXT, WEIGHTS, Foreign
from fetalclip.models import hub
from fetalclip.models.checkpoint import read_checkpoint
from fetalclip.models.openclip import CLIP_MEAN, CLIP_STD, model_config
from fetalclip.models.pull_others import repository_of
from fetalclip.optional import require


class Pictures(nn.Module):
    """The image side of an OpenCLIP model: normalised pictures to raw embeddings."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, d)."""
        made: Tensor = self.model.encode_image(images, normalize=False)  # type: ignore[operator]
        return made


class Texts:
    """The text side.

    Args:
        model: both towers, which follow the image side to its device.
        tokenizer: texts to ids (n, context).
    """

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer

    def __call__(self, texts: list[str], device: str) -> Tensor:
        """n texts to raw embeddings (n, d)."""
        ids = self.tokenizer(texts).to(device)
        self.model.to(device)
        made: Tensor = self.model.encode_text(ids, normalize=False)  # type: ignore[operator]
        return made


def open_towers(found: Foreign) -> Towers:
    """The towers of a name of OpenCLIP.

    Raises:
        MissingPackage: open_clip_torch is not installed.
        NotAvailable: an architecture or tag it does not know, weights or a tokenizer that are not on this machine.
        BadCheckpoint: a file is damaged, holds code, or does not fit the architecture.
    """
    package = require("open_clip", feature=f"the model {found.name}", install=INSTALL[OPENCLIP])
    stated = _stated(package, found)
    weights = _weights(found, stated)
    if weights is not None:
        read_checkpoint(weights)  # tells code from arrays, and what is wrong, before OpenCLIP's own reader looks
    with _here_only(found), _named(found) as name, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of an architecture without weights: the same each time
        model = package.create_model(
            name,
            load_weights=False,
            pretrained_hf=False,
            force_quick_gelu=bool(stated.get("quick_gelu", False)),
        )
        if weights is not None:
            package.load_checkpoint(model, str(weights), strict=True, weights_only=True)
        # Of a folder the tokenizer is the one in it, whatever its config names.
        tokenizer = package.get_tokenizer(f"local-dir:{found.folder}" if found.folder else name)
    shown = _normalisation(package, model.eval(), stated, found)
    scale = float(model.logit_scale.detach().exp())
    told = {"image": {"kind": type(model.visual).__name__}}
    return Towers(Pictures(model), shown, Texts(model, tokenizer), scale, "open_clip", told)


def _stated(package: Any, found: Foreign) -> dict[str, Any]:
    """What OpenCLIP says of an architecture's tag; empty without one.

    Raises:
        NotAvailable: it does not know the architecture or the tag.
    """
    if not found.architecture:
        return {}
    if package.get_model_config(found.architecture) is None:
        known = [name for name in package.list_models() if name[:5].lower() == found.architecture[:5].lower()][:8]
        expected = "one of OpenCLIP's" + (f", such as {', '.join(known)}" if known else "")
        raise NotAvailable(
            f"OpenCLIP has no architecture {found.architecture!r:.80}", expected, "open_clip.list_models()"
        )
    if not found.tag:
        return {}
    stated = package.get_pretrained_cfg(found.architecture, found.tag)
    if not stated:
        tags = ", ".join(package.list_pretrained_tags_by_model(found.architecture)[:12]) or "none"
        raise NotAvailable(f"OpenCLIP has no weights {found.tag!r:.80} of {found.architecture}", f"one of {tags}")
    return dict(stated)


def _weights(found: Foreign, stated: dict[str, Any]) -> Path | None:
    """The weight file, or None where weights are random on purpose.

    Raises:
        NotAvailable: it is not on this machine.
    """
    if found.weights is not None:
        return found.weights
    if found.folder is not None:
        for name in WEIGHTS[OPENCLIP]:
            if (found.folder / name).is_file():
                return found.folder / name
        raise BadCheckpoint(f"no weights in {found.folder.name}", " or ".join(WEIGHTS[OPENCLIP]))
    if not found.tag:
        return None
    repository = repository_of(stated)[0]
    for name in repository_of(stated)[1] if repository else ():
        if held := hub.cached(repository, name, "main"):
            return held
    fix = f"fetalclip models pull {found.asked}"
    raise NotAvailable(
        f"the weights {found.tag} of {found.architecture} are not on this machine", "them fetched first", fix
    )


def _normalisation(package: Any, model: nn.Module, stated: dict[str, Any], found: Foreign) -> Normalisation:
    """Side, mean and deviation: a tag's own, else what the model carries."""
    side: Any = getattr(model.visual, "image_size", None)
    if isinstance(side, (tuple, list)):
        side = side[0] if len(set(side)) == 1 else None
    if type(side) is not int:
        raise NotAvailable(f"{found.name} takes pictures that are not square", "a model for square pictures")
    carried = package.get_model_preprocess_cfg(model)
    mean, std = (
        tuple(float(v) for v in (stated.get(key) or carried.get(key) or plain))
        for key, plain in (("mean", CLIP_MEAN), ("std", CLIP_STD))
    )
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise BadCheckpoint(f"{found.name} states mean {mean} and deviation {std}", "three numbers each")
    return Normalisation(side, mean, std, colour=True)


@contextmanager
def _named(found: Foreign) -> Iterator[str]:
    """The name by which OpenCLIP makes the architecture.

    Of a folder it is a copy of its config, with the text model's own config looked for in the folder's ``text``.

    Raises:
        BadCheckpoint: a config that is damaged or asks for code to be run.
    """
    if found.folder is None:
        yield found.architecture
        return
    config = read_json(found.folder / CONFIGS[OPENCLIP])
    text = model_config(config)["text_cfg"]
    if "trust_remote_code" in json.dumps(config):
        raise BadCheckpoint(
            f"the config of {found.name} asks for code to be run", "a config of known parts: code never is"
        )
    if text.get("hf_model_name") and (found.folder / TEXT / "config.json").is_file():
        text["hf_model_name"] = str((found.folder / TEXT).absolute())
    with tempfile.TemporaryDirectory(prefix="fetalclip-") as made:
        (Path(made) / CONFIGS[OPENCLIP]).write_text(json.dumps(config), "utf-8")
        yield f"local-dir:{made}"


@contextmanager
def _here_only(found: Foreign) -> Iterator[None]:
    """Nothing is fetched in the block, whatever a config names; what goes wrong becomes an error of ours."""
    talk = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with nothing_fetched(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except FetalclipError:
        raise
    except Exception as error:  # OpenCLIP, torch and the tokenizers raise many kinds
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        if not _wants_more(error):
            raise BadCheckpoint(f"{found.name} does not load ({words})", "weights of this architecture") from error
        expected = f"config.json of the text model that its config names, in {TEXT} of its folder or in the hub's cache"
        fix = "hf download OWNER/NAME config.json tokenizer.json, then the same command again"
        raise NotAvailable(f"{found.name} needs files that are not on this machine", expected, fix) from error
    finally:
        logging.disable(talk)


def _wants_more(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is about a file that would have to be fetched."""
    while error is not None:
        said = f"{type(error).__name__} {error!s:.500}"
        if any(word in said for word in ("Offline", "LocalEntryNotFound", "couldn't connect", "cached files")):
            return True
        error = error.__cause__ or error.__context__
    return False
