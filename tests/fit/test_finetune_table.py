"""A fine-tuning's table: who is held out, and what is refused before anything is written."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fetalclip.errors import BadRecipe, DataMissing, NoCalibration, UnreadableInput, UsageError
from fetalclip.fit.finetune_recipe import FinetuneData, FinetuneRecipe
from fetalclip.fit.finetune_table import held_out, prepared_sides, read_table


def write(folder, header, rows):
    for row in rows:
        Image.fromarray(np.full((8, 10), 90, np.uint8)).save(folder / row[0])
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return FinetuneRecipe(data=FinetuneData(str(folder / "t.csv")))


def test_whole_patients_are_held_out_in_every_class():
    groups = [f"p{n // 3}" for n in range(300)]
    labels = ["rare" if n // 3 in (7, 40, 66) else ("a", "b")[n // 3 % 2] for n in range(300)]
    held = held_out(labels, groups, 0.2, 20)
    sides = [{g for g, out in zip(groups, held, strict=True) if out == side} for side in (False, True)]
    assert not sides[0] & sides[1]
    counts, whole = Counter(np.array(labels)[held]), Counter(labels)
    assert counts["rare"] == 3
    assert counts["a"] / whole["a"] == pytest.approx(0.2, abs=0.03)
    assert counts["b"] / whole["b"] == pytest.approx(0.2, abs=0.03)
    assert (held == held_out(labels, groups, 0.2, 20)).all()
    assert (held != held_out(labels, groups, 0.2, 21)).any()


def test_numbers_are_held_out_from_all_over_their_range():
    numbers = np.arange(100.0)
    held = held_out(numbers, [f"p{n}" for n in range(100)], 0.2, 3)
    assert held.sum() == 20
    assert np.histogram(numbers[held], 5, (0, 100))[0].tolist() == [4] * 5
    assert held_out(numbers[:2], ["a", "b"], 0.1, 3).sum() == 1


def test_two_patients_of_a_class_are_parted():
    held = held_out(["a", "a", "b", "b"], ["1", "2", "3", "4"], 0.9, 0)
    assert held.sum() == 2
    with pytest.raises(BadRecipe, match="patients"):
        held_out(["a", "b"], ["1", "1"], 0.5, 0)


def test_the_tables_own_split_is_followed_and_its_test_side_never_read(tmp_path):
    rows = [(f"{n}.png", "ab"[n % 2], f"p{n}", ("train", "train", "val", "val", "test", "test")[n]) for n in range(6)]
    recipe = write(tmp_path, ["filename", "label", "patient", "split"], rows)
    (tmp_path / "4.png").write_bytes(b"broken")
    table = read_table(recipe)
    assert [row.path.name for row in table.train] == ["0.png", "1.png"]
    assert [row.path.name for row in table.held] == ["2.png", "3.png"]
    assert table.split
    assert table.counts() == {"train_pictures": 2, "held_pictures": 2, "train_patients": 2, "held_patients": 2}
    train, held = prepared_sides(table, recipe, 60, tmp_path / "cache")
    assert train.pictures.shape == (2, 70, 70)
    assert held.pictures.shape == (2, 60, 60)
    assert held.targets.tolist() == [0, 1]
    assert np.isnan(held.spacings).all()


def test_spacing_goes_with_the_square(tmp_path):
    rows = [(f"{n}.png", str(n), f"p{n}", "0.6") for n in range(4)]
    recipe = write(tmp_path, ["path", "label", "patient", "mm_per_pixel"], rows)
    recipe = FinetuneRecipe(question="number", data=FinetuneData(recipe.data.table, spacing=True))
    train, held = prepared_sides(read_table(recipe), recipe, 60, tmp_path / "cache")
    assert train.spacings == pytest.approx([0.6 * 10 / 70] * len(train))
    assert held.spacings == pytest.approx([0.6 * 10 / 60] * len(held))


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([("0.png", "a", "p"), ("1.png", "b", "q"), ("2.png", "b", "r")], UnreadableInput, "fewer than 2 patients"),
        ([("0.png", "a", "p"), ("1.png", "a", "q")], UnreadableInput, "one class only"),
    ],
)
def test_classes_that_cannot_be_learned(tmp_path, rows, error, says):
    with pytest.raises(error, match=says):
        read_table(write(tmp_path, ["path", "label", "patient"], rows))


def test_a_class_to_choose_by_that_nobody_trains_on(tmp_path):
    rows = [(f"{n}.png", "aabbcc"[n], f"p{n}", "train" if n < 4 else "val") for n in range(6)]
    with pytest.raises(BadRecipe, match="'c'"):
        read_table(write(tmp_path, ["path", "label", "patient", "split"], rows))


@pytest.mark.parametrize("label", ["nan", "inf", "many"])
def test_numbers_that_are_none(tmp_path, label):
    recipe = write(tmp_path, ["path", "label", "patient"], [("0.png", "3", "p"), ("1.png", label, "q")])
    with pytest.raises(UnreadableInput, match="a number"):
        read_table(FinetuneRecipe(question="number", data=recipe.data))


def test_what_a_recipe_needs_of_its_table(tmp_path):
    rows = [(f"{n}.png", str(n), f"p{n}") for n in range(4)]
    data = write(tmp_path, ["path", "label", "patient"], rows).data
    with pytest.raises(NoCalibration, match="4 of 4 rows"):
        read_table(FinetuneRecipe(question="number", data=FinetuneData(data.table, spacing=True)))
    with pytest.raises(UsageError, match="no_such"):
        read_table(FinetuneRecipe(data=FinetuneData(data.table, label="no_such")))
    with pytest.raises(BadRecipe, match=r"data\.table"):
        read_table(FinetuneRecipe())
    (tmp_path / "0.png").unlink()
    with pytest.raises(DataMissing, match="1 of 4"):
        read_table(FinetuneRecipe(data=data))
