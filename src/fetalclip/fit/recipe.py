"""A training recipe as frozen dataclasses; a YAML file states only what differs from these defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fetalclip.clinical.sampling import Chances
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.errors import BadRecipe
from fetalclip.models.text import TextConfig
from fetalclip.preprocess.augment import Augmentation

OBJECTIVES = ("contrastive", "supervised")


@dataclass(frozen=True)
class DataRecipe:
    """What is trained on.

    Attributes:
        root: folder that holds the published data set folders.
        train_folds: folds of the training side that are trained on.
        validate_fold: fold looked at after every epoch, or -1 for none (a refit on all folds).
        hc18_folds: folds of HC18 trained on (0 is its test side, 1 its validation).
        hc18_per_epoch: HC18 heads drawn each epoch.
        simulated_per_epoch: simulated planes drawn each epoch.
        subplanes_per_epoch: further draws of pictures with a known sub-plane each epoch, as many of each sub-plane.
        rejects_per_epoch: pictures without a plane drawn each epoch.
        simulated_pool, far_pool: how many are drawn in all, once.
        far_folder: a folder of everyday pictures that join the far rejects, or empty.
        overlay: what is done with burned-in text in training, ``mask`` or ``keep``.
        machines: draw only planes of these machines; empty for all, known or not.
        leave_out: planes of which no picture is drawn and no caption is written.
        allow_leaks: train even if a group or a file stands on the test side and on another.
    """

    root: str = "../shared/data"
    train_folds: tuple[int, ...] = (0, 2, 3, 4)
    validate_fold: int = 1
    hc18_folds: tuple[int, ...] = (2, 3, 4)
    hc18_per_epoch: int = 480
    simulated_per_epoch: int = 80
    subplanes_per_epoch: int = 300
    rejects_per_epoch: int = 240
    simulated_pool: int = 400
    far_pool: int = 900
    far_folder: str = ""
    overlay: str = "mask"
    machines: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    allow_leaks: bool = False


@dataclass(frozen=True)
class ModelRecipe:
    """What is trained.

    Attributes:
        start: ``imagenet`` (needs the extra ``train``) or ``random``.
        image_size: side of the picture the tower sees, pixels.
        embed_dim: width of the joint space.
        frozen_blocks: the stem and this many first blocks keep their start values (faster; 0 trains all).
    """

    start: str = "imagenet"
    image_size: int = 192
    embed_dim: int = 256
    frozen_blocks: int = 5
    text: TextConfig = field(default_factory=lambda: TextConfig(width=192, layers=3))


@dataclass(frozen=True)
class OptimRecipe:
    """How it is trained: AdamW, linear warm-up, cosine decay, gradients clipped to unit norm.

    Attributes:
        epochs, batch: passes over an epoch's draws, pictures a step.
        rate_image, rate_text, weight_decay, warmup_steps, clip: AdamW and its schedule.
        max_scale: the scale of the cosines is clamped to it.
        text_steps: steps of the text tower on captions alone before it meets a picture; 0 for none.
        foreign_texts: captions of planes nobody has pictures of, false of every picture, in each batch.
        rival_texts: captions of the sub-planes in turn in each batch: true of some heads, false of the others.
        rival_weight: weight of telling the true rivals from the false ones.
        number_steps: steps of the text tower, before all else, on captions that state an age and a spacing.
        age_texts: such captions in each batch, held against the size of its heads; 0 leaves sizes out of the training.
        age_weight: weight of telling which of them fit.
        age_width: how far sizes may differ to fit, as a standard deviation of their logarithm.
        self_weight: weight of telling another view of the same picture from the other pictures; 0 draws no other view.
        self_temperature: divides the cosines of those views.
    """

    epochs: int = 10
    batch: int = 32
    rate_image: float = 5e-4
    rate_text: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    clip: float = 1.0
    max_scale: float = 100.0
    text_steps: int = 150
    foreign_texts: int = 8
    rival_texts: int = 9
    rival_weight: float = 2.0
    number_steps: int = 1000
    age_texts: int = 16
    age_weight: float = 1.0
    age_width: float = 0.04
    self_weight: float = 0.0
    self_temperature: float = 0.2


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Attributes:
        name, summary, license: what the model that comes out is called, is, and may be used for.
        objective: ``contrastive`` (pictures and captions) or ``supervised`` (a plain cross-entropy head).
        targets: ``true`` (every caption of the batch that is true of a picture is a positive and those of unknown
            truth are left out) or ``diagonal`` (only a picture's own caption is).
        strip: labels that no caption says, ``plane`` (and with it the sub-plane) or ``subplane``: for an encoder that
            is to learn them from few examples later.
        seed: seed of everything random.
        crossfit_folds: folds held out one after the other, to choose temperature and thresholds; empty for none.
    """

    name: str = "my-model"
    summary: str = "Trained by a recipe of fetalclip."
    license: str = "CC-BY-4.0"
    objective: str = "contrastive"
    targets: str = "true"
    strip: tuple[str, ...] = ()
    seed: int = 20
    crossfit_folds: tuple[int, ...] = ()
    data: DataRecipe = field(default_factory=DataRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    optim: OptimRecipe = field(default_factory=OptimRecipe)
    captions: Chances = field(default_factory=Chances)
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        one_of("objective", self.objective, OBJECTIVES)
        one_of("targets", self.targets, ("true", "diagonal"))
        one_of("model.start", self.model.start, ("imagenet", "random"))
        one_of("data.overlay", self.data.overlay, ("mask", "keep"))
        for plane in self.data.leave_out:
            one_of("data.leave_out", plane, KNOWN)
        if self.data.validate_fold in self.data.train_folds:
            raise BadRecipe(f"fold {self.data.validate_fold} both trained and validated on", "a fold on one side only")
        if -1 in self.data.train_folds or 0 in self.data.hc18_folds:
            raise BadRecipe("a test fold among the training folds", "FETAL_PLANES_DB folds 0-4, HC18 folds 1-4")
        _check_strip(self)
        if self.optim.epochs < 1 or self.optim.batch < 2:
            raise BadRecipe("no epochs or a batch under 2", "optim.epochs >= 1 and optim.batch >= 2")

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        return asdict(self)


def _check_strip(recipe: Recipe) -> None:
    """No loss may tell a label that the captions are not to say."""
    for label in recipe.strip:
        one_of("strip", label, ("plane", "subplane"))
    if not recipe.strip:
        return
    if recipe.objective != "contrastive" or recipe.crossfit_folds or recipe.data.validate_fold >= 0:
        raise BadRecipe(
            "strip with labels that are learned or scored", "contrastive, no fold held out", "crossfit_folds=[]"
        )
    told = {"optim.rival_texts": recipe.optim.rival_texts, "data.subplanes_per_epoch": recipe.data.subplanes_per_epoch}
    if "plane" in recipe.strip:
        told |= {"optim.foreign_texts": recipe.optim.foreign_texts, "optim.age_texts": recipe.optim.age_texts}
        told |= {"optim.text_steps": recipe.optim.text_steps}
    for key, value in told.items():
        if value:
            raise BadRecipe(f"{key} = {value} with strip = {list(recipe.strip)}", "0: it tells the label", f"{key}=0")


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Hold a word of a recipe to those there are.

    Raises:
        BadRecipe: it is another.
    """
    if value not in allowed:
        raise BadRecipe(f"{key} = {value!r}", "one of " + ", ".join(allowed), f"{key}={allowed[0]}")
