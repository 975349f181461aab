"""Named protocols: data set × task × metric → a table with intervals. One file per protocol, one line in `registry`.

>>> from fetalclip.bench import planes
>>> result = planes.run(model, "data")  # doctest: +SKIP
>>> print(result)  # doctest: +SKIP

Names are loaded on first use: the command line lists the protocols without numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "BenchResult": "fetalclip.bench.table",
    "Goal": "fetalclip.bench.table",
    "Metric": "fetalclip.bench.table",
    "planes_from_predictions": "fetalclip.bench.predictions",
    "subplanes_from_predictions": "fetalclip.bench.predictions",
}

__all__ = ["BenchResult", "Goal", "Metric", "planes_from_predictions", "subplanes_from_predictions"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'fetalclip.bench' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
