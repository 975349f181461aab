"""Two dimensions for many: principal components, and UMAP."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.optional import require

Array = npt.NDArray[np.float32]

METHODS = ("umap", "pca")
FEATURE = "maps of embeddings"
LEAST = 3  # rows
_NEIGHBOURS = 15  # UMAP's own default, as its min_dist of 0.1 below
_SMALL = 16  # rows below which UMAP begins with principal components: too few for its spectral start


@dataclass(frozen=True, eq=False)
class Layout:
    """A map.

    Attributes:
        method: ``umap`` or ``pca``.
        places: (n, 2) float32; no unit.
        facts: how it was made: what a reader needs to make it again.
    """

    method: str
    places: Array
    facts: Mapping[str, Any] = field(default_factory=dict)


def lay_out(method: str, vectors: Array, seed: int = 0) -> Layout:
    """A map of embeddings, the same for the same rows and seed.

    ``pca`` draws the two directions in which unit-length rows vary most (Pearson, Philos Mag 1901;2:559-572): distances
    on it are true as far as the share of variance that it tells. ``umap`` draws neighbours, by cosine, near to
    each other (McInnes, Healy, Melville, arXiv:1802.03426): who is near whom is meant, distances between clusters and
    their sizes are not.

    Args:
        method: one of `METHODS`.
        vectors: (n, d), n of 3 or more, not all of one direction; of any length.
        seed: of what is random.

    Raises:
        UsageError: another method, too few rows, or rows that do not differ.
        MissingPackage: scikit-learn, or umap-learn, is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"the method {method!r:.40}", "one of " + ", ".join(METHODS), "--method pca")
    unit = unit_rows(vectors)
    return _umap(unit, seed) if method == "umap" else _pca(unit, seed)


def unit_rows(vectors: Array) -> Array:
    """Rows at unit length, checked to be worth a map.

    Raises:
        UsageError: fewer than 3 rows, one number each, or all of one direction.
    """
    n, d = vectors.shape
    if n < LEAST or d < 2:
        raise UsageError(f"{n} embeddings of width {d}", f"{LEAST} or more, of width 2 or more")
    unit: Array = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    if np.allclose(unit, unit[0], atol=1e-6):
        raise UsageError(f"{n} embeddings that are all the same", "different ones: is one picture there many times?")
    return unit


def _pca(unit: Array, seed: int) -> Layout:
    decomposition = require("sklearn.decomposition", FEATURE, "map")
    model = decomposition.PCA(2, random_state=seed)
    places = model.fit_transform(unit).astype(np.float32)
    share = tuple(round(float(one), 6) for one in model.explained_variance_ratio_)
    return Layout("pca", places, {"explained_variance": share, "seed": seed})


def _umap(unit: Array, seed: int) -> Layout:
    require("sklearn", FEATURE, "map")
    with warnings.catch_warnings():
        # It says at import that it can do less without Tensorflow; nothing here would use that.
        warnings.simplefilter("ignore", ImportWarning)
        umap = require("umap", "maps by UMAP", "map")
    n = len(unit)
    made: dict[str, Any] = {"n_neighbors": min(_NEIGHBOURS, n - 1), "min_dist": 0.1, "metric": "cosine"}
    start = "pca" if n < _SMALL else "spectral"
    model = umap.UMAP(n_components=2, init=start, random_state=seed, n_jobs=1, **made)
    places = np.asarray(model.fit_transform(unit), np.float32)
    return Layout("umap", places, {**made, "seed": seed, "umap_learn": str(umap.__version__)})
