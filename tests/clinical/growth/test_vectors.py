"""Columns: numpy and pandas in, the same out, the same numbers as one by one."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.age import IndependentAge
from fetalclip.errors import BadValue

CHARTS = sorted(growth.charts())
RANDOM = np.random.default_rng(0)


def cases(name: str, n: int = 200) -> tuple[growth.Chart, np.ndarray, np.ndarray]:
    chart = growth.chart(name)
    days = RANDOM.uniform(chart.first_day - 5, chart.last_day + 5, n)
    typical = chart.size(np.clip(days, chart.first_day, chart.last_day))
    return chart, typical * RANDOM.normal(1, 0.1, n), days


@pytest.mark.parametrize("name", CHARTS)
def test_columns_say_what_single_cases_say(name: str) -> None:
    chart, sizes, days = cases(name)
    age = IndependentAge(days, "LMP")
    for ask in (chart.z, chart.centile):
        one_by_one = [ask(float(size), IndependentAge(float(day))) for size, day in zip(sizes, days, strict=True)]
        expected = np.array([np.nan if value is None else value for value in one_by_one])
        assert np.isnan(expected).any()
        np.testing.assert_allclose(ask(sizes, age), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        chart.age(sizes), [np.nan if (day := chart.age(float(size))) is None else day for size in sizes], atol=1e-5
    )


def test_blocks_do_not_show() -> None:
    chart = growth.chart("who-2017-v3-hc")
    days = np.linspace(90, 290, 40_001)
    sizes = np.full(days.shape, 200.0)
    found = chart.centile(sizes, IndependentAge(days))
    np.testing.assert_array_equal(found[::7], chart.centile(sizes[::7], IndependentAge(days[::7])))


def test_shapes_and_broadcasting() -> None:
    chart = growth.chart("intergrowth-21st-hc")
    assert chart.z(np.full((2, 3), 170.0), IndependentAge(140)).shape == (2, 3)
    assert chart.z([170.0, 180.0], "20w0d") == pytest.approx([chart.z(170.0, "20w0d"), chart.z(180.0, "20w0d")])
    assert isinstance(chart.z(np.float64(170), IndependentAge(140)), float)
    assert chart.z(np.array([]), "20w0d").shape == (0,)


@pytest.mark.parametrize(
    ("sizes", "days", "said"),
    [
        ([170.0, np.nan], [140.0, 140.0], "row 1 has the size nan"),
        ([170.0, -1.0], [140.0, 140.0], "row 1 has the size -1"),
        ([170.0, np.inf], [140.0, 140.0], "row 1 has the size inf"),
        ([170.0, 170.0, 0.0], [140.0, 140.0, 140.0], "row 2 has the size 0"),
        ([170.0, 170.0], [np.nan, 140.0], "row 0 has the age nan"),
        ([170.0, "x"], [140.0, 140.0], "does not hold numbers"),
    ],
)
def test_a_bad_row_is_named(sizes: list[float], days: list[float], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        growth.chart("who-2017-v3-hc").z(sizes, IndependentAge(np.array(days)))


def test_missing_values_may_be_kept() -> None:
    chart = growth.chart("who-2017-v3-hc")
    found = chart.z(np.array([170.0, np.nan]), "20w0d", missing="keep")
    assert np.isfinite(found[0])
    assert np.isnan(found[1])
    with pytest.raises(BadValue, match="missing="):
        chart.z(np.array([170.0]), "20w0d", missing="drop")


def test_equations_take_columns() -> None:
    weigh = growth.equation("hadlock-1985-weight", "HC,AC,FL")
    columns = {"HC": np.array([175.0, 290.0]), "AC": np.array([150.0, 260.0]), "FL": np.array([32.0, np.nan])}
    found = weigh.value(columns)
    assert found[0] == pytest.approx(weigh.value({"HC": 175.0, "AC": 150.0, "FL": 32.0}))
    assert np.isnan(found[1])
    crl = growth.equation("intergrowth-21st-crl-age", "CRL").value({"CRL": np.array([14.9, 60.0, 95.1])})
    assert np.isnan(crl[[0, 2]]).all()
    assert crl[1] == pytest.approx(86.75, abs=0.01)


class TestPandas:
    """A Series keeps its index and name."""

    pd = pytest.importorskip("pandas")

    def test_series_in_series_out(self) -> None:
        chart = growth.chart("who-2017-v3-hc")
        table = self.pd.DataFrame({"HC": [175.0, 262.0], "days": [143, 210]}, index=["a", "b"])
        found = chart.centile(table["HC"], IndependentAge(table["days"], "LMP"))
        assert isinstance(found, self.pd.Series)
        assert list(found.index) == ["a", "b"]
        assert found.name == "HC"
        assert found["a"] == pytest.approx(chart.centile(175.0, "20w3d"))
        assert isinstance(chart.size(table["days"]), self.pd.Series)
        assert isinstance(chart.age(table["HC"]), self.pd.Series)

    def test_its_own_missing_value(self) -> None:
        sizes = self.pd.Series([175, None], dtype="Float64")
        with pytest.raises(BadValue, match="row 1"):
            growth.chart("who-2017-v3-hc").z(sizes, "20w3d")
        kept = growth.chart("who-2017-v3-hc").z(sizes, "20w3d", missing="keep")
        assert kept.isna().tolist() == [False, True]

    def test_rows_that_do_not_belong_together(self) -> None:
        sizes, days = self.pd.Series([175.0], index=[0]), self.pd.Series([143.0], index=[1])
        with pytest.raises(BadValue, match="row labels"):
            growth.chart("who-2017-v3-hc").z(sizes, IndependentAge(days))
        with pytest.raises(BadValue, match="one column"):
            growth.chart("who-2017-v3-hc").z(self.pd.DataFrame({"HC": [175.0]}), "20w3d")
