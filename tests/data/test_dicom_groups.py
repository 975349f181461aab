"""Whose the pictures of an archive are, and on which side they stand."""

from __future__ import annotations

from collections.abc import Mapping

from fetalclip.data import dicom_groups as groups
from fetalclip.data.dicom_facts import Facts
from fetalclip.data.manifest import Problem
from fetalclip.io.deid.key import Key

KEY = Key(bytes(32))


def made(patient: str, study: str) -> Facts:
    return Facts(patient=patient, study=study, named=not patient.startswith("of"), dicom=True)


ARCHIVE = {"a1": made("A", "1"), "a2": made("A", "2"), "b3": made("B", "3"), "b4": made("B", "4")}


def told(
    files: Mapping[str, Facts], table: Mapping[str, tuple[str, str]], deal: bool = False
) -> tuple[dict[str, tuple[str, str]], list[Problem]]:
    """Group and split of each file, and what was refused; ``table`` gives group and split of some."""
    lines = [dict(zip(("group", "split"), table.get(name, ()), strict=False)) for name in files]
    sources = list(files)
    whose = groups.group(lines, sources, files, KEY)
    groups.split(lines, whose, groups.linked(lines, list(files.values()), whose), deal)
    found = {name: (line["group"], line.get("split", "")) for name, line in zip(files, lines, strict=True)}
    return found, groups.parted(lines, sources, whose)


def test_a_group_of_the_table_holds_for_the_other_files_of_its_patient() -> None:
    found, refused = told(ARCHIVE, {"a1": ("case", "test")}, deal=True)
    assert found["a1"] == found["a2"] == ("case", "test")
    assert found["b3"] == found["b4"]
    assert found["b3"][0] == "B"
    assert refused == []


def test_two_groups_of_one_patient_share_a_side() -> None:
    many = {f"{who}{number}": made(who, f"{who}{number}") for who in "ABCDEFGHIJ" for number in range(3)}
    table = {name: (name, "") for name in many if not name.endswith("2")}
    found, refused = told(many, table, deal=True)
    assert all(len({found[f"{who}{number}"][1] for number in range(3)}) == 1 for who in "ABCDEFGHIJ")
    assert found["A0"][0] == "A0"
    assert found["A2"][0] == "A"  # two groups: none of them is guessed
    assert refused == []
    found, _ = told(many, {"A0": ("A0", "val"), "A1": ("A1", "")}, deal=True)
    assert [found[f"A{number}"][1] for number in range(3)] == ["val"] * 3


def test_one_patient_on_two_sides_is_refused() -> None:
    found, refused = told(ARCHIVE, {"a1": ("G", "train"), "a2": ("H", "testing"), "b3": ("I", "val")})
    assert [(one.row, one.path, one.kind, one.repaired) for one in refused] == [
        (1, "a1", "mixed splits", False), (2, "a2", "mixed splits", False),
    ]  # fmt: skip
    assert "in test, train" in refused[0].what
    assert found["b4"] == ("I", "val")
    _, refused = told(ARCHIVE, {"a1": ("G", "training"), "a2": ("H", "train")})
    assert refused == []


def test_an_id_that_may_stand_for_nobody_ties_no_studies() -> None:
    files = {f"{study}{number}": made("X", study) for study in "123" for number in range(2)}
    assert groups.studies_of_one(files.values()) == 3
    table = {"10": ("G", "train"), "20": ("H", "test"), "30": ("I", "train")}
    found, refused = told(files, table)
    assert refused == []
    assert [found[name] for name in files] == [
        ("G", "train"), ("G", "train"), ("H", "test"), ("H", "test"), ("I", "train"), ("I", "train"),
    ]  # fmt: skip
    assert groups.studies_of_one(ARCHIVE.values()) == 0
    assert groups.studies_of_one([*files.values(), made("of-9", "9")]) == 0
    assert groups.studies_of_one([*files.values(), made("of-1", "1"), Facts()]) == 3


def test_who_names_nobody_contradicts_nobody() -> None:
    files = {"a1": made("A", "1"), "n1": made("of-1", "1"), "b2": made("B", "2")}
    assert groups.mixed_studies(list(files), files) == []
    found, _ = told(files, {})
    assert found["n1"][0] == "of-1"  # as its de-identified copy has it
    found, _ = told(files, {"a1": ("case", "test")})
    assert found["n1"] == ("case", "test")
    _, refused = told(files, {"a1": ("G", "train"), "n1": ("H", "test")})
    assert [one.path for one in refused] == ["a1", "n1"]
    files["c1"] = made("C", "1")
    assert [(one.path, one.what[:10]) for one in groups.mixed_studies(list(files), files)] == [
        ("a1", "2 patients"), ("c1", "2 patients"),
    ]  # fmt: skip


def test_patients_of_one_study_keep_the_sides_the_table_gives_them() -> None:
    files = {"a1": made("A", "1"), "a2": made("A", "2"), "b1": made("B", "1")}
    found, refused = told(files, {"a1": ("G", "train"), "b1": ("H", "test")})
    assert found == {"a1": ("G", "train"), "a2": ("G", "train"), "b1": ("H", "test")}
    assert refused == []


def test_stills_of_a_folder_go_with_its_patient_but_where_the_table_says_whose_they_are() -> None:
    files = {"p/a1": made("A", "1"), "p/x.png": Facts(), "p/y.png": Facts(), "q/b2": made("B", "2")}
    found, refused = told(files, {"p/a1": ("case", "test"), "p/y.png": ("other", "train")})
    assert found["p/x.png"] == ("case", "test")
    assert found["p/y.png"] == ("other", "train")
    assert refused == []
