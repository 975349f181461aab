"""A heart head from a recipe: patients held out fold by fold, what they decide, one more training on all, a folder.

Each fold is trained with every seed; the held-out scores choose how windows are joined, calibrate the probabilities,
and set what is believed and what is too strange. The head that comes out is trained on all clips but those marked
``test``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fetalclip.api import FetalCLIP, load
from fetalclip.data import LICENSES
from fetalclip.disk import replacing
from fetalclip.encoder.engine import unit
from fetalclip.errors import BadRecipe, NotAvailable, OutputError
from fetalclip.fit.clips import TEST, Clips, simulated_clips, table_clips
from fetalclip.fit.heart_choose import Choice, Held, choose
from fetalclip.fit.heart_gate import DATASET, Gates, Strangers, fitted_gate, held_gates, strangers_of
from fetalclip.fit.heart_loop import HeartTraining, fresh
from fetalclip.fit.heart_recipe import HeartRecipe
from fetalclip.fit.tracks import segments, tracks_of
from fetalclip.memory import keep_freed_memory
from fetalclip.metrics import Reals
from fetalclip.models.heart import HeartNet
from fetalclip.models.heart_head import Gate, HeartConfig, HeartHead, save_heart
from fetalclip.tasks.heart import PLANE, branch_logits, still
from fetalclip.tasks.sight import Sight, grids_of
from fetalclip.tasks.track import Eye, Track
from fetalclip.tasks.windows import JOINS

Say = Callable[[str], None]


def train_heart(recipe: HeartRecipe, out: Path, resume: bool = True, say: Say = print) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/NAME`` is the head folder that comes out, ``out/heldout.json`` the held-out answers,
            which ``fetalclip bench heart --predictions`` reads.
        resume: go on with what the folder already holds.
        say: where progress is told.

    Raises:
        OutputError: the folder holds another run and ``resume`` is off.
        BadRecipe: no clips, or both kinds of them.
        UnreadableInput, DataMissing: a table or a clip that cannot be used; the message names the rows.
    """
    recipe.check_source()
    if not resume and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"run folder {out} holds a run", "an empty folder", "--resume, or another --out folder")
    keep_freed_memory()
    clips = clips_of(recipe)
    folds = clips.folds(recipe.data.folds)
    clips, folds = clips.where(folds != TEST), folds[folds != TEST]
    check_folds(clips, folds)
    model = load(recipe.model.encoder)
    say(f"{len(clips.clips)} clips, {len(clips.findings)} findings, {len(set(folds.tolist()))} folds")
    eye = eye_of(model, recipe)
    tracks = tracks_of(eye, clips.clips, out / "cache", say)
    if recipe.data.segment:
        tracks = list(segments(tracks, model.hearts.planes, PLANE, recipe.model.frames))
    strange = strangers_of(eye, recipe.data, out / "cache") if recipe.data.strangers else Strangers.none()
    gates = held_gates(tracks, folds, strange, recipe.gate)
    texts = prompt_texts(model, recipe, clips.findings)
    held = [_held(recipe, (clips, tracks, folds), texts, out, k, (resume, say)) for k in range(recipe.seeds)]
    chosen = choose(held, clips.labels, clips.findings, recipe.level)
    say(f"held out: mean AUROC {chosen.results['auroc']:.3f}, windows joined by {chosen.join}")
    _write_heldout(out / "heldout.json", clips, chosen, recipe.data.least_severity)
    last = HeartTraining(recipe, tracks, clips.labels, texts, out, seed=recipe.seed, resume=resume)
    last.epochs()
    last.net.mix.copy_(torch.from_numpy(chosen.mix))
    config = _config(recipe, model, clips, (chosen, gates), last)
    return save_heart(last.net, fitted_gate(tracks, strange.embeddings), config, out / recipe.name)


def clips_of(recipe: HeartRecipe) -> Clips:
    """The clips that a recipe names; errors as `train_heart`."""
    data = recipe.data
    if data.clips:
        return table_clips(Path(data.clips), data.findings)
    severities = (data.least_severity, 1.0)
    return simulated_clips(
        data.simulated, data.findings, frames=data.frames, healthy=data.healthy, severities=severities
    )


def eye_of(model: FetalCLIP, recipe: HeartRecipe) -> Eye:
    """How the recipe looks at clips.

    Raises:
        NotAvailable: no such locator.
        BadCheckpoint: grids that can be none.
    """
    data = recipe.data
    sight = Sight(data.overlay, data.rate, data.locator, data.margin, grids_of(data.grids))
    return Eye(model.encoder, sight, model.segmenter.task(data.locator) if data.locator else None)


def check_folds(clips: Clips, folds: np.ndarray) -> None:
    """Refuse a finding that the training of some fold would have with one class only.

    Raises:
        BadRecipe: names finding and fold.
    """
    if len(set(folds.tolist())) < 2:
        raise BadRecipe("clips in one fold to train on", "two or more, or a table without 'fold'", "data.folds=5")
    labels = clips.labels
    for fold in sorted(set(folds.tolist())):
        for i, name in enumerate(clips.findings):
            rest = labels[folds != fold, i]
            if len(set(rest[np.isfinite(rest)])) < 2:
                found = f"without fold {fold} the clips have one class only of {name!r:.60}"
                raise BadRecipe(found, "more patients, or other folds", "data.folds=2")


def prompt_texts(model: FetalCLIP, recipe: HeartRecipe, findings: Sequence[str]) -> Tensor | None:
    """Unit embeddings of the findings' texts, (findings, d), for an aligned head; None for another.

    Raises:
        NotAvailable: a model without texts.
    """
    if not recipe.model.aligned:
        return None
    if model.card.config.get("planes", {}).get("classes"):
        raise NotAvailable(f"the model {model.card.name} has no text tower", "a model that has one")
    return torch.from_numpy(unit(model.encoder.texts([recipe.model.prompt(name) for name in findings])))


def _held(
    recipe: HeartRecipe,
    material: tuple[Clips, Sequence[Track], np.ndarray],
    texts: Tensor | None,
    out: Path,
    number: int,
    how: tuple[bool, Say],
) -> Held:
    """Scores of every clip by a net that has not seen its fold; of one seed."""
    clips, tracks, folds = material
    labels = clips.labels
    branches = len(fresh(recipe, tracks[:1], labels.shape[1], texts, 0).mix)
    logits: dict[str, Reals] = {way: np.zeros((len(labels), branches, labels.shape[1])) for way in JOINS}
    for fold in sorted(set(folds.tolist())):
        inside, outside = np.flatnonzero(folds == fold).tolist(), np.flatnonzero(folds != fold).tolist()
        seen = [tracks[i] for i in outside]
        folder = out / f"fold-{fold}-seed-{recipe.seed + number}"
        how[1](f"patients of fold {fold} held out, seed {recipe.seed + number}")
        training = HeartTraining(recipe, seen, labels[outside], texts, folder, seed=recipe.seed + number, resume=how[0])
        training.epochs()
        training.net.eval()
        for way in JOINS:
            head = HeartHead(
                plain_config(recipe, clips.findings, training.net, way), training.net, Gate(training.net.shape.dim)
            )
            for i in inside:
                shown = still(tracks[i], recipe.model.frames) if recipe.data.still else tracks[i]
                logits[way][i] = branch_logits(head, shown)[0]
    return Held(logits)


def plain_config(recipe: HeartRecipe, findings: tuple[str, ...], net: HeartNet, way: str) -> HeartConfig:
    """The config of a head that is not calibrated: every answer can be, no clip is strange."""
    return HeartConfig(
        name=recipe.name,
        title=recipe.name,
        license=recipe.license,
        findings=findings,
        shape=net.shape,
        stride=recipe.model.stride,
        join=way,
        segment=False,
        overlay=recipe.data.overlay,
        rate=recipe.data.rate,
        locator="",
        margin=recipe.data.margin,
        grids={},
        embedding=net.shape.dim,
        temperatures=dict.fromkeys(findings, 1.0),
        offsets=dict.fromkeys(findings, 0.0),
        bounds=dict.fromkeys(findings, (1.0, 1.0)),
        level=recipe.level,
        gate=1e6,
        stranger=1e6,
        simulated=not recipe.data.clips,
        encoder_name="",
        encoder_sha256="",
        told={},
    )


def _write_heldout(path: Path, clips: Clips, chosen: Choice, mildest: float) -> None:
    """Held-out answers as `fetalclip.bench.heart_saved` reads them; patients by number, not by name."""
    numbers = {name: f"p{i}" for i, name in enumerate(dict.fromkeys(clip.patient for clip in clips.clips))}
    labels = [[None if np.isnan(v) else int(v) for v in row] for row in clips.labels]
    told: dict[str, Any] = {
        "findings": list(clips.findings),
        "probability": [[round(float(p), 6) for p in row] for row in chosen.probability],
        "label": labels,
        "patient": [numbers[clip.patient] for clip in clips.clips],
    }
    if clips.simulated:
        told["severity"] = [clip.severity for clip in clips.clips]
        told["mildest_trained"] = mildest
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(json.dumps(told), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written ({error.strerror})", "a writable folder") from None


def _config(
    recipe: HeartRecipe, model: FetalCLIP, clips: Clips, found: tuple[Choice, Gates], training: HeartTraining
) -> dict[str, Any]:
    """The head's ``config.json`` but for schema, shape and weights."""
    portable = replace(
        recipe,
        data=replace(recipe.data, clips=Path(recipe.data.clips).name, strangers=Path(recipe.data.strangers).name),
        model=replace(recipe.model, encoder=Path(recipe.model.encoder).name),
    )
    chosen, gates = found
    patients = len({clip.patient for clip in clips.clips})
    source = "simulated hearts" if clips.simulated else "clips of a table"
    return {
        "name": recipe.name,
        "title": f"Findings on clips of the heart ({recipe.model.kind})",
        "summary": recipe.summary,
        "license": recipe.license or model.card.license,
        "simulated": clips.simulated,
        "findings": list(clips.findings),
        "encoder": {"name": Path(recipe.model.encoder).name, "sha256": model.encoder.embedding_sha256},
        "clips": {
            "overlay": recipe.data.overlay,
            "rate": recipe.data.rate,
            "stride": recipe.model.stride,
            "join": chosen.join,
            "segment": recipe.data.segment,
            "locator": Path(recipe.data.locator).name,
            "margin": recipe.data.margin,
            "grids": {str(block): cells for block, cells in grids_of(recipe.data.grids).items()},
            "embedding": model.encoder.dim,
        },
        "temperatures": chosen.temperatures,
        "offsets": chosen.offsets,
        "bounds": {name: list(pair) for name, pair in chosen.bounds.items()},
        "level": recipe.level,
        "gate": gates.distance,
        "stranger": gates.stranger,
        "prompts": {name: recipe.model.prompt(name) for name in clips.findings} if recipe.model.aligned else {},
        "data": {source: {"clips": len(clips.clips), "patients": patients}} | _shown(gates),
        "training": {"recipe": portable.to_dict(), **training.made_with},
        "results": {**chosen.results, "gate": gates.results},
    }


def _shown(gates: Gates) -> dict[str, dict[str, Any]]:
    """The source of the strangers, where there were any."""
    if "strangers" not in gates.results:
        return {}
    facts = LICENSES[DATASET]
    return {DATASET: {**facts._asdict(), "pictures": gates.results["strangers"], "license": facts.license}}
