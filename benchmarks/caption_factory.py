"""Captions a second on one core: factory alone, and the whole way from rows to JSON lines.

Rows know everything: one or two views, sub-view, age, spacing, machine, and every fifth a finding. Time is that of the
process, so that what else the machine does counts for little; wall time is given beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from fetalclip.clinical.factory import CaptionFactory
from fetalclip.clinical.vocabulary import MACHINES, PLANES, SUBPLANES
from fetalclip.data import Manifest, Row
from fetalclip.data.captions import for_model, record_of, write
from fetalclip.data.tally import Tally

GOAL = 20_000  # captions a second


def rows(count: int) -> list[Row]:
    rng = random.Random(0)
    made = []
    for i in range(count):
        plane = rng.choice(list(PLANES))
        made.append(
            Row(
                "bench",
                Path(f"{i}.png"),
                f"{i}.png",
                f"P{i}",
                0,
                "train",
                plane,
                rng.choice(list(SUBPLANES)) if plane == "brain" else None,
                rng.choice(MACHINES),
                round(rng.uniform(0.05, 0.4), 4),
                age_days=rng.randint(98, 280),
                width=800,
                height=540,
                planes=(plane, "thorax") if plane == "abdomen" else (plane,),
                findings=("mild ventriculomegaly",) if i % 5 == 0 and plane == "brain" else (),
            )
        )
    return made


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=20_000)
    words.add_argument("--per-image", type=int, default=5)
    words.add_argument("--model", default="fetalclip-open")
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    job = for_model(asked.model, asked.per_image)
    table = rows(asked.rows)
    manifest = Manifest(tuple(table), tuple(range(1, len(table) + 1)))
    known = [record_of(row, job.image_size) for row in table]
    factory = CaptionFactory(job.measure, random.Random(0), limit=job.limit)
    found = {}
    start = time.process_time(), time.perf_counter()
    for record in known:
        for _ in range(asked.per_image):
            factory.write(record)
    found["factory"] = speed(asked.rows * asked.per_image, start)
    tally = Tally()
    start = time.process_time(), time.perf_counter()
    size = sum(len(json.dumps(line)) for line in write(manifest, job, tally))
    found["rows to JSON lines"] = speed(tally.captions, start)
    report = tally.to_dict({})
    told = {"speeds": found, "captions": tally.captions, "bytes": size, "tokens": report["tokens"]}
    told |= {"duplicates": report["duplicates"], "read_back": report["read_back"], "goal": GOAL}
    if asked.json:
        print(json.dumps(told))
    else:
        for name, (cpu, wall) in found.items():
            print(f"{name:<20} {cpu:>9,.0f} captions/s of processor time   {wall:>9,.0f} of wall time")
        distinct, most = report["duplicates"]["distinct"], report["tokens"]["most"]
        print(f"{tally.captions} captions, {distinct} different, at most {most} tokens")
    return 0 if min(cpu for cpu, _ in found.values()) >= GOAL else 1


def speed(count: int, start: tuple[float, float]) -> tuple[float, float]:
    return count / (time.process_time() - start[0]), count / (time.perf_counter() - start[1])


if __name__ == "__main__":
    sys.exit(main())
