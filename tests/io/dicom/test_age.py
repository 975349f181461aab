"""Gestational age by the header: what is taken, in which order, and what never is."""

from __future__ import annotations

import json
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from fetalclip import io
from fetalclip.clinical.age import IndependentAge
from fetalclip.io.dicom import age as module
from fetalclip.io.dicom.age import HeaderAge, age_of

from .conftest import build, pattern

SCAN = "20240520"
LMP_143, EDD_143 = "20231229", "20241004"  # 20w3d on that day


def coded(value: str, scheme: str = "LN") -> Dataset:
    found = Dataset()
    found.CodeValue, found.CodingSchemeDesignator, found.CodeMeaning = value, scheme, "x"
    return found


def item(code: str, unit: str = "", scheme: str = "LN", **fields: Any) -> Dataset:
    """An item of the acquisition context."""
    found = Dataset()
    found.ConceptNameCodeSequence = [coded(code, scheme)]
    if unit:
        found.MeasurementUnitsCodeSequence = [coded(unit, "UCUM")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in fields.items():
            setattr(found, keyword, value)
    return found


def found(*context: Dataset, **fields: Any) -> HeaderAge:
    """What a file with these fields tells, written and read again."""
    fields = {"AcquisitionDate": SCAN, **fields}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = build(pattern(48, 64), AcquisitionContextSequence=list(context), **fields)
    header = module_header(data)
    answer = age_of(header)
    dates = [text for text in (SCAN, LMP_143, EDD_143, "2024-", "2023-") if text in repr(answer)]
    assert dates == []  # nor in a warning
    return answer


def module_header(data: bytes) -> Dataset:
    from fetalclip.io.dicom.header import read_header

    return read_header(lambda: BytesIO(data), "scan").dataset


def test_codes_are_those_of_the_standard() -> None:
    dates, others = codes.cid12003, codes.cid12019
    assert module._CODES[dates.LMP.value] == module.LMP
    for code in (dates.EDD, dates.EDDFromLMP, dates.EDDFromOvulationDate):
        assert module._CODES[code.value] == module.EDD
    for code in (others.GestationalAge, others.GestationalAgeByLMP, codes.cid12018.GestationalAgeByOvulationDate):
        assert module._CODES[code.value] == module.AGE
    ultrasound = (dates.EDDFromAverageUltrasoundAge, others.CompositeUltrasoundAge, codes.cid12012.AverageUltrasoundAge)
    assert {code.value for code in ultrasound} == module._MEASURED
    assert not module._MEASURED & set(module._CODES)


@pytest.mark.parametrize(
    ("context", "fields", "source"),
    [
        ([], {"LastMenstrualDate": LMP_143}, "DICOM LMP"),
        ([item("8665-2", Date=LMP_143)], {}, "DICOM LMP"),
        ([item("11955-2", DateTime=f"{LMP_143}101500.5+0100")], {}, "DICOM LMP"),
        ([item("11779-6", Date=EDD_143)], {}, "DICOM EDD"),
        ([item("11885-1", "d", NumericValue="143")], {}, "DICOM GA"),
        ([item("11886-9", "d", NumericValue="143.9")], {}, "DICOM GA"),  # whole days, as people count them
        ([item("11885-1", "wk", NumericValue="20.42857143")], {}, "DICOM GA"),
        ([item("11885-1", "d", NumericValue="143")], {"AcquisitionDate": None}, "DICOM GA"),
    ],
)
def test_each_kind_is_taken(context: list[Dataset], fields: dict[str, Any], source: str) -> None:
    assert found(*context, **fields) == HeaderAge(IndependentAge(143, source))


@pytest.mark.parametrize(
    ("weeks", "days"),
    [("20.857", 146), ("20.86", 146), ("20.142857", 141), ("20.1", 141), ("20", 140), ("0.143", 1), ("45.0", 315)],
)
def test_weeks_are_told_to_the_nearest_day(weeks: str, days: int) -> None:
    assert found(item("11885-1", "wk", NumericValue=weeks)).age == IndependentAge(days, "DICOM GA")


def test_what_does_not_say_its_basis_is_told() -> None:
    unsaid = item("11778-8", Date=EDD_143), item("18185-9", "d", NumericValue="142")
    for one, source, days in ((unsaid[0], "DICOM EDD", 143), (unsaid[1], "DICOM GA", 142)):
        answer = found(one)
        assert answer.age == IndependentAge(days, source)
        assert len(answer.warnings) == 1
        assert "does not say what the" in answer.warnings[0]
        assert "may be by ultrasound" in answer.warnings[0]
    by_lmp = item("11885-1", "d", NumericValue="141")
    assert found(*unsaid, by_lmp) == HeaderAge(IndependentAge(141, "DICOM GA"))  # what says its basis goes before
    assert found(*unsaid, LastMenstrualDate=LMP_143) == HeaderAge(IndependentAge(143, "DICOM LMP"))


def test_the_most_trusted_of_several() -> None:
    later = item("11779-6", Date="20241008")  # 4 days apart
    age = item("18185-9", "d", NumericValue="140")
    assert found(age, later, LastMenstrualDate=LMP_143).age == IndependentAge(143, "DICOM LMP")
    assert found(age, later).age == IndependentAge(139, "DICOM EDD")


def test_ages_that_lie_apart_are_all_refused() -> None:
    answer = found(item("11778-8", Date="20241013"), LastMenstrualDate=LMP_143)
    assert answer.age is None
    assert answer.warnings == ("no age: LMP and EDD of the header lie 9 days apart",)
    assert found(item("11778-8", Date="20241011"), LastMenstrualDate=LMP_143).age is not None  # 7 days


@pytest.mark.parametrize("code", sorted(module._MEASURED))
def test_what_came_of_a_measurement_is_never_taken(code: str) -> None:
    measured = item(code, "d", NumericValue="143", Date=EDD_143)
    answer = found(measured)
    assert answer.age is None
    assert "circular" in answer.warnings[0]
    for unsaid in (item("11778-8", Date=EDD_143), item("18185-9", "d", NumericValue="143")):
        answer = found(unsaid, measured)  # may be the same age again
        assert answer.age is None
        assert len(answer.warnings) == 1
    assert found(measured, LastMenstrualDate=LMP_143).age == IndependentAge(143, "DICOM LMP")


@pytest.mark.parametrize(
    ("context", "fields", "said"),
    [
        ([], {"LastMenstrualDate": "20240601"}, "does not fit"),  # after the scan
        ([], {"LastMenstrualDate": "20220101"}, "does not fit"),  # an earlier pregnancy's
        ([item("11778-8", Date="20260101")], {}, "does not fit"),
        ([], {"LastMenstrualDate": "20231399"}, "no date"),
        ([], {"LastMenstrualDate": "202312"}, "no date"),
        ([], {"LastMenstrualDate": "ROE^JANE"}, "no date"),
        ([], {"LastMenstrualDate": f"{LMP_143}-20240201"}, "no date"),  # a range
        ([], {"LastMenstrualDate": f"{LMP_143}-"}, "no date"),
        ([item("8665-2", DateTime=f"{LMP_143}-20240201")], {}, "no date"),
        ([], {"LastMenstrualDate": [LMP_143, LMP_143]}, "no date"),
        ([item("8665-2", NumericValue="3")], {}, "no date"),
        ([], {"LastMenstrualDate": LMP_143, "AcquisitionDate": None}, "no day of the scan"),
        ([item("18185-9", "mo", NumericValue="5")], {}, "no number of days or weeks"),
        ([item("18185-9", NumericValue="143")], {}, "no number of days or weeks"),
        ([item("18185-9", "d")], {}, "no number of days or weeks"),
        ([item("18185-9", "d", NumericValue="nan")], {}, "no number of days or weeks"),
        ([item("18185-9", "d", NumericValue="-3")], {}, "cannot be meant"),
        ([item("18185-9", "wk", NumericValue="1e308")], {}, "cannot be meant"),
        ([item("18185-9", "d", NumericValue="0")], {}, "cannot be meant"),
    ],
)
def test_what_cannot_be_meant_is_told_without_its_value(
    context: list[Dataset], fields: dict[str, Any], said: str
) -> None:
    answer = found(*context, **fields)
    assert answer.age is None
    assert len(answer.warnings) == 1
    assert said in answer.warnings[0]
    assert not any(char.isdigit() for char in answer.warnings[0])
    assert "ROE" not in answer.warnings[0]


def test_nothing_told_is_no_warning() -> None:
    for context in ([], [item("8665-2", scheme="SCT", Date=LMP_143)], [item("11820-8", NumericValue="3")], [Dataset()]):
        assert found(*context) == HeaderAge()


def test_the_day_of_the_scan() -> None:
    days = {"AcquisitionDate": None, "StudyDate": "20240510", "LastMenstrualDate": LMP_143}
    assert found(**days).age == IndependentAge(133, "DICOM LMP")
    assert found(**days, SeriesDate="2024.05.11").age == IndependentAge(134, "DICOM LMP")
    assert found(**days, SeriesDate="20240511", ContentDate="20240512").age == IndependentAge(135, "DICOM LMP")
    assert found(**days, AcquisitionDateTime="20240513120000").age == IndependentAge(136, "DICOM LMP")


def test_dates_that_pydicom_was_asked_to_convert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydicom.config, "datetime_conversion", True)
    answer = found(item("11779-6", DateTime=f"{EDD_143}1200"), LastMenstrualDate=LMP_143)
    assert answer.age == IndependentAge(143, "DICOM LMP")
    assert answer.warnings == ()


def test_read_and_info_tell_it(tmp_path: Path) -> None:
    fields = {"AcquisitionDate": SCAN, "LastMenstrualDate": LMP_143}
    (tmp_path / "still").write_bytes(build(pattern(48, 64), **fields))
    (tmp_path / "clip").write_bytes(build(pattern(3, 48, 64), **fields))
    (tmp_path / "bad").write_bytes(build(pattern(48, 64), AcquisitionDate=SCAN, LastMenstrualDate="20240601"))
    told = {"days": 143, "source": "DICOM LMP"}
    assert io.read(tmp_path / "still").info["age"] == told
    assert io.read_cine(tmp_path / "clip").info["age"] == told
    assert io.inspect(tmp_path / "still")["age"] == io.inspect(tmp_path / "clip")["age"] == told
    bad = io.inspect(tmp_path / "bad")
    assert bad["age"] is None
    assert bad["warnings"] == ["the LMP of the header does not fit the day of the scan: not taken"]
    assert not any(text in json.dumps(bad) for text in (SCAN, "20240601", "2024-"))
