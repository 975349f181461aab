"""Checks: true, false, or not to be told."""

from __future__ import annotations

import pytest

from fetalclip.fit.distil_recipe import DistilRecipe, TeacherRecipe
from fetalclip.fit.dry_checks import check_reading, check_room, check_teacher
from fetalclip.fit.pretrain_recipe import PretrainRecipe


@pytest.mark.parametrize(("peak", "there", "ok"), [(900, 1000, True), (1001, 1000, False), (950, 0, None)])
def test_memory_and_disk_are_large_enough(peak, there, ok):
    found = check_room({"peak": peak}, there, {"needed": 5}, 10)
    assert [check.ok for check in found] == [ok, True]
    assert check_room({"peak": peak}, there, {"needed": 11}, 10)[1].ok is False


def test_reading_keeps_up_with_its_workers():
    assert check_reading(10.0, 0, 20.0)[0].ok is False
    assert check_reading(10.0, 2, 20.0)[0].ok is True
    assert check_reading(None, 2, 20.0) == check_reading(10.0, 2, None) == []


def test_a_teacher_is_looked_for_where_one_is_asked():
    for model, ok in (("fetalclip-open", True), ("no-such-model", False), ("", False)):
        (found,) = check_teacher(DistilRecipe(teacher=TeacherRecipe(model=model)))
        assert (found.name, found.ok) == ("teacher", ok)
    assert check_teacher(PretrainRecipe()) == check_teacher(DistilRecipe(teacher=TeacherRecipe(kind="none"))) == []
