"""Maps are the same for the same rows and seed, keep clusters apart, and refuse what is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fetalclip.errors import MissingPackage, UsageError
from fetalclip.mapping import lay_out

from .test_quality import clusters

pytest.importorskip("sklearn")


def apart(places: np.ndarray, codes: np.ndarray) -> float:
    """Distance of the nearest two centres over the widest spread."""
    centres = np.stack([places[codes == code].mean(axis=0) for code in range(3)])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(3, 1)]
    return float(gaps.min() / max(places[codes == code].std(axis=0).max() for code in range(3)))


def test_pca_is_the_projection_that_varies_most():
    rows, _ = clusters(0.05)
    layout = lay_out("pca", 7 * rows)
    assert layout.places.shape == (len(rows), 2)
    centred = rows - rows.mean(axis=0)
    _, s, v = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(layout.places), np.abs(centred @ v[:2].T), atol=1e-4)
    np.testing.assert_allclose(layout.facts["explained_variance"], (s**2 / (s**2).sum())[:2], atol=1e-4)
    np.testing.assert_array_equal(layout.places, lay_out("pca", 7 * rows).places)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 9, 120])
def test_umap_is_deterministic_and_keeps_clusters_apart(n):
    pytest.importorskip("umap")
    rows, codes = clusters(0.05, n)
    layout = lay_out("umap", rows, seed=3)
    assert np.isfinite(layout.places).all()
    np.testing.assert_array_equal(layout.places, lay_out("umap", rows, seed=3).places)
    if n == 120:
        assert apart(layout.places, codes) > 2
        assert np.abs(layout.places - lay_out("umap", rows, seed=4).places).max() > 0.1
    assert layout.facts["n_neighbors"] == min(15, n - 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.eye(2, 4, dtype=np.float32), "2 embeddings"),
        (np.ones((5, 1), np.float32), "width 1"),
        (np.ones((5, 4), np.float32) * np.arange(1, 6, dtype=np.float32)[:, None], "all the same"),
    ],
)
def test_what_makes_no_map_is_told(rows, said):
    with pytest.raises(UsageError, match=said):
        lay_out("pca", rows)


def test_what_is_missing_is_told(monkeypatch):
    with pytest.raises(UsageError, match="tsne"):
        lay_out("tsne", np.eye(3, dtype=np.float32))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[map\]"):
        lay_out("umap", np.eye(3, dtype=np.float32))
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[map\]"):
        lay_out("pca", np.eye(3, dtype=np.float32))
