"""What a model says of pictures it was not trained on, through the same task as at inference.

Pictures are the stored squares, brought to the tower's size in a second step; at inference it is one step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import load_prompts
from fetalclip.encoder import Encoder
from fetalclip.fit.corpus import Corpus
from fetalclip.metrics import confusion_matrix, macro_f1
from fetalclip.preprocess import Letterbox
from fetalclip.tasks import PlaneRule, PlaneTask

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Logits of held pictures.

    Attributes:
        logits: (n, candidates) before any temperature, default prompt set.
        outlier: (n,) outlier score; zeros for a supervised model.
        label: (n,) candidate number of the true plane, or -1 for a picture without one.
        source: (n,) where each picture came from, one of ``corpus.SOURCES``.
        names: the candidates.
    """

    logits: Array
    outlier: Array
    label: npt.NDArray[np.int_]
    source: npt.NDArray[np.str_]
    names: tuple[str, ...]

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        """Real pictures with a plane of FETAL_PLANES_DB."""
        return self.source == "planes"

    def macro_f1(self) -> float:
        """Macro F1 over the planes that occur, on real planes."""
        keep = self.real
        return macro_f1(confusion_matrix(self.label[keep], self.logits[keep].argmax(axis=1), len(self.names)))

    def loss(self) -> float:
        """Mean cross-entropy over the candidates, on real planes, in nats."""
        logits = self.logits[self.real]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-log_p[np.arange(len(log_p)), self.label[self.real]].mean())

    def save(self, path: Path) -> None:
        """To one npz without code in it."""
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(part, logits=self.logits, outlier=self.outlier, label=self.label, source=self.source, names=self.names)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """From ``save``."""
        with np.load(path, allow_pickle=False) as data:
            names = tuple(str(name) for name in data["names"])
            return cls(data["logits"], data["outlier"], data["label"], data["source"], names)


def look(encoder: Encoder, rule: PlaneRule, corpus: Corpus, rows: npt.NDArray[np.int_]) -> HeldOut:
    """Score rows of the corpus.

    Args:
        encoder: the model as it stands.
        rule: of a supervised model it names the classes.
        corpus: pictures.
        rows: row numbers to look at.
    """
    size = encoder.normalisation.image_size
    side = corpus.pictures.shape[-1]
    shrink = Letterbox(side, side, size)
    images = encoder.images([shrink.picture_in(corpus.pictures[i]) for i in rows])
    task = PlaneTask(encoder, rule)
    if rule.classes:
        names, logits, outlier = rule.classes, images, np.zeros(len(rows))
    else:
        candidates = load_prompts(rule.prompts)
        names, logits, outlier = tuple(candidates), task.logits(images, candidates), task.outlier(images)
    planes = [corpus.items[i].facts.plane for i in rows]
    label = np.array([names.index(plane) if plane in names else -1 for plane in planes])
    source = np.array([corpus.items[i].source for i in rows])
    return HeldOut(np.asarray(logits, np.float64), np.asarray(outlier, np.float64), label, source, names)
