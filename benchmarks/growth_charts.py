"""How fast the growth charts answer: one case from the command line, and a million rows of HC and age to z-scores.

    python benchmarks/growth_charts.py [--rows 1000000] [--runs 10] [--json]

The exit status is 1 when a target is missed. Not a test: see README.md in this folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND_TARGET, ROWS_TARGET = 0.5, 1.0  # seconds, best of the runs
SCRIPT = Path(sys.executable).with_name("fetalclip")
PROGRAM = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-c", "from fetalclip.cli import main; main()"]
CASE = ["growth", "HC=175", "FL=32", "AC=150", "--ga", "20w3d"]
CHARTS = ("who-2017-v3-hc", "intergrowth-21st-hc")


def timed(call: Callable[[], object], runs: int) -> dict[str, float]:
    """Best and median seconds, after one run that does not count."""
    call()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return {"best": min(times), "median": statistics.median(times)}


def command() -> None:
    """One case from the command line; it must end well."""
    subprocess.run([*PROGRAM, *CASE], capture_output=True, check=True)


def columns(rows: int) -> tuple[Any, Any]:
    """Random ages (days) inside the charts, and heads (mm) about their medians."""
    import numpy as np

    from fetalclip.clinical import growth

    random = np.random.default_rng(0)
    days = random.uniform(98, 280, rows)
    return growth.chart(CHARTS[0]).size(days) * random.normal(1, 0.04, rows), days


def main() -> None:
    """Measure, print, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    from fetalclip.clinical import growth
    from fetalclip.clinical.age import IndependentAge

    measures = [{"name": "fetalclip growth, one case", "target": COMMAND_TARGET, **timed(command, options.runs)}]
    heads, days = columns(options.rows)
    age = IndependentAge(days, "LMP")
    for name in CHARTS:
        chart = growth.chart(name)
        found = timed(lambda chart=chart: chart.z(heads, age), max(1, options.runs // 2))
        measures.append({"name": f"{options.rows:,} rows to z, {name}", "target": ROWS_TARGET, **found})
    missed = [one for one in measures if one["best"] >= one["target"]]
    if options.json:
        print(json.dumps({"schema": "fetalclip.speed/1", "measures": measures}))
    else:
        for one in measures:
            said = f"< {one['target']} s: " + ("MISSED" if one in missed else "met")
            print(f"{one['name']:<46}{one['best']:>8.3f} s best{one['median']:>8.3f} s median  {said}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
