"""Whether shards are read as fast as a folder, and fast enough for the compact tower to train from.

Turn by turn in one run: the same pictures from a table and from shards, each by as many worker processes of torch's
DataLoader, and steps of training (forward and backward of the default pair at 192 pixels, batches of 32, two threads).
A pass is timed from its first batch on, so that starting the workers does not count. Public data under ``--root`` is
read where it is there, its validation side and the start of its training side; else simulated pictures are drawn. Not a
test: see README.md in this folder. The exit status is 1 when shards are slower than the table, or than three times
what the tower takes.

    python benchmarks/shard_reading.py [--root DIR] [--pictures 256] [--workers 2] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from fetalclip.data.pairs import Pairs

SIDE, IMAGE, BATCH = 224, 192, 32
THREADS = 2
LOADER = 3.0  # times what the tower takes


class Numbered:
    """Pairs as torch's DataLoader takes them: the pixels alone."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> Any:
        return self.pairs.load(number).pixels.copy()  # torch wants arrays that can be written to


def table_of(root: Path, folder: Path, count: int) -> tuple[Path, str]:
    """A manifest of about so many training pictures, and what they are."""
    from dataclasses import replace

    from fetalclip.data import Manifest
    from fetalclip.data.obtain import manifest_of
    from fetalclip.errors import DataMissing

    path = folder / "m.csv"
    try:
        manifest = manifest_of("fetal-planes-db", root).usable()
        rows = [row for row in manifest.rows if row.split == "train" and row.views][:count]
        what = f"{len(rows)} pictures of FETAL_PLANES_DB"
    except DataMissing:
        rows = drawn(folder, count)
        what = f"{len(rows)} simulated pictures"
    Manifest(tuple(replace(row, split="train") for row in rows), tuple(range(1, len(rows) + 1))).write(path)
    return path, what


def drawn(folder: Path, count: int) -> list[Any]:
    """Simulated pictures of a usual size, with a burned-in overlay."""
    from PIL import Image

    from fetalclip.data import Row
    from fetalclip.phantom import PLANES, draw

    rows = []
    for i in range(count):
        path = folder / f"{i}.png"
        plane = PLANES[i % len(PLANES)]
        Image.fromarray(draw(plane, i, overlay=True).frame.pixels).save(path)
        rows.append(Row("simulated", path, path.name, str(i), 0, "train", plane=plane, planes=(plane,)))
    return rows


def write(table: Path, folder: Path, per_shard: int) -> float:
    """Write the shards; pictures a second."""
    from fetalclip.data.shards.plan import Options, make_plan
    from fetalclip.data.shards.writing import ShardWriter
    from fetalclip.data.table_pairs import read_source

    begun = time.perf_counter()
    plan = make_plan(read_source(table), Options(SIDE, per_shard=per_shard, splits=("train",)))
    with ShardWriter(plan, folder) as writer:
        for _ in writer.run():
            pass
    return len(plan.rows) / (time.perf_counter() - begun)


def loader(pairs: Pairs, workers: int, repeats: int) -> DataLoader[Any]:
    """A loader of the pairs in the order of an epoch, so many times over."""
    from torch.utils.data import DataLoader

    order = [int(number) for epoch in range(repeats) for number in pairs.order(0, epoch)]
    options: dict[str, Any] = {"multiprocessing_context": "spawn"} if workers else {}
    return DataLoader(Numbered(pairs), BATCH, sampler=order, num_workers=workers, **options)  # type: ignore[arg-type]


def reading(pairs: Pairs, workers: int, repeats: int) -> float:
    """Pairs a second, from the first batch on."""
    batches = iter(loader(pairs, workers, repeats))
    next(batches)
    begun, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch)
    return count / (time.perf_counter() - begun)


def training(steps: int) -> float:
    """Pictures a second through forward and backward of the default pair, captions of 40 tokens."""
    import torch

    from fetalclip.memory import keep_freed_memory
    from fetalclip.models.pair import Architecture, DualEncoder

    keep_freed_memory()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = DualEncoder(Architecture()).train()
    pictures = torch.rand(BATCH, 3, IMAGE, IMAGE).contiguous(memory_format=torch.channels_last)
    tokens = torch.randint(1, model.architecture.text.vocab_size, (BATCH, 40))
    end = torch.full((BATCH,), 39)
    begun = 0.0
    for step in range(steps + 1):
        if step == 1:  # the first one warms up
            begun = time.perf_counter()
        scores = model.encode_image(pictures) @ model.encode_text(tokens, end).T * model.logit_scale.exp()
        targets = torch.arange(BATCH)
        loss = torch.nn.functional.cross_entropy(scores, targets) + torch.nn.functional.cross_entropy(scores.T, targets)
        loss.backward()
        model.zero_grad()
    return steps * BATCH / (time.perf_counter() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--per-shard", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=8, help="passes over the shards in a round")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    from fetalclip.data.sources import open_pairs

    with tempfile.TemporaryDirectory() as name:
        table, what = table_of(asked.root, Path(name), asked.pictures)
        found: dict[str, list[float]] = {"table": [], "shards": [], "tower": []}
        written = write(table, Path(name) / "shards", asked.per_shard)
        sources = {word: open_pairs(str(path), "train", side=SIDE, overlay="mask") for word, path in
                   (("table", table), ("shards", Path(name) / "shards"))}  # fmt: skip
        for _ in range(asked.rounds):
            found["table"].append(reading(sources["table"], asked.workers, 1))
            found["shards"].append(reading(sources["shards"], asked.workers, asked.repeats))
            found["tower"].append(training(asked.steps))
    rates = {word: statistics.median(values) for word, values in found.items()}
    ratios = {"over_table": rates["shards"] / rates["table"], "over_tower": rates["shards"] / rates["tower"]}
    if asked.json:
        told = {"pictures": what, "workers": asked.workers, "per_second": rates, "writing": written, "runs": found}
        print(json.dumps({**told, **ratios, "limits": {"over_table": 1.0, "over_tower": LOADER}}))
    else:
        print(f"{what}, {asked.workers} workers, median of {asked.rounds}; written at {written:.1f}/s")
        for word, rate in rates.items():
            print(f"{word:7} {rate:8.1f} pairs/s")
        print(
            f"shards over table {ratios['over_table']:.1f} (goal 1), over the tower {ratios['over_tower']:.1f} (goal 3)"
        )
    return int(ratios["over_table"] < 1 or ratios["over_tower"] < LOADER)


if __name__ == "__main__":
    sys.exit(main())
