"""The supervised row of few-shot: a whole tower trained on the pictures of a support set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fetalclip.api import load
from fetalclip.bench.ask import progress
from fetalclip.fit.few import Learned
from fetalclip.fit.finetune import train_end_to_end
from fetalclip.fit.finetune_recipe import IMAGENET
from fetalclip.fit.shots import support_set
from fetalclip.frame import Pixels
from fetalclip.io import read
from fetalclip.metrics import encode
from fetalclip.preprocess import prepare
from fetalclip.preprocess.augment import STORE

_SEEN, _FEWEST, _MOST = 1600, 8, 30  # pictures put through the tower in all, but no fewer and no more epochs than these


def train_on_shots(
    start: str,
    sides: tuple[tuple[Sequence[Path], Sequence[str], Sequence[str]], tuple[Sequence[Path], Sequence[str]]],
    shots: Sequence[int],
    sets: int,
    show_progress: bool = True,
) -> dict[int, Learned]:
    """Train a tower on each support set and ask it about the held pictures.

    How many epochs was fixed beforehand and the last one counts: nothing is chosen on the held pictures.

    Args:
        start: the model each training starts from.
        sides: paths, classes and patients to draw from; paths and classes held.
        shots: patients a class.
        sets: support sets of each size, the first that the probes learned from too.
        show_progress: a bar on stderr, if that is a terminal.
    """
    (learn, labels, groups), (held, truth) = sides
    model = load(start)
    size = model.encoder.normalisation.image_size
    source = start if start == IMAGENET else model
    pool = _squares(learn, round(size * STORE))
    asked = _squares(held, size)
    classes = tuple(sorted(set(labels)))
    found = {}
    with progress("end to end", len(shots) * sets, show_progress) as step:
        for count in shots:
            said, pictures = [], []
            for one in range(sets):
                rows = support_set(labels, groups, count, one)
                epochs = min(_MOST, max(_FEWEST, round(_SEEN / len(rows))))
                tuned = train_end_to_end(source, pool[rows], [labels[i] for i in rows], seed=one, epochs=epochs)
                said.append(encode(tuned.predict(asked), classes))
                pictures.append(len(rows))
                step(1)
            found[count] = Learned(
                classes, np.stack(said), encode(tuple(truth), classes), tuple(pictures), tuple(range(sets))
            )
    return found


def _squares(paths: Sequence[Path], side: int) -> Pixels:
    """(n, side, side) uint8, burned-in text masked."""
    return np.stack([prepare(read(path), side, "mask").pixels for path in paths])
