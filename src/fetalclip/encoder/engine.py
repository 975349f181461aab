"""The torch engine: prepared pictures and texts to embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from fetalclip.errors import UsageError
from fetalclip.frame import Pixels
from fetalclip.models.pair import DualEncoder
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.preprocess import to_tensor

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """What the tower was trained with.

    Attributes:
        image_size: side of the square, pixels.
        mean, std: statistics of the channels, for values in 0-1.
        mirror: the embedding is the mean over the picture and its left-right mirror image (twice the work; for
            towers trained on mirrored pictures, to which left and right mean nothing).
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    mirror: bool = False


class Encoder:
    """Pictures and texts to embeddings, in batches, on one device.

    Args:
        model: the dual encoder.
        tokenizer: its tokenizer.
        normalisation: how its pictures are normalised.
        device: ``cpu``, ``cuda`` or ``auto``.
        batch: pictures at a time.

    Raises:
        UsageError: ``cuda`` was asked for and there is none.
    """

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: Tokenizer,
        normalisation: Normalisation,
        device: str = "auto",
        batch: int = 32,
    ) -> None:
        has_cuda = torch.cuda.is_available()
        if device == "cuda" and not has_cuda:
            raise UsageError("device 'cuda' where torch sees no GPU", "cpu or auto", "FETALCLIP_DEVICE=cpu")
        self.device = "cuda" if device in ("auto", "cuda") and has_cuda else "cpu"
        self.model = model.eval().to(self.device)
        self.model.visual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tokenizer, self.normalisation, self.batch = tokenizer, normalisation, batch
        self._texts: dict[str, Array] = {}

    @property
    def engine(self) -> str:
        """Name of the numeric engine, for provenance."""
        return f"torch-{self.device}"

    @torch.inference_mode()
    def images(self, pictures: Sequence[Pixels]) -> Array:
        """Raw embeddings: n squares uint8 (S, S) to (n, d) float32, not normalised."""
        parts = []
        for start in range(0, len(pictures), self.batch):
            n = self.normalisation
            x = to_tensor(pictures[start : start + self.batch], n.mean, n.std).to(self.device)
            raw = self.model.encode_image(x, normalize=False)
            if n.mirror:
                raw = (raw + self.model.encode_image(x.flip(-1), normalize=False)) / 2
            parts.append(raw.float().cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, self.model.architecture.embed_dim), np.float32)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Array:
        """Raw embeddings: n texts to (n, d) float32, not normalised. Each distinct text is encoded once."""
        # Like lengths together: little padding. Among equals by letter, so that every run makes the same batches.
        new = sorted({text for text in texts if text not in self._texts}, key=lambda text: (len(text), text))
        for start in range(0, len(new), 256):
            part = new[start : start + 256]
            ids, end = self.tokenizer(part)
            found = self.model.encode_text(ids.to(self.device), end.to(self.device), normalize=False)
            self._texts.update(zip(part, found.float().cpu().numpy(), strict=True))
        dim = self.model.architecture.embed_dim
        return np.stack([self._texts[text] for text in texts]) if texts else np.zeros((0, dim), np.float32)

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return float(self.model.logit_scale.detach().exp())


def unit(vectors: Array) -> Array:
    """Rows of an (n, d) array at unit length."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
