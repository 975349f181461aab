"""The training of a dual encoder, contrastive or supervised, by the one loop of `fetalclip.fit.run`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fetalclip.clinical.sampling import texts as caption_texts
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import BadRecipe
from fetalclip.fit.batches import Batch, Batches
from fetalclip.fit.corpus import Corpus
from fetalclip.fit.heldout import HeldOut, look
from fetalclip.fit.objectives import contrastive, other_view, rivalry, sizing, supervised
from fetalclip.fit.recipe import Recipe
from fetalclip.fit.ruler import Ruler, likeness
from fetalclip.fit.run import Run
from fetalclip.fit.start import start_numbers
from fetalclip.fit.warmup import warm_up
from fetalclip.models.imagenet import load_imagenet
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.preprocess.pipeline import normalise
from fetalclip.tasks import PlaneRule

MEAN, STD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)  # of the ImageNet start: (x - 127) / 128
# Training mirrors at random, so at inference both sides are looked at: on held-out training patients of three folds
# (539 planes) this took the wrong answers from 10 to 8, on HC18's validation fold from 7 to 6 of 3 x 148.
MIRROR = True
_TOGETHER = 24  # texts encoded at a time
_SUBPLANES: dict[str | None, int] = {name: i for i, name in enumerate(SUBPLANES)}


class Training(Run):
    """One run: model, optimiser, data and the folder it leaves behind.

    Args:
        recipe: what to do.
        corpus: the pictures.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``, ``heldout.npz``.
        resume: go on from the folder's checkpoint when there is one.
        cache: folder that keeps a warmed text tower for the next run with the same text side, or None.

    Raises:
        OutputError: the folder cannot be written.
        BadCheckpoint: the checkpoint is damaged or of another recipe.
    """

    def __init__(
        self, recipe: Recipe, corpus: Corpus, out: Path, resume: bool = True, cache: Path | None = None
    ) -> None:
        super().__init__(recipe, out)
        self.recipe, self.corpus = recipe, corpus
        torch.manual_seed(recipe.seed)
        self.tokenizer, self.model = build(recipe)
        self.batches = Batches(corpus, recipe, lambda text: self.tokenizer.count([text])[0])
        self.ruler = Ruler(recipe.model.embed_dim).to(self.device)
        self.views = views_head(recipe.model.embed_dim).to(self.device) if recipe.optim.self_weight else None
        self.model.to(self.device)
        self.model.visual.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.model, self.ruler, recipe, self.views), betas=(0.9, 0.98), eps=1e-6, fused=True
        )
        self.steps = len(self.batches)
        if not (resume and self.resume()) and recipe.objective == "contrastive":
            warm_up(self.model, self.ruler, self._texts, self.batches.sampler, recipe, cache)
        self.start({"pictures": len(corpus.items)})
        if not self.steps:
            raise BadRecipe(f"a batch of {recipe.optim.batch} pictures", "no more than an epoch has", "optim.batch=16")

    def modules(self) -> dict[str, nn.Module]:
        """The two towers, the ruler of sizes, and what views are compared by."""
        views = {} if self.views is None else {"views": self.views}
        return {"model": self.model, "ruler": self.ruler, **views}

    def epoch_batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        return self.batches.epoch(epoch)

    def rest(self, epoch: int, skip: int) -> Iterator[Batch]:
        """Those but for the first ``skip``, which are not drawn again."""
        return self.batches.epoch(epoch, skip)

    def run(self) -> HeldOut | None:
        """Train to the last epoch.

        Returns:
            Scores of the held fold, or None when the recipe holds none out.
        """
        self.epochs()
        if self.recipe.data.validate_fold < 0:
            return None
        held = self.look(self.held_rows(("planes", "hc18", "reject")))
        held.save(self.out / "heldout.npz")
        return held

    def after_step(self) -> None:
        """Keep the scale of the cosines within its bound."""
        self.model.logit_scale.clamp_(0, math.log(self.recipe.optim.max_scale))

    def loss(self, batch: Batch) -> Tensor:
        """The objective's loss."""
        images = normalise(batch.pictures.to(self.device), MEAN, STD)
        if self.recipe.objective == "supervised":
            planes = torch.tensor([KNOWN.index(facts.plane) for facts in batch.facts], device=self.device)
            subplanes = torch.tensor([_SUBPLANES.get(facts.subplane, -1) for facts in batch.facts], device=self.device)
            logits = self.model.encode_image(images, normalize=False)
            return supervised(logits[:, : len(KNOWN)], planes) + supervised(logits[:, len(KNOWN) :], subplanes)
        texts = self._texts(batch.texts)
        positive, unknown = batch.positive.to(self.device), batch.unknown.to(self.device)
        raw, scale, optim = self.model.encode_image(images, False), self.model.logit_scale.exp(), self.recipe.optim
        seen = F.normalize(raw, dim=-1)
        end = positive.shape[1]
        loss, rivals = contrastive(seen, texts[:end], scale, positive, unknown), slice(batch.rivals, end)
        if batch.rivals < end:
            loss = loss + optim.rival_weight * rivalry(seen, texts[rivals], scale, positive[:, rivals])
        if end < len(texts):
            loss = loss + optim.age_weight * self._sizing(seen, texts[end:], batch)
        if batch.again is not None:
            loss = loss + optim.self_weight * self._other_view(raw, batch.again)
        return loss

    def _other_view(self, raw: Tensor, again: Tensor) -> Tensor:
        """Raw embeddings of the pictures against those of the same pictures augmented otherwise."""
        assert self.views is not None
        others = self.model.encode_image(normalise(again.to(self.device), MEAN, STD), False)
        first, second = (F.normalize(self.views(x), dim=-1) for x in (raw, others))
        return other_view(first, second, self.recipe.optim.self_temperature)

    def _sizing(self, seen: Tensor, texts: Tensor, batch: Batch) -> Tensor:
        """Heads and captions of ages against each other and against the ruler."""
        width, scale = self.recipe.optim.age_width, self.model.logit_scale.exp()
        sizes, said = batch.sizes.to(self.device), batch.text_sizes.to(self.device)
        fit = sizing(seen, texts, scale, likeness(sizes, said, width))
        return fit + self.ruler(seen, sizes, width) + self.ruler(texts, said, width)

    def _texts(self, texts: list[str]) -> Tensor:
        """Unit embeddings of the texts, (T, D); those of like length together, so that little is padding."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = []
        for start in range(0, len(order), _TOGETHER):
            ids, end = self.tokenizer([texts[i] for i in order[start : start + _TOGETHER]])
            parts.append(self.model.encode_text(ids.to(self.device), end.to(self.device)))
        place = torch.empty(len(order), dtype=torch.long)
        place[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[place.to(self.device)]

    @property
    def rule(self) -> PlaneRule:
        """An uncalibrated rule; of a supervised model it names the classes."""
        return PlaneRule(classes=KNOWN if self.recipe.objective == "supervised" else ())

    def held_rows(self, sources: tuple[str, ...]) -> np.ndarray:
        """Rows of the held fold; of HC18, whose folds are its own, the fold of the same number (0 is never read)."""
        fold = self.recipe.data.validate_fold
        return np.concatenate([self.corpus.rows(source, (fold,)) for source in sources])

    def look(self, rows: np.ndarray) -> HeldOut:
        """Score rows with the model as it stands."""
        normalisation = Normalisation(self.recipe.model.image_size, MEAN, STD, MIRROR)
        encoder = Encoder(self.model, self.tokenizer, normalisation, self.device)
        return look(encoder, self.rule, self.corpus, rows)

    def look_back(self) -> dict[str, Any]:
        """The scale, and the scores of the held fold."""
        line = {"logit_scale": float(self.model.logit_scale.detach().exp())}
        if self.recipe.data.validate_fold >= 0:
            held = self.look(self.held_rows(("planes",)))
            line.update(held_macro_f1=held.macro_f1(), held_loss=held.loss())
        return line


def build(recipe: Recipe) -> tuple[Tokenizer, DualEncoder]:
    """Tokenizer and model at the start of a recipe, frozen where it says so."""
    wanted = recipe.model.text
    tokenizer = Tokenizer.learn(caption_texts(20_000, recipe.seed), wanted.vocab_size, wanted.context_length)
    shape = TextConfig(wanted.context_length, tokenizer.vocab_size, wanted.width, wanted.layers, wanted.heads)
    width = recipe.model.embed_dim
    if recipe.objective == "supervised":  # the projection gives class logits, the text tower is not used
        width, shape = len(KNOWN) + len(SUBPLANES), TextConfig(wanted.context_length, tokenizer.vocab_size, 8, 1, 1)
    model = DualEncoder(Architecture(width, text=shape))
    start_numbers(model.text.token_embedding, tokenizer)
    if recipe.model.start == "imagenet":
        load_imagenet(model.visual)
    model.visual.freeze(recipe.model.frozen_blocks)
    return tokenizer, model


def views_head(width: int) -> nn.Sequential:
    """What views are compared by, so that the embedding itself may keep what augmentation changes."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.ReLU(), nn.Linear(2 * width, 128))


def parameter_groups(
    model: DualEncoder, ruler: Ruler, recipe: Recipe, views: nn.Module | None = None
) -> list[dict[str, Any]]:
    """Trained parameters by tower; no weight decay on norms, biases, tables of one dimension and the scale."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    more = [] if views is None else list(views.named_parameters(prefix="views"))
    for name, parameter in [*model.named_parameters(), *ruler.named_parameters(prefix="ruler"), *more]:
        if not parameter.requires_grad:
            continue
        rate = recipe.optim.rate_image if name.startswith("visual.") else recipe.optim.rate_text
        decay = 0.0 if parameter.ndim < 2 or "positional" in name else recipe.optim.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]
