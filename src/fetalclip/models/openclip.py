"""OpenCLIP's way of writing a model down: its config, its parameter names, and ours.

OpenCLIP keeps the text tower's parameters at the root (``positional_embedding``, ``transformer.resblocks…``); here the
pair holds it as ``text``. Everything else has the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.pair import Architecture
from fetalclip.models.vit import ViTConfig

T = TypeVar("T")

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_TEXT_ROOT = ("positional_embedding", "text_projection", "token_embedding.", "transformer.", "ln_final.")
_WRAPPERS = ("module.", "_orig_mod.", "model.")
_NO_PARAMETERS = ("attn_mask", "text.attn_mask")  # a constant that older versions saved

# What a config may say and still be this architecture: key to the values that change nothing.
_VISION_PLAIN: dict[str, tuple[Any, ...]] = {
    "ls_init_value": (None,),
    "attentional_pool": (False,),
    "no_ln_pre": (False,),
    "pos_embed_type": ("learnable",),
    "pool_type": ("tok",),
    "final_ln_after_pool": (False,),
    "global_average_pool": (False,),
    "input_patchnorm": (False,),
    "timm_model_name": (None,),
    "act_kwargs": (None, {}),
    "norm_kwargs": (None, {}),
    "block_type": (None, "default"),
    "qk_norm": (False,),
    "scaled_cosine_attn": (False,),
}
_TEXT_PLAIN: dict[str, tuple[Any, ...]] = {
    "ls_init_value": (None,),
    "embed_cls": (False,),
    "no_causal_mask": (False,),
    "final_ln_after_pool": (False,),
    "pool_type": ("argmax",),
    "proj_type": ("linear",),
    "proj_bias": (False,),
    "hf_model_name": (None,),
    "hf_tokenizer_name": (None,),
    "act_kwargs": (None, {}),
    "norm_kwargs": (None, {}),
    "block_type": (None, "default"),
    "qk_norm": (False,),
    "scaled_cosine_attn": (False,),
}
_ROOT_PLAIN: dict[str, tuple[Any, ...]] = {
    "quick_gelu": (False,),
    "custom_text": (False,),
    "init_logit_bias": (None,),
    "multimodal_cfg": (None,),
}


def from_openclip_config(data: Mapping[str, Any]) -> Architecture:
    """The architecture an OpenCLIP config describes, plain or wrapped as ``{"model_cfg": …}``.

    Raises:
        BadCheckpoint: no such config, or one of an architecture that is not here; the message names the key.
    """
    model = model_config(data)
    vision, text = model["vision_cfg"], model["text_cfg"]
    _plain(model, _ROOT_PLAIN, "")
    _plain(vision, _VISION_PLAIN, "vision_cfg.")
    _plain(text, _TEXT_PLAIN, "text_cfg.")
    width, head = vision.get("width", 768), vision.get("head_width", 64)
    if type(width) is not int or type(head) is not int or head < 1 or width % head:
        raise BadCheckpoint(f"an image tower of width {width!r:.40} and head width {head!r:.40}", "a divisor")
    built = {
        "embed_dim": model["embed_dim"],
        "image": {
            "kind": "vit",
            "image_size": _square(vision.get("image_size", 224), "vision_cfg.image_size"),
            "patch_size": _square(vision.get("patch_size", 16), "vision_cfg.patch_size"),
            "width": width,
            "layers": vision.get("layers", 12),
            "heads": width // head,
            "mlp_ratio": vision.get("mlp_ratio", 4.0),
        },
        "text": {
            "context_length": text.get("context_length", 77),
            "vocab_size": text.get("vocab_size", 49408),
            "width": text.get("width", 512),
            "layers": text.get("layers", 12),
            "heads": text.get("heads", 8),
            "mlp_ratio": text.get("mlp_ratio", 4.0),
        },
    }
    if isinstance(built["image"]["layers"], list):
        raise BadCheckpoint("a ResNet image tower (vision_cfg.layers is a list)", "a vision transformer")
    return Architecture.from_dict(built)


def model_config(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of an OpenCLIP config that describes the towers.

    Raises:
        BadCheckpoint: it is not there.
    """
    model = data.get("model_cfg", data)
    whole = isinstance(model, Mapping) and all(isinstance(model.get(k), Mapping) for k in ("vision_cfg", "text_cfg"))
    if not whole or "embed_dim" not in model:
        expected = "an OpenCLIP config with embed_dim, vision_cfg and text_cfg, or a transformers CLIP config"
        raise BadCheckpoint("a config that describes no CLIP", expected, "--config open_clip_config.json")
    return dict(model)


def preprocess_config(data: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...], list[str]]:
    """Mean, standard deviation and notes of a config; CLIP's own values where it has none.

    Pictures are zero-padded to the centred square whatever the config says: a centre crop cuts the sector. A note
    says where that differs.
    """
    stated = data.get("preprocess_cfg")
    stated = stated if isinstance(stated, Mapping) else {}
    notes = []
    mode = stated.get("resize_mode", "longest")
    if mode != "longest":
        notes.append(f"the config asks for resize mode {mode!r:.40}; pictures are zero-padded to a square instead")
    interpolation = stated.get("interpolation", "bicubic")
    if interpolation not in ("bicubic", "random"):
        notes.append(f"the config asks for {interpolation!r:.40} interpolation; pictures are resized bicubically")
    mean = _three(stated.get("mean", CLIP_MEAN), "preprocess_cfg.mean")
    return mean, _three(stated.get("std", CLIP_STD), "preprocess_cfg.std"), notes


def to_openclip_config(architecture: Architecture, preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """The config OpenCLIP reads from a local folder.

    Raises:
        UsageError: an image tower OpenCLIP's own vision transformer cannot be.
    """
    image, text = architecture.image, architecture.text
    if not isinstance(image, ViTConfig):
        raise UsageError(f"an image tower of kind {image.kind}", "a vision transformer: OpenCLIP has no other of ours")
    vision = {
        "image_size": image.image_size,
        "patch_size": image.patch_size,
        "width": image.width,
        "layers": image.layers,
        "head_width": image.width // image.heads,
        "mlp_ratio": image.mlp_ratio,
    }
    words = {
        "context_length": text.context_length,
        "vocab_size": text.vocab_size,
        "width": text.width,
        "heads": text.heads,
        "layers": text.layers,
        "mlp_ratio": text.mlp_ratio,
    }
    towers = {"embed_dim": architecture.embed_dim, "vision_cfg": vision, "text_cfg": words}
    seen = {
        "mean": list(preprocess["mean"]),
        "std": list(preprocess["std"]),
        "interpolation": "bicubic",
        "resize_mode": "longest",
        "fill_color": 0,
    }
    return {"model_cfg": towers, "preprocess_cfg": seen}


def rename(state: Mapping[str, T]) -> dict[str, T]:
    """OpenCLIP's names to ours; wrappers of parallel training are taken off.

    Raises:
        BadCheckpoint: a text tower of another architecture (OpenCLIP's custom text).
    """
    names = _unwrapped(state)
    if any(name.startswith("text.") for name in names):
        found = "a custom-text checkpoint (its text tower stands under 'text.')"
        raise BadCheckpoint(found, "OpenCLIP's plain CLIP, with the text tower at the root")
    return {_ours(name): value for name, value in names.items() if name not in _NO_PARAMETERS}


def unname(state: Mapping[str, T]) -> dict[str, T]:
    """Our names to OpenCLIP's."""
    return {name.removeprefix("text."): value for name, value in state.items()}


def _ours(name: str) -> str:
    return f"text.{name}" if name.startswith(_TEXT_ROOT) else name


def _unwrapped(state: Mapping[str, T]) -> dict[str, T]:
    names = dict(state)
    while prefix := next((w for w in _WRAPPERS if names and all(n.startswith(w) for n in names)), ""):
        names = {name.removeprefix(prefix): value for name, value in names.items()}
    return names


def _plain(config: Mapping[str, Any], allowed: Mapping[str, tuple[Any, ...]], where: str) -> None:
    for key, values in allowed.items():
        if key in config and config[key] not in values:
            why = " (weights trained with it mean nothing under GELU)" if key == "quick_gelu" else ""
            found = f"a checkpoint with {where}{key} = {config[key]!r:.60}{why}"
            raise BadCheckpoint(found, f"{values[-1]!r}: a plain CLIP with a vision transformer and GELU")


def _square(value: Any, key: str) -> Any:
    if isinstance(value, (list, tuple)):
        if len(value) != 2 or value[0] != value[1]:
            raise BadCheckpoint(f"{key} = {value!r:.60}", "one number, or the same twice")
        return value[0]
    return value


def _three(value: Any, key: str) -> tuple[float, ...]:
    good = isinstance(value, (list, tuple)) and len(value) == 3 and all(type(v) in (int, float) for v in value)
    if not good:
        raise BadCheckpoint(f"{key} = {value!r:.60}", "three numbers")
    return tuple(float(v) for v in value)
