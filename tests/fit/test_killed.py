"""A run killed with SIGKILL at random steps, five times, ends bit-equal to the run that was never killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("pretrain_script.py")
KILLS = 5
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")]


def started(out: Path, words: list[str]) -> subprocess.Popen[str]:
    call = [sys.executable, "-W", "error", str(SCRIPT), str(out), *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def finished(out: Path, words: list[str]) -> None:
    run = started(out, words)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 0, told[-2000:]


def steps_logged(out: Path) -> int:
    log = out / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.is_file() else []
    return sum('"rate"' in line for line in lines)


def killed(out: Path, words: list[str], rng: random.Random) -> int:
    """Start or go on with a run, and kill it some steps and some milliseconds later; the steps it had logged."""
    before, run = steps_logged(out), started(out, words)
    wanted = before + rng.randint(0, 3)
    while run.poll() is None and steps_logged(out) < wanted:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.03))
    run.send_signal(signal.SIGKILL)
    run.communicate()
    return steps_logged(out)


def leaves(state: object, name: str = "") -> dict[str, object]:
    """Every tensor and number of a checkpoint by its place."""
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in leaves(value, f"{name}.{key}").items()}
    if isinstance(state, (list, tuple)):
        return {k: v for i, value in enumerate(state) for k, v in leaves(value, f"{name}.{i}").items()}
    return {name: state}


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return one == other


def compare(whole: Path, broken: Path) -> None:
    one, other = (leaves(torch.load(folder / "checkpoint.pt", weights_only=True)) for folder in (whole, broken))
    for state in (one, other):
        state.pop(".log")  # its lines tell the time a step took
    assert one.keys() == other.keys()
    assert [name for name in one if not same(one[name], other[name])] == []
    assert any(isinstance(value, torch.Tensor) and value.ndim > 1 for value in one.values())
    logs = [[json.loads(x) for x in (f / "metrics.jsonl").read_text().splitlines()] for f in (whole, broken)]
    timed = ("pictures_per_second", "memory_mb")
    plain = [[{k: v for k, v in line.items() if k not in timed} for line in lines] for lines in logs]
    assert plain[0] == plain[1]


@pytest.mark.parametrize(
    "words",
    [["ema=0.9", "chunk=3", "epochs=4"], ["kind=efficientnet-lite0", "accumulate=2", "targets=true"], ["--open"]],
    ids=["vit", "compact", "open"],
)
def test_a_killed_run_ends_bit_equal(tmp_path, words):
    finished(tmp_path / "whole", words)
    rng = random.Random(5)
    seen = [killed(tmp_path / "broken", words, rng) for _ in range(KILLS)]
    finished(tmp_path / "broken", words)
    assert min(seen) < steps_logged(tmp_path / "whole"), "every kill came too late to matter"
    compare(tmp_path / "whole", tmp_path / "broken")


def test_a_killed_run_from_shards_ends_bit_equal(tmp_path, drawn_shards):
    words = ["--source", str(drawn_shards), "epochs=3"]
    finished(tmp_path / "whole", words)
    rng = random.Random(6)
    for _ in range(KILLS):
        killed(tmp_path / "broken", words, rng)
    finished(tmp_path / "broken", words)
    compare(tmp_path / "whole", tmp_path / "broken")
