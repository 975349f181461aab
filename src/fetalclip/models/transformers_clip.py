"""Conversion to and from ``transformers.CLIPModel``: config and parameter names; transformers itself is not needed.

It keeps query, key and value apart and its projections transposed; everything else is a matter of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.pair import Architecture
from fetalclip.models.vit import ViTConfig

# Their name to OpenCLIP's, of what stands outside the blocks.
_OUTSIDE = {
    "logit_scale": "logit_scale",
    "text_projection.weight": "text_projection",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "visual_projection.weight": "visual.proj",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
}
_TRANSPOSED = ("text_projection", "visual.proj")
_TOWERS = {"text_model": "", "vision_model": "visual."}
_PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_BLOCK = re.compile(r"(text_model|vision_model)\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_NO_PARAMETERS = re.compile(r".*\.embeddings\.position_ids")


def is_transformers_config(data: Mapping[str, Any]) -> bool:
    """Whether a config is that of a ``transformers.CLIPModel``."""
    return data.get("model_type") == "clip" and "vision_config" in data


def architecture_of(data: Mapping[str, Any]) -> Architecture:
    """The architecture a ``transformers`` CLIP config describes; keys it leaves out have transformers' defaults.

    Raises:
        BadCheckpoint: another activation than GELU, or sizes that do not fit.
    """
    vision, text = data.get("vision_config"), data.get("text_config")
    if not isinstance(vision, Mapping) or not isinstance(text, Mapping):
        raise BadCheckpoint("a CLIP config without vision_config or text_config", "both")
    for name, part in (("vision_config", vision), ("text_config", text)):
        if part.get("hidden_act", "quick_gelu") != "gelu":
            found = f"a checkpoint with {name}.hidden_act = {part.get('hidden_act', 'quick_gelu')!r:.40}"
            raise BadCheckpoint(found, "'gelu': weights trained with another activation mean nothing under it")
        if abs(float(part.get("layer_norm_eps", 1e-5)) - 1e-5) > 1e-9:
            raise BadCheckpoint(f"a checkpoint with {name}.layer_norm_eps = {part['layer_norm_eps']!r:.40}", "1e-5")
    built = {
        "embed_dim": data.get("projection_dim", 512),
        "image": {
            "kind": "vit",
            "image_size": vision.get("image_size", 224),
            "patch_size": vision.get("patch_size", 32),
            "width": vision.get("hidden_size", 768),
            "layers": vision.get("num_hidden_layers", 12),
            "heads": vision.get("num_attention_heads", 12),
            "mlp_ratio": _ratio(vision, 3072, 768),
        },
        "text": {
            "context_length": text.get("max_position_embeddings", 77),
            "vocab_size": text.get("vocab_size", 49408),
            "width": text.get("hidden_size", 512),
            "layers": text.get("num_hidden_layers", 12),
            "heads": text.get("num_attention_heads", 8),
            "mlp_ratio": _ratio(text, 2048, 512),
        },
    }
    return Architecture.from_dict(built)


def config_of(architecture: Architecture) -> dict[str, Any]:
    """The ``config.json`` of the same ``transformers.CLIPModel``.

    Raises:
        UsageError: an image tower CLIPModel cannot be.
    """
    image, text = architecture.image, architecture.text
    if not isinstance(image, ViTConfig):
        raise UsageError(f"an image tower of kind {image.kind}", "a vision transformer: CLIPModel has no other")
    end = text.vocab_size - 1
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": architecture.embed_dim,
        "vision_config": {
            "model_type": "clip_vision_model",
            "image_size": image.image_size,
            "patch_size": image.patch_size,
            "hidden_act": "gelu",
            "projection_dim": architecture.embed_dim,
            **_sizes(image.width, image.layers, image.heads, image.mlp_ratio),
        },
        "text_config": {
            "model_type": "clip_text_model",
            "max_position_embeddings": text.context_length,
            "vocab_size": text.vocab_size,
            "hidden_act": "gelu",
            "projection_dim": architecture.embed_dim,
            "bos_token_id": end - 1,
            "eos_token_id": end,
            "pad_token_id": end,
            **_sizes(text.width, text.layers, text.heads, text.mlp_ratio),
        },
    }


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters of a ``transformers.CLIPModel`` under OpenCLIP's names.

    Raises:
        BadCheckpoint: a name CLIPModel does not have, or a query without its key and value.
    """
    made: dict[str, Tensor] = {}
    apart: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        if _NO_PARAMETERS.fullmatch(name):
            continue
        if name in _OUTSIDE:
            ours = _OUTSIDE[name]
            made[ours] = value.T.contiguous() if ours in _TRANSPOSED else value
            continue
        found = _BLOCK.fullmatch(name)
        if found is None:
            raise BadCheckpoint(f"a parameter named {name!r:.100}", "the names of transformers.CLIPModel")
        tower, number, part, leaf = found.groups()
        block = f"{_TOWERS[tower]}transformer.resblocks.{number}"
        if part in _PARTS:
            made[f"{block}.{_PARTS[part]}.{leaf}"] = value
        else:
            apart.setdefault(f"{block}.attn.in_proj_{leaf}", {})[part] = value
    order = [f"self_attn.{which}_proj" for which in "qkv"]
    for name, parts in apart.items():
        if sorted(parts) != sorted(order):
            raise BadCheckpoint(f"{', '.join(sorted(parts))} for {name}", "q_proj, k_proj and v_proj")
        made[name] = torch.cat([parts[part] for part in order])
    return made


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters under OpenCLIP's names as those of a ``transformers.CLIPModel``."""
    outside = {ours: theirs for theirs, ours in _OUTSIDE.items()}
    parts = {ours: theirs for theirs, ours in _PARTS.items()}
    made: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in outside:
            made[outside[name]] = value.T.contiguous() if name in _TRANSPOSED else value
            continue
        tower = "vision_model" if name.startswith("visual.") else "text_model"
        number, rest = name.removeprefix("visual.").removeprefix("transformer.resblocks.").split(".", 1)
        block = f"{tower}.encoder.layers.{number}"
        if rest.startswith("attn.in_proj_"):
            leaf = rest.removeprefix("attn.in_proj_")
            for which, third in zip("qkv", value.chunk(3), strict=True):
                made[f"{block}.self_attn.{which}_proj.{leaf}"] = third.contiguous()
        else:
            part, leaf = rest.rsplit(".", 1)
            made[f"{block}.{parts[part]}.{leaf}"] = value
    return made


def _ratio(part: Mapping[str, Any], inner: int, width: int) -> float:
    inner, width = part.get("intermediate_size", inner), part.get("hidden_size", width)
    if type(inner) is not int or type(width) is not int or width < 1 or inner < 1:
        raise BadCheckpoint(f"sizes {inner!r:.40} and {width!r:.40}", "whole numbers above 0")
    return inner / width


def _sizes(width: int, layers: int, heads: int, mlp_ratio: float) -> dict[str, int | float]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": int(width * mlp_ratio),
        "layer_norm_eps": 1e-5,
    }
