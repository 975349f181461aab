"""Real annotations through the measuring code give the published head circumference."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fetalclip.data import Row, read_dataset

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not (DATA / "hc18").is_dir(), reason="the public data sets are not at ../shared/data")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The benchmark: what it prints and what is tested here are the same numbers."""
    spec = importlib.util.spec_from_file_location("annotation_to_hc", ROOT / "benchmarks" / "annotation_to_hc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [row for row in read_dataset("hc18", DATA) if row.mask]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "most"), [("filled", 0.1), ("outline", 0.3)])
def test_the_published_circumference(script: ModuleType, rows: list[Row], layout: str, most: float) -> None:
    off = script.differences(rows, layout)
    test = np.array([row.fold == 0 for row in rows])
    assert test.sum() > 100
    for part in (off, off[test]):
        assert np.isfinite(part).all()  # every annotation gives a measure
        assert np.abs(part).mean() <= most
