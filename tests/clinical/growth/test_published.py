"""Every value that the publications print."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth.catalogue import files

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference"


# Papageorghiou, Lancet 2014: 3rd, 50th and 97th centile, to 0.1 mm
@pytest.mark.parametrize(
    ("chart", "weeks", "sizes"),
    [
        ("hc", 20, (158.5, 172.5, 186.5)),
        ("hc", 30, (261.0, 278.4, 295.8)),
        ("ac", 30, (230.6, 253.8, 277.0)),
        ("fl", 30, (51.3, 55.5, 59.7)),
        ("bpd", 30, (73.1, 78.9, 84.7)),
    ],
)
def test_intergrowth_centiles(chart: str, weeks: int, sizes: tuple[float, ...]) -> None:
    one = growth.chart(f"intergrowth-21st-{chart}")
    assert [one.size(7 * weeks, centile) for centile in (3, 50, 97)] == pytest.approx(sizes, abs=0.1)


def test_intergrowth_ofd() -> None:
    one = growth.chart("intergrowth-21st-ofd")
    assert one.size(210) == pytest.approx(98.0, abs=0.05)
    assert one.size(210, 100 * 0.8413447460685429) - one.size(210) == pytest.approx(3.88, abs=0.005)


# Stirnemann 2017, the table: exact to the gram
@pytest.mark.parametrize(("weeks", "grams"), [(28, (892, 951, 1097, 1276, 1375)), (40, (2574, 2818, 3338, 3858, 4101))])
def test_intergrowth_weights(weeks: int, grams: tuple[int, ...]) -> None:
    one = growth.chart("intergrowth-21st-efw")
    assert [round(one.size(7 * weeks, centile)) for centile in (3, 10, 50, 90, 97)] == list(grams)


def test_intergrowth_weight_passes_lambda_zero() -> None:
    one = growth.chart("intergrowth-21st-efw")
    curve: Any = one.curve
    from fetalclip.clinical.growth.arithmetic import ONE

    low, high = 154.0, 280.0  # lambda is negative at 22 and positive at 40 weeks
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if curve.lam({"t": middle / 7}, ONE) < 0 else (low, middle)
    for days in (low, high, low + 1e-9):
        for centile in (3, 50, 97):
            size = one.size(days, centile)
            assert one.centile(size, growth_age(days)) == pytest.approx(centile, abs=1e-6)
            assert size == pytest.approx(one.size(days + 1e-4, centile), rel=1e-5)


# Kiserud 2017, V3
@pytest.mark.parametrize(
    ("chart", "weeks", "centiles", "sizes", "within"),
    [
        ("hc", 14, (2.5, 50, 97.5), (85.6, 99.5, 112.3), 0.05),
        ("hc", 20, (2.5, 50, 97.5), (157.0, 173.4, 188.5), 0.05),
        ("hc", 40, (2.5, 50, 97.5), (318.6, 342.1, 363.4), 0.05),
        ("efw", 28, (10, 50, 90), (1026, 1189, 1368), 0.5),
        ("efw", 40, (10, 50, 90), (3084, 3617, 4135), 0.5),
        ("ac", 20, (50,), (149.6,), 0.05),
        ("fl", 20, (50,), (32.2,), 0.05),
        ("bpd", 20, (50,), (46.6,), 0.05),
    ],
)
def test_who_quantiles(
    chart: str, weeks: int, centiles: tuple[float, ...], sizes: tuple[float, ...], within: float
) -> None:
    one = growth.chart(f"who-2017-v3-{chart}")
    assert [one.size(7 * weeks, centile) for centile in centiles] == pytest.approx(sizes, abs=within)


@pytest.mark.parametrize(("sex", "word"), [("F", "girls"), ("M", "boys")])
def test_who_coefficients_by_sex(sex: str, word: str) -> None:
    table = REFERENCE / "who_efw_by_sex_v3.csv"
    if not table.exists():
        pytest.skip(f"{table.name} is not here")
    with table.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["sex"] == sex]
    assert_same(rows, f"who-2017-v3-efw-{word}")


@pytest.mark.parametrize("measure", ["AC", "BPD", "EFW", "FL", "HC", "HL"])
def test_who_coefficients(measure: str) -> None:
    table = REFERENCE / "who_global_v3.csv"
    if not table.exists():
        pytest.skip(f"{table.name} is not here")
    with table.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["fetalDimension"] == measure]
    assert_same(rows, f"who-2017-v3-{measure.lower()}")


def assert_same(rows: list[dict[str, str]], chart: str) -> None:
    """All eleven quantiles, every digit."""
    quantiles = files()[chart]["quantiles"]
    assert len(rows) == len(quantiles) == 11
    for row in rows:
        assert quantiles[row["quantile"]] == [float(row[f"b{i}"]) for i in range(5)]


def test_who_between_quantiles_is_straight_on_the_log_scale() -> None:
    one = growth.chart("who-2017-v3-hc")
    ten, quarter = one.size(140, 10), one.size(140, 25)
    assert one.size(140, 17.5) == pytest.approx(math.sqrt(ten * quarter), rel=1e-12)
    assert one.centile(math.sqrt(ten * quarter), growth_age(140)) == pytest.approx(17.5, abs=1e-9)


# Hadlock 1984, 1985, 1991
def test_hadlock_ages() -> None:
    assert weeks("hadlock-1984-age", HC=175) == pytest.approx(20.02, abs=0.005)


def test_hadlock_weight_for_age() -> None:
    one = growth.chart("hadlock-1991-efw")
    assert one.size(70) == pytest.approx(34.6, abs=0.05)  # 35 g in the abstract
    assert one.size(280) == pytest.approx(3619, abs=0.5)  # as in the abstract
    one_sd = one.size(280, 100 * 0.8413447460685429)
    assert one_sd / one.size(280) - 1 == pytest.approx(0.127, abs=1e-9)


@pytest.mark.parametrize(
    ("file", "sizes", "grams"),
    [
        ("hadlock-1985-weight", {"AC": 300.0, "FL": 60.0}, 10 ** (1.304 + 1.5843 + 1.1628 - 0.72)),
        (
            "hadlock-1985-weight",
            {"HC": 280.0, "AC": 300.0, "FL": 60.0},
            10 ** (1.326 - 0.5868 + 0.2996 + 1.314 + 0.948),
        ),
        (
            "hadlock-1985-weight",
            {"BPD": 80.0, "AC": 300.0, "FL": 60.0},
            10 ** (1.335 - 0.612 + 0.2528 + 1.371 + 0.9738),
        ),
        (
            "hadlock-1985-weight",
            {"BPD": 80.0, "HC": 280.0, "AC": 300.0, "FL": 60.0},
            10 ** (1.3596 - 0.6948 + 0.1792 + 0.1464 + 1.272 + 1.044),
        ),
        ("intergrowth-21st-weight", {"AC": 260.0, "HC": 290.0}, 1498.6),  # the paper's example: 1499 g
    ],
)
def test_weights(file: str, sizes: dict[str, float], grams: float) -> None:
    """Worked by hand in centimetres."""
    assert growth.equation(file, ",".join(sizes)).value(sizes) == pytest.approx(grams, rel=2e-5)


# Dating by crown-rump length and late dating
@pytest.mark.parametrize(
    ("file", "expected"),
    [("intergrowth-21st-crl-age", 12.39), ("robinson-1975-age", 12.46), ("hadlock-1992-age", 12.48)],
)
def test_crl_of_60_mm(file: str, expected: float) -> None:
    assert weeks(file, CRL=60) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("sizes", "expected"), [({"HC": 175.0}, 20.22), ({"HC": 280.0, "FL": 55.0}, 30.15), ({"HC": 250.0}, 189.8 / 7)]
)
def test_late_dating(sizes: dict[str, float], expected: float) -> None:
    assert weeks("intergrowth-21st-late-age", **sizes) == pytest.approx(expected, abs=0.008)


def test_late_dating_example_of_the_paper() -> None:
    assert 7 * weeks("intergrowth-21st-late-age", HC=250.0, FL=55.0) == pytest.approx(200.5, abs=0.05)


def test_crl_of_an_age() -> None:
    one = growth.chart("intergrowth-21st-crl")
    days = 84
    assert one.size(days) == pytest.approx(-50.6562 + 0.815118 * days + 0.00535302 * days**2, abs=1e-9)
    assert one.centile(one.size(days), growth_age(days)) == pytest.approx(50, abs=1e-9)


def weeks(file: str, **sizes: float) -> float:
    days = growth.equation(file, ",".join(sizes)).value(sizes)
    assert days is not None
    return float(days) / 7.0


def growth_age(days: float) -> Any:
    from fetalclip.clinical.age import IndependentAge

    return IndependentAge(days)
