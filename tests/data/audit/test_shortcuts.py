"""Facts that predict the label: planted ones are flagged, others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fetalclip.data import Row
from fetalclip.data.audit.look import SIDE, Look
from fetalclip.data.audit.shortcuts import overlay_rules, shortcuts
from fetalclip.data.audit.targets import targets

N = 240


def rows_and_looks(seed=0):
    """Planes at random, two pictures a patient, nothing that tells them."""
    rng = np.random.default_rng(seed)
    rows, looks = [], []
    for i in range(N):
        plane = ("brain", "abdomen", "femur")[rng.integers(3)]
        name = f"scan_{i // 2:04d}_{rng.integers(10)}.png"
        rows.append(Row("table", Path("x") / name, name, f"case {i // 2}", -3, "train", plane))
        square = rng.integers(0, 255, (SIDE, SIDE)).astype(np.uint8)
        size = (int(rng.integers(9000, 20000)), 400 + 10 * int(rng.integers(3)))
        looks.append(Look(size=size[0], width=size[1], height=300, small=square, marks=square, kinds=(("text", "x"),)))
    return rows, looks


def flagged(rules):
    return {(rule.fact, rule.target) for rule in rules if rule.flagged}


def test_nothing_is_flagged_by_chance():
    for seed in range(3):
        assert flagged(shortcuts(*rows_and_looks(seed))) == set()


def test_a_plane_in_the_name_is_flagged():
    rows, looks = rows_and_looks()
    code = {"brain": 3, "abdomen": 2, "femur": 5}
    rows = [replace(row, path=Path("x") / f"P{i // 2}_Plane{code[row.plane]}.png") for i, row in enumerate(rows)]
    found = shortcuts(rows, looks)
    assert ("name, part 4", "plane") in flagged(found)
    assert found[0].accuracy == 1.0
    assert found[0].low > 0.4


def test_width_and_bytes_are_flagged():
    rows, looks = rows_and_looks()
    looks = [
        replace(seen, width=800 if row.plane == "brain" else 400, size=seen.size + 30000 * (row.plane == "femur"))
        for row, seen in zip(rows, looks, strict=True)
    ]
    assert {("width and height", "plane"), ("file size", "plane")} <= flagged(shortcuts(rows, looks))


def test_a_number_that_sorts_by_size_is_flagged():
    rows, looks = rows_and_looks()
    rows = [
        replace(row, plane="brain", hc_mm=60.0 + i, path=Path("x") / f"{i // 2:03d}_HC.png")
        for i, row in enumerate(rows)
    ]
    assert ("name, part 1 as a number", "head size") in flagged(shortcuts(rows, looks))


def test_marks_that_tell_the_plane_are_flagged():
    pytest.importorskip("sklearn")
    rows, looks = rows_and_looks()
    assert flagged(overlay_rules(rows, looks)) == set()
    square = {plane: np.zeros((SIDE, SIDE), np.uint8) for plane in ("brain", "abdomen", "femur")}
    square["brain"][2:6, 20:30] = 200
    square["femur"][20:26, 2:8] = 200
    looks = [replace(seen, marks=square[row.plane]) for row, seen in zip(rows, looks, strict=True)]
    found = overlay_rules(rows, looks)
    assert flagged(found) == {("overlay alone", "plane")}
    assert found[0].accuracy > 0.95


def test_pictures_without_marks_are_not_asked():
    rows, looks = rows_and_looks()
    assert overlay_rules(rows, [replace(seen, kinds=()) for seen in looks]) == []


def test_targets_leave_out_what_is_rare_or_constant():
    rows, _ = rows_and_looks()
    rows = [replace(row, plane="brain" if i else "cervix") for i, row in enumerate(rows)]
    assert targets(rows) == {}
    rows = [replace(row, age_days=100 + i % 80) for i, row in enumerate(rows)]
    assert set(targets(rows)["age"]) == {"quarter 1", "quarter 2", "quarter 3", "quarter 4"}
