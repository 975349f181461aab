"""How long `fetalclip --help`, one cold image and warm images take, as times and as ratios to a baseline.

Every measure has a baseline taken in the same run, turn by turn, because seconds depend on the machine and ratios
much less. Not a test: see README.md in this folder.

    python benchmarks/startup_and_speed.py [--model M] [--runs 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HELP_TARGET, COLD_TARGET = 0.3, 3.0  # seconds, best of the runs

# The installed console script, so that what is measured is what the user types.
SCRIPT = Path(sys.executable).with_name("fetalclip")
PROGRAM = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-c", "from fetalclip.cli import main; main()"]

NO_TORCH = """
import sys
sys.argv = ["fetalclip", "--help"]
from fetalclip.cli import main
try:
    main()
except SystemExit:
    pass
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "numpy", "PIL"})
print(",".join(loaded), file=sys.stderr)
"""


@dataclass
class Measure:
    """One measure: seconds of the thing and of its baseline, best and median."""

    name: str
    best: float
    median: float
    baseline: str
    baseline_best: float
    baseline_median: float
    target: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """With the ratio of the medians and whether the best run reaches the target."""
        met = None if self.target is None else self.best < self.target
        return {**asdict(self), "ratio": self.median / self.baseline_median, "met": met}


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def turn_by_turn(
    first: Callable[[], object], second: Callable[[], object], runs: int
) -> tuple[list[float], list[float]]:
    """Times of both, alternating, after one run of each that does not count (bytecode, file cache)."""
    first(), second()
    pairs = [(timed(first), timed(second)) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def command(words: Sequence[str]) -> Callable[[], object]:
    """A program run; it must end well."""

    def run() -> None:
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr.decode()}")

    return run


def compare(name: str, words: Sequence[str], baseline: Sequence[str], runs: int, target: float) -> Measure:
    """One program against another."""
    ours, theirs = turn_by_turn(command(words), command(baseline), runs)
    shown = " ".join(["python", *baseline[1:]])
    return Measure(name, min(ours), statistics.median(ours), shown, min(theirs), statistics.median(theirs), target)


def check_no_torch() -> list[str]:
    """Heavy packages that `fetalclip --help` loads; torch among them ends the run."""
    done = subprocess.run([sys.executable, "-c", NO_TORCH], capture_output=True, text=True, check=False)
    loaded = [name for name in done.stderr.strip().splitlines()[-1:] for name in name.split(",") if name]
    if done.returncode or "torch" in loaded:
        raise SystemExit(f"fetalclip --help must run without torch; it loaded: {loaded}\n{done.stderr}")
    return loaded


def pictures(count: int) -> list[Any]:
    """Simulated planes, all different."""
    from fetalclip.phantom import PLANES, draw

    return [draw(PLANES[seed % len(PLANES)], seed).frame for seed in range(count)]


def save(frame: Any, path: Path) -> None:
    """A frame as PNG."""
    from PIL import Image

    Image.fromarray(frame.pixels).save(path)


def warm(name: str, runs: int) -> list[Measure]:
    """Seconds per image of `planes` at batch 1 and 16, against the image tower alone on prepared pictures."""
    import fetalclip

    model = fetalclip.load(name)
    frames = pictures(16)
    prepared = [model.prepare(frame).pixels for frame in frames]
    measures = []
    for size in (1, 16):
        parts = [slice(start, start + size) for start in range(0, len(frames), size)]

        def ours(parts: list[slice] = parts) -> None:
            for part in parts:
                model.planes(frames[part])

        def tower(parts: list[slice] = parts) -> None:
            for part in parts:
                model.encoder.images(prepared[part])

        a, b = ([seconds / len(frames) for seconds in times] for times in turn_by_turn(ours, tower, runs))
        measures.append(
            Measure(
                f"warm image, batch {size}",
                min(a),
                statistics.median(a),
                "image tower alone, picture prepared",
                min(b),
                statistics.median(b),
            )
        )
    return measures


def show(report: dict[str, Any]) -> None:
    """The report as a table."""
    print(f"{report['model']}, {report['machine']}\n")
    print(f"{'':24}{'best':>9}{'median':>9}{'base':>9}{'ratio':>8}  target")
    for m in report["measures"]:
        goal = "" if m["target"] is None else f"< {m['target']:g} s: {'met' if m['met'] else 'MISSED'}"
        per = f"{1 / m['best']:.1f} images/s at best" if m["name"].startswith("warm") else goal
        times = f"{m['best']:>8.3f}s{m['median']:>8.3f}s{m['baseline_median']:>8.3f}s"
        print(f"{m['name']:24}{times}{m['ratio']:>7.2f}x  {per}")
    print("\nbase: median of, in this order")
    for m in report["measures"]:
        print(f"  {m['baseline']}")
    print(f"\nfetalclip --help loads no torch (of numpy, PIL: {', '.join(report['help_loads']) or 'none'})")


def main() -> None:
    """Measure, print, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="fetalclip-open", help="a name or a model folder")
    parser.add_argument("--runs", type=int, default=10, help="runs of each start-up measure (default 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    python = sys.executable
    loads = check_no_torch()
    measures = [compare("fetalclip --help", [*PROGRAM, "--help"], [python, "-c", "pass"], options.runs, HELP_TARGET)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.png"
        save(pictures(1)[0], path)
        words = [*PROGRAM, "analyze", str(path), "--model", options.model, "--json"]
        runs = max(1, options.runs // 2)
        measures.append(compare("one image, cold", words, [python, "-c", "import torch"], runs, COLD_TARGET))
    measures += warm(options.model, max(1, options.runs // 2))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    report = {
        "schema": "fetalclip.speed/1",
        "model": options.model,
        "machine": machine,
        "help_loads": loads,
        "measures": [measure.to_dict() for measure in measures],
    }
    if options.json:
        print(json.dumps(report))
    else:
        show(report)
    sys.exit(any(m["met"] is False for m in report["measures"]))


if __name__ == "__main__":
    main()
