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

from fetalclip.clinical.age_prompts import DAYS
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.sampling import Chances, Sampler, texts
from fetalclip.clinical.vocabulary import KNOWN, PLANES, REJECTS, SUBPLANES
from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint
from fetalclip.fit.batches import truths
from fetalclip.fit.objectives import contrastive, rivalry
from fetalclip.fit.recipe import Recipe
from fetalclip.models.pair import DualEncoder

TOLD = 40  # captions a step that stand in for pictures
SPACINGS = (0.2, 1.5)  # mm per pixel of a square
Encode = Callable[[list[str]], Tensor]


def warm_up(model: DualEncoder, encode: Encode, sampler: Sampler, recipe: Recipe, cache: Path | None) -> None:
    """Train the text tower on text, or take it from the cache of a run with the same text side.

    Args:
        model: its text tower and scale are changed.
        encode: texts to unit embeddings, with gradient.
        sampler: writes the captions; its randomness is started anew.
        recipe: seed, captions and losses.
        cache: folder for the warmed towers, or None.

    Raises:
        BadCheckpoint: a cached tower cannot be read.
    """
    file = None if cache is None else cache / f"text-{_key(recipe)}.pt"
    if file is not None and file.is_file():
        _load(model, file)
        return
    optim = recipe.optim
    trained = [*model.text.parameters(), model.logit_scale]
    optimiser = torch.optim.AdamW(trained, lr=optim.rate_text, betas=(0.9, 0.98), eps=1e-6, fused=True)
    rng = random.Random(recipe.seed)
    sampler.seed(recipe.seed)
    full = Sampler(sampler.measure, rng, Chances(1.0, 1.0, 1.0), recipe.model.text.context_length)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for step in progress.track(range(optim.text_steps), description="warming up the text tower"):
            share = min((step + 1) / 50, 0.5 * (1 + math.cos(math.pi * step / optim.text_steps)) + 0.02)
            for group in optimiser.param_groups:
                group["lr"] = optim.rate_text * share
            loss = _loss(model, encode, sampler, full, recipe, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, optim.clip)
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(optim.max_scale))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            state = {"text": model.text.state_dict(), "scale": model.logit_scale.detach()}
            torch.save(state, part)


def _loss(
    model: DualEncoder, encode: Encode, sampler: Sampler, full: Sampler, recipe: Recipe, rng: random.Random
) -> Tensor:
    known = [_facts(recipe, rng) for _ in range(TOLD)]
    asked = [sampler.caption(facts) for facts in known]
    rivals = [] if "brain" in recipe.data.leave_out else sampler.rivals(recipe.optim.rival_texts)
    texts = encode([text for text, _ in [*map(full.caption, known), *asked, *rivals]])
    told, others, scale = texts[:TOLD], texts[TOLD:], model.logit_scale.exp()
    positive, unknown = (x.to(texts.device) for x in truths(known, [said for _, said in [*asked, *rivals]]))
    loss = contrastive(told, others, scale, positive, unknown)
    if not rivals:
        return loss
    return loss + recipe.optim.rival_weight * rivalry(told, others[TOLD:], scale, positive[:, TOLD:])


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
    names = ("text_steps", "rate_text", "clip", "max_scale", "rival_texts", "rival_weight")
    text["optim"] = {name: told["optim"][name] for name in names}
    text["wording"] = texts(60, recipe.seed)  # other words, another tower
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()[:16]


def _load(model: DualEncoder, file: Path) -> None:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        model.text.load_state_dict(state["text"])
        with torch.no_grad():
            model.logit_scale.copy_(state["scale"])
    except Exception as error:  # torch raises many kinds for a damaged file
        kind = type(error).__name__
        raise BadCheckpoint(f"{file.name} cannot be read ({kind})", "a warmed text tower", f"rm {file}") from None
