"""The rules: nothing stays that the standard's table wants gone."""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, tag_for_keyword

from fetalclip.io.deid.actions import Choices, kept, profile, rules

TABLE = {row["keyword"]: row for row in profile() if row["keyword"]}


def test_the_table_is_the_standards() -> None:
    assert len(TABLE) > 600
    for keyword, row in TABLE.items():
        assert tag_for_keyword(keyword) == int(row["tag"], 16), keyword
    codes = {row["basic"] for row in TABLE.values()}
    assert codes == {"D", "U", "X", "X/D", "X/Z", "X/Z/D", "X/Z/U*", "Z", "Z/D"}
    assert (TABLE["PatientName"]["basic"], TABLE["PatientID"]["basic"]) == ("Z", "Z/D")
    assert TABLE["LastMenstrualDate"]["modified_dates"] == "C"


def test_what_stays_by_default_is_not_in_the_table() -> None:
    keep = kept()
    names = [*keep["numbers"], *keep["counts"], *keep["items"], *keep["codes"], *keep["terms"]]
    assert len(names) == len(set(names))
    assert [name for name in names if tag_for_keyword(name) is None] == []
    assert [name for name in names if name in TABLE] == []


def test_text_is_kept_only_on_request() -> None:
    default, device = rules(Choices()), rules(Choices(device=True))
    assert [name for name, action in default.by_keyword.items() if action == "text"] == []
    assert device.action("Manufacturer") == device.action("DeviceSerialNumber") == "text"
    assert default.action("Manufacturer") == default.action("DeviceSerialNumber") == "remove"
    assert rules(Choices(patient=True)).action("PatientAge") == "age"
    assert default.action("PatientAge") == "remove"
    assert default.action("PatientSex") == "empty"


def test_every_row_is_followed() -> None:
    followed = rules(Choices())
    for keyword, row in TABLE.items():
        if row["modified_dates"] == "C" and "Date" in keyword:
            wanted = "date"
        else:
            wanted = {"X": "remove", "Z": "empty", "U": "uid", "D": "dummy"}[row["basic"][0]]
        assert followed.action(keyword) == wanted, keyword


def test_what_is_in_no_table_goes() -> None:
    assert rules(Choices()).action("") == "remove"
    assert rules(Choices()).action("NominalScannedPixelSpacing") == "remove"
    numbers = {dictionary_VR(tag_for_keyword(name)) for name in kept()["numbers"]}
    assert numbers <= {"DS", "IS", "FL", "FD", "SL", "UL", "US", "SH"}
