"""What the heads of a model say: the part of ``FetalCLIP`` that asks them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from fetalclip.encoder import Encoder
from fetalclip.frame import Frame, Shot
from fetalclip.preprocess import prepare
from fetalclip.result import HeartScore, ProbeAnswer, Segmentation
from fetalclip.tasks.heart import Hearts
from fetalclip.tasks.probe import Probes
from fetalclip.tasks.segment import Segmenter
from fetalclip.tasks.track import shots_of


class HeadAnswers:
    """Asks heads by name or folder.

    Attributes:
        encoder: the model's towers.
        segmenter: its heads that draw masks.
        hearts: its heads that judge clips of the heart.
        probes: its heads that answer a question of their own.
    """

    encoder: Encoder
    segmenter: Segmenter
    hearts: Hearts
    probes: Probes

    @overload
    def segment(self, scans: Frame, head: str | Path = "head", views: bool = True) -> Segmentation: ...
    @overload
    def segment(self, scans: Sequence[Frame], head: str | Path = "head", views: bool = True) -> list[Segmentation]: ...
    def segment(
        self, scans: Frame | Sequence[Frame], head: str | Path = "head", views: bool = True
    ) -> Segmentation | list[Segmentation]:
        """Masks of the structures a head knows, on each scan's own pixels; the scans are taken to show them.

        Args:
            scans: one frame or several.
            head: a head of this model by name, or a head folder.
            views: look several times, for better masks and for the interval of a measure; False is faster.

        Raises:
            NotAvailable: no such head.
            BadCheckpoint: a damaged one, or one trained on another encoder.
        """
        found = self.segmenter.task(head)([scans] if isinstance(scans, Frame) else scans, views)
        return found[0] if isinstance(scans, Frame) else found

    def heart(
        self, clip: Iterable[Shot | Frame], head: str | Path | None = None, segment: bool | None = None
    ) -> HeartScore:
        """What a clip of the heart shows, as far as a head has learned it.

        Args:
            clip: a ``Cine``, or pictures in order, whose times are then not known.
            head: a heart head of this model by name, or a head folder; None takes the model's only one.
            segment: judge the best four-chamber segment only, for a sweep; None does as the head was trained.

        Raises:
            NotAvailable: no such head.
            BadCheckpoint: a damaged one, or one trained on another encoder.
            UnreadableInput: a clip without a frame.
        """
        return self.hearts.task(head)(shots_of(clip), segment)

    @overload
    def probe(self, scans: Frame, head: str | Path) -> ProbeAnswer: ...
    @overload
    def probe(self, scans: Sequence[Frame], head: str | Path) -> list[ProbeAnswer]: ...
    def probe(self, scans: Frame | Sequence[Frame], head: str | Path) -> ProbeAnswer | list[ProbeAnswer]:
        """What a probe says of each scan, shown as the probe learned to see: burned-in text masked or kept.

        Args:
            scans: one frame or several.
            head: a probe of this model by name, or a head folder.

        Raises:
            NotAvailable: no such probe.
            BadCheckpoint: a damaged one, or one that learned from another encoder.
        """
        task, seen = self.probes.task(head), self.encoder.normalisation
        frames = [scans] if isinstance(scans, Frame) else scans
        ready = [prepare(frame, seen.image_size, task.head.config.overlay, seen.colour) for frame in frames]
        spacings = [None if one.mm_per_pixel is None else one.mm_per_pixel[0] for one in ready]
        found = task(self.encoder.images([one.pixels for one in ready]), spacings)
        return found[0] if isinstance(scans, Frame) else found
