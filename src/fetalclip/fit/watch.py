"""What is told of a run: what it was made with, the memory it takes, its log and the plots of it."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import fetalclip
from fetalclip.disk import replacing
from fetalclip.errors import DataMissing, OutputError
from fetalclip.report.progress import draw_progress

LOG, CURVES = "metrics.jsonl", "curves.png"
_PACKAGES = ("torch", "numpy", "accelerate", "safetensors", "tokenizers", "pillow", "webdataset")
_MAX_LOG_BYTES = 1 << 30
_LONGEST = 100_000  # characters of a line of a log


def environment() -> dict[str, Any]:
    """What the numbers are made with: versions, processor, graphics cards; no host, no user, no folder."""
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "fetalclip": fetalclip.__version__,
        "python": platform.python_version(),
        **{name: found for name in _PACKAGES if (found := _version(name))},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "memory_mb": round(machine_memory() / 1e6),
        "gpus": cards,
        "cuda": torch.version.cuda or "",
    }


def commit() -> str:
    """Commit of the code, with a + when it has changes that are not committed; empty outside a git checkout."""
    call = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def processor() -> str:
    """The processor's model, or what the system calls it."""
    try:
        told = re.search(r"(?m)^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8", "replace"))
    except OSError:
        told = None
    return told[1].strip() if told else platform.processor() or platform.machine()


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory() -> int:
    """Bytes of this machine's memory, or of the part of it that this process is let have; 0 where it is not told."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return 0
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no such limit ("max")
        return whole
    return min(whole, limit)


def peak_memory_mb(device: str = "cpu") -> float:
    """The most memory the run has held so far, in MB: of the graphics card, or the process's resident set.

    Of the process since it began: on a processor it never falls. 0 where the system does not tell.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:  # rusage counts in what the program that started this one held
        told = re.search(r"(?m)^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text())
    except OSError:
        told = None
    if told:
        return int(told[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * (1 if sys.platform == "darwin" else 1024) / 1e6  # bytes there, KiB elsewhere


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, in order.

    A run that was killed and went on writes some steps twice: what it wrote last counts. A line cut short by the kill
    is left out.

    Raises:
        DataMissing: no log in the folder, or one that cannot be read.
    """
    path, lines = folder / LOG, []
    try:
        if path.stat().st_size > _MAX_LOG_BYTES:
            raise DataMissing(f"{LOG} of {path.stat().st_size} bytes", f"at most {_MAX_LOG_BYTES}")
        with path.open(encoding="utf-8", errors="replace") as stream:
            while text := stream.readline(_LONGEST):
                lines += _line(text)
    except OSError as error:
        found = f"no {LOG} to read in {folder.name} ({error.strerror})"
        raise DataMissing(found, "the folder of a training", "fetalclip train RECIPE --out DIR") from None
    kept: list[dict[str, Any]] = []
    for line in lines:
        del kept[_before(kept, line) :]
        kept.append(line)
    return kept


def plot_run(folder: Path) -> Path:
    """Draw a run's log to ``curves.png`` in its folder.

    Returns:
        The picture.

    Raises:
        DataMissing: no log in the folder.
        OutputError: the picture cannot be written.
    """
    log, path = read_metrics(folder), folder / CURVES
    facts = f"{len(log)} lines of {LOG}"
    try:
        with replacing(path) as part:
            part.write_bytes(draw_progress(log, _name(folder), facts))
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})", "a writable folder") from None
    return path


def _line(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [found] if isinstance(found, dict) else []


def _place(line: dict[str, Any]) -> float | None:
    found = line.get("step", line.get("epoch"))
    return float(found) if isinstance(found, (int, float)) and abs(found) < 1e15 else None


def _before(kept: list[dict[str, Any]], line: dict[str, Any]) -> int:
    """How many of the kept lines a new one leaves standing: all, unless it is of a step that was done again."""
    place, start, again = _place(line), len(kept), False
    while place is not None and start:
        last = _place(kept[start - 1])
        if last is None or last < place:
            break
        again |= last > place or kept[start - 1].keys() == line.keys()
        start -= 1
    return start if again else len(kept)


def _name(folder: Path) -> str:
    """What the run calls its model, or nothing to speak of."""
    try:
        told = json.loads((folder / "recipe.json").read_text("utf-8"))["recipe"]["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "a training"
    return str(told)[:60]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
