"""The text side of the gestational-age protocol: shared beginnings against 875 padded prompts encoded for every image.

Both are timed on a sample in one process, turn by turn, with the same weights, and extrapolated to the protocol: so
many images, 175 days by 5 templates each; of the faster way, so many distinct spacings. Not a test: see README.md in
this folder.

    python benchmarks/ga_text_speed.py [--images 999] [--spacings 76] [--root DIR] [--towers open,vit-l-14] [--json]
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
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from fetalclip.api import load
from fetalclip.clinical.age_prompts import DAYS, AgeTemplates, load_age_templates
from fetalclip.data.readers.hc18 import read
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation, unit
from fetalclip.frame import Frame
from fetalclip.models.openclip import CLIP_MEAN, CLIP_STD
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.vit import ViTConfig
from fetalclip.phantom import draw
from fetalclip.preprocess import prepare
from fetalclip.tasks import published_days

LAST, OTHER, WHOLE = 100.0, 30.0, 20.0  # times as fast: our templates, another order, pictures counted in
CONTEXT = 117
# The numbers in every order, and words after them: the worst case has the spacing first and a long end.
ANOTHER = AgeTemplates(
    "another order",
    (
        "{pixel_spacing} mm per pixel: an ultrasound image of the fetal head at {weeks} weeks and {day} days",
        "with pixels of {pixel_spacing} mm, a fetus of {weeks} weeks and {day} days, axial plane of the head",
        "fetal head at {weeks} weeks and {day} days, {pixel_spacing} mm per pixel, standard plane of an obstetric scan",
        "a scan at {pixel_spacing} mm per pixel, gestational age {weeks}w{day}d, showing the brain within the skull",
        "{weeks}+{day} weeks of gestation, {pixel_spacing} mm per pixel, the head of the fetus in an ultrasound image",
    ),
)


@dataclass(frozen=True)
class Sample:
    """What is timed.

    Attributes:
        days: consecutive candidates, of 175.
        spacings: distinct ones, of those of the protocol.
        padded: prompts of the slow way, of 875.
        pictures: through preparation and image tower.
        rounds: of which the median counts.
    """

    days: int
    spacings: int
    padded: int
    pictures: int
    rounds: int


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each call, all taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def texts(templates: AgeTemplates, days: range, spacings: list[float]) -> list[str]:
    """Prompts in the order spacing, day, template."""
    return [text for spacing in spacings for day in days for text in templates.fill(day, spacing)]


@torch.inference_mode()
def padded(encoder: Encoder, prompts: list[str], batch: int = 64) -> np.ndarray:
    """Embeddings of prompts padded to the whole context, as the published script makes them: (n, d)."""
    parts = []
    for start in range(0, len(prompts), batch):
        ids, end = encoder.tokenizer(prompts[start : start + batch])
        full = torch.full((len(ids), CONTEXT), encoder.tokenizer.end_id)
        full[:, : ids.shape[1]] = ids
        parts.append(encoder._tower("text")(full.to(encoder.device), end.to(encoder.device)).float().cpu().numpy())
    return np.concatenate(parts)


def agreement(encoder: Encoder, templates: AgeTemplates, days: range) -> tuple[float, int, int]:
    """Largest difference of a normalised embedding, and of how many random pictures the days agree."""
    prompts = texts(templates, days, [0.52])
    slow, fast = unit(padded(encoder, prompts)), unit(encoder.alike(prompts))
    pictures = unit(np.random.default_rng(0).normal(size=(1000, slow.shape[1])).astype(np.float32))
    shape = (len(days), len(templates.templates), -1)
    found = [published_days(100 * pictures @ v.reshape(shape).mean(axis=1).T, days) for v in (slow, fast)]
    return float(np.abs(slow - fast).max()), int((found[0] == found[1]).sum()), len(pictures)


def measure(encoder: Encoder, sample: Sample, images: int, distinct: int) -> dict[str, Any]:
    """Ratios of one pair of towers, extrapolated from the sample."""
    ours, days = load_age_templates(), range(DAYS[0] + 28, DAYS[0] + 28 + sample.days)
    spacings = [round(0.2 + 0.013 * i, 2) for i in range(sample.spacings)]
    size = encoder.normalisation.image_size
    scans = [draw("brain", seed).frame.pixels for seed in range(sample.pictures)]
    scans = [np.asarray(Image.fromarray(scan).resize((800, 540))) for scan in scans]
    slow_texts = texts(ours, days, [0.52])[: sample.padded]
    fast_texts = {name: texts(t, days, spacings) for name, t in (("last", ours), ("another", ANOTHER))}

    def fresh(name: str) -> np.ndarray:
        encoder._tree = None
        return encoder.alike(fast_texts[name])

    calls: dict[str, Callable[[], Any]] = {
        "padded": lambda: padded(encoder, slow_texts),
        "last": lambda: fresh("last"),
        "another": lambda: fresh("another"),
        "images": lambda: encoder.images([prepare(Frame(scan), size).pixels for scan in scans]),
    }
    encoder.images([np.zeros((size, size), np.uint8)])  # towers are laid out when first used
    encoder.alike(slow_texts[:2])
    seconds = interleaved(calls, sample.rounds)
    prompts = len(DAYS) * len(ours.templates)
    slow = seconds["padded"] / len(slow_texts) * prompts * images
    fast = {name: seconds[name] / len(fast_texts[name]) * prompts * distinct for name in ("last", "another")}
    seen = seconds["images"] / len(scans) * images
    difference, same, of = agreement(encoder, ours, days)
    return {
        "sample_seconds": seconds,
        "text_hours_padded": slow / 3600,
        "text_seconds": fast["last"],
        "text_ratio": slow / fast["last"],
        "text_ratio_another_order": slow / fast["another"],
        "image_seconds": seen,
        "whole_ratio": (slow + seen) / (fast["last"] + seen),
        "largest_difference": difference,
        "same_days": f"{same} of {of}",
        "met": {
            "text": slow / fast["last"] >= LAST,
            "another_order": slow / fast["another"] >= OTHER,
            "whole": (slow + seen) / (fast["last"] + seen) >= WHOLE,
            "same_days": same == of and difference <= 1e-5,
        },
    }


def vit_l() -> Encoder:
    """The published architecture with random weights."""
    torch.manual_seed(0)
    text = TextConfig(CONTEXT, 49408, 768, 12, 12)
    model = DualEncoder(Architecture(768, ViTConfig(), text)).eval()
    return Encoder(model, Tokenizer.clip(CONTEXT), Normalisation(224, CLIP_MEAN, CLIP_STD), "cpu")


def counted(root: str, size: int) -> tuple[int, int]:
    """Images of HC18 under a folder, and their distinct spacings at two decimals in the square."""
    rows = read(root)
    known = [(row.mm_per_pixel, max(Image.open(row.path).size)) for row in rows]
    return len(rows), len({f"{mm * side / size:.2f}" for mm, side in known if mm is not None})


def main() -> None:
    """Measure, print, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=999, help="of the protocol (default: HC18's training set)")
    parser.add_argument("--spacings", type=int, default=76, help="distinct ones among them (default: HC18's at 224)")
    parser.add_argument("--root", help="count images and spacings of HC18 here instead")
    parser.add_argument("--towers", default="open,vit-l-14", help="open, vit-l-14 or both")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "schema": "fetalclip.ga-text-speed/1",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}",
    }
    towers = {
        "open": (lambda: load("fetalclip-open", device="cpu").encoder, Sample(70, 8, 128, 8, 3)),
        "vit-l-14": (vit_l, Sample(35, 6, 24, 2, 3)),
    }
    for name in options.towers.split(","):
        make, sample = towers[name]
        encoder = make()
        encoder.store = None
        images, distinct = options.images, options.spacings
        if options.root:
            images, distinct = counted(options.root, encoder.normalisation.image_size)
        found = measure(encoder, sample, images, distinct)
        report[name] = {"images": images, "spacings": distinct, "sample": vars(sample), **found}
    if options.json:
        print(json.dumps(report))
    else:
        print(json.dumps(report, indent=2))
    sys.exit(not all(all(report[name]["met"].values()) for name in options.towers.split(",")))


if __name__ == "__main__":
    main()
