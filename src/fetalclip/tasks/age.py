"""How old is this fetus, by its head? Prompted: a picture is compared with texts that state an age and its spacing.

Each candidate day is worded by every template at the picture's own spacing; the cosines are averaged over the
templates. ``age_rule`` turns these scores into days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fetalclip.clinical import growth
from fetalclip.clinical.age_prompts import DAYS, AgeTemplates, age_template_sets, load_age_templates, spacing_text
from fetalclip.clinical.dating import REDATING_ENDS, REDATING_NOTE, widen
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array, unit
from fetalclip.errors import BadCheckpoint, BadValue, NoCalibration
from fetalclip.preprocess import Prepared
from fetalclip.result import NOT_A_HEAD, AgeEstimate, PlaneScores
from fetalclip.tasks.age_rule import AgeRule, Ages, Floats

HEAD = "brain"
METHOD = "prompted"
MEANING = "age whose WHO median is this head; interval = model error + chart spread"

_FIX = "mm_per_pixel=0.07 in Python; --pixel-spacing MM or --spacing-csv F with analyze"
_SQUARE = 0.02  # by how much a pixel's sides may differ
_SMALLEST, _LARGEST = 20.0, 450.0  # mm; side of a square that an ultrasound picture of a head can fill
_TABLES = 256  # spacings whose tables are held in memory
_TOGETHER = 32  # spacings whose texts are encoded at once


def prompt_spacing(prepared: Prepared, info: Mapping[str, object] | None = None) -> float:
    """Millimetres per pixel of the square the tower sees: what the prompts state.

    The published protocol knows one number. Where x and y differ by 2 % at most it is their geometric mean, which
    keeps areas; beyond, the head the tower sees is squeezed, and no one number describes it.

    Args:
        prepared: the picture.
        info: of its frame; ``uncalibrated`` is why its file tells no spacing.

    Raises:
        NoCalibration: the spacing is not known.
        BadValue: pixels that are not square, or a square whose side no ultrasound picture of a head has.
    """
    if prepared.mm_per_pixel is None:
        why = (info or {}).get("uncalibrated")
        found = "an age needs millimetres per pixel and none is known" + (f": {why}" if why else "")
        raise NoCalibration(found, "the picture's own spacing", _FIX)
    x, y = prepared.mm_per_pixel
    native = prepared.letterbox.spacing_out((x, y))
    if max(x, y) > (1 + _SQUARE) * min(x, y):
        found = f"pixels of {native[0]:.4g} x {native[1]:.4g} mm, which are not square"
        raise BadValue(found, "sides within 2 % of each other for an age", "resample the picture to square pixels")
    mean = math.sqrt(x * y)
    side = mean * prepared.letterbox.size
    if not _SMALLEST <= side <= _LARGEST:
        found = f"a spacing of {math.sqrt(native[0] * native[1]):.4g} mm makes the picture {side:.4g} mm wide"
        raise BadValue(found, f"{_SMALLEST:g} to {_LARGEST:g} mm for a picture of a head", _FIX)
    return mean


class AgeScorer:
    """Scores of days: 100 times the cosines of pictures with the texts of each day, averaged over templates.

    Args:
        encoder: where texts are embedded.
        templates: how a day and a spacing are worded.
    """

    def __init__(self, encoder: Encoder, templates: AgeTemplates) -> None:
        self.encoder, self.templates = encoder, templates
        self._tables: dict[str, Array] = {}

    def __call__(self, images: Array, spacings: Sequence[float]) -> Floats:
        """Scores of each picture.

        Args:
            images: (n, d) raw image embeddings.
            spacings: mm per pixel of each picture's square; pictures of one spacing, at two decimals, share its texts.

        Returns:
            (n, 175), one column for each of ``DAYS``.

        Raises:
            BadValue: a spacing that is none.
        """
        words = [spacing_text(spacing) for spacing in spacings]
        scores = np.empty((len(words), len(DAYS)))
        pictures, distinct = unit(images), list(dict.fromkeys(words))
        for start in range(0, len(distinct), _TABLES):
            tables = self.tables(distinct[start : start + _TABLES])
            for word, table in tables.items():
                rows = [i for i, other in enumerate(words) if other == word]
                scores[rows] = 100.0 * pictures[rows] @ table.T
        return scores

    def tables(self, spacings: Sequence[str]) -> dict[str, Array]:
        """Mean unit embedding of each day's texts, (175, d), at each of at most 256 spacings as prompts write them.

        From memory, from the store, or made: all that are missing together, since their texts begin alike.
        """
        found = {word: self._tables[word] for word in spacings if word in self._tables}
        missing = [word for word in dict.fromkeys(spacings) if word not in found]
        made = self._stored(missing)
        missing = [word for word in missing if word not in made]
        for start in range(0, len(missing), _TOGETHER):
            part = self._made(missing[start : start + _TOGETHER])
            made |= part
            if self.encoder.store is not None:
                self.encoder.store.put({self._key(word): table.ravel() for word, table in part.items()})
        self._tables |= made
        while len(self._tables) > _TABLES:
            self._tables.pop(next(iter(self._tables)))  # the oldest
        return found | made

    def _made(self, spacings: Sequence[str]) -> dict[str, Array]:
        texts = [text for word in spacings for text in self._texts(word)]
        # Alone, others will follow: what their texts begin with is held ready. Together, it is shared at once.
        later = self._texts("8.88" if spacings[0][0] == "9" else "9.99") if len(spacings) == 1 else []
        vectors = unit(self.encoder.alike(texts, later))
        shape = (len(spacings), len(DAYS), len(self.templates.templates), -1)
        means = vectors.reshape(shape).mean(axis=2)
        return dict(zip(spacings, means, strict=True))

    def _texts(self, spacing: str) -> list[str]:
        """Texts of each day by each template, 175 times the templates."""
        return [text for day in DAYS for text in self.templates.fill(day, float(spacing))]

    def _stored(self, spacings: Sequence[str]) -> dict[str, Array]:
        if self.encoder.store is None or not spacings:
            return {}
        keys = {self._key(word): word for word in spacings}
        found = self.encoder.store.get(keys, len(DAYS) * self.encoder.dim)
        return {keys[key]: vector.reshape(len(DAYS), -1) for key, vector in found.items()}

    def _key(self, spacing: str) -> str:
        """What a table depends on besides the model."""
        return f"age table of {DAYS}, {list(self.templates.templates)!r}, {spacing}"


class AgeTask:
    """Embeddings of heads to ages.

    Args:
        encoder: where prompts are embedded.
        rule: how scores become an answer; its interval holds for its own templates only.

    Raises:
        BadCheckpoint: the rule names no bundled set of templates.
    """

    name = "age"

    def __init__(self, encoder: Encoder, rule: AgeRule) -> None:
        if rule.templates not in age_template_sets():
            raise BadCheckpoint(
                f"the model's age rule names the templates {rule.templates!r:.60}",
                "one of " + ", ".join(age_template_sets()),
            )
        self.rule = rule
        self.scorer = AgeScorer(encoder, load_age_templates(rule.templates))

    def __call__(self, images: Array, spacings: Sequence[float]) -> list[AgeEstimate]:
        """Ages of pictures, each taken for a head; whether it is one is the caller's to ask.

        Args:
            images: (n, d) raw image embeddings.
            spacings: mm per pixel of each picture's square (``prompt_spacing``).
        """
        ages = self.rule(self.scorer(images, spacings))
        return [self._answer(ages, i) for i in range(len(ages.days))]

    def _answer(self, ages: Ages, i: int) -> AgeEstimate:
        if ages.doubts[i]:
            return no_age(ages.doubts[i])
        days, low, high = float(ages.days[i]), float(ages.low[i]), float(ages.high[i])
        return dated(
            days, (low, high), AgeEstimate(None, None, None, METHOD, growth.REFERENCE, MEANING, self.rule.level)
        )


def dated(days: float, bounds: tuple[float, float], told: AgeEstimate, known: bool = True) -> AgeEstimate:
    """An age in whole days with both intervals, and the notes that go with it.

    Args:
        days: the estimate.
        bounds: the method's own interval, days.
        told: method, meaning, reference and level.
        known: whether the method has an interval of its own; otherwise only the one with the chart's spread is told.
    """
    wide = widen(*bounds)
    # Outwards: to the nearest day, the interval held 1 in 100 heads less on held folds.
    own = (math.floor(bounds[0]), math.ceil(bounds[1])) if known else (None, None)
    return replace(
        told,
        days=round(days),
        low=math.floor(wide.low),
        high=math.ceil(wide.high),
        note="; ".join((*wide.notes, *((REDATING_NOTE,) if days >= REDATING_ENDS else ()))),
        model_low=own[0],
        model_high=own[1],
    )


def no_age(why: str) -> AgeEstimate:
    """An abstention and its reason."""
    return AgeEstimate(None, None, None, METHOD, growth.REFERENCE, MEANING, note=why)


def applies(plane: PlaneScores) -> str:
    """Why a picture with this answer of the model's own planes has no age; empty where it shows a head."""
    if plane.abstained:
        return f"{NOT_A_HEAD}, as far as can be told"
    return "" if plane.label == HEAD else f"{NOT_A_HEAD} ({plane.label})"
