"""How large is what the picture shows? Masks of the heads made for its plane, measured; and the age of a measured head.

A head draws on the planes it was made for only: on any other picture its mask would be a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fetalclip.caliper import measure_all
from fetalclip.clinical import growth
from fetalclip.clinical.age import IndependentAge
from fetalclip.clinical.growth import FIRST_DAY, LAST_DAY
from fetalclip.frame import Frame
from fetalclip.models.mask_head import HeadConfig
from fetalclip.overlay import Overlay
from fetalclip.result import AgeEstimate, Measurement, PlaneScores, Segmentation
from fetalclip.tasks.age import dated
from fetalclip.tasks.segment import Mask, Segmenter

UNCERTAIN = "the plane is not certain"
"""Why a picture without a certain plane is not measured."""

AGE_METHOD = "biometry"
AGE_MEANING = "age whose WHO median is the measured head; interval = measuring error + chart spread"


@dataclass(frozen=True)
class Taken:
    """What was measured on one picture, refused measures too, what is to be said of it, and the masks measured."""

    measures: tuple[Measurement, ...] = ()
    warnings: tuple[str, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)


class BiometryTask:
    """Pictures of a known plane to measures.

    Args:
        segmenter: the model's heads.
    """

    name = "biometry"

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    @property
    def heads(self) -> tuple[str, ...]:
        """The model's own heads whose masks are measured."""
        return tuple(name for name in self.segmenter.folders if self.segmenter.config(name).measures)

    def __call__(
        self,
        frame: Frame,
        plane: PlaneScores,
        heads: Sequence[str | Path] | None = None,
        age: IndependentAge | None = None,
        overlay: Overlay | None = None,
    ) -> Taken:
        """Measures of a picture.

        Args:
            frame: without millimetres per pixel it is measured in pixels.
            plane: what the model says it shows.
            heads: heads by name or folder; None takes the model's own.
            age: known without the picture; measures then have a centile where a chart takes them as they were taken.
            overlay: burned-in marks and sector of the picture, where they are known already.
        """
        if plane.abstained:
            return Taken(warnings=(f"no biometry: {UNCERTAIN}",))
        chosen = self.heads if heads is None else heads
        fit = [head for head in chosen if self.segmenter.config(head).plane in ("", plane.label)]
        if not fit:
            planes = ", ".join(dict.fromkeys(self.segmenter.config(head).plane for head in chosen)) or "no plane"
            return Taken(warnings=(f"no biometry of {plane.label}: there are heads for {planes}",))
        taken: list[Measurement] = []
        masks: dict[str, Mask] = {}
        for head in fit:
            drawn = self.segmenter.task(head)([frame], overlays=[overlay])[0]
            guides = self._guides(frame, self.segmenter.config(head), overlay)
            drawn = replace(drawn, masks={**guides, **drawn.masks})
            masks = {**drawn.masks, **masks}  # the first head that draws a structure
            taken += _measures(drawn, self.segmenter.config(head))
        if age is not None:
            taken = [one.with_centile(age) if one.name in growth.MEASURES else one for one in taken]
        guiding = [name for head in fit for name in self._guiding(self.segmenter.config(head)).values()]
        used = [self.segmenter.config(head) for head in dict.fromkeys([*fit, *guiding])]
        only = [config.name for config in used if config.simulated]
        drawn_only = [f"the head {name} was trained on simulated pictures only, not for real ones" for name in only]
        return Taken(tuple(taken), (*drawn_only, *_told(taken)), masks)

    def _guiding(self, config: HeadConfig) -> dict[str, str]:
        """Structure to head, of the guides that this model has a head for."""
        return {name: head for name, head in config.guides.items() if head in self.segmenter.folders}

    def _guides(self, frame: Frame, config: HeadConfig, overlay: Overlay | None) -> dict[str, Mask]:
        """Masks of what only tells directions; one look is enough."""
        guiding = self._guiding(config)
        drawn = {
            head: self.segmenter.task(head)([frame], views=False, overlays=[overlay])[0].masks
            for head in set(guiding.values())
        }
        return {name: drawn[head][name] for name, head in guiding.items() if name in drawn[head]}


def biometry_age(measures: Sequence[Measurement]) -> tuple[AgeEstimate | None, str]:
    """The age whose WHO median circumference is the measured one, with the intervals of a prompted age.

    Args:
        measures: of one picture.

    Returns:
        The age, or None and why there is none; the reason is empty where no HC in millimetres was taken.
    """
    hc = next((one for one in measures if one.name == "HC" and one.mm is not None), None)
    if hc is None or hc.mm is None:
        return None, ""
    days = _day(hc.mm)
    if days is None:
        least, most = (growth.chart(growth.CHART).size(float(day)) for day in (FIRST_DAY, LAST_DAY))
        return None, f"no age by the measured head: {hc.mm:.1f} mm is not of the chart's {least:.0f} to {most:.0f} mm"
    known = hc.low is not None and hc.high is not None
    low, high = (_day(mm) for mm in ((hc.low, hc.high) if known else (hc.mm, hc.mm)))
    low, high = FIRST_DAY if low is None else low, LAST_DAY if high is None else high
    told = AgeEstimate(None, None, None, AGE_METHOD, growth.REFERENCE, AGE_MEANING, hc.level)
    return dated(days, (low, high), told, known), ""


def _day(hc_mm: float | None) -> float | None:
    """Day whose WHO median is this circumference; None outside the chart."""
    found = None if hc_mm is None else growth.chart(growth.CHART).age(hc_mm)
    return None if found is None else float(found)


def _measures(drawn: Segmentation, config: HeadConfig) -> list[Measurement]:
    """The measures a head was made for; all that its structures allow where its card names none."""
    taken = {one.name: one for one in measure_all(drawn)}
    if not config.measures:
        return list(taken.values())
    missing = f"the head {config.name} draws nothing to take it of"
    return [taken.get(name) or Measurement(name, None, source=config.name, note=missing) for name in config.measures]


def _told(taken: Sequence[Measurement]) -> list[str]:
    """A warning for each reason why measures were refused or are limited, with the measures it holds for."""
    refused: dict[str, list[str]] = {}
    limited: dict[str, list[str]] = {}
    for one in taken:
        if one.note:
            (refused if one.value is None else limited).setdefault(one.note, []).append(one.name)
    said = [f"no {', '.join(names)}: {why}" for why, names in refused.items()]
    return said + [f"{', '.join(names)}: {note}" for note, names in limited.items()]
