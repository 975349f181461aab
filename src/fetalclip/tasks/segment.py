"""Where is the structure? A head's decoder on the encoder's token maps, its masks on the picture's own pixels.

Logits are interpolated to the picture's pixels before they are cut at the threshold: the edge of a mask then lies where
the decoder puts it and not on its coarse grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from fetalclip.caliper import as_ellipse
from fetalclip.encoder import Encoder
from fetalclip.errors import BadCheckpoint, NotAvailable
from fetalclip.frame import Frame, Pixels
from fetalclip.models.mask_head import HeadConfig, MaskHead, load_head, read_head_config
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.preprocess import Letterbox, prepare, to_tensor
from fetalclip.preprocess.looks import LOOKS, Look
from fetalclip.result import Segmentation
from fetalclip.tasks.folders import folders_within, named_folder

HEADS = "heads"
"""Folder within a model folder that holds its head folders."""

_TOGETHER = 40  # looks put through the tower at a time
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Square:
    """One picture, laid into the tower's square, and where it shows tissue."""

    pixels: Pixels
    letterbox: Letterbox
    lit: Mask


class SegmentTask:
    """Frames to masks.

    Args:
        encoder: the backbone, unless the head carries its own.
        head: what draws.
    """

    name = "segment"

    def __init__(self, encoder: Encoder, head: MaskHead) -> None:
        self.encoder, self.head = encoder, head
        for part in (head.decoder, *([] if head.tower is None else [head.tower])):
            part.to(encoder.device)
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(
        self, frames: Sequence[Frame], views: bool = True, overlays: Sequence[Overlay | None] | None = None
    ) -> list[Segmentation]:
        """Masks of each frame.

        Args:
            frames: any sizes.
            views: look at each several times (`LOOKS`): masks are cut from the mean of all looks, and each look's own
                are the views from which a measure gets its interval. Otherwise one look, which is faster, no views.
            overlays: what `find_overlay` says of each frame, where that is known already.
        """
        looks = LOOKS if views else LOOKS[:1]
        found: list[Segmentation] = []
        size = max(1, _TOGETHER // len(looks))
        known = [None] * len(frames) if overlays is None else overlays
        for start in range(0, len(frames), size):
            part = frames[start : start + size]
            squares = [self._square(*pair) for pair in zip(part, known[start : start + size], strict=True)]
            logits = self.logits([look.seen(square.pixels) for square in squares for look in looks])
            for i, (frame, square) in enumerate(zip(part, squares, strict=True)):
                maps = logits[i * len(looks) : (i + 1) * len(looks)]
                found.append(self._cut(frame, square, maps, looks))
        return found

    def _square(self, frame: Frame, overlay: Overlay | None = None) -> _Square:
        config = self.head.config
        overlay = find_overlay(frame.gray) if overlay is None else overlay
        ready = prepare(frame, config.image_size, config.overlay, found=overlay)
        return _Square(ready.pixels, ready.letterbox, overlay.sector)

    @torch.inference_mode()
    def logits(self, squares: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Logit maps of prepared squares, uint8 (S, S) each: (n, structures, S / 2, S / 2)."""
        n, head = self.encoder.normalisation, self.head
        images = to_tensor(squares, n.mean, n.std).to(self.encoder.device)
        if head.tower is None:
            maps = self.encoder.token_maps(images, head.config.depths)
        else:
            maps = head.tower.token_maps(images, head.config.depths)  # type: ignore[operator]
        found: npt.NDArray[np.float32] = head.decoder(maps, images).float().cpu().numpy()
        return found

    def _cut(self, frame: Frame, square: _Square, maps: npt.NDArray[np.float32], looks: Sequence[Look]) -> Segmentation:
        config, box = self.head.config, square.letterbox
        laid = [look.laid_out(found, box) for look, found in zip(looks, maps, strict=True)]  # (C, H, W) each
        views = tuple(self._masks(one) for one in laid) if len(laid) > 1 else ()
        mean = laid[0] if len(laid) == 1 else np.mean(laid, axis=0)
        masks = self._masks(mean)
        for name in config.shapes:
            masks[name] = as_ellipse(masks[name], name, square.lit)
        return Segmentation(
            masks,
            frame.mm_per_pixel,
            config.name,
            config.outset_of(frame.width, frame.height),
            views,
            square.lit,
            dict(config.widen),
            config.level,
        )

    def _masks(self, laid: npt.NDArray[np.float32]) -> dict[str, Mask]:
        """Structure to bool (H, W): where its logit reaches that of its threshold."""
        cut = {name: math.log(t / (1 - t)) for name, t in self.head.config.thresholds.items()}
        return {name: laid[i] >= cut[name] for i, name in enumerate(self.head.config.structures)}


class Segmenter:
    """The heads of a model by name, each loaded when it is first asked for.

    Args:
        encoder: the model's encoder.
        folder: the model folder, whose ``heads`` folder is looked into; None for a model without one.
    """

    def __init__(self, encoder: Encoder, folder: Path | None) -> None:
        self.encoder = encoder
        self.folders = folders_within(folder, HEADS)
        self._ready: dict[Path, SegmentTask] = {}
        self._configs: dict[Path, HeadConfig] = {}

    def config(self, head: str | Path) -> HeadConfig:
        """What a head is, without its weights; arguments and errors as `task`."""
        folder = self._folder(head)
        if folder not in self._configs:  # asked for every picture
            self._configs[folder] = read_head_config(folder)
        return self._configs[folder]

    def task(self, head: str | Path) -> SegmentTask:
        """A head by the name of its folder within the model, or by a folder anywhere.

        Raises:
            NotAvailable: no such head.
            BadCheckpoint: a damaged one, or one trained on another encoder.
        """
        folder = self._folder(head)
        if folder not in self._ready:
            loaded = load_head(folder, self.encoder.tower_sha256)
            self._fits(loaded)
            self._ready[folder] = SegmentTask(self.encoder, loaded)
        return self._ready[folder]

    def _folder(self, head: str | Path) -> Path:
        if (found := named_folder(head, self.folders)) is not None:
            return found
        known = ", ".join(self.folders) or "none"
        said, fix = f"no head {str(head)!r:.100}", "fetalclip train segment.yaml"
        raise NotAvailable(said, f"a head folder, or one of this model's heads ({known})", fix)

    def _fits(self, head: MaskHead) -> None:
        tower: object = head.tower if head.tower is not None else self.encoder.model.visual
        depth = int(getattr(tower, "depth", 0))
        if max(head.config.depths) > depth or min(head.config.depths) < 1:
            raise BadCheckpoint(f"a head on blocks {list(head.config.depths)}", f"blocks 1 to {depth} of its encoder")
        own = getattr(getattr(tower, "config", None), "image_size", head.config.image_size)
        if own != head.config.image_size:
            raise BadCheckpoint(f"a head for pictures of {head.config.image_size} px", f"{own} px, as its encoder")
