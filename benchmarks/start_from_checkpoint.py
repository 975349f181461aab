"""Does a start from an OpenCLIP checkpoint beat a random one at equal steps? Measured on the validation side alone.

No published checkpoint is fetched: a small CLIP of 77 tokens is trained on simulated planes, written as OpenCLIP writes
it, and taken up again with its table of positions at 117. Then the same recipe trains on real pictures from it and from
random weights. Every part is the project's own command; the folder keeps what is done. Not a test: see README.md.

    python benchmarks/start_from_checkpoint.py --data MANIFEST|SHARDS --out DIR [--drawn 1500] [--epochs 12] [--seeds 2]
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.phantom import draw

SIZE = 96
TOWERS = {
    "image": "vit",
    "vit.patch_size": 16,
    "vit.width": 192,
    "vit.layers": 6,
    "vit.heads": 3,
    "image_size": SIZE,
    "embed_dim": 128,
    "text.vocab_size": 49408,
    "text.width": 128,
    "text.layers": 3,
    "text.heads": 4,
}
OPTIM = {"batch": 64, "rate": 5e-4, "warmup_steps": 30, "targets": "true"}


def fetalclip(*words: str) -> None:
    """The command line, in a process of its own."""
    call = [sys.executable, "-c", "from fetalclip.cli import program; program()", *words]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


def drawn(folder: Path, count: int) -> Path:
    """Simulated planes and their table; every tenth is for validation."""
    table = folder / "drawn.csv"
    if table.is_file():
        return table
    (folder / "drawn").mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(count):
        plane = KNOWN[seed % len(KNOWN)]
        frame = draw(plane, seed, profile="train").frame
        from PIL import Image

        path = folder / "drawn" / f"{seed:06}.png"
        Image.fromarray(frame.gray).save(path)
        spacing = frame.mm_per_pixel[0] if frame.mm_per_pixel else ""
        split = "val" if seed // len(KNOWN) % 10 == 0 else "train"
        rows.append((f"drawn/{path.name}", "simulated", f"s{seed}", split, plane, spacing))
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("path", "dataset", "group", "split", "plane", "mm_per_pixel"), *rows])
    return table


def train(out: Path, data: str, start: str, epochs: int, context: int, seed: int) -> list[dict[str, Any]]:
    """One pretraining by the command line, unless the folder holds it; the lines of its log with a validation."""
    recipe = out.with_suffix(".yaml")
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(f"objective: pretrain\nname: {out.name}\n")
    words = [f"data.train={data}", f"model.start={start}", f"optim.epochs={epochs}", f"seed={seed}", "data.workers=0"]
    words += [f"model.{key}={value}" for key, value in TOWERS.items()]
    words += [f"model.text.context_length={context}", *(f"optim.{key}={value}" for key, value in OPTIM.items())]
    fetalclip("train", str(recipe), *words, "--out", str(out), *(["--resume"] if out.is_dir() else []))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "validation" in line]


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=1500)
    parser.add_argument("--first", type=int, default=12, help="epochs on simulated planes")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    shards = args.out / "drawn-shards"
    if not (shards / "index.json").is_file():
        fetalclip("data", "shards", str(drawn(args.out, args.drawn)), "-o", str(shards), "--image-size", str(SIZE))
    first, checkpoint = args.out / "first", args.out / "openclip"
    train(first, str(shards), "random", args.first, 77, 1)
    if not checkpoint.is_dir():
        fetalclip("models", "export-openclip", str(first / "model"), "--out", str(checkpoint))
    found: dict[str, list[dict[str, Any]]] = {"random": [], "checkpoint": []}
    for seed in range(args.seeds):
        for name, start in (("random", "random"), ("checkpoint", str(checkpoint))):
            looks = train(args.out / f"{name}-{seed}", args.data, start, args.epochs, 117, 10 + seed)
            found[name].append({"step": looks[-1]["step"], **looks[-1]["validation"]})
            print(name, seed, [round(look["validation"].get("macro_f1", np.nan), 3) for look in looks], flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
