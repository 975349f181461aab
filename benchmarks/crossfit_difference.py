"""Two trainings of the same split, compared on the held-out pictures of their five folds, and on the test side too.

Each picture is scored by the encoder that did not see its patient. The runs are folders of ``fetalclip train`` with
``fold-K/heldout.npz``; differences are paired, bootstrapped by patient. With ``--models`` the test brains join, scored
by the two finished models.

    python benchmarks/crossfit_difference.py --root DIR runs/new runs/old [--models runs/new/model OLD-MODEL]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import fetalclip
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import ask, from_row
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.data import read_dataset
from fetalclip.fit.corpus import training_rows
from fetalclip.fit.heldout import HeldOut
from fetalclip.fit.recipe import DataRecipe
from fetalclip.metrics import confusion_matrix, group_bootstrap, macro_f1, paired_difference

NAMES = list(SUBPLANES)


def held(run: Path, root: str, folds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Truth and answer as sub-plane numbers, and the patient, of every held brain with a known sub-plane."""
    rows = [row for row in training_rows(DataRecipe(root=root)) if row.dataset != "hc18"]
    truth, answer, group = [], [], []
    for fold in folds:
        scores = HeldOut.load(run / f"fold-{fold}" / "heldout.npz")
        of_fold = [row for row in rows if row.fold == fold]
        real = np.flatnonzero(scores.real)
        assert [row.subplane for row in of_fold] == [
            scores.subnames[k] if k >= 0 else None for k in scores.sublabel[real]
        ], f"fold {fold} of {run} holds other pictures"
        for row, at in zip(of_fold, real, strict=True):
            if row.subplane is not None:
                truth.append(NAMES.index(row.subplane))
                answer.append(NAMES.index(scores.subnames[int(scores.sublogits[at].argmax())]))
                group.append(row.group)
    return np.array(truth), np.array(answer), group


def tested(model: Path, root: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The same of the test brains, by a finished model."""
    rows = [row for row in read_dataset("fetal-planes-db", root) if row.split == "test" and row.subplane in SUBPLANES]
    said = ask([from_row(row, "subplane") for row in rows], {"": fetalclip.load(model).subplanes})[""]
    index = {name: i for i, name in enumerate(NAMES)}
    return np.array([index[t] for t in said.truth]), np.array([index[a] for a in said.label]), list(said.group)


def report(title: str, truth: np.ndarray, answers: Sequence[np.ndarray], group: list[str]) -> None:
    """One line: both macro F1 and their paired difference."""
    scores = [lambda rows, a=a: macro_f1(confusion_matrix(truth[rows], a[rows], len(NAMES))) for a in answers]
    found = [group_bootstrap(score, group, RESAMPLES, SEED) for score in scores]
    gap = paired_difference(scores[0], scores[1], group, RESAMPLES, SEED)
    told = "; ".join(f"{x.value:.3f} ({x.low:.3f} to {x.high:.3f})" for x in found)
    difference = f"difference {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    print(f"{title}: n = {gap.n}, {gap.groups} patients: {told}; {difference}")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs=2, help="the new run and the old one")
    parser.add_argument("--root", required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, nargs=2, help="the two finished models, for the test side")
    asked = parser.parse_args()
    folds = [f for f in range(5) if all((run / f"fold-{f}" / "heldout.npz").is_file() for run in asked.runs)]
    sides = [[held(run, asked.root, folds) for run in asked.runs]]
    report(f"sub-planes, held folds {folds}", sides[0][0][0], [side[1] for side in sides[0]], sides[0][0][2])
    if asked.models:
        sides.append([tested(model, asked.root) for model in asked.models])
        report("sub-planes, test side", sides[1][0][0], [side[1] for side in sides[1]], sides[1][0][2])
        truth = np.concatenate([side[0][0] for side in sides])
        answers = [np.concatenate([side[i][1] for side in sides]) for i in range(2)]
        report("sub-planes, both", truth, answers, [name for side in sides for name in side[0][2]])


if __name__ == "__main__":
    main()
