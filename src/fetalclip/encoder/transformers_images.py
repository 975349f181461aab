"""Encoders of pictures that ``transformers`` knows: DINO, ViT, ConvNeXt, Swin and their like.

The package brings architecture and weights. Pictures go through this package's own letterbox; of the model's own
preprocessing only the side, the mean and the deviation are taken, from ``preprocessor_config.json``.

The embedding is, in this order:

* the class token after the last norm, of kinds that have one (`CLASS_TOKEN`);
* ``pooler_output``, of kinds that pool without weights of their own or whose weights are in the file (ConvNeXt, Swin,
  ResNet, …);
* the mean over the last map or the last tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.cards import read_json
from fetalclip.encoder.engine import Normalisation
from fetalclip.encoder.foreign import Towers, nothing_fetched
from fetalclip.errors import BadCheckpoint, NotAvailable
from fetalclip.foreign import TRANSFORMERS, WEIGHTS, Foreign
from fetalclip.models.checkpoint import read_checkpoint
from fetalclip.optional import require

CLASS_TOKEN = frozenset(
    ("vit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit_mae", "vit_msn", "yolos", "pixio")
)
PREPROCESSOR = "preprocessor_config.json"
_SIDES = (16, 4096)  # pixels


class Pooled(nn.Module):
    """A model of transformers, pictures to one embedding each.

    Args:
        model: what ``AutoModel`` made.
        pool: ``class token``, ``pooler output`` or ``mean``.
    """

    def __init__(self, model: nn.Module, pool: str) -> None:
        super().__init__()
        self.model, self.pool = model, pool

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, d)."""
        found = self.model(pixel_values=images)
        if self.pool == "pooler output":
            return found.pooler_output.flatten(1)
        last: Tensor = found.last_hidden_state  # (B, N, D), or a map (B, D, h, w)
        if self.pool == "class token":
            return last[:, 0]
        return last.mean(dim=1) if last.ndim == 3 else last.flatten(2).mean(dim=2)


def open_towers(found: Foreign) -> Towers:
    """The tower of a folder that ``transformers`` saved.

    Raises:
        MissingPackage: transformers is not installed.
        NotAvailable: a model that takes more than pictures, or one whose code is not part of transformers.
        BadCheckpoint: a file is missing or damaged, or the weights do not fill the architecture.
    """
    assert found.folder is not None
    package = require("transformers", feature=f"the model {found.name}", extra="transformers")
    config = read_json(found.folder / "config.json")
    kind = config.get("model_type")
    _pictures_only(config, found)
    shown = normalisation(found.folder, config)
    model, missing = _loaded(package, found, str(kind))
    loose = {name for name in missing if name.startswith("pooler.")}
    _filled(missing - loose, found)
    pool = "class token" if kind in CLASS_TOKEN else "mean" if loose else _pool(model, shown.image_size, found)
    told = {"image": {"kind": str(kind), "pool": pool}}
    return Towers(Pooled(model.eval(), pool), shown, engine=TRANSFORMERS, told=told)


def normalisation(folder: Path, config: Mapping[str, Any]) -> Normalisation:
    """Side, mean and deviation that a model states; every picture keeps its colours.

    Raises:
        BadCheckpoint: they are missing or impossible.
    """
    stated = read_json(folder / PREPROCESSOR)
    where = f"{folder.name}/{PREPROCESSOR}"
    side = _side(stated.get("crop_size")) if stated.get("do_center_crop") else None
    side = side or _side(stated.get("size")) or _side(stated.get("crop_size")) or _side(config.get("image_size"))
    if side is None:
        expected = f"one side from {_SIDES[0]} to {_SIDES[1]} pixels"
        raise BadCheckpoint(f"{where} states no picture size", expected, '"size": {"height": 224, "width": 224}')
    factor = stated.get("rescale_factor", 1 / 255)
    if stated.get("do_rescale") is False or not isinstance(factor, float) or abs(factor * 255 - 1) > 1e-3:
        raise BadCheckpoint(f"{where} rescales pixels by {factor!r:.40}", "1/255: values in 0-1 before the mean")
    if stated.get("do_normalize") is False:
        return Normalisation(side, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), colour=True)
    mean, std = (_three(stated.get(key), f"{key} in {where}") for key in ("image_mean", "image_std"))
    if min(std) <= 0:
        raise BadCheckpoint(f"image_std in {where} is {list(std)}", "three numbers above 0")
    return Normalisation(side, mean, std, colour=True)


def _side(size: Any) -> int | None:
    """One side of a square as preprocessor files write it."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") if "shortest_edge" in size else _same(size.get("height"), size.get("width"))
    elif isinstance(size, list) and len(size) == 2:
        size = _same(*size)
    return size if type(size) is int and _SIDES[0] <= size <= _SIDES[1] else None


def _same(one: Any, other: Any) -> Any:
    return one if one == other else None


def _three(value: Any, where: str) -> tuple[float, float, float]:
    good = isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) and abs(v) < 100 for v in value)
    if not good:
        raise BadCheckpoint(f"{where} is {value!r:.60}", "three numbers")
    return float(value[0]), float(value[1]), float(value[2])


def _pictures_only(config: Mapping[str, Any], found: Foreign) -> None:
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise BadCheckpoint(f"{found.name}: config.json names no model_type", "a folder that transformers saved")
    if kind == "clip":
        fix = "fetalclip models convert --config config.json --weights model.safetensors --out DIR"
        raise NotAvailable(f"{found.name} is a CLIP, with a text tower", "it converted, which keeps both towers", fix)
    if "text_config" in config:
        expected = "an encoder of pictures alone, or an OpenCLIP model for both towers"
        raise NotAvailable(f"{found.name} is of kind {kind!r:.40}, which reads texts too", expected, "openclip:FOLDER")


def _loaded(package: Any, found: Foreign, kind: str) -> tuple[nn.Module, set[str]]:
    """The model and the names of its parameters that the files do not hold."""
    folder = found.folder
    assert folder is not None
    safe = any(
        (folder / name).is_file() for name in (WEIGHTS[TRANSFORMERS][0], WEIGHTS[TRANSFORMERS][0] + ".index.json")
    )
    if not safe:
        read_checkpoint(folder / WEIGHTS[TRANSFORMERS][1])  # its error says what is wrong with the file, code above all
    if kind not in package.CONFIG_MAPPING:
        found_ = f"{found.name} is of kind {kind!r:.40}, which transformers {package.__version__} does not have"
        raise NotAvailable(found_, "a kind that is part of it: code of a repository is never run")
    try:
        with nothing_fetched(), _quiet(package), torch.random.fork_rng(devices=[]):
            config = package.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if kind == "vit_mae":
                config.mask_ratio = 0.0  # else a random part of every picture is hidden
            model, told = package.AutoModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=safe,
                weights_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises many kinds for a damaged folder
        found_ = f"{found.name} does not load ({type(error).__name__}: {error!s:.160})"
        raise BadCheckpoint(found_, "a folder that transformers saved, with its weights") from error
    odd = told.get("mismatched_keys") or ()
    return model.float(), {str(name) for name in told.get("missing_keys", ())} | {str(one[0]) for one in odd}


@contextmanager
def _quiet(package: Any) -> Iterator[None]:
    """Neither a progress bar nor a table of names on stderr: what matters of them is said by our own errors."""
    talk = package.utils.logging
    before, shown = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(before)
        if shown:
            talk.enable_progress_bar()


@torch.inference_mode()
def _pool(model: nn.Module, side: int, found: Foreign) -> str:
    """What a model without a class token gives for a black square."""
    try:
        made = model.eval()(pixel_values=torch.zeros(1, 3, side, side))
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        said = f"{found.name} takes no picture of {side} pixels ({type(error).__name__}: {error!s:.160})"
        raise BadCheckpoint(said, "an encoder of pictures whose size its own files state") from error
    if getattr(made, "pooler_output", None) is not None:
        return "pooler output"
    if getattr(made, "last_hidden_state", None) is None:
        raise NotAvailable(f"{found.name} gives no features ({type(made).__name__})", "an encoder of pictures")
    return "mean"


def _filled(missing: set[str], found: Foreign) -> None:
    names = sorted(missing)
    if names:
        said = f"{len(names)} parameters that its files do not hold ({', '.join(names[:3])}{' …' if names[3:] else ''})"
        raise BadCheckpoint(f"{found.name} has {said}", "weights for all of it: the rest would be random")
