"""The recipe of a head that judges clips of the heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fetalclip.errors import BadRecipe
from fetalclip.models.heart import KINDS

OBJECTIVE = "heart"


@dataclass(frozen=True)
class HeartData:
    """What a head is trained on: a table of clips, or simulated ones.

    Attributes:
        clips: a CSV with ``path``, ``patient``, one column for each finding (0, 1 or empty for unknown) and optionally
            ``fold`` (a whole number, or ``test`` for what training leaves alone).
        simulated: so many simulated clips instead.
        findings: of the head; empty takes all columns, or all that simulated training clips can have.
        healthy: share of the simulated clips without a finding.
        least_severity: of a simulated finding; each is drawn evenly from here to 1.
        frames: of a simulated clip.
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        rate: frames looked at per second, at most.
        locator: the head that draws the heart (a name within the model, or a folder), which frames are cut out around;
            empty for whole frames.
        margin: side of that square over the heart's longer side.
        grids: block of the tower to the cells along a side that its map is pooled to, such as ``{5: 8}``: where in the
            heart something moves; empty for the embedding alone.
        segment: look for the best four-chamber segment of each clip first: for long sweeps.
        still: learn from single frames, each repeated to fill a window: what shows without motion.
        strangers: folder that holds FETAL_PLANES_DB as published; its pictures of the training side teach the gate what
            the head is not for, when it is trained on simulated clips. Empty for none.
        folds: parts of the patients held out one after the other, where the table has no ``fold``.
    """

    clips: str = ""
    simulated: int = 0
    findings: tuple[str, ...] = ()
    healthy: float = 0.3
    least_severity: float = 0.5
    frames: int = 48
    overlay: str = "mask"
    rate: float = 60.0
    locator: str = ""
    margin: float = 1.35
    grids: Mapping[str, int] = field(default_factory=dict)
    segment: bool = False
    still: bool = False
    strangers: str = ""
    folds: int = 5


@dataclass(frozen=True)
class HeartModel:
    """What is trained on what.

    Attributes:
        encoder: the backbone, which stays as it is: a model's name or folder.
        kind: ``attention``, ``convolution``, or ``concat``, the published baseline.
        frames, stride: of a window, and from one to the next.
        width, layers, heads, dropout: of the head.
        aligned: compare with the texts of the findings instead of a linear layer.
        prompts: finding to its text; without one it is ``four-chamber view of the fetal heart with FINDING``.
    """

    encoder: str = "fetalclip-open"
    kind: str = "attention"
    frames: int = 16
    stride: int = 8
    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    aligned: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)

    def prompt(self, finding: str) -> str:
        """The text of a finding."""
        return self.prompts.get(finding, f"four-chamber view of the fetal heart with {finding}")


@dataclass(frozen=True)
class HeartOptim:
    """How it is trained: AdamW, linear warm-up, cosine decay.

    Attributes:
        epochs, batch: passes over the clips, windows a step.
        rate, weight_decay, warmup_steps, clip: AdamW and its schedule.
        focal: exponent of the focal loss (Lin et al., ICCV 2017); 0 is the binary cross-entropy.
        balanced: present and absent weigh alike in each finding, however rare it is.
        noise: standard deviation of what is added to each embedding, in units of its spread; 0 for none.
    """

    epochs: int = 30
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 30
    clip: float = 1.0
    focal: float = 0.0
    balanced: bool = True
    noise: float = 0.1


@dataclass(frozen=True)
class HeartRecipe:
    """A whole training of a heart head.

    Attributes:
        objective: ``heart``, by which `fetalclip train` knows this kind of recipe.
        name, summary: what the head is called and is.
        license: of the head; empty takes the encoder's.
        seed: seed of everything random.
        seeds: trainings of each fold held out, with seeds that follow one another.
        level: chance with which the true answer of a finding is among those believed.
        gate: share of held-out clips that must not be taken for unlike the training's.
    """

    objective: str = OBJECTIVE
    name: str = "heart"
    summary: str = "Trained by a recipe of fetalclip."
    license: str = ""
    seed: int = 20
    seeds: int = 1
    level: float = 0.9
    gate: float = 0.98
    data: HeartData = field(default_factory=HeartData)
    model: HeartModel = field(default_factory=HeartModel)
    optim: HeartOptim = field(default_factory=HeartOptim)

    def __post_init__(self) -> None:
        data, model, optim = self.data, self.model, self.optim
        if self.objective != OBJECTIVE:
            raise BadRecipe(f"objective = {self.objective!r}", OBJECTIVE, f"objective={OBJECTIVE}")
        if data.overlay not in ("mask", "keep"):
            raise BadRecipe(f"data.overlay = {data.overlay!r}", "mask or keep", "data.overlay=mask")
        if model.kind not in KINDS:
            raise BadRecipe(f"model.kind = {model.kind!r}", "one of " + ", ".join(KINDS), "model.kind=attention")
        if model.kind == "concat" and model.aligned:
            raise BadRecipe("model.aligned with model.kind=concat", "attention or convolution", "model.kind=attention")
        if model.aligned and (data.grids or data.locator):
            raise BadRecipe("model.aligned with data.grids or data.locator", "embeddings alone", "data.grids={}")
        if data.segment and data.locator:
            raise BadRecipe(
                "data.segment of frames cut out about the heart", "whole frames", "data.locator= data.grids={}"
            )
        limits = [
            ("data.simulated", data.simulated, 0, 1_000_000),
            ("data.healthy", data.healthy, 0.05, 0.95),
            ("data.least_severity", data.least_severity, 0.0, 1.0),
            ("data.frames", data.frames, 1, 10_000),
            ("data.rate", data.rate, 0.1, 1000),
            ("data.margin", data.margin, 0.5, 10),
            ("data.folds", data.folds, 2, 20),
            ("model.frames", model.frames, 2, 256),
            ("model.stride", model.stride, 1, model.frames),
            ("optim.epochs", optim.epochs, 1, 100_000),
            ("optim.batch", optim.batch, 1, 100_000),
            ("optim.focal", optim.focal, 0, 10),
            ("optim.noise", optim.noise, 0, 10),
            ("seeds", self.seeds, 1, 100),
            ("level", self.level, 0.5, 0.999),
            ("gate", self.gate, 0.5, 1.0),
        ]
        for key, value, low, high in limits:
            if not low <= value <= high:
                raise BadRecipe(f"{key} = {value}", f"{low:g} to {high:g}")

    def check_source(self) -> None:
        """Refuse a recipe that names no clips, or both kinds.

        Raises:
            BadRecipe: see above.
        """
        if bool(self.data.clips) == bool(self.data.simulated):
            found = "both data.clips and data.simulated" if self.data.clips else "no clips to train on"
            raise BadRecipe(found, "one of data.clips and data.simulated", "data.clips=clips.csv")

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        return asdict(self)
