"""A distillation on two processes is that of one, and one that was killed ends as one that was not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from taught import teach

SCRIPT = Path(__file__).with_name("distil_script.py")
pytestmark = pytest.mark.slow


def start(words: list[str], **env: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-W", "error", str(SCRIPT), *words]
    return subprocess.Popen(call, env={**os.environ, "OMP_NUM_THREADS": "1", **env}, stderr=subprocess.PIPE)


def finish(*processes: subprocess.Popen[bytes]) -> None:
    said = [process.communicate(timeout=600)[1].decode()[-2000:] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said


def spread(words: list[str]) -> None:
    """Two gloo processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    finish(*[start(words, **env, RANK=rank, LOCAL_RANK=rank) for rank in ("0", "1")])


def told(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "rest_weight" in line]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["towers"]


@pytest.mark.parametrize("features", ["live", "cached"])
def test_two_processes_learn_what_one_learns(tmp_path, features):
    teacher = str(teach(tmp_path / "teacher"))
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start([teacher, str(one), features, "dark"]))
    spread([teacher, str(two), features, "dark"])
    for alone, together in zip(told(one), told(two), strict=True):
        for name in ("own", "anchor", "rest", "rest_weight", "gradient_norm"):
            assert together[name] == pytest.approx(alone[name], rel=2e-4), name
    if features == "cached":
        cached = [torch.load(folder / "checkpoint.pt", weights_only=True)["data"] for folder in (one, two)]
        assert cached[0] == cached[1]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_run_ends_bit_equal(tmp_path):
    teacher = str(teach(tmp_path / "teacher"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start([teacher, str(whole), "cached", "dark"]))
    for steps in (0, 1, 2):
        run = start([teacher, str(broken), "cached", "dark"])
        while run.poll() is None and len(told(broken) if (broken / "metrics.jsonl").is_file() else []) < steps:
            time.sleep(0.002)
        assert run.poll() is None, "the kill came too late to matter"
        run.send_signal(signal.SIGKILL)
        run.communicate()
    finish(start([teacher, str(broken), "cached", "dark"]))
    one, other = weights(whole), weights(broken)
    assert [name for name, value in one.items() if not torch.equal(value, other[name])] == []
    assert len(told(broken)) == len(told(whole)) == 4
