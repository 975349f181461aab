"""From a frame and a text to a heat map on the frame's own pixels, by any of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fetalclip.clinical.prompts import load_prompts
from fetalclip.encoder import Encoder
from fetalclip.errors import NotAvailable
from fetalclip.explain.question import Question
from fetalclip.explain.registry import CONVOLUTIONAL, TRANSFORMER, Method, method_for
from fetalclip.explain.view import View, blur, onto
from fetalclip.frame import Frame
from fetalclip.models.vit import VisionTransformer
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.preprocess import Prepared, prepare
from fetalclip.preprocess.letterbox import Letterbox
from fetalclip.result import Attribution
from fetalclip.result.attribution import Heat
from fetalclip.tasks import PlaneTask

Mask = npt.NDArray[np.bool_]

_LEAST_SECTOR = 0.2  # of the picture, as in `fetalclip.quality.scene`: a smaller sector was not found


class Explainer:
    """Explains scores of a model.

    Args:
        encoder: its towers.
        planes: its planes: whose names are known, and what they are held against.
    """

    def __init__(self, encoder: Encoder, planes: PlaneTask) -> None:
        self.encoder, self.planes = encoder, planes

    @property
    def kind(self) -> str:
        """Kind of the image tower: what decides which methods there are."""
        return TRANSFORMER if isinstance(self.encoder.model.visual, VisionTransformer) else CONVOLUTIONAL

    def method(self, name: str | None = None) -> Method:
        """The method of that name; this tower's own when None.

        Raises:
            UsageError: no such method, or not for this tower.
        """
        if not hasattr(self.encoder, "tokenizer") and name != "occlusion":
            raise NotAvailable(f"{name or 'maps'} of somebody else's tower", "occlusion", "--method occlusion")
        return method_for(self.kind, name)

    def ask(self, text: str, against: Sequence[str] | None = None) -> Question:
        """The question of a text; see `Question.ask`.

        Raises:
            NotAvailable: a supervised model, which has no text tower.
            UsageError: an empty text, or one against itself.
        """
        if self.planes.rule.classes:
            raise NotAvailable("a supervised model, which reads no text", "a model with a text tower", "fetalclip-open")
        return Question.ask(self.encoder, text, against, load_prompts(self.planes.rule.prompts))

    def __call__(
        self,
        frame: Frame,
        text: str | None = None,
        against: Sequence[str] | None = None,
        method: str | None = None,
        overlay: str = "mask",
    ) -> Attribution:
        """The heat map of a text on a frame.

        Args:
            frame: the scan.
            text: any text or the name of a plane; None takes the plane the model itself finds most probable.
            against: see `Question.ask`.
            method: one of ``METHODS``; this tower's own when None.
            overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``. With ``mask`` the map is 0
                outside the sector.

        Raises:
            UsageError: a method, text or overlay mode that cannot be used.
            NotAvailable: a model without a text tower.
            MissingPackage: the method needs captum.
        """
        chosen = self.method(method)
        wanted = self.encoder.normalisation
        found = None if overlay == "keep" else find_overlay(frame.gray)
        ready = prepare(frame, wanted.image_size, overlay, wanted.colour, found)
        image = self.encoder.images([ready.pixels])
        warnings = list(ready.warnings)
        if text is None:
            text, said = self._named(image)
            warnings += said
        question = self.ask(text, against)
        sector = _sector(found, overlay)
        grid = self.grid(ready, question, chosen, sector)
        heat = finish(grid, ready.letterbox, chosen.power, sector)
        if not heat.any():
            warnings.append("nothing on the picture speaks for the text: the map is empty")
        if not chosen.reads_text:
            warnings.append(f"{chosen.name} reads no text: the map is the same for every text")
        score, cosine = float(question.of(image)[0]), float(question.cosine(image)[0])
        return Attribution(heat, chosen.name, text, question.against, score, cosine, tuple(warnings))

    def grid(
        self, ready: Prepared, question: Question, method: Method, sector: Mask | None = None, tower: Any = None
    ) -> npt.NDArray[np.float32]:
        """The method's own signed map (h, w) over the square; of a mirror model the mean of both sides, turned back.

        Args:
            ready: the picture.
            question: what is explained.
            method: the method.
            sector: (H, W) of the scan; None for all of it.
            tower: in place of the encoder's, such as one with random weights; None takes the encoder's.
        """
        tower = self.encoder.visual if tower is None else tower
        attribute = method.load()
        box = ready.letterbox
        inside = box.mask_in(np.ones((box.height, box.width), bool) if sector is None else sector)
        view = self._view(ready, question, tower, inside)
        sides: list[Tensor] = []
        for mirrored in (False, True) if self.encoder.normalisation.mirror else (False,):
            found = attribute(view.mirrored() if mirrored else view)
            sides.append(found.flip(-1) if mirrored else found)
        mean: npt.NDArray[np.float32] = torch.stack(sides).mean(dim=0).float().cpu().numpy()
        return mean

    def _view(self, ready: Prepared, question: Question, tower: Any, inside: Mask) -> View:
        picture, blurred = self.encoder.tensor([ready.pixels, blur(ready.pixels)]).split(1)
        sector = torch.from_numpy(inside).to(picture.device)
        return View(tower, picture, blurred, sector, question, min(16, self.encoder.batch))

    def _named(self, image: npt.NDArray[np.float32]) -> tuple[str, list[str]]:
        """The plane the model finds most probable, and a warning where it would not tell it."""
        plane = self.planes(image)[0]
        return plane.label, [f"plane abstained: {plane.reason}; the closest is explained"] if plane.abstained else []


def finish(grid: npt.NDArray[np.float32], box: Letterbox, power: float = 1.0, sector: Mask | None = None) -> Heat:
    """A signed map over the square as heat on the scan's own pixels: (H, W), 0 to 1.

    Args:
        grid: (h, w), any size.
        box: how the scan was laid into the square.
        power: what the map is raised to.
        sector: (H, W), outside which there is no heat; None for everywhere.
    """
    heat = onto(np.maximum(np.nan_to_num(grid, posinf=0.0), 0.0), box)
    if sector is not None:
        heat *= sector
    top = float(heat.max())
    return np.clip((heat / top) ** power, 0.0, 1.0).astype(np.float32) if top > 0 else np.zeros_like(heat)


def _sector(found: Overlay | None, overlay: str) -> Mask | None:
    """The sector where marks outside it are hidden from the model; None where they are not, or no sector was found."""
    if found is None or overlay != "mask" or found.sector.mean() < _LEAST_SECTOR:
        return None
    return found.sector
