"""The torch engine: prepared pictures and texts to embeddings.

A tower is brought to its device and number type when it is first used: a model whose prompts are all in the store
never reads its text tower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.encoder.packed import can_pack, pack
from fetalclip.encoder.store import PromptStore
from fetalclip.encoder.tree import Row, TextTree, shared
from fetalclip.errors import UsageError
from fetalclip.frame import Pixels
from fetalclip.models.fingerprint import embedding_sha256, tower_sha256
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
        colour: the tower sees a colour picture's colours; else every picture is grey.
        mirror: the embedding is the mean over the picture and its left-right mirror image (twice the work; for
            towers trained on mirrored pictures, to which left and right mean nothing).
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    mirror: bool = False
    colour: bool = False


# Number types a tower can compute in. bfloat16 is about twice as fast where the processor has it, and moves an
# embedding by less than a cosine of 0.001.
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Encoder:
    """Pictures and texts to embeddings, in batches, on one device.

    Args:
        model: the dual encoder.
        tokenizer: its tokenizer.
        normalisation: how its pictures are normalised.
        device: ``cpu``, ``cuda`` or ``auto``.
        batch: pictures at a time.
        precision: one of ``PRECISIONS``.
        store: where embeddings of texts are kept between runs; None keeps none.

    Raises:
        UsageError: ``cuda`` was asked for and there is none, or an unknown precision.
    """

    model: Any
    store: PromptStore | None
    has_text = True  # whether pictures can be compared with words

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: Tokenizer,
        normalisation: Normalisation,
        device: str = "auto",
        batch: int = 32,
        precision: str = "fp32",
        store: PromptStore | None = None,
    ) -> None:
        self._begin(model, normalisation, device, precision, batch)
        self.tokenizer, self.store = tokenizer, store

    def _begin(self, model: Any, normalisation: Normalisation, device: str, precision: str, batch: int = 32) -> None:
        """What encoders of any model have in common; ``model`` has an image tower ``visual``."""
        has_cuda = torch.cuda.is_available()
        if device == "cuda" and not has_cuda:
            raise UsageError("device 'cuda' where torch sees no GPU", "cpu or auto", "FETALCLIP_DEVICE=cpu")
        if precision not in PRECISIONS:
            raise UsageError(f"precision {precision!r:.40}", "one of " + ", ".join(PRECISIONS), "--precision fp32")
        self.device = "cuda" if device in ("auto", "cuda") and has_cuda else "cpu"
        self.precision, self.model, self.store = precision, model.eval(), None
        self.normalisation, self.batch = normalisation, batch
        self._texts: dict[str, Array] = {}
        self._ready: dict[str, Any] = {}
        self._tree: TextTree | None = None
        # The tower in another number type is another one to its heads: their hash is of the numbers as stored.
        self._stored = dict(self.model.visual.state_dict()) if precision != "fp32" else None

    def need_text(self) -> None:
        """Nothing of a model with a text tower; of another the error that says so."""

    @cached_property
    def tower_sha256(self) -> str:
        """The hash by which a head knows the image tower; see `fetalclip.models.fingerprint`."""
        return tower_sha256(self._stored or self.model.visual.state_dict())

    @cached_property
    def embedding_sha256(self) -> str:
        """The hash by which a head on embeddings knows the encoder; see `fetalclip.models.fingerprint`."""
        return embedding_sha256(self._stored or self.model.visual.state_dict(), repr(self.normalisation))

    def _tower(self, name: str) -> Any:
        """``visual`` or ``text``, on its device, in its number type, laid out for speed."""
        if name not in self._ready:
            tower = getattr(self.model, name)
            with torch.inference_mode(False):  # weights made in inference mode would never have a gradient again
                tower.to(device=self.device, dtype=PRECISIONS[self.precision])
                if name == "visual":
                    tower.to(memory_format=torch.channels_last)
            self._ready[name] = pack(tower) if can_pack(tower, self.device) else tower
        return self._ready[name]

    @property
    def visual(self) -> Any:
        """The image tower as it infers; its mirror image is not looked at."""
        return self._tower("visual")

    def tensor(self, pictures: Sequence[Pixels]) -> Tensor:
        """Squares uint8 (S, S) or (S, S, 3) as the tower takes them: (n, 3, S, S), normalised, on its device."""
        n = self.normalisation
        x = to_tensor(pictures, n.mean, n.std)
        return x.to(device=self.device, dtype=PRECISIONS[self.precision])

    @property
    def engine(self) -> str:
        """Name of the numeric engine, for provenance."""
        return f"torch-{self.device}" + ("" if self.precision == "fp32" else f"-{self.precision}")

    @torch.inference_mode()
    def images(self, pictures: Sequence[Pixels]) -> Array:
        """Raw embeddings: n squares uint8 (S, S) or (S, S, 3) to (n, d) float32, not normalised."""
        parts = []
        for start in range(0, len(pictures), self.batch):
            parts.append(self.embed(self.tensor(pictures[start : start + self.batch])).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def embed(self, images: Tensor) -> Tensor:
        """Raw embeddings of pictures as `tensor` makes them, (n, 3, S, S) to (n, d) float32."""
        tower = self.visual
        raw: Tensor = tower(images)
        if self.normalisation.mirror:
            raw = (raw + tower(images.flip(-1))) / 2
        return raw.float()

    @torch.inference_mode()
    def token_maps(self, images: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """Token maps of the named blocks, for heads that draw: (B, 3, S, S) normalised to float32 (B, C, h, w) each."""
        tower = self._tower("visual")
        images = images.to(device=self.device, dtype=PRECISIONS[self.precision])
        return [found.float() for found in tower.token_maps(images, depths)]

    @torch.inference_mode()
    def details(self, pictures: Sequence[Pixels], grids: Mapping[int, int]) -> tuple[Array, Array]:
        """Raw embeddings and pooled token maps in one pass, for heads that ask where; no mirror image is looked at.

        Args:
            pictures: n squares, as for `images`.
            grids: block to the cells along a side that its map is pooled to.

        Returns:
            (n, d) and (n, k) float32: block after block, its channels, each with its cells row by row.

        Raises:
            UsageError: a block the tower does not have.
        """
        n, found, seen = self.normalisation, [np.zeros((0, self.dim), np.float32)], []
        tower = self._tower("visual")
        for start in range(0, len(pictures), self.batch):
            x = to_tensor(pictures[start : start + self.batch], n.mean, n.std)
            raw, maps = tower.with_maps(x.to(device=self.device, dtype=PRECISIONS[self.precision]), list(grids))
            cells = [F.adaptive_avg_pool2d(m.float(), s).flatten(1) for m, s in zip(maps, grids.values(), strict=True)]
            found.append(raw.float().cpu().numpy())
            seen.append(torch.cat(cells, dim=1).cpu().numpy())
        return np.concatenate(found), np.concatenate(seen) if seen else np.zeros((0, 0), np.float32)

    def texts(self, texts: Sequence[str], keep: bool = True) -> Array:
        """Raw embeddings: n texts to (n, d) float32, not normalised; row i belongs to text i.

        Each distinct text is encoded once. ``keep`` holds on to the embeddings, in memory and in the store: for
        prompts, not for a long list of texts.
        """
        known = self._texts if keep else {}
        new = {text for text in texts if text not in known}
        if keep and self.store is not None and new:
            known.update(self.store.get(new, self.dim))
            new = {text for text in new if text not in known}
        made = self._encode(new)
        known.update(made)
        if keep and self.store is not None and made:
            self.store.put(made)
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    @torch.inference_mode()
    def _encode(self, texts: set[str]) -> dict[str, Array]:
        """Embeddings of distinct texts."""
        # Like lengths together: little padding. Among equals by letter, so that every run makes the same batches.
        rows = sorted(texts, key=lambda text: (len(text), text))
        made: dict[str, Array] = {}
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            ids, end = self.tokenizer(part)  # trimmed to the longest of the batch
            found = self._tower("text")(ids.to(self.device), end.to(self.device))
            made.update(zip(part, found.float().cpu().numpy(), strict=True))
        return made

    @torch.inference_mode()
    def alike(self, texts: Sequence[str], later: Sequence[str] = ()) -> Array:
        """Raw embeddings of texts that begin alike, such as one sentence with many numbers; the same as `texts`.

        What they share is run once. None is kept, in memory or in the store.

        Args:
            texts: n texts.
            later: n texts that stand for calls to come; what each text begins with like its counterpart stays ready.

        Returns:
            (n, d) float32, not normalised.
        """
        if self._tree is None:
            self._tree = TextTree(self._tower("text"), self.device)
        rows = self._ids(texts)
        if later:
            self._tree.hold(shared(rows, self._ids(later)))
        distinct = list(dict.fromkeys(rows))
        place = {row: i for i, row in enumerate(distinct)}
        return self._tree(distinct)[[place[row] for row in rows]]

    def _ids(self, texts: Sequence[str]) -> list[Row]:
        """Token ids of each text, up to and with its first end token."""
        ids, end = self.tokenizer(texts)
        return [tuple(row[: n + 1]) for row, n in zip(ids.tolist(), end.tolist(), strict=True)]

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(self.model.architecture.embed_dim)

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return float(self.model.logit_scale.detach().exp())


def unit(vectors: Array) -> Array:
    """Rows of an (n, d) array at unit length."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
