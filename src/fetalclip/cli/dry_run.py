"""The dry run of a training as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fetalclip.cli.output import printable, table

_MARK = {True: "ok", False: "NO", None: "?"}
_MEMORY = {
    "weights": "weights",
    "gradients": "gradients",
    "gradients_sent": "gradients sent",
    "optimiser": "AdamW's means",
    "average": "average of the weights",
    "activations": "kept for going back",
    "passing": "on the way back",
    "loss": "loss",
    "batches": "batches of pictures",
    "fragments": "between blocks (assumed)",
    "process": "process without it",
    "peak": "together",
}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The lines of a ``fetalclip.dry-run/1``."""
    parts = {
        "architecture": _architecture(found["architecture"]),
        "parameters": _parameters(found["parameters"]),
        "data": _data(found["data"]),
        "steps": _steps(found["steps"], found["tokens"]),
        "a picture takes": _operations(found["operations"]),
        "memory of a process, GB": _memory(found["memory_mb"]),
        "time": _time(found["time"], found["time_note"]),
        "disk, GB": [[name, f"{found['disk_mb'][name] / 1000:.2f}"] for name in ("checkpoint", "needed", "free")],
        "checks": [[_MARK[check["ok"]], check["name"], check["found"]] for check in found["checks"]],
    }
    said = [printable(found["recipe"])]
    for name, rows in parts.items():
        said += ["", name, *(f"  {line}" for line in table(rows))]
    return said


def _architecture(told: Mapping[str, Any]) -> list[list[str]]:
    image, text = told["image"], told["text"]
    shape = f", {image['image_size']} px, patch {image['patch_size']}" if "image_size" in image else ""
    blocks = f", {image['layers']} blocks of width {image['width']}" if "layers" in image else ""
    words = f"{text['context_length']} of {text['vocab_size']} tokens"
    return [
        ["image", f"{image['kind']}{shape}{blocks}"],
        ["text", f"{words}, {text['layers']} blocks of width {text['width']}"],
        ["joint space", str(told["embed_dim"])],
    ]


def _parameters(told: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    return [[side, f"{count['all']:,}", f"{count['trained']:,} trained"] for side, count in told.items()]


def _data(told: Mapping[str, Any]) -> list[list[str]]:
    rows = [["source", told["source"] or "not set"]]
    for name, key in (("to train on", "pairs"), ("to choose by", "held")):
        rows.append([name, "not known" if told[key] is None else f"{told[key]:,}"])
    if told["planes"]:
        shown = ", ".join(f"{plane} {count}" for plane, count in told["planes"].items())
        rows.append([f"of {told['read']} read", shown])
    return rows


def _steps(told: Mapping[str, int] | None, tokens: int) -> list[list[str]]:
    rows = [["longest caption", f"{tokens} tokens"]]
    if told is None:
        return rows
    return [["an epoch", f"{told['epoch']:,}"], ["in all", f"{told['all']:,} of {told['pictures']:,} pictures"], *rows]


def _operations(told: Mapping[str, float]) -> list[list[str]]:
    names = {"forward": "forward", "backward": "backward", "again": "done twice", "picture": "together"}
    return [[words, f"{told[name] / 1e9:.1f} GFLOP"] for name, words in names.items()]


def _memory(told: Mapping[str, float]) -> list[list[str]]:
    return [[words, f"{told[name] / 1000:.2f}"] for name, words in _MEMORY.items() if told[name]]


def _time(told: Mapping[str, Any] | None, note: str) -> list[list[str]]:
    if told is None:
        return [["not known", note]]
    seconds = told["seconds"]
    return [
        ["where", str(told["where"])],
        ["peak", f"{told['peak_tflops']:.4g} TFLOP/s a process, {told['peak_is']}"],
        ["share of it", f"{told['share']:.1%}, {told['share_is']}"],
        ["speed", f"{told['pictures_per_second']:.4g} pictures a second"],
        ["in all", f"{seconds / 3600:.4g} h, {told['process_hours']:.4g} hours of a process" if seconds else "?"],
        ["note", note],
    ]
