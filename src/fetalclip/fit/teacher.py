"""The teacher of a distillation: a model of any kind that is asked and never trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.cards import get_card
from fetalclip.encoder.opened import Opened, open_model
from fetalclip.errors import BadRecipe
from fetalclip.fit.distil_recipe import NONE, DistilRecipe
from fetalclip.fit.machines import settle
from fetalclip.preprocess.pipeline import normalise, resize


class Teacher:
    """Unit features of pictures and captions, without a gradient.

    Args:
        opened: the model.

    Raises:
        NotAvailable: it has no text tower.
    """

    def __init__(self, opened: Opened) -> None:
        opened.encoder.need_text()
        self.card, self.encoder, self._config = opened.card, opened.encoder, opened.config
        for parameter in self.encoder.model.parameters():
            parameter.requires_grad_(False)

    @property
    def size(self) -> int:
        """Side of the pictures it sees, pixels."""
        return self.encoder.normalisation.image_size

    @property
    def scale(self) -> float:
        """What its cosines are multiplied by."""
        return self.encoder.scale

    @property
    def fingerprint(self) -> str:
        """Of its weights and of how it is shown pictures: another one is another teacher."""
        return f"{self.card.sha256 or self.encoder.embedding_sha256};{self.encoder.normalisation!r};{self.scale!r}"

    @property
    def provenance(self) -> dict[str, str]:
        """What the student's config says of it."""
        return {"name": self.card.name, "sha256": self.card.sha256, "license": self.card.license}

    @torch.no_grad()
    def images(self, pictures: Tensor, chunk: int = 0) -> Tensor:
        """Unit features.

        Args:
            pictures: grey (b, S, S) in 0-1, of any side: they are brought to the teacher's by `resize`.
            chunk: pictures at a time; 0: all.

        Returns:
            (b, D) float32 on the teacher's device.
        """
        shown, device = self.encoder.normalisation, self.encoder.device
        parts = []
        for part in pictures.split(chunk or len(pictures)):
            seen = normalise(resize(part.to(device), shown.image_size), shown.mean, shown.std)
            parts.append(F.normalize(self.encoder.embed(seen), dim=-1))
        return torch.cat(parts)

    @torch.no_grad()
    def texts(self, texts: list[str]) -> Tensor:
        """Unit features (n, D) float32; a text longer than the teacher's context is cut to it."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*texts cut to")
            made = self.encoder.texts(texts, keep=False)
        return F.normalize(torch.from_numpy(made).to(self.encoder.device), dim=-1)

    @property
    def saw_every_fold(self) -> bool:
        """Whether its config says that no fold of the data it was trained on was held out."""
        told: Any = self._config.get("training")
        for key in ("recipe", "data"):
            told = told.get(key) if isinstance(told, Mapping) else None
        return isinstance(told, Mapping) and told.get("validate_fold") == -1


def open_teacher(recipe: DistilRecipe) -> Teacher | None:
    """The teacher a recipe names; None where it names none and asks none.

    Raises:
        BadRecipe: it names none, and one is to be asked.
        ModelNotFound, NotAvailable, BadCheckpoint, MissingPackage: it cannot be loaded, or has no text tower.
    """
    if not recipe.teacher.model:
        if recipe.teacher.kind == NONE:
            return None
        raise BadRecipe("teacher.model is empty", "a model's name or folder", "teacher.model=FOLDER")
    settle()
    return Teacher(open_model(get_card(recipe.teacher.model).require(), "auto", "fp32"))
