"""The text tower before it meets a picture: captions that state everything stand in for pictures.

Text is cheap and pictures are few. That two captions name the same plane in other words can be learned from the factory
alone; the losses are those of the training itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from fetalclip.clinical.age_prompts import DAYS, load_age_templates
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.growth import median_hc
from fetalclip.clinical.sampling import Chances, Sampler, texts
from fetalclip.clinical.vocabulary import KNOWN, PLANES, REJECTS, SUBPLANES
from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint
from fetalclip.fit.batches import truths
from fetalclip.fit.objectives import contrastive, rivalry
from fetalclip.fit.recipe import Recipe
from fetalclip.fit.ruler import HIGH, LOW, Ruler, log_pixels
from fetalclip.models.pair import DualEncoder

TOLD = 40  # captions a step that stand in for pictures
AGED = 64  # captions of an age at a spacing, a step in which nothing else is learned
BESIDE = 24  # and a step in which all is
SPACINGS = (0.15, 1.6)  # mm per pixel of a square
Encode = Callable[[list[str]], Tensor]


def warm_up(
    model: DualEncoder, ruler: Ruler, encode: Encode, sampler: Sampler, recipe: Recipe, cache: Path | None
) -> None:
    """Train the text tower on text, or take it from the cache of a run with the same text side.

    First what an age at a spacing means in pixels, then all of it.

    Args:
        model: its text tower and scale are changed.
        ruler: changed with them.
        encode: texts to unit embeddings, with gradient.
        sampler: writes the captions; its randomness is started anew.
        recipe: seed, captions and losses.
        cache: folder for the warmed towers, or None.

    Raises:
        BadCheckpoint: a cached tower cannot be read.
    """
    file = None if cache is None else cache / f"text-{_key(recipe)}.pt"
    if file is not None and file.is_file():
        _load(model, ruler, file)
        return
    optim = recipe.optim
    sampler.seed(recipe.seed)
    teacher = _Teacher(model, ruler, encode, sampler, recipe)
    if optim.age_texts and "brain" not in recipe.data.leave_out:
        teacher.run(optim.number_steps, teacher.ages, "teaching the text tower ages and spacings")
    teacher.run(optim.text_steps, teacher.everything, "warming up the text tower")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            state = {"text": model.text.state_dict(), "scale": model.logit_scale.detach(), "ruler": ruler.state_dict()}
            torch.save(state, part)


class _Teacher:
    """The steps of the warm-up; see ``warm_up``."""

    def __init__(self, model: DualEncoder, ruler: Ruler, encode: Encode, sampler: Sampler, recipe: Recipe) -> None:
        self.model, self.ruler, self.encode, self.sampler, self.recipe = model, ruler, encode, sampler, recipe
        self.rng = random.Random(recipe.seed)
        everything = Chances(1.0, 1.0, 1.0)
        self.full = Sampler(sampler.measure, self.rng, everything, recipe.model.text.context_length)
        self.trained = [*model.text.parameters(), model.logit_scale, *ruler.parameters()]

    def run(self, steps: int, loss: Callable[[], Tensor], what: str) -> None:
        """Some steps on one loss, with a schedule of their own."""
        optim, texts = self.recipe.optim, self.trained
        optimiser = torch.optim.AdamW(texts, lr=optim.rate_text, betas=(0.9, 0.98), eps=1e-6, fused=True)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for step in progress.track(range(steps), description=what):
                share = min((step + 1) / 50, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.02)
                for group in optimiser.param_groups:
                    group["lr"] = optim.rate_text * share
                optimiser.zero_grad(set_to_none=True)
                loss().backward()
                torch.nn.utils.clip_grad_norm_(texts, optim.clip)
                optimiser.step()
                with torch.no_grad():
                    self.model.logit_scale.clamp_(0, math.log(optim.max_scale))

    def ages(self, count: int = AGED) -> Tensor:
        """Captions of an age at a spacing against the ruler; half of the heads are such as fill a picture."""
        said = [self.sampler.aged(*self._head()) for _ in range(count)]
        sizes = log_pixels([facts for _, facts in said])
        vectors = self.encode([text for text, _ in said])
        return self.ruler(vectors, sizes.to(vectors.device), self.recipe.optim.age_width)

    def everything(self) -> Tensor:
        """The losses of the training itself."""
        recipe, sampler, optim = self.recipe, self.sampler, self.recipe.optim
        shown = "brain" not in recipe.data.leave_out
        known = [_facts(recipe, self.rng) for _ in range(TOLD)]
        asked = [sampler.caption(facts) for facts in known]
        rivals = sampler.rivals(optim.rival_texts) if shown else []
        texts = self.encode([text for text, _ in [*map(self.full.caption, known), *asked, *rivals]])
        told, others, scale = texts[:TOLD], texts[TOLD:], self.model.logit_scale.exp()
        positive, unknown = (x.to(texts.device) for x in truths(known, [said for _, said in [*asked, *rivals]]))
        loss = contrastive(told, others, scale, positive, unknown)
        if rivals:
            loss = loss + optim.rival_weight * rivalry(told, others[TOLD:], scale, positive[:, TOLD:])
        if optim.age_texts and shown:
            loss = loss + optim.age_weight * self.ages(BESIDE)
        return loss

    def _head(self) -> tuple[int, float]:
        """An age in days and a spacing at two decimals, mm per pixel."""
        rng, day = self.rng, self.rng.choice(DAYS)
        circumference = median_hc(day)  # mm
        assert circumference is not None
        fills = [circumference / end for end in (HIGH, LOW)] if rng.random() < 0.5 else SPACINGS
        spacing = math.exp(rng.uniform(math.log(fills[0]), math.log(fills[1])))
        return day, round(min(max(spacing, SPACINGS[0]), SPACINGS[1]), 2)


def _facts(recipe: Recipe, rng: random.Random) -> Facts:
    """Facts of a picture that could be: mostly of the planes there are pictures of."""
    shown = [plane for plane in KNOWN if plane not in recipe.data.leave_out]
    plane = rng.choice(shown if rng.random() < 0.7 else [p for p in (*PLANES, *REJECTS) if p not in KNOWN])
    subplane = rng.choice(list(SUBPLANES)) if plane == "brain" and rng.random() < 0.6 else None
    measured = plane not in REJECTS and rng.random() < 0.3
    if not measured:
        return Facts(plane, subplane)
    return Facts(plane, subplane, rng.choice(DAYS), round(rng.uniform(*SPACINGS), 2))


def _key(recipe: Recipe) -> str:
    """Of all that the warmed tower depends on."""
    told = asdict(recipe)
    text = {name: told[name] for name in ("seed", "captions")}
    text["text"], text["leave_out"] = told["model"]["text"], told["data"]["leave_out"]
    text["width"] = told["model"]["embed_dim"]
    names = ("rate_text", "clip", "max_scale", "text_steps", "rival_texts", "rival_weight")
    ages = ("number_steps", "age_texts", "age_weight", "age_width")
    text["optim"] = {name: told["optim"][name] for name in (*names, *ages)}
    text["ages"] = load_age_templates().templates
    text["wording"] = texts(60, recipe.seed)  # other words, another tower
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()[:16]


def _load(model: DualEncoder, ruler: Ruler, file: Path) -> None:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        model.text.load_state_dict(state["text"])
        ruler.load_state_dict(state["ruler"])
        with torch.no_grad():
            model.logit_scale.copy_(state["scale"])
    except Exception as error:  # torch raises many kinds for a damaged file
        kind = type(error).__name__
        raise BadCheckpoint(f"{file.name} cannot be read ({kind})", "a warmed text tower", f"rm {file}") from None
