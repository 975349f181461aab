"""The recipe of a head that draws masks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fetalclip.errors import BadRecipe
from fetalclip.preprocess.augment import Augmentation

OBJECTIVE = "segment"


@dataclass(frozen=True)
class SegmentData:
    """What a head is trained on: the sources of its structure set, the frozen split's ``train`` side.

    Attributes:
        root: folder that holds the published data set folders.
        folder: a user's own masks (``images/``, ``masks/``, ``labels.json``), for a set with a source of that kind.
        per_epoch: pictures drawn each epoch, sources in their own shares; 0 draws each once.
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        folds: parts of the patients held out one after the other, for a set too small to hold one side out for good;
            0 keeps to the frozen split.
    """

    root: str = "../shared/data"
    folder: str = ""
    per_epoch: int = 0
    overlay: str = "mask"
    folds: int = 0


@dataclass(frozen=True)
class SegmentModel:
    """What is trained on what.

    Attributes:
        encoder: the backbone: a model's name or folder.
        frozen: leave the backbone as it is. Otherwise it is trained too, and the head carries its own.
        image_size: side of the picture the tower sees, pixels; a transformer's is its own.
        depths: four blocks whose token maps are used; empty takes the tower's usual ones.
        widths: channels of the decoder from stride 4 to 32, then of its logits' level.
        start: a head folder whose decoder is where this one starts (its last layer too, if it draws as many
            structures), or the run folder of a training by the same ``data.folds``, each fold's head for its fold;
            empty for a random start.
        blend: share of the start's weights in those that come out, for a start with the same structures: the mean of
            both errs less than either (Wortsman et al., CVPR 2022, arXiv 2109.01903). 0 keeps what was trained.
    """

    encoder: str = "fetalclip-open"
    frozen: bool = True
    image_size: int = 256
    depths: tuple[int, ...] = ()
    widths: tuple[int, int, int, int, int] = (32, 48, 64, 96, 16)
    start: str = ""
    blend: float = 0.0


@dataclass(frozen=True)
class SegmentOptim:
    """How it is trained: AdamW, linear warm-up, cosine decay.

    Attributes:
        epochs, batch: passes over an epoch's draws, pictures a step.
        rate, rate_encoder: peak rates of the decoder and of a backbone that is trained too.
        weight_decay, warmup_steps, clip: AdamW and its schedule.
        dice, cross_entropy: weights of the two parts of the loss.
        boundary: weight of the Hausdorff distance loss, which weighs mistakes by their distance from the edge (Karimi &
            Salcudean 2019); 0 leaves it out, which is faster.
        together: take the Dice of a structure over the batch's pixels, for one that many pictures lack.
        balance: how far a small structure's pixels weigh more in the cross-entropy: they count (rest / structure) **
            balance times, by the pixels of the training masks. 0 is plain, 1 lets both kinds weigh alike.
    """

    epochs: int = 36
    batch: int = 16
    rate: float = 2e-3
    rate_encoder: float = 1e-4
    weight_decay: float = 0.01
    warmup_steps: int = 30
    clip: float = 1.0
    dice: float = 1.0
    cross_entropy: float = 1.0
    boundary: float = 0.0
    together: bool = False
    balance: float = 0.0


@dataclass(frozen=True)
class SegmentRecipe:
    """A whole training of a head.

    Attributes:
        objective: ``segment``, by which `fetalclip train` knows this kind of recipe.
        name, summary: what the head is called and is; an empty name takes the structure set's.
        structures: a structure set's name or file.
        seed: seed of everything random.
    """

    objective: str = OBJECTIVE
    name: str = ""
    summary: str = "Trained by a recipe of fetalclip."
    structures: str = "head"
    seed: int = 20
    data: SegmentData = field(default_factory=SegmentData)
    model: SegmentModel = field(default_factory=SegmentModel)
    optim: SegmentOptim = field(default_factory=SegmentOptim)
    augment: Augmentation = field(
        default_factory=lambda: Augmentation(rotate=25.0, zoom=(0.75, 1.3), shift=0.08, erase_corners=0.1)
    )

    def __post_init__(self) -> None:
        if self.objective != OBJECTIVE:
            raise BadRecipe(f"objective = {self.objective!r}", OBJECTIVE, f"objective={OBJECTIVE}")
        if self.data.overlay not in ("mask", "keep"):
            raise BadRecipe(f"data.overlay = {self.data.overlay!r}", "mask or keep", "data.overlay=mask")
        if self.optim.epochs < 1 or self.optim.batch < 1:
            raise BadRecipe("no epochs or no batch", "optim.epochs >= 1 and optim.batch >= 1")
        if not 32 <= self.model.image_size <= 1024 or self.model.image_size % 32:
            raise BadRecipe(f"model.image_size = {self.model.image_size}", "32 to 1024, a multiple of 32")
        if len(self.model.depths) not in (0, 4):
            raise BadRecipe(f"{len(self.model.depths)} depths", "four of them, or none for the usual ones")
        if self.data.folds not in (0, *range(2, 21)):
            raise BadRecipe(f"data.folds = {self.data.folds}", "0, or 2 to 20")
        weights = (self.optim.dice, self.optim.cross_entropy, self.optim.boundary)
        if min(weights) < 0 or not sum(weights):
            raise BadRecipe("losses with negative weights, or none", "optim.dice=1 optim.cross_entropy=1")
        if not 0 <= self.model.blend < 1 or (self.model.blend and not (self.model.start and self.model.frozen)):
            raise BadRecipe(f"model.blend = {self.model.blend}", "0 to 1, with model.start and a frozen encoder")
        if not 0 <= self.optim.balance <= 1:
            raise BadRecipe(f"optim.balance = {self.optim.balance}", "0 to 1")

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        return asdict(self)
