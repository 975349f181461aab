"""The recipe of pretraining on pairs of any number, from a table or from shards, on one core or many machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fetalclip.clinical.sampling import Chances
from fetalclip.errors import BadRecipe
from fetalclip.fit.recipe import one_of
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig
from fetalclip.preprocess.augment import STORE, Augmentation

LOSSES, TARGETS, PRECISIONS = ("clip", "sigmoid"), ("diagonal", "true"), ("fp32", "bf16", "fp16")
TOWERS = ("efficientnet-lite0", "vit")


@dataclass(frozen=True)
class PairsRecipe:
    """What is trained on.

    Attributes:
        train: a manifest (``.csv``, ``.parquet``), a folder with one table in it, or shards: their folder or
            ``index.json``, on this machine or at a web address.
        validate: the same, for choosing the checkpoint; empty: the ``val`` side of ``train``. ``test`` is never read.
        overlay: what is done with burned-in text, ``mask`` or ``keep``; shards carry theirs and must agree.
        store: side of the prepared pictures over the tower's, so that augmentation has something to zoom into.
        buffer: pairs in the shuffle buffer that shards are drawn through; 0 shuffles all of them.
        workers: processes that read ahead; 0 reads in a thread.
        max_bad: share of the pairs read that may be unreadable before the run stops.
        allow_leaks: train even if a group or a file of a table stands on two of its sides, or in both tables.
    """

    train: str = ""
    validate: str = ""
    overlay: str = "mask"
    store: float = STORE
    buffer: int = 4096
    workers: int = 1
    max_bad: float = 0.01
    allow_leaks: bool = False


@dataclass(frozen=True)
class TowersRecipe:
    """What is trained.

    Attributes:
        start: ``random``, ``imagenet`` (compact tower; needs the extra ``train``), or a model folder or card: then
            its architecture and tokenizer are taken and ``image``, ``vit``, ``embed_dim`` and ``text`` say nothing
            but ``text.context_length``, to which its table of positions is resized.
        positions: how, ``keep`` or ``linear``.
        image: kind of image tower, ``efficientnet-lite0`` or ``vit``.
        vit: shape of a ``vit``; its ``image_size`` is ``image_size``.
        image_size: side of the picture the tower sees, pixels.
        embed_dim: width of the joint space.
        text: shape of the text tower; a vocabulary of 49408 is CLIP's own, a smaller one is learned from captions.
        lock_image, lock_text: 0 trains the tower, n keeps its input and first n blocks, -1 keeps all of it (LiT).
        drop_path: chance that a picture skips a residual branch, rising with depth to this at the last.
        patch_dropout: share of a ``vit``'s patches left out in training (FLIP).
        recompute: keep only the blocks' inputs and compute the rest again going backward: less memory, more time.
    """

    start: str = "random"
    positions: str = "linear"
    image: str = "efficientnet-lite0"
    vit: ViTConfig = field(default_factory=lambda: ViTConfig(patch_size=16, width=384, layers=12, heads=6))
    image_size: int = 192
    embed_dim: int = 256
    text: TextConfig = field(default_factory=lambda: TextConfig(width=192, layers=3))
    lock_image: int = 0
    lock_text: int = 0
    drop_path: float = 0.0
    patch_dropout: float = 0.0
    recompute: bool = False


@dataclass(frozen=True)
class ScaleRecipe:
    """How it is trained: AdamW, linear warm-up, cosine to zero.

    Attributes:
        epochs: passes over the training side.
        batch: pictures a loss sees, over all processes.
        chunk: pictures a process puts through the towers at a time, by gradient caching; 0: all of its share.
        accumulate: batches whose gradients are averaged into one step.
        rate, rate_text: peak rates of the image side and the text side; ``rate_text`` 0: the same.
        weight_decay, beta1, beta2, eps, warmup_steps, clip: AdamW and its schedule.
        layer_decay: a block's rate over that of the block above it; 1: all the same.
        max_scale: the scale of the cosines is clamped to it.
        ema: decay of an average of the weights, which is then what is validated and kept; 0: none.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        compile: have PyTorch compile the transformers' blocks: faster on a GPU, after a minute; numbers differ by
            rounding. Needs a compiler of C, and on a GPU Triton.
        loss: ``clip`` or ``sigmoid`` (SigLIP).
        targets: ``diagonal`` (only its own caption is a picture's positive, as published) or ``true`` (every caption of
            the batch that is true of it is, and those of unknown truth are left out).
    """

    epochs: int = 10
    batch: int = 32
    chunk: int = 0
    accumulate: int = 1
    rate: float = 5e-4
    rate_text: float = 0.0
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-6
    warmup_steps: int = 50
    clip: float = 1.0
    layer_decay: float = 1.0
    max_scale: float = 100.0
    ema: float = 0.0
    precision: str = "fp32"
    compile: bool = False
    loss: str = "clip"
    targets: str = "diagonal"


@dataclass(frozen=True)
class WatchRecipe:
    """What is looked at on the way.

    Attributes:
        log_steps: steps between lines of the log.
        checkpoint_steps: steps between checkpoints; 0: of one process every ten minutes. One stands after each epoch.
        validate_epochs: epochs between validations.
        choose: what the best checkpoint is chosen by on the validation side: ``planes`` (prompted macro F1), ``loss``
            (contrastive), or ``auto``: planes where there are any to ask for.
        keep: which becomes the model, ``best`` or ``last``.
        trackers: further trackers, by the names Accelerate gives them, such as ``tensorboard`` and ``mlflow``.
    """

    log_steps: int = 10
    checkpoint_steps: int = 0
    validate_epochs: int = 1
    choose: str = "auto"
    keep: str = "best"
    trackers: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedRecipe:
    """The machines a recipe is meant for, for ``--dry-run``; all 0: this one.

    Attributes:
        processes: GPUs, over all machines.
        device: what one is called.
        peak_tflops: its peak at the recipe's precision, as its maker states it.
        share: share of that peak a step reaches.
        memory_gb: of one.
        pairs: how many there are to train on, where ``data.train`` cannot be looked at.
    """

    processes: int = 0
    device: str = ""
    peak_tflops: float = 0.0
    share: float = 0.0
    memory_gb: float = 0.0
    pairs: int = 0


@dataclass(frozen=True)
class PretrainRecipe:
    """A whole pretraining.

    Attributes:
        name, summary, license: what the model that comes out is called, is, and may be used for.
        objective: ``pretrain``.
        seed: seed of everything random.
    """

    name: str = "my-pretrained"
    summary: str = "Pretrained by a recipe of fetalclip."
    license: str = "unknown"
    objective: str = "pretrain"
    seed: int = 20
    data: PairsRecipe = field(default_factory=PairsRecipe)
    model: TowersRecipe = field(default_factory=TowersRecipe)
    optim: ScaleRecipe = field(default_factory=ScaleRecipe)
    captions: Chances = field(default_factory=Chances)
    augment: Augmentation = field(default_factory=Augmentation)
    watch: WatchRecipe = field(default_factory=WatchRecipe)
    planned: PlannedRecipe = field(default_factory=PlannedRecipe)

    def __post_init__(self) -> None:
        optim, model = self.optim, self.model
        one_of("optim.loss", optim.loss, LOSSES)
        one_of("optim.targets", optim.targets, TARGETS)
        one_of("optim.precision", optim.precision, PRECISIONS)
        one_of("model.image", model.image, TOWERS)
        one_of("model.positions", model.positions, ("linear", "keep"))
        one_of("data.overlay", self.data.overlay, ("mask", "keep"))
        one_of("watch.choose", self.watch.choose, ("auto", "planes", "loss"))
        one_of("watch.keep", self.watch.keep, ("best", "last"))
        if optim.epochs < 1 or optim.batch < 2 or optim.accumulate < 1 or optim.chunk < 0:
            raise BadRecipe("no epochs, a batch under 2 or a negative chunk", "optim.epochs >= 1, optim.batch >= 2")
        _within("optim.layer_decay", optim.layer_decay, 0.0, 1.0, low_open=True)
        _within("optim.ema", optim.ema, 0.0, 0.999999)
        _within("optim.rate", optim.rate, 0.0, 10.0)
        _within("optim.rate_text", optim.rate_text, 0.0, 10.0)
        _within("optim.weight_decay", optim.weight_decay, 0.0, 100.0)
        _within("optim.beta1", optim.beta1, 0.0, 0.999999)
        _within("optim.beta2", optim.beta2, 0.0, 0.999999)
        _within("optim.eps", optim.eps, 0.0, 1.0, low_open=True)
        _within("optim.warmup_steps", optim.warmup_steps, 0, 1e9)
        _within("optim.clip", optim.clip, 0.0, 1e9, low_open=True)
        _within("optim.max_scale", optim.max_scale, 1.0, 1e4)
        _within("data.workers", self.data.workers, 0, 256)
        _within("data.buffer", self.data.buffer, 0, 1e9)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("data.max_bad", self.data.max_bad, 0.0, 1.0)
        _within("model.drop_path", model.drop_path, 0.0, 0.9)
        _within("model.patch_dropout", model.patch_dropout, 0.0, 0.9)
        _within("data.store", self.data.store, 1.0, 4.0)
        if model.patch_dropout and model.image != "vit" and model.start in ("random", "imagenet"):
            raise BadRecipe("model.patch_dropout without patches", "model.image=vit", "model.patch_dropout=0")
        if model.lock_image < -1 or model.lock_text < -1:
            raise BadRecipe("a lock under -1", "0, a number of blocks, or -1 for the whole tower")
        if min(self.watch.log_steps, self.watch.validate_epochs) < 1 or self.watch.checkpoint_steps < 0:
            raise BadRecipe("watch with a step under 1", "watch.log_steps >= 1, watch.validate_epochs >= 1")

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        return asdict(self)


def _within(key: str, value: float, low: float, high: float, low_open: bool = False) -> None:
    if not (low < value <= high if low_open else low <= value <= high):
        raise BadRecipe(f"{key} = {value}", f"{low:g} to {high:g}")
