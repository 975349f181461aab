"""The text tower before it meets a picture: captions that state everything stand in for pictures.

Text is cheap and pictures are few. What a caption means beside another (the same plane in other words, the size of a
head of some age at some spacing) can be learned from the factory alone; the losses are those of the training itself.
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
from fetalclip.clinical.captions import Facts, truth
from fetalclip.clinical.growth import median_hc
from fetalclip.clinical.sampling import Chances, Sampler
from fetalclip.clinical.vocabulary import KNOWN, PLANES, REJECTS, SUBPLANES
from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint
from fetalclip.fit.batches import log_pixels
from fetalclip.fit.objectives import contrastive, rivalry
from fetalclip.fit.recipe import Recipe
from fetalclip.fit.ruler import Ruler
from fetalclip.models.pair import DualEncoder

TOLD = 24  # captions a step that stand in for pictures
AGED = 48  # captions of ages a step
PIXELS = (60.0, 640.0)  # circumference of a head on the square the tower sees
Encode = Callable[[list[str]], Tensor]


def warm_up(
    model: DualEncoder, ruler: Ruler, encode: Encode, sampler: Sampler, recipe: Recipe, cache: Path | None
) -> None:
    """Train the text tower on text, or take it from the cache of a run with the same text side.

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
    trained = [*model.text.parameters(), model.logit_scale, *ruler.parameters()]
    optimiser = torch.optim.AdamW(trained, lr=optim.rate_text, betas=(0.9, 0.98), eps=1e-6, fused=True)
    rng = random.Random(recipe.seed)
    sampler.seed(recipe.seed)
    full = Sampler(sampler.measure, rng, Chances(1.0, 1.0, 1.0), recipe.model.text.context_length)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for step in progress.track(range(optim.text_steps), description="warming up the text tower"):
            share = min((step + 1) / 50, 0.5 * (1 + math.cos(math.pi * step / optim.text_steps)) + 0.02)
            for group in optimiser.param_groups:
                group["lr"] = optim.rate_text * share
            loss = _loss(model, ruler, encode, sampler, full, recipe, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, optim.clip)
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(optim.max_scale))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            state = {"text": model.text.state_dict(), "scale": model.logit_scale.detach(), "ruler": ruler.state_dict()}
            torch.save(state, part)


def _loss(
    model: DualEncoder,
    ruler: Ruler,
    encode: Encode,
    sampler: Sampler,
    full: Sampler,
    recipe: Recipe,
    rng: random.Random,
) -> Tensor:
    known = [_facts(recipe, rng) for _ in range(TOLD)]
    asked = [sampler.caption(facts) for facts in known]
    rivals = [] if "brain" in recipe.data.leave_out else sampler.rivals(recipe.optim.rival_texts)
    aged = sampler.ages([_head(rng) for _ in range(AGED)], AGED if recipe.optim.age_texts else 0)
    texts = encode([text for text, _ in [*map(full.caption, known), *asked, *rivals, *aged]])
    told, others = texts[:TOLD], texts[TOLD:]
    table = [[truth(said, facts) for _, said in [*asked, *rivals]] for facts in known]
    positive = torch.tensor([[cell is True for cell in row] for row in table])
    unknown = torch.tensor([[cell is None for cell in row] for row in table])
    end, scale, optim = len(asked) + len(rivals), model.logit_scale.exp(), recipe.optim
    loss = contrastive(told, others[:end], scale, positive, unknown)
    if rivals:
        loss = loss + optim.rival_weight * rivalry(told, others[len(asked) : end], scale, positive[:, len(asked) :])
    if aged:
        loss = loss + optim.age_weight * ruler(others[end:], log_pixels([said for _, said in aged]), optim.age_width)
    return loss


def _head(rng: random.Random) -> Facts:
    """A head of any age and any size on the square."""
    day = rng.choice(DAYS)
    circumference = median_hc(day)  # mm
    assert circumference is not None
    pixels = math.exp(rng.uniform(math.log(PIXELS[0]), math.log(PIXELS[1])))
    return Facts("brain", None, day, round(circumference / pixels, 2))


def _facts(recipe: Recipe, rng: random.Random) -> Facts:
    """Facts of a picture that could be: mostly of the planes there are pictures of, half of the brains measured."""
    allowed = [plane for plane in KNOWN if plane not in recipe.data.leave_out]
    plane = rng.choice(allowed if rng.random() < 0.7 else [p for p in (*PLANES, *REJECTS) if p not in KNOWN])
    if plane != "brain" and ("brain" in recipe.data.leave_out or rng.random() < 0.6):
        return Facts(plane)
    if rng.random() < 0.4:
        return Facts("brain", rng.choice(list(SUBPLANES)))
    return _head(rng)


def _key(recipe: Recipe) -> str:
    """Of all that the warmed tower depends on."""
    told = asdict(recipe)
    text = {name: told[name] for name in ("seed", "captions")}
    text["text"], text["leave_out"] = told["model"]["text"], told["data"]["leave_out"]
    text["width"] = told["model"]["embed_dim"]
    names = (
        "text_steps",
        "rate_text",
        "clip",
        "max_scale",
        "rival_texts",
        "rival_weight",
        "age_texts",
        "age_weight",
        "age_width",
    )
    text["optim"] = {name: told["optim"][name] for name in names}
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
        raise BadCheckpoint(
            f"warmed text tower {file.name} cannot be read ({kind})", "a whole file", f"rm {file}"
        ) from None
