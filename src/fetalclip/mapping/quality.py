"""How well labels lie apart: in the embedding itself first, in the picture of it second.

A map invites to see clusters; the numbers of the embedding say whether they are there, those of a map how much of the
embedding it kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fetalclip.mapping.layout import FEATURE, Array, Layout, unit_rows
from fetalclip.mapping.neighbours import K, Votes, trustworthiness, votes
from fetalclip.metrics import Estimate, Index, Reals, group_bootstrap, rate
from fetalclip.optional import require

_STARTS = 10  # of k-means


@dataclass(frozen=True)
class Number:
    """One number of cluster quality.

    Attributes:
        name: its key.
        title: its name in words.
        value: the number; NaN where it is not defined.
        low, high: 95 % interval over patients; None where it has none.
        chance: what labels dealt at random would give; None where that is not plain.
        meaning: how to read it.
    """

    name: str
    title: str
    value: float
    meaning: str
    low: float | None = None
    high: float | None = None
    chance: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


def embedding_quality(
    vectors: Array, labels: Sequence[str], groups: Sequence[str] = (), seed: int = 0
) -> tuple[Number, ...]:
    """Numbers of labelled embeddings, by cosine.

    Intervals are of a bootstrap over groups that holds each picture's own value fixed.

    Args:
        vectors: (n, d).
        labels: of every row; rows with an empty one are left out.
        groups: patient or examination of every row; empty when unknown, then every picture is its own.
        seed: of k-means and the bootstrap.

    Returns:
        Silhouette, neighbours' purity and accuracy, Davies-Bouldin, adjusted Rand and mutual information of k-means;
        nothing where fewer than two labels are left.

    Raises:
        MissingPackage: scikit-learn is not installed.
    """
    kept = np.array([i for i, label in enumerate(labels) if label], np.int64)
    classes, codes = np.unique([labels[i] for i in kept], return_inverse=True)
    if len(classes) < 2 or len(kept) < 3:
        return ()
    unit = unit_rows(vectors[kept])
    own = [groups[i] for i in kept] if groups else list(range(len(kept)))
    each = silhouettes(unit, codes)
    apart = group_bootstrap(lambda rows: float(each[rows].mean()), own, seed=seed)
    found = votes(unit, codes, own if groups else None, seed=seed)
    return (
        _number(
            "silhouette",
            "silhouette (cosine)",
            apart,
            "-1 to 1: how much nearer a picture is to its own label than to the nearest other one; near 0 they overlap",
        ),
        *_voted(found, own, codes, len(classes), bool(groups), seed),
        *_clusters(unit, codes, len(classes), seed),
    )


def layout_quality(
    layout: Layout, vectors: Array, labels: Sequence[str] = (), groups: Sequence[str] = (), seed: int = 0
) -> tuple[Number, ...]:
    """Numbers of a map: how much of the embedding's neighbourhoods it kept, and how pure its own are.

    Args:
        layout: the map of the same rows.
        vectors, labels, groups, seed: see `embedding_quality`.

    Returns:
        Trustworthiness, and the neighbours' purity where there are labels.
    """
    kept_true = trustworthiness(unit_rows(vectors), layout.places, seed=seed)
    numbers = [
        Number(
            "trustworthiness",
            f"trustworthiness ({K} neighbours)",
            kept_true,
            "0 to 1: whether neighbours on the map are neighbours in the embedding; below 0.9 read no closeness off it",
        )
    ]
    kept = np.array([i for i, label in enumerate(labels) if label], np.int64)
    classes, codes = np.unique([labels[i] for i in kept], return_inverse=True)
    if len(classes) >= 2 and len(kept) >= 3:
        own = [groups[i] for i in kept] if groups else list(range(len(kept)))
        found = votes(layout.places[kept], codes, own if groups else None, cosine=False, seed=seed)
        numbers.append(_voted(found, own, codes, len(classes), bool(groups), seed)[0])
    return tuple(numbers)


def silhouettes(unit: Array, codes: Index) -> Reals:
    """Silhouette of every row by cosine distance, (n,); 0 for the only row of its label.

    The mean cosine distance to a cluster is one less the cosine with the cluster's mean, so nothing of n x n is made.
    Source: Rousseeuw, J Comput Appl Math 1987;20:53-65.
    """
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), unit.shape[1]))
    np.add.at(sums, codes, unit)
    near = unit.astype(np.float64) @ sums.T  # (n, K): sums of cosines
    rows = np.arange(len(unit))
    size = counts[codes]
    own = (size - near[rows, codes]) / np.maximum(size - 1, 1)  # itself adds a distance of 0
    other = 1 - near / counts
    other[rows, codes] = np.inf
    nearest = other.min(axis=1)
    widest = np.maximum(own, nearest)
    found: Reals = np.where((size > 1) & (widest > 0), (nearest - own) / np.where(widest > 0, widest, 1), 0.0)
    return found


def _voted(
    found: Votes, own: Sequence[Any], codes: Index, classes: int, grouped: bool, seed: int
) -> tuple[Number, Number]:
    """Purity and accuracy of the neighbours, of the rows that were asked."""
    asked = [own[i] for i in found.rows]
    shares = np.bincount(codes, minlength=classes) / len(codes)
    others = " of other patients" if grouped else ""
    pure = group_bootstrap(lambda rows: float(found.purity[rows].mean()), asked, seed=seed)
    right = rate(found.right, asked, seed=seed)
    return (
        _number(
            "neighbour_purity",
            f"purity of {K} neighbours",
            pure,
            f"share of a picture's {K} nearest neighbours{others} that have its label",
            float((shares**2).sum()),
        ),
        _number(
            "neighbour_accuracy",
            f"accuracy of {K} neighbours",
            right,
            f"share of pictures whose {K} nearest neighbours{others} name their label by vote",
            float(shares.max()),
        ),
    )


def _clusters(unit: Array, codes: Index, classes: int, seed: int) -> tuple[Number, Number, Number]:
    """What k-means with as many clusters as labels finds of them, and how compact they are."""
    metrics, cluster = require("sklearn.metrics", FEATURE, "map"), require("sklearn.cluster", FEATURE, "map")
    made = cluster.KMeans(classes, n_init=_STARTS, random_state=seed).fit_predict(unit)
    return (
        Number(
            "davies_bouldin",
            "Davies-Bouldin index",
            float(metrics.davies_bouldin_score(unit, codes)) if classes < len(unit) else float("nan"),
            "0 or more, lower is better: spread of the labels over the distance between them, of the worst pairs",
        ),
        Number(
            "adjusted_rand",
            "adjusted Rand index of k-means",
            float(metrics.adjusted_rand_score(codes, made)),
            f"whether k-means with {classes} clusters finds the labels without seeing them: 1 as they are, 0 by chance",
            chance=0.0,
        ),
        Number(
            "mutual_information",
            "normalised mutual information of k-means",
            float(metrics.normalized_mutual_info_score(codes, made)),
            "0 to 1: the same question, by how much the clusters tell of the labels",
        ),
    )


def _number(name: str, title: str, found: Estimate, meaning: str, chance: float | None = None) -> Number:
    low, high = (None, None) if np.isnan(found.low) else (found.low, found.high)
    return Number(name, title, found.value, meaning, low, high, chance)
