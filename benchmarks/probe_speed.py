"""How long a probe of many embeddings takes: the default against the published recipe, in one run.

    python benchmarks/probe_speed.py [--rows 10000] [--width 768] [--json]

Rows are drawn about a direction for each class and one for each patient, so that neither is told apart without error.
The default fits 4 penalties in 5 folds of whole patients and once more on all rows; the published recipe trains one
linear layer for 50 epochs.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch

from fetalclip.fit.probe import LinearProbe

CLASSES, PER_PATIENT = 6, 5


def draw(rows: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings (rows, width) float32, classes and patients."""
    rng = np.random.default_rng(seed)
    patients = np.arange(rows) // PER_PATIENT
    truth = rng.integers(0, CLASSES, rows)
    of_class = rng.normal(size=(CLASSES, width))
    of_patient = rng.normal(size=(patients[-1] + 1, width))
    x = 0.16 * of_class[truth] + 0.5 * of_patient[patients] + rng.normal(size=(rows, width))
    return x.astype(np.float32), truth, patients


def timed(
    method: str, data: tuple[np.ndarray, np.ndarray, np.ndarray], fresh: tuple[np.ndarray, ...]
) -> dict[str, Any]:
    """Seconds of a fit, and accuracy on fresh patients."""
    began = time.perf_counter()
    probe = LinearProbe(method).fit(*data)
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "accuracy": round(float(probe.score(fresh[0], fresh[1])), 4), "C": probe.C_}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    x, truth, patients = draw(asked.rows + 2000, asked.width)
    data = x[: asked.rows], truth[: asked.rows], patients[: asked.rows]
    fresh = x[asked.rows :], truth[asked.rows :]
    found = {method: timed(method, data, fresh) for method in ("logistic", "published")}
    told = {"rows": asked.rows, "width": asked.width, "threads": torch.get_num_threads(), **found}
    told["published_over_logistic"] = round(found["published"]["seconds"] / found["logistic"]["seconds"], 2)
    if asked.json:
        print(json.dumps(told))
        return
    for key, value in told.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
