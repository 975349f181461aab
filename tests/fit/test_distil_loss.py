"""The loss of distillation against a plain double loop, its course, and what repulsion does off the diagonal."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from fetalclip.fit.distil_loss import anchor_and_rest, rest_weight
from fetalclip.fit.distil_recipe import TeacherRecipe

B = 6


def logits(seed: int) -> torch.Tensor:
    return 5 * torch.randn(B, B, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(student: list[list[float]], teacher: list[list[float]], temperature: float) -> tuple[float, float]:
    """D and O as the formula reads, one number at a time, over rows and over columns."""
    anchor = rest = 0.0
    for turned in (False, True):
        for i in range(B):
            s = [student[k][i] if turned else student[i][k] for k in range(B)]
            t = [(teacher[k][i] if turned else teacher[i][k]) / temperature for k in range(B)]
            for j in range(B):
                p = math.exp(t[j]) / sum(math.exp(x) for x in t)
                q = s[j] - math.log(sum(math.exp(x) for x in s))
                if i == j:
                    anchor -= p * q / B / 2
                else:
                    rest -= p * q / B / 2
    return anchor, rest


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_both_terms_are_those_of_a_double_loop(temperature):
    student, teacher = logits(0), logits(1)
    found = anchor_and_rest(student, teacher, temperature)
    assert [float(x) for x in found] == pytest.approx(
        by_hand(student.tolist(), teacher.tolist(), temperature), rel=1e-12
    )


def test_with_a_weight_of_one_it_is_the_cross_entropy_to_the_teacher():
    student, teacher = logits(2), logits(3)
    anchor, rest = anchor_and_rest(student, teacher, 5.0)
    ways = [F.cross_entropy(s, F.softmax(t / 5, dim=1)) for s, t in ((student, teacher), (student.T, teacher.T))]
    assert float(anchor + rest) == pytest.approx(float(sum(ways)) / 2, rel=1e-12)


def test_no_gradient_goes_into_the_teacher():
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    sum(anchor_and_rest(student, teacher, 5.0)).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_the_weight_falls_evenly_from_the_first_to_past_zero():
    recipe = TeacherRecipe(repulsion=2.0, end=-0.4)
    course = [rest_weight(recipe, step, 7) for step in range(8)]
    assert course[0] == 2.0
    assert course[5] == pytest.approx(0.0)  # t / T = 1 / (1 - r)
    assert course[7] == pytest.approx(-0.8)
    assert [b - a for a, b in pairwise(course)] == pytest.approx([-0.4] * 7)


def test_the_static_weight_stays_and_without_a_teacher_there_is_none():
    assert {rest_weight(TeacherRecipe(kind="static", repulsion=1.5), step, 10) for step in range(11)} == {1.5}
    assert rest_weight(TeacherRecipe(kind="none"), 3, 10) == 0.0


def learned(weight: float) -> tuple[torch.Tensor, float]:
    """A student's probabilities after steps on the rest alone, and how far it went from the teacher's mistake."""
    teacher = torch.zeros(B, B, dtype=torch.float64)
    teacher[0, 1] = teacher[1, 0] = 6.0  # takes the first two for each other
    student = torch.zeros(B, B, dtype=torch.float64, requires_grad=True)
    (weight * anchor_and_rest(student, teacher, 1.0)[1]).backward()
    moved = student.detach() - student.grad
    return F.softmax(moved, dim=1), float(F.softmax(moved, dim=1)[0, 1] - 1 / B)


def test_above_zero_the_teachers_mistake_is_learned_and_below_zero_unlearned():
    drawn, nearer = learned(0.8)
    pushed, farther = learned(-0.8)
    assert nearer > 0.01
    assert farther < -0.01
    assert float(drawn[0, 0]) < 1 / B < float(pushed[0, 0])  # its own caption gains what the mistake loses


def test_the_gradient_off_the_diagonal_changes_its_sign_with_the_weight():
    recipe, teacher = TeacherRecipe(), logits(5)
    gradients = []
    for step in (0, 10):
        student = logits(4).requires_grad_()
        (rest_weight(recipe, step, 10) * anchor_and_rest(student, teacher, 5.0)[1]).backward()
        gradients.append(student.grad)
    assert torch.allclose(gradients[1], gradients[0] * (-0.8 / 2.0))
