"""Answers about one file: one road for stills and clips from the pictures on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fetalclip import __version__
from fetalclip.analysis.asked import Asked
from fetalclip.analysis.seen import Seen, Spacing, see
from fetalclip.cards import Card
from fetalclip.clinical.prompts import PromptSet
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array
from fetalclip.errors import BadValue, FetalclipError, InputError, NoCalibration
from fetalclip.frame import Cine, Frame
from fetalclip.models.tiny import SHOUT, TINY
from fetalclip.overlay import Overlay
from fetalclip.preprocess import Prepared, prepare
from fetalclip.quality import Mask, Scene, examine
from fetalclip.result import (
    NOT_FOUR_CHAMBERS,
    AgeEstimate,
    Analysis,
    Check,
    HeartScore,
    InputInfo,
    Measurement,
    PlaneScores,
    ProbeAnswer,
    Provenance,
)
from fetalclip.tasks import AgeTask, BiometryTask, PlaneTask, SubplaneTask, biometry_age
from fetalclip.tasks.age import applies, no_age, prompt_spacing
from fetalclip.tasks.biometry import UNCERTAIN
from fetalclip.tasks.heart import PLANE

STILL = "a still shows no motion; a clip is needed"
"""Why a still is not judged by a heart head."""


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

    def __call__(self, path: Path, shown: str, spacing: Spacing, asked: Asked) -> Analysis:
        """Everything asked about one file; one that cannot be read is answered with its error.

        A clip is answered for as a whole with its plane and its heart; sub-plane, age, measures and quality are of
        its best frame: of the pictures spread over it the one that shows its plane most probably.

        Args:
            path: the file.
            shown: how the answer names it.
            spacing: mm per native pixel (x, y), before the file's own.
            asked: the call.
        """
        began = time.perf_counter()
        try:
            seen = see(path, shown, spacing, asked, self.encoder.normalisation)
        except FetalclipError as error:
            return Analysis(InputInfo(shown), error=str(error), provenance=self.provenance(began))
        try:
            found = self._answers(seen, asked)
        except InputError as error:  # gone or changed since
            return Analysis(InputInfo(shown), error=str(error), provenance=self.provenance(began))
        return replace(found, provenance=self.provenance(began))

    def _answers(self, seen: Seen, asked: Asked) -> Analysis:
        """The tasks' answers about a file that was read."""
        said = ([SHOUT] if self.card.name == TINY else []) + list(seen.warnings)
        images = self._images_of(seen, asked)
        plane, own = self._planes_of(seen, images, asked, said)
        place = self._best(seen, images, (own, plane), asked.prompts)
        at, info = place or 0, seen.info
        if place is not None and seen.cine is not None:
            info = replace(info, best_frame=seen.places[place])
        subplane = age = sized = frame = None
        measures: tuple[Measurement, ...] | None = None
        masks: Mapping[str, Mask] = {}
        if plane is not None and place is not None:
            subplane = self._subplane_of(images[at : at + 1], plane, said)
        if "age" in asked.tasks and own is not None:
            age = self._age_of(images[at : at + 1], seen.pictures[at], own)
            said += age.warnings
        if place is not None and (asked.quality or "biometry" in asked.tasks):
            frame = seen.native(place)
        if "biometry" in asked.tasks and own is not None:
            known = asked.age or info.age
            measures, sized, masks = self._measures_of(frame, seen.overlay, own, replace(asked, age=known), said)
        hind = None if subplane is None else cerebellum_share(self.card, subplane)
        checks = _checked(frame, seen.overlay, (plane, subplane, hind), masks) if asked.quality else None
        heart = self._heart_of(seen.cine, own, asked, said)
        probes = _probes_of(seen, images, asked, said)
        found = Analysis(info, plane, tuple(said), None, None, subplane, age, measures, sized, checks, heart, probes)
        return replace(found, warnings=(*found.warnings, *_of_frame(found)))

    def _images_of(self, seen: Seen, asked: Asked) -> Array:
        """Raw embeddings (n, d) of the pictures; (0, 0) where nothing asked looks at them."""
        if not asked.shows(seen.cine is not None):
            return np.zeros((0, 0), np.float32)
        return self.encoder.images([one.pixels for one in seen.pictures])

    def _planes_of(
        self, seen: Seen, images: Array, asked: Asked, said: list[str]
    ) -> tuple[PlaneScores | None, PlaneScores | None]:
        """The plane that is told and the model's own, which decides what else is answered; of a clip as a whole."""
        plane = None
        if "planes" in asked.tasks:
            plane = self.planes.together(images, asked.prompts)
            if seen.cine is not None:
                said.append(f"clip: the plane is the mean of {len(seen.pictures)} of {seen.info.frames} frames")
            if plane.abstained:
                said.append(f"plane abstained: {plane.reason}")
        own = plane if asked.prompts is None else None
        if own is None and len(images) and ({"age", "biometry"} & set(asked.tasks) or asked.heads.heart is not None):
            own = self.planes.together(images)
        return plane, own

    def _best(
        self, seen: Seen, images: Array, answers: Sequence[PlaneScores | None], prompts: PromptSet | None
    ) -> int | None:
        """Place of the picture to be looked at closely; None of a clip without a certain plane.

        Args:
            answers: of the clip: by the model's own planes, and by the prompts. The first that is certain counts.
        """
        if seen.cine is None:
            return 0
        own, plane = answers
        label, each = "", list[PlaneScores]()
        if own is not None and not own.abstained:
            label, each = own.label, self.planes(images)
        elif plane is not None and not plane.abstained:
            label, each = plane.label, self.planes(images, prompts)
        shows = [(not one.abstained and one.label == label, one[label]) for one in each]
        return max(range(len(shows)), key=shows.__getitem__) if shows else None

    def _subplane_of(self, image: Array, plane: PlaneScores, said: list[str]) -> PlaneScores | None:
        if plane.abstained or self.subplanes is None or not self.subplanes.applies(plane):
            return None
        subplane = self.subplanes(image)[0]
        if subplane.abstained:
            said.append(f"subplane abstained: {subplane.reason}")
        return subplane

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
        self, frame: Frame | None, overlay: Overlay | None, plane: PlaneScores, asked: Asked, said: list[str]
    ) -> tuple[tuple[Measurement, ...] | None, AgeEstimate | None, Mapping[str, Mask]]:
        """Measures, None where no head is for this picture, the age of a measured head, and the masks."""
        if frame is None:
            said.append(f"no biometry: {UNCERTAIN}")
            return None, None, {}
        taken = self.biometry(frame, plane, asked.heads.masks, asked.age, overlay)
        said += taken.warnings
        if not taken.measures:
            return None, None, taken.masks
        age, why = biometry_age(taken.measures)
        said += [why] if why else []
        return taken.measures, age, taken.masks

    def _heart_of(
        self, cine: Cine | None, plane: PlaneScores | None, asked: Asked, said: list[str]
    ) -> HeartScore | None:
        """What the heart head says of a clip; whatever stands in the way is said, of a still only where it was named.

        A clip that certainly shows another plane is judged only by a head that looks for the four-chamber part itself.
        """
        if cine is None:
            said += [f"no heart: {STILL}"] if asked.by_name and "heart" in asked.tasks else []
            return None
        if asked.heads.heart is None:
            said += [f"no heart: {asked.heads.no_heart}"] if asked.heads.no_heart else []
            return None
        other = plane is not None and not plane.abstained and PLANE in plane.scores and plane.label != PLANE
        if plane is not None and other and not asked.heads.heart.head.config.segment:
            said.append(f"no heart: {NOT_FOUR_CHAMBERS} ({plane.label})")
            return None
        try:
            score = asked.heads.heart(cine)
        except FetalclipError as error:
            said.append(f"no heart: {error}")
            return None
        said += score.warnings
        return score

    def provenance(self, began: float) -> Provenance:
        """How an answer was made that was begun at ``began``, a time of ``time.perf_counter``."""
        card, seconds = self.card, time.perf_counter() - began
        return Provenance(__version__, card.name, card.sha256, card.license, self.encoder.engine, seconds)


def _of_frame(found: Analysis) -> tuple[str, ...]:
    """A warning that says which answers about a clip are of its best frame alone."""
    best = found.input.best_frame
    if best is None:
        return ()
    dated = found.biometry_age is not None or (found.age is not None and not found.age.abstained)
    given = {
        "sub-plane": found.subplane is not None,
        "age": dated,
        "measures": bool(found.biometry),
        "quality": found.quality is not None,
    }
    parts = ", ".join(word for word, there in given.items() if there)
    return (f"clip: {parts} of its best frame only, {best}",) if parts else ()


def _probes_of(seen: Seen, images: Array, asked: Asked, said: list[str]) -> tuple[ProbeAnswer, ...] | None:
    """What each probe says, of a clip as a whole; None where there is none."""
    if not asked.heads.probes:
        said += (
            ["no probes: the model has none; name one with --head"] if asked.by_name and "probes" in asked.tasks else []
        )
        return None
    spacings = [None if one.mm_per_pixel is None else one.mm_per_pixel[0] for one in seen.pictures]
    found = tuple(task.together(images, spacings) for task in asked.heads.probes)
    for task, answer in zip(asked.heads.probes, found, strict=True):
        said += [f"probe {answer.head} abstained: {answer.reason}"] if answer.abstained else []
        if task.head.config.overlay != asked.overlay:
            said.append(
                f"probe {answer.head} learned with burned-in text {task.head.config.overlay}, not {asked.overlay}"
            )
    return found


def _checked(
    frame: Frame | None,
    overlay: Overlay | None,
    shown: tuple[PlaneScores | None, PlaneScores | None, float | None],
    masks: Mapping[str, Mask],
) -> tuple[Check, ...] | None:
    """The checks of a picture whose plane is certain; ``shown``: plane, sub-plane, probability of the cerebellum's."""
    plane, subplane, hind = shown
    if frame is None or plane is None or plane.abstained:
        return None
    sub = "" if subplane is None or subplane.abstained else subplane.label
    return examine(Scene.of(frame, plane.label, sub, masks, overlay, hind))


def cerebellum_share(card: Card, subplane: PlaneScores) -> float | None:
    """Probability of a plane through the cerebellum; None of a model whose sub-planes nobody calibrated."""
    calibrated = float((card.config.get("subplanes") or {}).get("min_probability", 0.0)) > 0
    return subplane.scores.get("trans-cerebellum") if calibrated else None


def no_rule(card: Card) -> str:
    """Why a model gives no age."""
    return f"the model {card.name} has no age rule"
