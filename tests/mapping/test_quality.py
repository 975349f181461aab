"""Cluster numbers: of the embedding first, of the map second; the same as scikit-learn's where it has them."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.mapping import Layout, embedding_quality, layout_quality
from fetalclip.mapping import neighbours as asking
from fetalclip.mapping.neighbours import trustworthiness, votes
from fetalclip.mapping.quality import silhouettes

pytest.importorskip("sklearn")


def clusters(spread: float, n: int = 120, d: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) unit rows around three directions, and which of them each belongs to."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    rows = np.eye(3, d)[codes] + spread * rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), codes


def named(numbers) -> dict:
    return {number.name: number for number in numbers}


def test_silhouette_is_scikit_learns():
    from sklearn.metrics import silhouette_samples

    rows, codes = clusters(0.4)
    codes = np.where(np.arange(len(codes)) == 7, 3, codes)  # a label of one picture
    np.testing.assert_allclose(silhouettes(rows, codes), silhouette_samples(rows, codes, metric="cosine"), atol=1e-5)


@pytest.mark.parametrize("n", [5, 30, 300])
def test_trustworthiness_is_scikit_learns(n):
    from sklearn.manifold import trustworthiness as theirs

    rows, _ = clusters(0.5, n)
    places = rows[:, :2]
    k = min(10, (n - 1) // 2)
    wanted = theirs(rows, places, n_neighbors=k, metric="cosine")
    assert trustworthiness(rows, places) == pytest.approx(wanted, abs=1e-6)
    assert trustworthiness(rows, rows[:, :2]) < trustworthiness(rows, rows) == pytest.approx(1.0)


def test_of_many_rows_some_are_asked(monkeypatch):
    rows, codes = clusters(0.5, 600)
    whole, pure = trustworthiness(rows, rows[:, :2]), votes(rows, codes, None).purity.mean()
    monkeypatch.setattr(asking, "MOST_ASKED", 200)
    some = votes(rows, codes, None)
    assert len(some.rows) == 200
    assert some.purity.mean() == pytest.approx(pure, abs=0.05)
    assert trustworthiness(rows, rows[:, :2]) == pytest.approx(whole, abs=0.02)


def test_neighbours_of_the_own_patient_do_not_vote():
    # Four pictures of each patient are one and the same, and the label is the patient's: it cannot be learnt.
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(40), 4)
    rows = np.repeat(rng.normal(size=(40, 8)), 4, axis=0)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    codes = rng.integers(0, 2, 40)[patients]
    assert votes(rows, codes, None, k=3).purity.mean() == 1.0
    apart = votes(rows, codes, patients.tolist(), k=3)
    assert 0.3 < apart.purity.mean() < 0.7
    assert len(votes(rows, codes, [0] * len(rows)).rows) == 0  # one patient: nobody may vote


def test_a_tie_goes_to_the_nearest():
    points = np.array([[0.0], [1.0], [2.5], [-9.0]], np.float32)
    found = votes(points, np.array([1, 1, 0, 0]), None, cosine=False, k=2)
    assert found.right[0]
    assert found.purity[0] == 0.5


def test_apart_is_high_and_random_is_chance():
    rows, codes = clusters(0.05)
    words = [f"class {code}" for code in codes]
    groups = [f"p{i // 3}" for i in range(len(words))]
    told = named(embedding_quality(rows, words, groups))
    assert told["silhouette"].value > 0.8
    assert told["silhouette"].low <= told["silhouette"].value <= told["silhouette"].high
    assert told["neighbour_purity"].value == told["neighbour_accuracy"].value == 1.0
    assert told["adjusted_rand"].value == told["mutual_information"].value == 1.0
    assert told["neighbour_purity"].chance == pytest.approx(1 / 3)
    dealt = named(embedding_quality(rows, list(np.random.default_rng(1).permutation(words)), groups))
    assert abs(dealt["silhouette"].value) < 0.1
    assert dealt["neighbour_purity"].value == pytest.approx(1 / 3, abs=0.1)
    assert abs(dealt["adjusted_rand"].value) < 0.1
    assert dealt["davies_bouldin"].value > 3 * told["davies_bouldin"].value


def test_rows_without_a_label_do_not_count_and_one_label_has_no_numbers():
    rows, codes = clusters(0.05)
    words = [f"class {code}" for code in codes]
    hidden = ["" if i % 2 else word for i, word in enumerate(words)]
    again = embedding_quality(rows[::2], words[::2])
    assert embedding_quality(rows, hidden) == again
    assert embedding_quality(rows, ["x"] * len(words)) == ()
    assert embedding_quality(rows, [""] * len(words)) == ()


def test_a_map_has_its_own_numbers():
    rows, codes = clusters(0.05)
    words = [f"class {code}" for code in codes]
    good, bad = rows[:, :2], np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32)
    kept, lost = (named(layout_quality(Layout("pca", places), rows, words)) for places in (good, bad))
    assert kept["trustworthiness"].value > lost["trustworthiness"].value + 0.2
    assert kept["neighbour_purity"].value > 0.9 > lost["neighbour_purity"].value
    assert [number.name for number in layout_quality(Layout("pca", good), rows)] == ["trustworthiness"]
    assert kept["trustworthiness"].to_dict()["meaning"].startswith("0 to 1")
