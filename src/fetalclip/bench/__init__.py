"""Named protocols: data set × task × metric → a table with intervals. One file per protocol.

>>> from fetalclip.bench import planes
>>> result = planes.run(model, "data")  # doctest: +SKIP
>>> print(result)  # doctest: +SKIP
"""

from __future__ import annotations

from fetalclip.bench.predictions import planes_from_predictions, subplanes_from_predictions
from fetalclip.bench.table import BenchResult, Goal, Metric

__all__ = ["BenchResult", "Goal", "Metric", "planes_from_predictions", "subplanes_from_predictions"]
