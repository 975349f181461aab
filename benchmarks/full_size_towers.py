"""ViT-L/14 against `transformers.CLIPModel` with the same random weights, and trimmed against padded prompts.

One process, turn by turn, medians. Times depend on the machine; the ratios are what is meant. Not a test: see
README.md in this folder. Needs `pip install transformers` (in the extra `test`) and about 6 GB of memory.

    python benchmarks/full_size_towers.py [--layers 24] [--batch 1] [--runs 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import transformers

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation, unit
from fetalclip.models.openclip import CLIP_MEAN, CLIP_STD, rename
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.transformers_clip import config_of, from_transformers
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import load_strictly
from fetalclip.preprocess import to_tensor

PROMPT = (
    "an ultrasound image of the fetal brain at the trans-thalamic plane, gestational age 24 weeks and {} days, "
    "pixel spacing 0.21 mm per pixel"
)
IMAGE_FP32, IMAGE_BF16, COSINE = 1.2, 2.0, 0.999
TEXT, TEXT_DIFFERENCE = 2.5, 1e-5


def interleaved(calls: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Median seconds of each call, all taken in turn, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(runs + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def pair(layers: int) -> tuple[Any, DualEncoder]:
    """CLIPModel with random weights, and ours with the same ones."""
    architecture = Architecture(768, ViTConfig(layers=layers), TextConfig(117, 49408, 768, max(1, layers // 2), 12))
    torch.manual_seed(0)
    theirs = transformers.CLIPModel(transformers.CLIPConfig(**config_of(architecture))).eval()
    ours = DualEncoder(architecture).eval()
    load_strictly(ours, rename(from_transformers(theirs.state_dict())), "the same weights")
    return theirs, ours


def encoder(model: DualEncoder, precision: str) -> Encoder:
    """The road a user takes, from prepared pictures and texts on."""
    return Encoder(model, Tokenizer.clip(117), Normalisation(224, CLIP_MEAN, CLIP_STD), "cpu", precision=precision)


def measure(layers: int, batch: int, runs: int) -> dict[str, Any]:
    """All ratios and differences."""
    theirs, model = pair(layers)
    pictures = list(np.random.default_rng(0).integers(0, 256, (batch, 224, 224), dtype=np.uint8))
    x = to_tensor(pictures, CLIP_MEAN, CLIP_STD)
    full = encoder(model, "fp32")
    half = encoder(pair(layers)[1], "bf16")
    calls = {
        "transformers fp32": lambda: theirs.get_image_features(pixel_values=x),
        "fetalclip fp32": lambda: full.images(pictures),
        "fetalclip bf16": lambda: half.images(pictures),
    }
    with torch.inference_mode():
        image = interleaved(calls, runs)
        found = theirs.get_image_features(pixel_values=x)
        wanted = unit((found if isinstance(found, torch.Tensor) else found.pooler_output).numpy())
        theirs.bfloat16()
        other = interleaved({"": lambda: theirs.get_image_features(pixel_values=x.bfloat16())}, max(3, runs // 3))[""]
        text, difference, tokens = prompts(full, runs)
    exact, near = unit(full.images(pictures)), unit(half.images(pictures))
    return {
        "image_seconds": image,
        "image_fp32_ratio": image["transformers fp32"] / image["fetalclip fp32"],
        "image_bf16_ratio": image["transformers fp32"] / image["fetalclip bf16"],
        "image_bf16_over_transformers_bf16": other / image["fetalclip bf16"],
        "image_fp32_difference": float(np.abs(exact - wanted).max()),
        "image_bf16_cosine": float((near * wanted).sum(axis=1).min()),
        "text_seconds": text,
        "text_ratio": text["padded"] / text["trimmed"],
        "text_difference": difference,
        "text_tokens": tokens,
    }


def prompts(full: Encoder, runs: int) -> tuple[dict[str, float], float, int]:
    """Prompts of about 35 tokens trimmed to the longest, and padded to the whole context: times and difference."""
    texts = [PROMPT.format(day) for day in range(7)]
    ids, end = full.tokenizer(texts)
    padded = torch.full((len(texts), 117), full.tokenizer.end_id)
    padded[:, : ids.shape[1]] = ids
    tower = full._tower("text")
    calls = {"padded": lambda: tower(padded, end), "trimmed": lambda: full.texts(texts, keep=False)}
    seconds = interleaved(calls, runs)
    difference = np.abs(unit(tower(padded, end).numpy()) - unit(full.texts(texts, keep=False))).max()
    return seconds, float(difference), ids.shape[1]


def main() -> None:
    """Measure, print, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--layers", type=int, default=24, help="of the image tower; 24 is the published size")
    parser.add_argument("--batch", type=int, default=1, help="pictures at a time (default 1)")
    parser.add_argument("--runs", type=int, default=10, help="runs of each (default 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    found = measure(options.layers, options.batch, options.runs)
    found["met"] = {
        "image_fp32": found["image_fp32_ratio"] >= IMAGE_FP32 and found["image_fp32_difference"] <= 1e-5,
        "image_bf16": found["image_bf16_ratio"] >= IMAGE_BF16 and found["image_bf16_cosine"] >= COSINE,
        "text": found["text_ratio"] >= TEXT and found["text_difference"] <= TEXT_DIFFERENCE,
    }
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    report = {
        "schema": "fetalclip.towers/1",
        "machine": f"{machine}, transformers {transformers.__version__}",
        "layers": options.layers,
        "batch": options.batch,
        "runs": options.runs,
        **found,
    }
    if options.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name:36}{value:.6g}" if isinstance(value, float) else f"{name:36}{value}")
    sys.exit(not all(found["met"].values()))


if __name__ == "__main__":
    main()
