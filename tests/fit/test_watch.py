"""What a run tells of itself: its environment without anybody's name, its log after a kill, its picture."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fetalclip.errors import DataMissing
from fetalclip.fit import watch
from fetalclip.fit.watch import commit, environment, peak_memory_mb, plot_run, read_metrics


def write(folder: Path, *lines: object, end: str = "\n") -> Path:
    (folder / watch.LOG).write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + end)
    return folder


def test_the_environment_is_told_and_names_nobody():
    found = environment()
    assert {"fetalclip", "torch", "numpy", "accelerate", "python", "processor", "cores", "threads", "gpus"} <= set(
        found
    )
    assert found["cores"] >= 1
    assert found["memory_mb"] > 100
    said = json.dumps(found)
    for name in (socket.gethostname(), str(Path.home()), os.getcwd()):
        assert len(name) < 4 or name not in said
    assert getpass.getuser() not in found.values()


def test_the_commit_is_of_the_code():
    assert commit() == "" or len(commit().removesuffix("+")) >= 7


def test_the_peak_of_memory_holds_what_was_held():
    before = peak_memory_mb()
    assert before > 20
    block = np.ones(int((before + 100) * 1e6 / 8))  # more than ever before
    assert peak_memory_mb() >= before + 90
    del block
    assert peak_memory_mb() >= before + 90


def test_the_peak_is_this_processs_own_whoever_started_it():
    block = np.ones(int(800e6 / 8))
    asked = "from fetalclip.fit.watch import peak_memory_mb; print(peak_memory_mb())"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert 20 < float(told.stdout) < 750
    del block


def test_steps_done_again_after_a_kill_count_once(tmp_path):
    held = {"step": 20, "validation": {"loss": 1.0}, "best": True}
    again = [{"step": 20, "loss": 2.1}, {"step": 20, "validation": {"loss": 1.1}, "best": True}]
    lines = [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0}, held, {"step": 30, "loss": 1.0}]
    write(tmp_path, *lines, *again, {"step": 30, "loss": 1.2})
    found = read_metrics(tmp_path)
    assert [line.get("loss") for line in found] == [3.0, 2.1, None, 1.2]
    assert found[2]["validation"] == {"loss": 1.1}


def test_a_line_cut_short_and_what_is_no_line_are_left_out(tmp_path):
    write(tmp_path, {"epoch": 1, "loss": 1.0}, "[1]", "nonsense", {"epoch": 2, "loss": 0.5}, '{"epoch": 3, "lo', end="")
    assert [line["epoch"] for line in read_metrics(tmp_path)] == [1, 2]


def test_a_run_is_drawn_into_its_folder(tmp_path):
    write(tmp_path, {"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0})
    (tmp_path / "recipe.json").write_text(json.dumps({"recipe": {"name": "mine"}}))
    made = plot_run(tmp_path)
    assert made == tmp_path / "curves.png"
    assert made.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "metrics.jsonl", "recipe.json"]


def test_no_log_is_told(tmp_path):
    with pytest.raises(DataMissing, match=r"metrics\.jsonl"):
        plot_run(tmp_path)
