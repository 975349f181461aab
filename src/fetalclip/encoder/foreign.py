"""Somebody else's towers behind this package's encoder: pictures always, words where there is a text tower."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from fetalclip.encoder.engine import Array, Encoder, Normalisation
from fetalclip.errors import BadCheckpoint, NotAvailable
from fetalclip.frame import Pixels

Words = Callable[[list[str], str], Tensor]
"""Texts and a device to raw embeddings (n, d)."""


@dataclass(frozen=True)
class Towers:
    """What one of the engines has loaded.

    Attributes:
        visual: normalised pictures (B, 3, S, S) to raw embeddings (B, d), ready to infer.
        normalisation: how its pictures are shown to it.
        words: its text tower, or None.
        scale: what cosines are multiplied by.
        engine: the package that knows it.
        told: what its card should say: ``architecture`` and the like.
    """

    visual: nn.Module
    normalisation: Normalisation
    words: Words | None = None
    scale: float = 1.0
    engine: str = ""
    told: Mapping[str, Any] | None = None


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """The hub's client is offline in the block: whatever a model's config names, nothing is fetched unasked."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


class _Model(nn.Module):
    """The image tower under the name that encoders know."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual


class ForeignEncoder(Encoder):
    """Encoder of somebody else's model; see `fetalclip.encoder.protocol.Backbone`.

    Args:
        name: how errors name the model.
        towers: its towers.
        device, precision: as of `Encoder`.

    Raises:
        UsageError: as `Encoder`.
        BadCheckpoint: the tower does not take its own pictures, or gives no embedding.
    """

    def __init__(self, name: str, towers: Towers, device: str, precision: str) -> None:
        self.name, self.towers = name, towers
        self.has_text = towers.words is not None
        self._begin(_Model(towers.visual), towers.normalisation, device, precision)
        self._dim = self._tried()

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._dim

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return self.towers.scale

    @property
    def engine(self) -> str:
        """Name of the numeric engine, for provenance."""
        return f"{self.towers.engine}-{super().engine}"

    def need_text(self) -> None:
        """Raises ``NotAvailable`` where there is no text tower."""
        if not self.has_text:
            self._no_text()

    def texts(self, texts: Sequence[str], keep: bool = True) -> Array:
        """See `Encoder.texts`.

        Raises:
            NotAvailable: there is no text tower.
        """
        self.need_text()
        return super().texts(texts, keep)

    def alike(self, texts: Sequence[str], later: Sequence[str] = ()) -> Array:
        """See `Encoder.alike`; every text is encoded by itself, ``later`` changes nothing.

        Raises:
            NotAvailable: there is no text tower.
        """
        self.need_text()
        made = self._encode(set(texts))
        return np.stack([made[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    @torch.inference_mode()
    def _encode(self, texts: set[str]) -> dict[str, Array]:
        words = self.towers.words
        if words is None:
            self._no_text()
        self._tower("visual")  # both towers may be one module: to its device and number type before either is used
        rows = sorted(texts, key=lambda text: (len(text), text))
        made: dict[str, Array] = {}
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            found = words(part, self.device).float().cpu().numpy()
            made.update(zip(part, found, strict=True))
        return made

    def token_maps(self, images: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """Raises ``NotAvailable``: heads that draw are trained on this package's towers."""
        self._no_maps()

    def details(self, pictures: Sequence[Pixels], grids: Mapping[int, int]) -> tuple[Array, Array]:
        """Raises ``NotAvailable``: heads that ask where are trained on this package's towers."""
        self._no_maps()

    def _tried(self) -> int:
        """Width of the embedding of a black square.

        Raises:
            BadCheckpoint: the tower gives none.
        """
        side = self.normalisation.image_size
        try:
            (made,) = self.images([np.zeros((side, side), np.uint8)])
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            found = f"{self.name}: its tower takes no picture of {side} pixels ({type(error).__name__}: {error!s:.160})"
            raise BadCheckpoint(found, "an image encoder whose picture size its own files state") from error
        if made.ndim != 1 or not np.isfinite(made).all():
            found = f"{self.name}: a picture's embedding of shape {made.shape}, or not of finite numbers"
            raise BadCheckpoint(found, "one row of finite numbers for each picture")
        return len(made)

    def _no_text(self) -> NoReturn:
        raise NotAvailable(
            f"the model {self.name} has no text tower: it encodes pictures and compares them with no words",
            "a model with a text tower for planes, sub-planes and ages",
            f"fetalclip embed PATH -o F.npz --model {self.name}",
        )

    def _no_maps(self) -> NoReturn:
        expected = "a model of this package's towers, which heads are trained on"
        raise NotAvailable(f"the model {self.name} draws nothing: it gives no token maps", expected, "fetalclip-open")
