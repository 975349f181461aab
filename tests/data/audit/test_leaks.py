"""The cheap checks before a training: groups and identical files on two sides."""

from __future__ import annotations

import numpy as np

from fetalclip.data.audit import leaks
from fetalclip.data.audit.leaks import group_leaks


def pixels(level):
    return np.full((12, 12), level, np.uint8)


def test_a_clean_split_leaks_nothing(make):
    rows = [make("a.png", pixels(1), "A", "train"), make("b.png", pixels(1), "A", "train")]
    assert leaks([*rows, make("c.png", pixels(2), "C", "test")]) == []


def test_a_group_on_two_sides(make):
    rows = [make("a.png", pixels(1), "A", "train"), make("b.png", pixels(2), "B", "test")]
    found = leaks([*rows, make("c.png", pixels(3), "A", "test")])
    assert [(x.kind, x.sides, x.rows, x.test) for x in found] == [("group", ("test", "train"), (0, 2), True)]


def test_training_and_validation_are_told_apart_from_test(make):
    found = leaks([make("a.png", pixels(1), "A", "train"), make("b.png", pixels(2), "A", "val")])
    assert [x.test for x in found] == [False]


def test_one_file_twice_under_two_groups(make):
    rows = [make("a.png", pixels(1), "A", "train"), make("b.png", pixels(2), "B", "val")]
    found = leaks([*rows, make("c.png", pixels(1), "C", "test")])
    assert [(x.kind, x.sides, x.rows) for x in found] == [("file", ("test", "train"), (0, 2))]


def test_a_missing_file_and_a_row_without_a_side_leak_nothing(make):
    rows = [make("a.png", None, "A", "train"), make("b.png", pixels(1), "B", ""), make("c.png", pixels(1), "C", "test")]
    assert leaks(rows) == []
    assert group_leaks([make("d.png", None, "D", ""), make("e.png", None, "D", "test")]) == []
