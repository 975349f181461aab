"""The validation side of a pretraining: the loss on it, and what the model answers when it is asked for planes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.clinical.captions import Facts
from fetalclip.clinical.factory import Record
from fetalclip.clinical.prompts import load_prompts
from fetalclip.data.pairs import Pairs
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import InputError
from fetalclip.fit.claims import diagonal, truth_table
from fetalclip.fit.corpus import Corpus, Item
from fetalclip.fit.heldout import HeldOut, look
from fetalclip.fit.objectives import contrastive
from fetalclip.fit.pair_batches import CaptionWriter, seed_of, seen
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.preprocess import Letterbox
from fetalclip.tasks import PlaneRule

if TYPE_CHECKING:
    from fetalclip.models.pair import DualEncoder
    from fetalclip.models.tokenizer import Tokenizer

MOST = 4096  # pairs looked at, the same ones each time
_TEXTS = 64  # texts encoded at a time
_NEEDED = 2  # planes that must occur before they can be told apart


class HeldPairs:
    """Held pictures and one caption of each, the same at every look; nothing is augmented.

    Args:
        pairs: the validation side.
        recipe: batch, targets and seed of the training.
        tokenizer: of the text tower.

    Raises:
        InputError: none of them can be read.
    """

    def __init__(self, pairs: Pairs, recipe: PretrainRecipe, tokenizer: Tokenizer) -> None:
        self.recipe, self.tokenizer = recipe, tokenizer
        words, side = CaptionWriter(tokenizer, recipe), pairs.side
        scale = recipe.model.image_size / side
        pixels, known, said, texts = [], [], [], []
        for number in pairs.order(recipe.seed, 0)[:MOST]:
            try:
                pair = pairs.load(int(number))
                facts = seen(pair.record, scale)
                text, claim = words(pair, facts, seed_of(recipe.seed, -1, int(number)))
            except InputError:
                continue
            pixels.append(pair.pixels)
            known.append(facts)
            said.append(claim)
            texts.append(text)
        if not pixels:
            raise InputError("no pair of the validation side can be read", "some that can")
        self.known, self.said, self.texts = known, said, texts
        items = tuple(Item(_facts(record), "planes", -2) for record in known)
        self.corpus = Corpus(np.stack(pixels), items)
        self.rows = np.array([i for i, record in enumerate(known) if record.facts is not None], int)

    def __len__(self) -> int:
        return len(self.texts)

    @torch.no_grad()
    def scores(self, model: DualEncoder, normalisation: Normalisation, device: str) -> dict[str, Any]:
        """``loss`` (contrastive), ``recall`` (share of pictures whose best caption of the batch is true), ``n``; and of
        the prompted planes ``macro_f1`` and ``planes``, their number, where there are two planes or more to tell.
        """
        model.eval()
        encoder = Encoder(model, self.tokenizer, normalisation, device)
        images, texts = self._images(encoder), self._texts(model, device)
        found: dict[str, Any] = {**self._contrast(images, texts, model.logit_scale.exp().cpu()), "n": len(self)}
        if self.has_planes:
            held = self.held(encoder)
            found |= {"macro_f1": held.macro_f1(), "planes": int((held.label >= 0).sum())}
        return found

    @property
    def has_planes(self) -> bool:
        """Whether there are two planes or more to be told apart by prompts."""
        asked = set(load_prompts(PlaneRule().prompts))
        return len({self.known[i].views[0] for i in self.rows} & asked) >= _NEEDED

    def held(self, encoder: Encoder) -> HeldOut:
        """Logits of the prompted planes, of the pictures with one view."""
        return look(encoder, PlaneRule(), self.corpus, self.rows)

    def choice(self, scores: dict[str, Any]) -> float:
        """The score by which the best epoch is chosen, higher is better."""
        wanted = self.recipe.watch.choose
        value = scores["macro_f1"] if wanted != "loss" and "macro_f1" in scores else -scores["loss"]
        return value if math.isfinite(value) else -math.inf

    def _images(self, encoder: Encoder) -> Tensor:
        side = self.corpus.pictures.shape[-1]
        shrink = Letterbox(side, side, encoder.normalisation.image_size)
        raw = encoder.images([shrink.picture_in(picture) for picture in self.corpus.pictures])
        return F.normalize(torch.from_numpy(raw), dim=-1)

    def _texts(self, model: DualEncoder, device: str) -> Tensor:
        parts = []
        for start in range(0, len(self.texts), _TEXTS):
            ids, end = self.tokenizer(self.texts[start : start + _TEXTS])
            parts.append(model.encode_text(ids.to(device), end.to(device)).float().cpu())
        return torch.cat(parts)

    def _contrast(self, images: Tensor, texts: Tensor, scale: Tensor) -> dict[str, float]:
        """Loss and recall over batches of the training's size; a last one of fewer than half of it joins no mean."""
        size = min(self.recipe.optim.batch, len(images))
        losses, right, asked = [], 0, 0
        for start in range(0, len(images) - size // 2, size):
            rows = slice(start, start + size)
            known, said = self.known[rows], self.said[rows]
            true, unknown = truth_table(known, said)
            kept = (true, unknown) if self.recipe.optim.targets == "true" else diagonal(len(known))
            losses.append(float(contrastive(images[rows], texts[rows], scale, *kept)))
            nearest = (images[rows] @ texts[rows].T).argmax(dim=1)
            right += int(true[torch.arange(len(known)), nearest].sum())
            asked += len(known)
        return {"loss": float(np.mean(losses)), "recall": right / asked}


def _facts(record: Record) -> Facts:
    return record.facts or Facts("")
