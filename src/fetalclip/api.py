"""``load`` and the model object behind every front: Python, command line, benchmark."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from fetalclip.analysis import Analyst, Asked, no_rule
from fetalclip.cards import DEFAULT_MODEL, Card, get_card
from fetalclip.clinical.age import IndependentAge, independent
from fetalclip.clinical.age_prompts import DEFAULT_TEMPLATES, load_age_templates
from fetalclip.clinical.prompts import Prompts, prompt_set
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array, unit
from fetalclip.encoder.opened import open_model
from fetalclip.encoder.speed import expected_time
from fetalclip.errors import NotAvailable, UsageError
from fetalclip.explain.explainer import Explainer
from fetalclip.frame import Frame
from fetalclip.preprocess import Prepared, check_overlay
from fetalclip.result import AgeEstimate, Analysis, Attribution, PlaneScores
from fetalclip.settings import device_choice, precision_choice
from fetalclip.tasks import (
    TASKS,
    AgeRule,
    AgeScorer,
    AgeTask,
    BiometryTask,
    PlaneRule,
    PlaneTask,
    SubplaneRule,
    SubplaneTask,
)
from fetalclip.tasks.age import applies, no_age, prompt_spacing
from fetalclip.tasks.answering import HeadAnswers
from fetalclip.tasks.heads import called_heads
from fetalclip.tasks.heart import Hearts
from fetalclip.tasks.probe import Probes
from fetalclip.tasks.segment import Segmenter


def load(name: str | Path = DEFAULT_MODEL, device: str | None = None, precision: str | None = None) -> FetalCLIP:
    """Load a model by its card's name or from a model folder.

    Args:
        name: a name from ``fetalclip models list``, a folder, or somebody else's model (`fetalclip.foreign`):
            ``imagenet``, ``transformers:…``, ``openclip:…``.
        device: ``auto``, ``cpu`` or ``cuda``; None asks the environment.
        precision: ``fp32`` or ``bf16``; None asks the environment.

    Raises:
        ModelNotFound: no such card or folder.
        NotAvailable: the card is known but its weights are not here.
        BadCheckpoint: the folder is damaged.
        MissingPackage: somebody else's model without the package that knows it.
    """
    card = get_card(name).require()
    opened = open_model(card, device_choice(device), precision_choice(precision))
    return FetalCLIP(opened.card, opened.encoder, PlaneRule.from_config(opened.config))


class FetalCLIP(HeadAnswers):
    """A loaded model.

    Attributes:
        card: what it is, under which licence.
        encoder: its towers.
        segmenter: its heads that draw masks, by name.
        hearts: its heads that judge clips of the heart, by name.
        probes: its heads that answer a question of their own, by name.
        explainer: what `explain` asks.
    """

    def __init__(self, card: Card, encoder: Encoder, rule: PlaneRule) -> None:
        self.card, self.encoder = card, encoder
        self.segmenter = Segmenter(encoder, card.folder)
        self.probes, self._planes = Probes(encoder, card.folder), PlaneTask(encoder, rule)
        self.hearts = Hearts(encoder, card.folder, self._planes, self.segmenter)
        # A supervised model's embedding is its logits: no text can be compared with it.
        sub = SubplaneRule.from_config(card.config) or SubplaneRule()
        bare = (rule.classes and not sub.classes) or "subplanes" not in self._told("subplanes")
        self._subplanes = None if bare else SubplaneTask(encoder, sub)
        age = None if rule.classes else AgeRule.from_config(card.config)
        self._age = None if age is None else AgeTask(encoder, age)
        self._scorers = {} if self._age is None else {self._age.rule.templates: self._age.scorer}
        self.explainer = Explainer(encoder, self._planes)
        self._analyst = Analyst(
            card,
            encoder,
            planes=self._planes,
            subplanes=self._subplanes,
            age=self._age,
            biometry=BiometryTask(self.segmenter),
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """What this model can answer, of ``TASKS``."""
        able = {
            "planes": self.encoder.has_text or bool(self._planes.rule.classes),
            "age": self._age is not None,
            "biometry": bool(self._analyst.biometry.heads),
            "heart": len(self.hearts.folders) == 1,
            "probes": bool(self.probes.folders),
        }
        only = self.card.config.get("tasks", TASKS)  # a fine-tuned tower has left the texts it was trained with
        return tuple(task for task in TASKS if able[task] and task in only)

    def _told(self, *words: str) -> tuple[str, ...]:
        """The questions that the model's config still answers: those given where it says nothing."""
        return tuple(self.card.config.get("tasks", words))

    def _need(self, word: str) -> None:
        """Refuse a question that the model's texts no longer answer, or never did.

        Raises:
            NotAvailable: its config leaves the question out, or it has no text tower.
        """
        if word not in self._told(word):
            found = f"{word} of {self.card.name}, whose tower was not kept in line with its texts"
            raise NotAvailable(found, "its probes", "--tasks probes")
        if not self._planes.rule.classes:
            self.encoder.need_text()

    def expected(self) -> str:
        """A line on how long a picture will take on this device; empty for a model that is quick anywhere."""
        return expected_time(self.card.name, self.encoder)

    def prepare(self, frame: Frame, overlay: str = "mask") -> Prepared:
        """The one road from a frame to the tower; overlay is ``mask``, ``keep`` or ``only``."""
        return self._analyst.prepare(frame, overlay)

    @property
    def overlay(self) -> str:
        """What the model's card asks to do with burned-in text before an embedding: ``mask`` or ``keep``."""
        return str(self.card.config.get("preprocess", {}).get("overlay", "mask"))

    def encode_image(self, scans: Frame | Sequence[Frame], normalize: bool = True, overlay: str | None = None) -> Array:
        """Image embeddings.

        Args:
            scans: one frame or several.
            normalize: to unit length.
            overlay: ``mask``, ``keep`` or ``only``; None does as the model's card asks (a converted checkpoint's
                keeps the picture as it is).

        Returns:
            (n, d) float32; unit length unless ``normalize`` is False.
        """
        way = self.overlay if overlay is None else overlay
        raw = self.encoder.images([self.prepare(frame, way).pixels for frame in _many(scans)])
        return unit(raw) if normalize else raw

    def encode_text(self, texts: str | Sequence[str], normalize: bool = True, keep: bool = True) -> Array:
        """Text embeddings, (n, d) float32; unit length unless ``normalize`` is False.

        ``keep`` holds on to them for the next call and the next start: for prompts, not for long lists of texts.
        """
        raw = self.encoder.texts([texts] if isinstance(texts, str) else list(texts), keep)
        return unit(raw) if normalize else raw

    @overload
    def planes(self, scans: Frame, prompts: Prompts = None, overlay: str = "mask") -> PlaneScores: ...
    @overload
    def planes(self, scans: Sequence[Frame], prompts: Prompts = None, overlay: str = "mask") -> list[PlaneScores]: ...
    def planes(
        self, scans: Frame | Sequence[Frame], prompts: Prompts = None, overlay: str = "mask"
    ) -> PlaneScores | list[PlaneScores]:
        """Which standard plane each scan shows.

        Args:
            scans: one frame or several.
            prompts: candidates: a prompt set, its name or a file; the model's own when None.
            overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``. The warning of a mask that
                covers much of the sector comes with ``prepare`` and ``analyze``.

        Returns:
            One ``PlaneScores`` for a frame, a list for a sequence.

        Raises:
            NotAvailable: a model without a text tower.
        """
        self._need("planes")
        found = self._planes(self.encode_image(scans, normalize=False, overlay=overlay), prompt_set(prompts))
        return found[0] if isinstance(scans, Frame) else found

    @overload
    def subplanes(self, scans: Frame, prompts: Prompts = None, overlay: str = "mask") -> PlaneScores: ...
    @overload
    def subplanes(
        self, scans: Sequence[Frame], prompts: Prompts = None, overlay: str = "mask"
    ) -> list[PlaneScores]: ...
    def subplanes(
        self, scans: Frame | Sequence[Frame], prompts: Prompts = None, overlay: str = "mask"
    ) -> PlaneScores | list[PlaneScores]:
        """Which plane of the brain each scan shows; arguments as `planes`. The scans are taken for brains.

        Raises:
            NotAvailable: a supervised model, which knows its own classes only, or one without a text tower.
        """
        if self._subplanes is None:
            raise NotAvailable(
                f"the model {self.card.name} has no sub-planes", "a model with a text tower", DEFAULT_MODEL
            )
        self._need("planes")
        found = self._subplanes(self.encode_image(scans, normalize=False, overlay=overlay), prompt_set(prompts))
        return found[0] if isinstance(scans, Frame) else found

    @overload
    def age(self, scans: Frame, overlay: str = "mask") -> AgeEstimate: ...
    @overload
    def age(self, scans: Sequence[Frame], overlay: str = "mask") -> list[AgeEstimate]: ...
    def age(self, scans: Frame | Sequence[Frame], overlay: str = "mask") -> AgeEstimate | list[AgeEstimate]:
        """Gestational age by the head each scan shows, with two intervals; see `AgeEstimate`.

        Args:
            scans: one frame or several; each needs its millimetres per pixel.
            overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``.

        Returns:
            One ``AgeEstimate`` for a frame, a list for a sequence. It abstains (``days`` is None, ``note`` says why)
            where the model's own planes see no head, or no age stands out.

        Raises:
            NotAvailable: the model has no age rule, or no text tower.
            NoCalibration: a scan without millimetres per pixel.
            BadValue: pixels that are not square, or a spacing that no picture of a head has.
        """
        if self._age is None:
            raise NotAvailable(no_rule(self.card), "a model whose intervals were calibrated", "fetalclip models list")
        frames = _many(scans)
        ready = [self.prepare(frame, overlay) for frame in frames]
        spacings = [prompt_spacing(one, frame.info) for one, frame in zip(ready, frames, strict=True)]
        images = self.encoder.images([one.pixels for one in ready])
        why = [applies(plane) for plane in self._planes(images)]
        heads = [i for i, word in enumerate(why) if not word]
        answers = iter(self._age(images[heads], [spacings[i] for i in heads]))
        found = [no_age(word) if word else next(answers) for word in why]
        return found[0] if isinstance(scans, Frame) else found

    def age_scores(
        self, scans: Sequence[Frame], templates: str | Path | None = None, overlay: str = "mask"
    ) -> npt.NDArray[np.float64]:
        """Scores of the published protocol, for any model with a text tower; `published_days` makes days of them.

        Args:
            scans: frames, each taken for a head; each needs its millimetres per pixel.
            templates: a bundled set or a file of templates; the model's own when None.
            overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``.

        Returns:
            (n, 175): 100 times the cosine with the texts of 98 to 272 days, averaged over the templates.

        Raises:
            NotAvailable: a supervised model, which has no text tower.
            NoCalibration, BadValue: as `age`.
            UsageError: templates that cannot be used.
        """
        if self._planes.rule.classes:
            raise NotAvailable(f"the model {self.card.name} has no text tower", "a model that has one", DEFAULT_MODEL)
        self._need("planes")
        name = str(templates or (self._age.rule.templates if self._age else DEFAULT_TEMPLATES))
        if name not in self._scorers:
            self._scorers[name] = AgeScorer(self.encoder, load_age_templates(name))
        scorer = self._scorers[name]
        ready = [self.prepare(frame, overlay) for frame in scans]
        spacings = [prompt_spacing(one, frame.info) for one, frame in zip(ready, scans, strict=True)]
        return scorer(self.encoder.images([one.pixels for one in ready]), spacings)

    def explain(
        self,
        scan: Frame,
        text: str | None = None,
        method: str | None = None,
        against: Sequence[str] | None = None,
        overlay: str = "mask",
    ) -> Attribution:
        """Where on a scan the score of a text comes from; arguments and errors as `fetalclip.explain.Explainer`.

        A heat map of the model's score: it shows what moves the answer, not where a structure lies.
        """
        self._need("planes")
        began = time.perf_counter()
        found = self.explainer(scan, text, against, method, overlay)
        return replace(found, provenance=self._analyst.provenance(began))

    def analyze(  # noqa: PLR0913  (one parameter per option)
        self,
        paths: Iterable[str | Path],
        tasks: Sequence[str] | None = None,
        *,
        spacing: tuple[float, float] | None = None,
        spacing_table: Mapping[str, tuple[float, float]] | None = None,
        prompts: Prompts = None,
        overlay: str = "mask",
        heads: str | Path | Sequence[str | Path] | None = None,
        ga: IndependentAge | str | None = None,
        quality: bool = False,
    ) -> Iterator[Analysis]:
        """Answer every file; one that cannot be read is answered with its error and stops nothing.

        Args:
            paths: files (``fetalclip.io.walk`` turns folders into files).
            tasks: questions to answer, of ``TASKS``; None for all that this model can.
            spacing: mm per native pixel (x, y) for all files.
            spacing_table: mm per native pixel by file base name; goes before ``spacing``.
            prompts: candidate planes, as for ``planes``.
            overlay: what to do with burned-in text.
            heads: heads that draw the masks to measure, the one that judges hearts, and probes, by name or folder;
                the model's own for what none is named for.
            ga: age known without the pictures, such as ``"20w3d"``: measures then have a centile. Without it a DICOM
                file has the age that its header tells, if any.
            quality: check the image quality of each picture with a certain plane: ``Analysis.quality``.

        Raises:
            UsageError: a task or overlay mode this version does not know, or a prompt set that cannot be read; at the
                call, before the first file. So are the next.
            NotAvailable, BadCheckpoint: a head that is not there, damaged, or of another encoder; a model without a
                text tower.
            BadValue, CircularAge: an age that is none, or one estimated from a size or a picture.
        """
        unknown = [task for task in tasks or () if task not in TASKS]
        if unknown:
            raise UsageError(f"task {unknown[0]!r}", "of " + ", ".join(TASKS), f"--tasks {TASKS[0]}")
        check_overlay(overlay)
        called = called_heads(heads, tasks, self.segmenter, self.hearts, self.probes)
        age = None if ga is None else independent(ga)
        words = tuple(self.tasks if tasks is None else tasks)
        if {"planes", "age"} & set(words) or not (words or called.probes):
            self._need("planes")
        asked = Asked(words, prompt_set(prompts), overlay, called, age, quality, tasks is not None)
        table = spacing_table or {}
        return (self._analyst(Path(p), str(p), table.get(Path(p).name, spacing), asked) for p in paths)


def _many(scans: Frame | Sequence[Frame]) -> Sequence[Frame]:
    return [scans] if isinstance(scans, Frame) else scans
