"""The frozen split: no group on two sides, even folds, and the rule that made it."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.data import DATASETS, build_split, split_text, splits

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def test_a_group_is_on_one_side_and_in_one_fold() -> None:
    places = defaultdict(set)
    for _, _, group, fold, split in splits.frozen():
        places[group].add((fold, split))
    crossing = [group for group, found in places.items() if len(found) > 1]
    assert crossing == []


def test_counts_are_those_of_the_data() -> None:
    rows = splits.frozen()
    assert Counter(row[0] for row in rows) == {"fetal-planes-db": 1268, "hc18": 792, "head-structures": 42}
    assert len({row[:2] for row in rows}) == len(rows)
    sides = Counter((row[0], row[4]) for row in rows)
    assert sides["fetal-planes-db", "test"] == 381
    assert len({row[2] for row in rows if row[0] == "hc18"}) == 642


def test_sides_follow_from_folds() -> None:
    for dataset, _, group, fold, split in splits.frozen():
        assert group.startswith("HC18:" if dataset == "hc18" else "FPDB:")
        assert fold == splits.fold_of(group) or (fold == -1 and dataset != "hc18")
        expected = {-1: "test", 1: "val", 0: "test" if dataset == "hc18" else "train"}
        assert split == expected.get(fold, "train")


def test_folds_are_balanced() -> None:
    for dataset, total in (("fetal-planes-db", 887), ("hc18", 792)):
        folds = Counter(row[3] for row in splits.frozen() if row[0] == dataset and row[3] >= 0)
        assert set(folds) == set(range(5))
        assert sum(folds.values()) == total
        for count in folds.values():
            assert 0.85 * total / 5 < count < 1.15 * total / 5


def test_hc18_folds_do_not_follow_the_numbers() -> None:
    # The numbers are sorted by head size, so every fold must span them: mean rank within 10 % of the middle.
    numbers = sorted((int(row[2][5:]), row[3]) for row in splits.frozen() if row[0] == "hc18")
    for fold in range(5):
        ranks = [rank / len(numbers) for rank, (_, found) in enumerate(numbers) if found == fold]
        assert abs(sum(ranks) / len(ranks) - 0.5) < 0.1


def test_head_structures_share_their_patients_side() -> None:
    planes = {row[2]: row[3:] for row in splits.frozen() if row[0] == "fetal-planes-db"}
    heads = {row[2]: row[3:] for row in splits.frozen() if row[0] == "head-structures"}
    assert {group for group in heads if group not in planes} == {"FPDB:812", "FPDB:881"}
    for group, place in heads.items():
        assert planes.get(group, place) == place
    assert heads["FPDB:644"] == (-1, "test")  # the one test patient among them
    for group in ("FPDB:812", "FPDB:881"):
        assert heads[group] == splits.assign(group)


def test_hash_rule_is_the_documented_one() -> None:
    digest = sha256(b"4:FPDB:812").hexdigest()
    assert splits.SEED == 4
    assert splits.fold_of("FPDB:812") == int(digest, 16) % 5


@given(st.integers(2000, 10**7), st.sampled_from([0, 1, None]))
def test_unknown_groups_get_the_rule(patient: int, flag: int | None) -> None:
    group = f"FPDB:{patient}"
    place = splits.lookup("fetal-planes-db", f"Patient{patient}_Plane3_1_of_1.png", group, flag)
    assert place == splits.assign(group, flag)
    assert (place.split == "test") == (flag == 0)
    assert (place.split == "val") == (flag != 0 and splits.fold_of(group) == 1)
    exam = splits.lookup("hc18", f"{patient}_HC.png", f"HC18:{patient}")
    assert exam.split == {0: "test", 1: "val"}.get(splits.fold_of(f"HC18:{patient}"), "train")


def test_a_new_picture_of_a_known_patient_stays_with_the_patient() -> None:
    # 644 is on the test side: a picture of 644 with no published flag beside it must not be dealt by hash.
    for dataset in ("fetal-planes-db", "head-structures"):
        place = splits.lookup(dataset, "Patient00644_Plane1_9_of_9.png", "FPDB:644", None)
        assert place == splits.Place(-1, "test")


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not at ../shared/data")
def test_rebuilding_gives_the_frozen_file() -> None:
    lines = build_split(DATA)
    assert lines == list(splits.frozen())
    assert {line[0] for line in lines} == set(DATASETS)
    frozen_text = Path(splits.__file__).parents[1] / "assets" / "splits" / "split-v1.csv"
    assert split_text(lines) == frozen_text.read_text(encoding="utf-8")
