"""What a student learns of a teacher's answers: DARK, the diagonal-anchored repulsive loss, and its static control.

From "MobileFetalCLIP / DARK" (arXiv 2603.05421). For a batch of B pairs the teacher's answers are the distributions
P = softmax(s_t I_t T_t' / tau) and the student's are Q = log softmax(s I T'), of captions given a picture and of
pictures given a caption, and every term is the mean of these two ways. The anchor D = -mean_i P_ii Q_ii is what the
teacher makes of the true pairs. The rest O = -(1/B) sum_{i != j} P_ij Q_ij is what it makes of the others: while its
weight beta is above 0 the student is drawn to them, and below 0 it is pushed away. With beta = 1, D + beta O is the
plain cross-entropy to the teacher.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.fit.distil_recipe import DARK, NONE, TeacherRecipe


def anchor_and_rest(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """D and O of a batch.

    Args:
        student: (B, B) logits, the student's scale times the cosines of pictures (rows) and captions.
        teacher: (B, B) logits of the teacher, likewise; no gradient goes into them.
        temperature: divides the teacher's.

    Returns:
        Two scalars.
    """
    asked = teacher.detach() / temperature
    ways = [_one_way(student, asked), _one_way(student.T, asked.T)]
    anchor, rest = (torch.stack(terms).mean() for terms in zip(*ways, strict=True))
    return anchor, rest


def rest_weight(recipe: TeacherRecipe, step: int, total: int) -> float:
    """beta(t) = beta_0 (1 - (t / T) (1 - r)), of the static kind beta_0 throughout, of none 0.

    Args:
        recipe: beta_0 is its ``repulsion``, r its ``end``.
        step: steps done, t.
        total: steps of the whole run, T.
    """
    if recipe.kind == NONE:
        return 0.0
    fallen = (step / total) * (1 - recipe.end) if recipe.kind == DARK else 0.0
    return recipe.repulsion * (1 - fallen)


def _one_way(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """D and O of the rows: (B, B) logits each."""
    each = -F.softmax(teacher, dim=1) * F.log_softmax(student, dim=1)  # (B, B), none below 0
    own = torch.eye(len(each), dtype=torch.bool, device=each.device)
    return each.diagonal().mean(), each.masked_fill(own, 0.0).sum() / len(each)
