"""Whose the pictures of an archive are, and on which side they stand: what a table says, then what headers say.

A patient is never on two sides in silence. What a table says of some of a patient's files holds for the others; where
it puts one patient on two sides, the rows are refused.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from fetalclip.data.columns import SPLITS
from fetalclip.data.dicom_facts import Facts
from fetalclip.data.manifest import Problem
from fetalclip.data.splits import fold_of
from fetalclip.io.deid.key import Key

Lines = list[dict[str, str]]
_SIDES = ("train", "val", "test")


def group(lines: Lines, sources: Sequence[str], files: Mapping[str, Facts], key: Key) -> list[str]:
    """Fill the groups that no table gave, and tell whose each row is.

    A group is the one that the table gave other files of the same patient, else the patient, else the one patient of
    the folder, else the file alone.

    Args:
        lines: rows as cells; they are filled.
        sources: the file of each row.
        files: the facts of all files.
        key: names a file that is alone.

    Returns:
        Of each row the patient of its header: of a file that names nobody, the one patient of its study or folder. The
        study, where one Patient ID is that of all studies, as it may stand for nobody. Empty where nothing tells.
    """
    persons, there = _persons(files), defaultdict(set)
    for name, person in persons.items():
        if person:
            there[os.path.dirname(name)].add(person)
    beside = [_only(there[os.path.dirname(source)]) for source in sources]
    by_study = studies_of_one(files.values()) > 0
    whose = []
    for line, source, near in zip(lines, sources, beside, strict=True):
        person = persons[source] or ("" if line.get("group") else near)
        whose.append(files[source].study if by_study else person)
    given: dict[str, set[str]] = defaultdict(set)
    for line, who in zip(lines, whose, strict=True):
        if who and line.get("group"):
            given[who].add(line["group"])
    for line, source, near, who in zip(lines, sources, beside, whose, strict=True):
        if not line.get("group"):
            told = _only(given[who]) if who else ""
            # a name of its own that does not repeat the path, which may hold a patient's
            line["group"] = told or files[source].patient or near or key.uid(source)
    return whose


def studies_of_one(files: Iterable[Facts]) -> int:
    """How many studies one Patient ID is of, where it is that of all of several; else 0."""
    files = list(files)
    named = [one for one in files if one.named]
    studies = {one.study for one in named}
    others = any(one.patient and one.study not in studies for one in files)
    return len(studies) if len({one.patient for one in named}) == 1 and len(studies) > 1 and not others else 0


def linked(lines: Lines, facts: Sequence[Facts], whose: Sequence[str]) -> list[str]:
    """Of each row what it must share a side with: its group, joined with those of the same patient or study."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent.get(above, above)
            name = above
        return name

    first: dict[tuple[str, str], str] = {}  # the group that a study or a patient was met with
    for line, one, who in zip(lines, facts, whose, strict=True):
        for tie in (("study", one.study), ("patient", who)):
            met = first.setdefault(tie, line["group"]) if tie[1] else line["group"]
            ends = sorted((top(line["group"]), top(met)))
            parent[ends[1]] = ends[0]
    return [top(line["group"]) for line in lines]


def split(lines: Lines, whose: Sequence[str], links: Sequence[str], deal: bool) -> None:
    """Give rows the side that the table gave others of their group, their patient or their study.

    Args:
        lines: rows as cells; they are filled.
        whose: of each row the patient.
        links: of each row what it must share a side with.
        deal: whether the rest is dealt.
    """
    for ties in ([line["group"] for line in lines], whose, links):
        given: dict[str, dict[str, str]] = defaultdict(dict)  # split to fold
        for line, tie in zip(lines, ties, strict=True):
            if side := _side(line):
                given[tie][side] = line.get("fold", "")
        for line, tie in zip(lines, ties, strict=True):
            if tie and not line.get("split") and len(given[tie]) == 1:
                line["split"], line["fold"] = next(iter(given[tie].items()))
    for line, link in zip(lines, links, strict=True):
        if deal and not line.get("split") and not given[link]:
            fold = fold_of(link)
            line["split"], line["fold"] = {0: "test", 1: "val"}.get(fold, "train"), str(fold)


def parted(lines: Lines, sources: Sequence[str], whose: Sequence[str]) -> list[Problem]:
    """A problem for each row of a patient whom the table puts on several sides, by groups that are each on one."""
    sides: dict[str, set[str]] = defaultdict(set)
    of_group: dict[str, set[str]] = defaultdict(set)
    for line, who in zip(lines, whose, strict=True):
        of_group[line["group"]].add(_side(line))
        sides[who].add(_side(line))
    told = []
    for number, (line, source, who) in enumerate(zip(lines, sources, whose, strict=True), 1):
        found = sorted(sides[who] - {""})
        # a group on several sides is found by the manifest itself
        if who and len(found) > 1 and len(of_group[line["group"]]) == 1:
            what = f"the table puts files of its patient, as headers tell, in {', '.join(found)}: give one side"
            told.append(Problem(number, source, "mixed splits", what))
    return told


def mixed_studies(sources: Sequence[str], files: Mapping[str, Facts]) -> list[Problem]:
    """A word for each file that names a patient and whose study holds others; who names nobody contradicts nobody."""
    patients = _named(files.values())
    numbers = {source: number for number, source in reversed(list(enumerate(sources, 1)))}
    told = []
    for name, facts in files.items():
        count = len(patients.get(facts.study, ()))
        if count > 1 and facts.named and name in numbers:
            what = f"{count} patients in its study: the row keeps its own; --split puts all of them on one side"
            told.append(Problem(numbers[name], name, "patients differ within study", what, repaired=True))
    return told


def _persons(files: Mapping[str, Facts]) -> dict[str, str]:
    """The patient of each file: of one that names nobody, the one patient that others of its study name."""
    patients = _named(files.values())
    return {
        name: one.patient if one.named else _only(patients.get(one.study, ())) or one.patient
        for name, one in files.items()
    }


def _named(files: Iterable[Facts]) -> dict[str, set[str]]:
    """The patients that the files of each study name."""
    patients: dict[str, set[str]] = defaultdict(set)
    for one in files:
        if one.study and one.named:
            patients[one.study].add(one.patient)
    return patients


def _only(names: Iterable[str]) -> str:
    """The one name there is; empty where there are several or none."""
    found = list(names)
    return found[0] if len(found) == 1 else ""


def _side(line: Mapping[str, str]) -> str:
    """Train, val or test; empty where a row has no side, or a word that is none and is refused later."""
    word = line.get("split", "").lower()
    side = SPLITS.get(word, word)
    return side if side in _SIDES else ""
