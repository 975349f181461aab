"""The recipe of a fine-tuning: an image tower trained on one's own labelled pictures."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fetalclip.errors import BadRecipe
from fetalclip.fit.adapters import Lora
from fetalclip.preprocess.augment import Augmentation

OBJECTIVE = "finetune"
METHODS = ("lora", "full", "head")
QUESTIONS = ("classes", "number")
IMAGENET = "imagenet"


@dataclass(frozen=True)
class FinetuneData:
    """What is trained on.

    Attributes:
        table: CSV or Parquet file with ``path`` or ``filename``, the label, optionally the patient, ``split`` and
            ``mm_per_pixel``; rows on its test side are never read.
        root: folder that relative paths start from; empty for the table's own.
        label, patient: columns; empty takes the usual ones (`fetalclip.data.labelled`).
        spacing: the head of a number is told ``mm_per_pixel`` too: a size in millimetres cannot be seen without it.
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        validate: share of the patients that are held out to choose by; a split in the table goes before it.
    """

    table: str = ""
    root: str = ""
    label: str = ""
    patient: str = ""
    spacing: bool = False
    overlay: str = "mask"
    validate: float = 0.2


@dataclass(frozen=True)
class FinetuneModel:
    """What is trained.

    Attributes:
        start: a model's name or folder, or ``imagenet`` (an EfficientNet-Lite0; needs the extra ``train``).
        method: ``lora`` (small matrices beside the tower's, merged into it at the end), ``full`` (all of its weights)
            or ``head`` (none of them).
        image_size: side of the picture the tower sees, pixels; 0 for what the start was trained at. A ViT has one only.
        frozen_blocks: the stem and this many first blocks stay as they are.
    """

    start: str = "fetalclip-open"
    method: str = "lora"
    image_size: int = 0
    frozen_blocks: int = 5


@dataclass(frozen=True)
class FinetuneOptim:
    """How it is trained: AdamW, linear warm-up, cosine decay; the epoch of least validation loss is kept.

    Attributes:
        epochs, batch, rate_tower, rate_head, weight_decay, warmup_steps, clip: AdamW and its schedule; ``rate_tower``
            is that of the adapters where there are some.
        smoothing: share of a class label that is spread over all classes.
        balance: exponent of one over a class's share of the pictures: 0 weighs pictures alike, 1 classes.
    """

    epochs: int = 10
    batch: int = 16
    rate_tower: float = 3e-4
    rate_head: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 20
    clip: float = 1.0
    smoothing: float = 0.0
    balance: float = 0.5


@dataclass(frozen=True)
class FinetuneRecipe:
    """A whole fine-tuning.

    Attributes:
        objective: ``finetune``, by which `fetalclip train` knows this kind of recipe.
        name, summary: what the model that comes out is called and is.
        license: what it may be used for.
        question: ``classes`` (which one) or ``number`` (how much).
        unit: of a number, such as ``days``.
        level: chance with which a number's interval holds the truth.
        seed: seed of everything random.
    """

    objective: str = OBJECTIVE
    name: str = "my-finetuned-model"
    summary: str = "Fine-tuned by a recipe of fetalclip."
    license: str = "unknown: that of your data"
    question: str = "classes"
    unit: str = ""
    level: float = 0.9
    seed: int = 20
    data: FinetuneData = field(default_factory=FinetuneData)
    model: FinetuneModel = field(default_factory=FinetuneModel)
    lora: Lora = field(default_factory=Lora)
    optim: FinetuneOptim = field(default_factory=FinetuneOptim)
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        _one_of("objective", self.objective, (OBJECTIVE,))
        _one_of("question", self.question, QUESTIONS)
        _one_of("model.method", self.model.method, METHODS)
        _one_of("data.overlay", self.data.overlay, ("mask", "keep"))
        optim, model = self.optim, self.model
        if optim.epochs < 1 or optim.batch < 2:
            raise BadRecipe("no epochs or a batch under 2", "optim.epochs >= 1 and optim.batch >= 2")
        if min(optim.rate_tower, optim.rate_head, optim.weight_decay) < 0 or optim.clip <= 0 or optim.warmup_steps < 0:
            raise BadRecipe("a negative rate, decay or warm-up, or a clip that is not above 0", "0 or more")
        if not 0 < self.data.validate < 1:
            raise BadRecipe(f"data.validate = {self.data.validate:g}", "a share between 0 and 1", "data.validate=0.2")
        if not 0 <= optim.smoothing < 1 or not 0 <= optim.balance <= 1:
            raise BadRecipe(f"optim.smoothing = {optim.smoothing:g}, balance = {optim.balance:g}", "0 to 1")
        if model.frozen_blocks < 0 or (model.image_size and not 32 <= model.image_size <= 1024):
            raise BadRecipe("model.frozen_blocks or image_size that cannot be", "0 or more; 0, or 32 to 1024")
        if not 0.5 <= self.level < 1:
            raise BadRecipe(f"level = {self.level:g}", "0.5 to below 1", "level=0.9")
        if self.question == "classes" and (self.unit or self.data.spacing):
            raise BadRecipe("a unit or data.spacing for classes", "them for a number only", "question=number")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,59}", self.name) or not 0 < len(self.license) <= 100:
            found = f"name = {self.name!r:.80}, license of {len(self.license)} characters"
            raise BadRecipe(found, "letters, digits, '.', '_' and '-', at most 60; 1 to 100", "name=my-model")

    def check_table(self) -> Path:
        """The table; asked for when the recipe is run, so that the bundled one can do without.

        Raises:
            BadRecipe: there is none.
        """
        if not self.data.table:
            raise BadRecipe("no table of labelled pictures", "data.table", "data.table=labels.csv data.label=plane")
        return Path(self.data.table)

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        return asdict(self)


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadRecipe(f"{key} = {value!r:.60}", "one of " + ", ".join(allowed), f"{key}={allowed[0]}")
