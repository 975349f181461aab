"""Wrong labels among clean ones are found, by embeddings that do not know them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fetalclip.data import Row
from fetalclip.data.audit.labels import check_labels, out_of_fold
from fetalclip.errors import UsageError

pytest.importorskip("cleanlab")
PLANES = ("abdomen", "brain", "femur")


def table(seed=0, n=300):
    """Rows whose embeddings lie about a centre for each plane, three pictures a patient."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 24))
    code = rng.integers(0, 3, n)
    vectors = (centres[code] + 0.8 * rng.normal(size=(n, 24))).astype(np.float32)
    rows = [Row("t", Path(f"{i}.png"), f"{i}.png", f"p{i // 3}", -3, "train", PLANES[code[i]]) for i in range(n)]
    return rows, vectors, rng


def test_flipped_labels_are_found():
    rows, vectors, rng = table()
    flipped = set(rng.choice(300, 15, replace=False).tolist())
    told = [
        Row(**{**vars(row), "plane": PLANES[(PLANES.index(row.plane) + 1) % 3]}) if i in flipped else row
        for i, row in enumerate(rows)
    ]
    found = check_labels(told, vectors)
    hits = {s.row for s in found.suspects}
    assert len(hits & flipped) >= 12
    assert len(hits & flipped) / len(hits) >= 0.8
    for suspect in found.suspects:
        assert suspect.given == told[suspect.row].plane != suspect.suggested
    assert found.checked == 300
    assert found.classes == PLANES


def test_clean_labels_are_left_alone():
    rows, vectors, _ = table(1)
    assert len(check_labels(rows, vectors).suspects) <= 3


def test_rare_classes_and_pictures_without_an_embedding_are_left_out():
    rows, vectors, _ = table(2)
    rows[0] = Row(**{**vars(rows[0]), "plane": "cervix"})
    vectors[1] = np.nan
    found = check_labels(rows, vectors)
    assert found.checked == 298
    assert found.classes == PLANES


def test_one_class_cannot_be_checked():
    rows, vectors, _ = table(3)
    rows = [Row(**{**vars(row), "plane": "brain"}) for row in rows]
    with pytest.raises(UsageError, match="fewer than two planes"):
        check_labels(rows, vectors)


def test_a_patient_does_not_vouch_for_itself():
    """A patient whose pictures are all alike and all wrong gets no probability from them."""
    rows, vectors, _ = table(4)
    labels = np.array([PLANES.index(row.plane) for row in rows])
    groups = [row.group for row in rows]
    mine = [i for i, row in enumerate(rows) if row.group == "p7"]
    labels[mine] = (labels[mine] + 1) % 3
    odds = out_of_fold(vectors, labels, groups)
    right = np.array([PLANES.index(rows[i].plane) for i in mine])
    assert (odds[mine, right] > odds[mine, labels[mine]]).all()
    assert np.allclose(odds.sum(axis=1), 1)
