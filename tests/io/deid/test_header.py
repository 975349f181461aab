"""The new header: what may stay, what is replaced, what is nowhere."""

from __future__ import annotations

import random
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.dataset import Dataset

from fetalclip.clinical.age import IndependentAge
from fetalclip.errors import UnreadableInput
from fetalclip.io.deid import Choices, Key
from fetalclip.io.deid.actions import profile, rules
from fetalclip.io.deid.header import clean
from fetalclip.io.deid.secrets import leaves
from fetalclip.io.dicom.age import age_of


def texts(dataset: Dataset) -> str:
    return "\n".join(str(element.value) for element, _ in leaves(dataset) if element is not None)


@pytest.mark.parametrize("choices", [Choices(), Choices(device=True, patient=True)])
def test_nothing_planted_is_left_in_200_headers(key: Key, choices: Choices, sim: SimpleNamespace) -> None:
    for seed in range(200):
        planted = sim.Planted(random.Random(seed))
        new = sim.header(planted)
        sim.add_region(new, label=planted.word("in the region"))
        done = clean(new, key, choices)
        allowed = {"serial", "station"} if choices.device else set()
        left = [name for name, word in planted.words.items() if word in texts(done.dataset) and name not in allowed]
        assert left == [], seed
        assert len(done.secrets) > 30
        assert done.removed["private"] == 4
        assert done.removed["PatientComments"] == 1
        assert done.dataset.SequenceOfUltrasoundRegions[0].PhysicalDeltaY == 0.023
        assert done.dataset.SeriesNumber == 3
        assert done.dataset.InstanceNumber is None


def test_dates_move_together(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    new = sim.header(planted)
    done = clean(new, key, Choices()).dataset

    def moved(keyword: str) -> int:
        old, later = (date.fromisoformat(str(part[keyword].value)[:8]) for part in (new, done))
        return (old - later).days

    assert moved("StudyDate") == moved("LastMenstrualDate") == moved("AcquisitionDateTime") == key.days(new.PatientID)
    assert len(done.AcquisitionDateTime) == 8
    assert done.StudyTime == ""
    assert done.PatientBirthDate == ""


def dated(sim: SimpleNamespace, planted: Any, lmp: str, code: str = "", **fields: Any) -> Dataset:
    """A header of a scan on 2024-05-20 with a last period, and an item of the acquisition context."""
    new = sim.header(planted)
    new.StudyDate, new.AcquisitionDateTime, new.LastMenstrualDate = "20240520", "20240520101500", lmp
    if code:
        item, name, unit = Dataset(), Dataset(), Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "LN", "x"
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "d", "UCUM", "day"
        item.ConceptNameCodeSequence, item.MeasurementUnitsCodeSequence = [name], [unit]
        for keyword, value in fields.items():
            setattr(item, keyword, value)
        new.AcquisitionContextSequence = [item]
    return new


@pytest.mark.parametrize(
    ("code", "fields", "stays"),
    [
        ("", {}, True),
        ("11779-6", {"Date": "20241004"}, True),  # they agree
        ("18185-9", {"NumericValue": "143"}, True),
        ("11779-6", {"Date": "20241104"}, False),  # 31 days apart
        ("11885-1", {"NumericValue": "100"}, False),
        ("11888-5", {"NumericValue": "143"}, False),  # by ultrasound
    ],
)
def test_an_age_that_was_refused_does_not_come_back(
    key: Key, planted: Any, sim: SimpleNamespace, code: str, fields: dict[str, Any], stays: bool
) -> None:
    old = dated(sim, planted, "20231229", code, **fields)
    done = clean(old, key, Choices())
    assert ("LastMenstrualDate" in done.dataset) == stays
    assert done.replaced["LastMenstrualDate"] == stays
    assert done.removed["LastMenstrualDate"] == (not stays)
    assert age_of(done.dataset).age == (IndependentAge(143, "DICOM LMP") if stays else None)
    assert set(age_of(old).warnings) <= set(age_of(done.dataset).warnings) or not stays
    assert "20231229" not in texts(done.dataset)
    again = clean(done.dataset, key, Choices()).dataset
    assert ("LastMenstrualDate" in again) == stays


def test_a_range_of_days_is_no_day_of_the_scan(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    old = dated(sim, planted, "20231229")
    old.StudyDate = ""
    old.add_new("AcquisitionDateTime", "DT", "20240520-20240701")
    for part in (old, clean(old, key, Choices()).dataset):
        assert age_of(part).age is None


def test_one_patient_is_one_and_another_is_another(
    key: Key, other_key: Key, planted: Any, sim: SimpleNamespace
) -> None:
    one, two, other = sim.header(planted), sim.header(planted), sim.header(planted, "b")
    two.PatientName, two.PatientID = "WRITTEN^OTHERWISE", f" {two.PatientID} "
    done = [clean(new, key, Choices()) for new in (one, two, other)]
    assert done[0].pseudonym == done[1].pseudonym != done[2].pseudonym
    assert done[0].dataset.StudyInstanceUID == done[1].dataset.StudyInstanceUID != done[2].dataset.StudyInstanceUID
    assert done[0].dataset.SOPInstanceUID != done[1].dataset.SOPInstanceUID
    assert clean(one, other_key, Choices()).pseudonym != done[0].pseudonym
    assert clean(one, other_key, Choices()).dataset.StudyInstanceUID != done[0].dataset.StudyInstanceUID


def test_a_patient_without_a_number(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    one, two = sim.header(planted), sim.header(planted)
    for new in (one, two):
        new.PatientID = ""
    assert clean(one, key, Choices()).pseudonym == clean(two, key, Choices()).pseudonym
    two.PatientBirthDate = "19010101"
    assert clean(one, key, Choices()).pseudonym != clean(two, key, Choices()).pseudonym


def test_twice_is_once(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    once = clean(sim.header(planted), key, Choices(patient=True, device=True))
    twice = clean(once.dataset, key, Choices(patient=True, device=True))
    assert twice.dataset == once.dataset
    assert (twice.removed, twice.replaced, twice.secrets) == ({}, {}, set())


def test_codes_stay_with_the_standards_own_words(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    done = clean(sim.header(planted), key, Choices())
    code = done.dataset.AnatomicRegionSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("T-F1100", "SRT")
    assert planted.words["meaning"] not in code.CodeMeaning
    strange = sim.header(planted)
    strange.AnatomicRegionSequence[0].CodeValue = "987654321"
    assert "AnatomicRegionSequence" not in clean(strange, key, Choices()).dataset


def test_a_kept_text_with_a_removed_one_in_it_goes(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    new = sim.header(planted)
    new.SoftwareVersions = f"1.2 for {planted.words['familya'].lower()}"
    new.ManufacturerModelName = "Model 5"
    done = clean(new, key, Choices(device=True))
    assert "SoftwareVersions" not in done.dataset
    assert done.dataset.ManufacturerModelName == "Model 5"


def test_numbers_that_are_none(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    new = sim.header(planted)
    new.add_new("MechanicalIndex", "LO", planted.word("index"))
    new.add_new("FrameTime", "LO", planted.word("frame time"))
    new.add_new("DepthsOfFocus", "FD", float("nan"))
    new.add_new("NumberOfStages", "SQ", [Dataset()])
    new.OutputPower = planted.word("power")
    done = clean(new, key, Choices()).dataset
    for keyword in ("MechanicalIndex", "FrameTime", "DepthsOfFocus", "NumberOfStages", "OutputPower"):
        assert keyword not in done


@pytest.mark.parametrize("value", ["20230231", "yesterday", "20230101-20240101", "00000000", "00010101"])
def test_a_date_that_is_none_goes(key: Key, planted: Any, sim: SimpleNamespace, value: str) -> None:
    new = sim.header(planted)
    new.add_new("StudyDate", "LO", value)
    assert not clean(new, key, Choices()).dataset.StudyDate


def test_without_uids_there_is_no_file(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    new = sim.header(planted)
    del new.StudyInstanceUID
    with pytest.raises(UnreadableInput, match="StudyInstanceUID"):
        clean(new, key, Choices())


def test_ethnic_group_is_a_characteristic_that_stays_when_asked(key: Key, planted: Any, sim: SimpleNamespace) -> None:
    new, code = sim.header(planted), Dataset()
    new.EthnicGroup, new.PatientSexNeutered, new.PatientState = "Group 7", "UNALTERED", planted.word("state")
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-F1100", "SRT", planted.word("group meaning")
    new.EthnicGroupCodeSequence = [code]
    kept, without = (clean(new, key, choices).dataset for choices in (Choices(patient=True), Choices()))
    assert (kept.EthnicGroup, kept.PatientSexNeutered) == ("Group 7", "UNALTERED")
    assert planted.words["group meaning"] not in kept.EthnicGroupCodeSequence[0].CodeMeaning
    assert "PatientState" not in kept
    for keyword in ("EthnicGroup", "EthnicGroupCodeSequence", "PatientSexNeutered"):
        assert keyword not in without
    new.EthnicGroup = f"of {planted.words['familya']}"
    assert "EthnicGroup" not in clean(new, key, Choices(patient=True)).dataset


def test_all_that_the_patient_option_keeps_is_kept() -> None:
    """The code 113108 says that the option of the standard was applied: each K of its table has a rule that keeps."""
    rows = [row["keyword"] for row in profile() if row["patient"] == "K" and not row["keyword"].startswith("Selector")]
    actions = {keyword: rules(Choices(patient=True)).action(keyword) for keyword in rows}
    assert {keyword for keyword, action in actions.items() if action in ("remove", "empty", "dummy")} == set()
