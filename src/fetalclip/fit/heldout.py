"""What a model says of pictures it was not trained on, through the same tasks as at inference.

Pictures are the stored squares, brought to the tower's size in a second step; at inference it is one step.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import load_prompts
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.disk import replacing
from fetalclip.encoder import Encoder
from fetalclip.errors import BadCheckpoint
from fetalclip.fit.corpus import Corpus
from fetalclip.metrics import confusion_matrix, macro_f1
from fetalclip.preprocess import Letterbox
from fetalclip.tasks import PlaneRule, PlaneTask, SubplaneRule, SubplaneTask

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
        sublogits: (n, sub-planes) of every picture, before any temperature.
        sublabel: (n,) sub-plane number of a real brain, or -1 where it is unknown or there is none.
        subnames: the sub-planes.
    """

    logits: Array
    outlier: Array
    label: npt.NDArray[np.int_]
    source: npt.NDArray[np.str_]
    names: tuple[str, ...]
    sublogits: Array
    sublabel: npt.NDArray[np.int_]
    subnames: tuple[str, ...]

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        """Real pictures with a plane of FETAL_PLANES_DB."""
        return self.source == "planes"

    @property
    def subreal(self) -> npt.NDArray[np.bool_]:
        """Real brains with a known sub-plane."""
        return self.real & (self.sublabel >= 0)

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
        arrays: dict[str, Any] = {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}
        with replacing(path) as part:
            np.savez(part, **arrays)

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """From ``save``.

        Raises:
            BadCheckpoint: the file is damaged, or an older version wrote it, before there were sub-planes.
        """
        fix = f"remove the folder {path.parent} to train this fold again"
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
                found = {item.name: data[item.name] for item in fields(cls)}
        except KeyError as error:
            raise BadCheckpoint(
                f"held-out scores {path} without {error.args[0]}", "those of this version", fix
            ) from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            kind = type(error).__name__
            raise BadCheckpoint(f"held-out scores {path} cannot be read ({kind})", "a whole file", fix) from None
        for name in ("names", "subnames"):
            found[name] = tuple(str(word) for word in found[name])
        return cls(**found)


def look(encoder: Encoder, rule: PlaneRule, corpus: Corpus, rows: npt.NDArray[np.int_]) -> HeldOut:
    """Score rows of the corpus; sub-planes are asked of every row and labelled where the row tells.

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
    names, outlier, subnames = rule.classes, np.zeros(len(rows)), tuple(SUBPLANES)
    logits, sublogits = images[:, : len(names)], images[:, len(names) :]
    if not rule.classes:
        candidates, subcandidates = load_prompts(rule.prompts), load_prompts(SubplaneRule().prompts)
        names, logits, outlier = tuple(candidates), task.logits(images, candidates), task.outlier(images)
        subtask = SubplaneTask(encoder, SubplaneRule())
        subnames, sublogits = tuple(subcandidates), subtask.logits(images, subcandidates)
    items = [corpus.items[i] for i in rows]
    return HeldOut(
        np.asarray(logits, np.float64),
        np.asarray(outlier, np.float64),
        _numbers([item.facts.plane for item in items], names),
        np.array([item.source for item in items]),
        names,
        np.asarray(sublogits, np.float64),
        _numbers([item.facts.subplane for item in items], subnames),
        subnames,
    )


def _numbers(words: Sequence[str | None], names: tuple[str, ...]) -> npt.NDArray[np.int_]:
    """Place of each word among the names, -1 for one that is none of them."""
    return np.array([names.index(word) if word in names else -1 for word in words], dtype=np.int_)
