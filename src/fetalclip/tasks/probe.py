"""What a probe says of pictures: an embedding in, one of its classes or a number out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array
from fetalclip.errors import NotAvailable
from fetalclip.models.probe_head import ProbeConfig, ProbeHead, load_probe, read_probe_config
from fetalclip.result import ProbeAnswer
from fetalclip.tasks.folders import folders_within, named_folder

PROBES = "probes"
"""Folder within a model folder that holds its probes."""

NO_SPACING = "needs millimetres per pixel (--pixel-spacing)"


class ProbeTask:
    """Raw embeddings to answers.

    Args:
        head: the probe.
    """

    name = "probe"

    def __init__(self, head: ProbeHead) -> None:
        self.head = head

    def __call__(self, images: Array, spacings: Sequence[float | None] | None = None) -> list[ProbeAnswer]:
        """An answer for each picture.

        Args:
            images: (n, d) raw embeddings.
            spacings: mm per pixel of each prepared square, for a probe that is told it; None where it is unknown.

        Raises:
            BadValue: embeddings of another width, or that are not finite.
        """
        config = self.head.config
        known = list(spacings) if spacings is not None else [None] * len(images)
        logs = np.array([[math.log(s) if s else 0.0] for s in known]) if config.inputs else None
        said, like = self.head.logits(images, logs), self.head.likeness(images)
        if config.question == "classes":
            found = [self._class(row) for row in said]
        else:
            told = [bool(s) or not config.inputs for s in known]
            found = [self._number(float(row[0]) if there else None) for row, there in zip(said, told, strict=True)]
        return [self._checked(one, float(cosine)) for one, cosine in zip(found, like, strict=True)]

    def together(self, images: Array, spacings: Sequence[float | None] | None = None) -> ProbeAnswer:
        """One answer for the pictures of a clip: from their mean embedding."""
        return self(images.mean(axis=0, keepdims=True), None if spacings is None else spacings[:1])[0]

    def _checked(self, answer: ProbeAnswer, likeness: float) -> ProbeAnswer:
        """The answer; an abstention where the picture is unlike all that the probe learned from."""
        least = self.head.config.least_likeness
        if answer.abstained or likeness >= least:
            return answer
        reason = f"unlike the pictures it learned from: cosine {likeness:.2f} under {least:.2f}"
        return replace(answer, value=None, low=None, high=None, abstained=True, reason=reason)

    def _class(self, logits: Array) -> ProbeAnswer:
        config = self.head.config
        scaled = logits / config.temperature
        shares = np.exp(scaled - scaled.max())
        shares = shares / shares.sum()
        scores = {name: float(share) for name, share in zip(config.classes, shares, strict=True)}
        best = float(shares.max())
        if best < config.min_probability:
            reason = f"probability {best:.2f} under {config.min_probability:.2f}"
            return ProbeAnswer(config.name, scores, abstained=True, reason=reason)
        return ProbeAnswer(config.name, scores)

    def _number(self, value: float | None) -> ProbeAnswer:
        config = self.head.config
        if value is None:
            return ProbeAnswer(config.name, unit=config.unit, abstained=True, reason=NO_SPACING)
        low, high = (value - config.width, value + config.width) if config.width else (None, None)
        return ProbeAnswer(config.name, {}, value, low, high, config.level, config.unit)


class Probes:
    """The probes of a model by name, each loaded when it is first asked for.

    Args:
        encoder: the model's encoder.
        folder: the model folder, whose ``probes`` folder is looked into; None for a model without one.
    """

    def __init__(self, encoder: Encoder, folder: Path | None) -> None:
        self.encoder = encoder
        self.folders = folders_within(folder, PROBES)
        self._ready: dict[Path, ProbeTask] = {}

    def config(self, head: str | Path) -> ProbeConfig:
        """What a probe is, without its weights; arguments and errors as `task`."""
        return read_probe_config(self._folder(head))

    def task(self, head: str | Path) -> ProbeTask:
        """A probe by the name of its folder within the model, or by a folder anywhere.

        Raises:
            NotAvailable: no such probe.
            BadCheckpoint: a damaged one, or one that learned from another encoder.
        """
        folder = self._folder(head)
        if folder not in self._ready:
            self._ready[folder] = ProbeTask(load_probe(folder, self.encoder.embedding_sha256))
        return self._ready[folder]

    def _folder(self, head: str | Path) -> Path:
        if (found := named_folder(head, self.folders)) is not None:
            return found
        known = ", ".join(self.folders) or "none"
        said, fix = f"no probe {str(head)!r:.100}", "fetalclip probe TABLE.csv -o head/"
        raise NotAvailable(said, f"a head folder, or one of this model's probes ({known})", fix)
