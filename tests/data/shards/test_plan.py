"""Which picture goes into which shard: dealt by the seed, never a test row unasked, never over a leak."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fetalclip.data import Manifest
from fetalclip.data.shards.plan import Options, make_plan
from fetalclip.data.table_pairs import read_source
from fetalclip.errors import DataMissing, InputError, UsageError


def test_every_picture_once_and_no_test(table: Path, plan_of) -> None:
    plan = plan_of(table)
    assert [block.name for block in plan.blocks] == [f"train-{i:06d}.tar" for i in range(3)] + ["val-000000.tar"]
    for split, count in (("train", 12), ("val", 4)):
        places = [i for block in plan.blocks if block.split == split for i in block.places]
        assert len(places) == len(set(places)) == count
        assert {plan.rows[i].split for i in places} == {split}
    assert {row.split for row in plan_of(table, splits=("test",)).rows} == {"test"}


def test_the_seed_deals_and_neighbours_are_mixed(table: Path, plan_of) -> None:
    order = [i for block in plan_of(table).blocks for i in block.places]
    assert order == [i for block in plan_of(table).blocks for i in block.places]
    assert order != [i for block in plan_of(table, seed=1).blocks for i in block.places]
    assert order != sorted(order)
    assert sorted(plan_of(table).groups.values()) == list(range(len(plan_of(table).groups)))


def test_the_digest_is_of_rows_and_options_and_not_of_the_place(table: Path, tmp_path: Path, plan_of) -> None:
    moved = shutil.copytree(table.parent, tmp_path / "moved") / table.name
    digest = plan_of(table).digest
    assert plan_of(moved).digest == digest
    assert len({digest, plan_of(table, seed=1).digest, plan_of(table, overlay="keep").digest}) == 3
    moved.write_text(moved.read_text().replace("0.2", "0.3"))
    assert plan_of(moved).digest != digest


def test_rows_of_which_nothing_is_known_are_passed_over(table: Path) -> None:
    manifest = read_source(table)
    rows = tuple(
        replace(row, plane=None, planes=(), text=None) if i < 2 else row for i, row in enumerate(manifest.rows)
    )
    plan = make_plan(Manifest(rows, manifest.numbers), Options(40))
    assert (plan.silent, len(plan.rows)) == (2, 14)


def test_a_copy_on_the_test_side_is_refused(table: Path, tmp_path: Path, plan_of) -> None:
    folder = shutil.copytree(table.parent, tmp_path / "leak")
    first = read_source(folder / table.name).rows
    train, test = (next(row for row in first if row.split == split) for split in ("train", "test"))
    shutil.copy(train.path, test.path)
    with pytest.raises(InputError, match="1 groups or files stand on the test side"):
        plan_of(folder / table.name)


def test_a_side_without_rows(table: Path) -> None:
    manifest = read_source(table)
    rows = tuple(replace(row, split="") for row in manifest.rows)
    with pytest.raises(DataMissing, match="deals a split"):
        make_plan(Manifest(rows, manifest.numbers), Options(40))
    with pytest.raises(DataMissing, match="split val"):
        make_plan(Manifest(tuple(row for row in manifest.rows if row.split == "train"), range(99)[:12]), Options(40))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"side": 0}, {"side": 5000}, {"overlay": "only"}, {"per_shard": 0}, {"splits": ("dev",)}, {"splits": ()}],
)
def test_options_that_cannot_be_meant(options: dict) -> None:
    with pytest.raises(UsageError):
        Options(**{"side": 40, **options})
