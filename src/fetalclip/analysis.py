"""The main job: one file in, one honest answer out, whatever the file is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetalclip import __version__
from fetalclip.cards import Card
from fetalclip.clinical.age import IndependentAge
from fetalclip.clinical.prompts import PromptSet
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array
from fetalclip.errors import BadValue, FetalclipError, NoCalibration
from fetalclip.frame import Frame
from fetalclip.io import is_clip, read, read_cine
from fetalclip.models.tiny import SHOUT, TINY
from fetalclip.preprocess import Prepared, prepare
from fetalclip.preprocess.cine import prepare_cine
from fetalclip.quality import Mask, Scene, examine
from fetalclip.result import AgeEstimate, Analysis, Check, InputInfo, Measurement, PlaneScores, Provenance
from fetalclip.tasks import AgeTask, BiometryTask, PlaneTask, SubplaneTask, biometry_age
from fetalclip.tasks.age import applies, no_age, prompt_spacing


@dataclass(frozen=True)
class Asked:
    """A checked call of ``analyze``.

    Attributes:
        tasks: questions to answer.
        prompts: candidate planes, or None for the model's own.
        overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``.
        heads: heads that draw the masks to measure; None for the model's own.
        age: known without the pictures, or None.
        quality: whether image quality is checked too.
    """

    tasks: tuple[str, ...]
    prompts: PromptSet | None = None
    overlay: str = "mask"
    heads: tuple[str | Path, ...] | None = None
    age: IndependentAge | None = None
    quality: bool = False


class Analyst:
    """Answers files with the tasks of a model.

    Args:
        card: what the model is.
        encoder: its towers.
        planes, subplanes, age, biometry: its tasks; None where it has none.
    """

    def __init__(
        self,
        card: Card,
        encoder: Encoder,
        *,
        planes: PlaneTask,
        subplanes: SubplaneTask | None,
        age: AgeTask | None,
        biometry: BiometryTask,
    ) -> None:
        self.card, self.encoder = card, encoder
        self.planes, self.subplanes, self.age, self.biometry = planes, subplanes, age, biometry

    def prepare(self, frame: Frame, overlay: str = "mask") -> Prepared:
        """The one road from a frame to the tower."""
        wanted = self.encoder.normalisation
        return prepare(frame, wanted.image_size, overlay, wanted.colour)

    def __call__(self, path: Path, shown: str, spacing: tuple[float, float] | None, asked: Asked) -> Analysis:
        """Everything asked about one file; one that cannot be read is answered with its error.

        Args:
            path: the file.
            shown: how the answer names it.
            spacing: mm per native pixel (x, y), before the file's own.
            asked: the call.
        """
        began = time.perf_counter()
        if is_clip(path):
            return self._cine(path, shown, spacing, asked)
        try:
            frame = read(path, mm_per_pixel=spacing)
            ready = self.prepare(frame, asked.overlay)
        except FetalclipError as error:
            return Analysis(InputInfo(shown), error=str(error), provenance=self._provenance(began))
        said = ([SHOUT] if self.card.name == TINY else []) + list(ready.warnings)
        image = self.encoder.images([ready.pixels]) if asked.tasks else np.zeros((0, 0), np.float32)
        plane = subplane = age = sized = None
        measures: tuple[Measurement, ...] | None = None
        masks: Mapping[str, Mask] = {}
        if "planes" in asked.tasks:
            plane, subplane = self._plane_of(image, asked, said)
        own = plane if asked.prompts is None else None
        if own is None and {"age", "biometry"} & set(asked.tasks):
            own = self.planes(image)[0]
        if "age" in asked.tasks and own is not None:
            age = self._age_of(image, ready, own)
            said += age.warnings
        if "biometry" in asked.tasks and own is not None:
            measures, sized, masks = self._measures_of(frame, own, asked, said)
        info = InputInfo(shown, "image", frame.width, frame.height, 1, frame.mm_per_pixel)
        checks = _checked(frame, plane, subplane, masks, self.card) if asked.quality else None
        made = self._provenance(began)
        return Analysis(info, plane, tuple(said), None, made, subplane, age, measures, sized, checks)

    def _cine(self, path: Path, shown: str, spacing: tuple[float, float] | None, asked: Asked) -> Analysis:
        """What is said of a clip: the plane of pictures spread over it, taken together; nothing is measured."""
        began = time.perf_counter()
        wanted = self.encoder.normalisation
        try:
            cine = read_cine(path, spacing)
            ready = prepare_cine(cine, wanted.image_size, asked.overlay, wanted.colour)
        except FetalclipError as error:
            return Analysis(InputInfo(shown), error=str(error), provenance=self._provenance(began))
        said = ([SHOUT] if self.card.name == TINY else []) + list(ready.warnings)
        plane = None
        if "planes" in asked.tasks:
            plane = self.planes.together(self.encoder.images([one.pixels for one in ready.pictures]), asked.prompts)
            said.append(f"clip: the plane is the mean of {len(ready.pictures)} of {ready.count} pictures")
            said += [f"plane abstained: {plane.reason}"] if plane.abstained else []
        if {"age", "biometry"} & set(asked.tasks):
            said.append("clip: no age and no measure is taken; choose a picture of it")
        info = InputInfo(shown, "cine", cine.width, cine.height, ready.count, cine.mm_per_pixel)
        return Analysis(info, plane, tuple(said), None, self._provenance(began))

    def _plane_of(self, image: Array, asked: Asked, said: list[str]) -> tuple[PlaneScores, PlaneScores | None]:
        plane = self.planes(image, asked.prompts)[0]
        if plane.abstained:
            said.append(f"plane abstained: {plane.reason}")
            return plane, None
        if self.subplanes is None or not self.subplanes.applies(plane):
            return plane, None
        subplane = self.subplanes(image)[0]
        if subplane.abstained:
            said.append(f"subplane abstained: {subplane.reason}")
        return plane, subplane

    def _age_of(self, image: Array, ready: Prepared, plane: PlaneScores) -> AgeEstimate:
        """The prompted age of one picture; whatever stands in the way is an abstention with its reason."""
        if self.age is None:
            return no_age(no_rule(self.card))
        if why := applies(plane):
            return no_age(why)
        try:
            return self.age(image, [prompt_spacing(ready)])[0]
        except (NoCalibration, BadValue) as error:
            return no_age(str(error))

    def _measures_of(
        self, frame: Frame, plane: PlaneScores, asked: Asked, said: list[str]
    ) -> tuple[tuple[Measurement, ...] | None, AgeEstimate | None, Mapping[str, Mask]]:
        """Measures, None where no head is for this picture, the age of a measured head, and the masks."""
        taken = self.biometry(frame, plane, asked.heads, asked.age)
        said += taken.warnings
        if not taken.measures:
            return None, None, taken.masks
        age, why = biometry_age(taken.measures)
        said += [why] if why else []
        return taken.measures, age, taken.masks

    def _provenance(self, began: float) -> Provenance:
        card, seconds = self.card, time.perf_counter() - began
        return Provenance(__version__, card.name, card.sha256, card.license, self.encoder.engine, seconds)


def _checked(
    frame: Frame, plane: PlaneScores | None, subplane: PlaneScores | None, masks: Mapping[str, Mask], card: Card
) -> tuple[Check, ...] | None:
    """The checks of a picture whose plane is certain."""
    if plane is None or plane.abstained:
        return None
    sub = "" if subplane is None or subplane.abstained else subplane.label
    hind = None if subplane is None else cerebellum_share(card, subplane)
    return examine(Scene.of(frame, plane.label, sub, masks, hind))


def cerebellum_share(card: Card, subplane: PlaneScores) -> float | None:
    """Probability of a plane through the cerebellum; None of a model whose sub-planes nobody calibrated."""
    calibrated = float((card.config.get("subplanes") or {}).get("min_probability", 0.0)) > 0
    return subplane.scores.get("trans-cerebellum") if calibrated else None


def no_rule(card: Card) -> str:
    """Why a model gives no age."""
    return f"the model {card.name} has no age rule"


def heads_of(given: str | Path | Sequence[str | Path] | None) -> tuple[str | Path, ...] | None:
    """Heads as ``Asked`` takes them: one, several, or None."""
    if given is None:
        return None
    return (given,) if isinstance(given, (str, Path)) else tuple(given)
