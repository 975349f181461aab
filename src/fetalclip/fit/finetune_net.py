"""An image tower and a linear head, trained together: where they start, what of them is learned, what they say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fetalclip.api import FetalCLIP, load
from fetalclip.clinical.sampling import texts as caption_texts
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import BadCheckpoint, BadRecipe, NotAvailable
from fetalclip.fit.adapters import Adapters
from fetalclip.fit.finetune_data import Squares
from fetalclip.fit.finetune_recipe import IMAGENET, FinetuneRecipe
from fetalclip.fit.loop import MEAN, MIRROR, STD
from fetalclip.frame import Pixels
from fetalclip.models.efficientnet import HEAD_CHANNELS
from fetalclip.models.imagenet import load_imagenet
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.vit import VisionTransformer
from fetalclip.preprocess import Letterbox
from fetalclip.preprocess.pipeline import to_tensor

_TOGETHER = 32  # pictures looked at at a time
_MEASURED = 128  # pictures from which the size of the start's embeddings is taken
_SIDE = 192  # of pictures at the ImageNet start, pixels

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Start:
    """The model a fine-tuning starts from; its image tower is a copy, to be trained.

    Attributes:
        name, sha256: of the model; the latter of its embeddings, empty for ``imagenet``.
        license: of its weights.
        cleaning: of its texts, as its config names it; empty for none.
        model, tokenizer: towers and words.
        normalisation: how pictures are shown to the tower.
    """

    name: str
    sha256: str
    license: str
    cleaning: str
    model: DualEncoder
    tokenizer: Tokenizer
    normalisation: Normalisation

    @property
    def tower(self) -> Any:
        """The image tower."""
        return self.model.visual


def open_start(recipe: FinetuneRecipe, model: FetalCLIP | None = None) -> Start:
    """The model that a recipe names, or the one given, ready to be trained.

    Pictures are shown in grey, as augmentation makes them; a tower that looks at the mirror image too goes on doing so
    unless the recipe does not flip.

    Raises:
        NotAvailable, MissingPackage: the start is not here.
        BadRecipe: an image size its tower cannot see.
    """
    size = recipe.model.image_size
    if model is None and recipe.model.start == IMAGENET:
        found = _imagenet(size or _SIDE)
    else:
        found = _started(model or load(recipe.model.start))
        shape = found.tower
        if isinstance(shape, VisionTransformer) and size not in (0, shape.config.image_size):
            fix = f"model.image_size={shape.config.image_size}"
            raise BadRecipe(f"model.image_size = {size}", "the one size of this vision transformer", fix)
    seen = found.normalisation
    mirror = seen.mirror and recipe.augment.flip > 0
    shown = replace(seen, image_size=size or seen.image_size, colour=False, mirror=mirror)
    return replace(found, normalisation=shown)


def _started(model: FetalCLIP) -> Start:
    encoder = model.encoder
    if not hasattr(encoder, "tokenizer"):
        found = f"{model.card.name} as the start of a training"
        raise NotAvailable(found, "a model of this package, a converted CLIP, or imagenet", "fetalclip models convert")
    own = copy.copy(encoder.model)  # the same text tower, another image tower
    own._modules = {**encoder.model._modules, "visual": copy.deepcopy(encoder.model.visual).float()}
    sha256 = encoder.embedding_sha256
    card = model.card
    cleaning = str(card.config.get("tokenizer", {}).get("cleaning") or "")
    return Start(card.name, sha256, card.license, cleaning, own, encoder.tokenizer, encoder.normalisation)


def _imagenet(size: int) -> Start:
    """ImageNet's features as the embedding, by a projection that changes nothing; the text tower is a random stub."""
    tokenizer = Tokenizer.learn(caption_texts(300, 0), 400, 117)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DualEncoder(Architecture(HEAD_CHANNELS, text=TextConfig(117, tokenizer.vocab_size, 8, 1, 1)))
    load_imagenet(model.visual)
    with torch.no_grad():
        model.visual.proj.weight.copy_(torch.eye(HEAD_CHANNELS))
    return Start(IMAGENET, "", "Apache-2.0", "", model, tokenizer, Normalisation(size, MEAN, STD, MIRROR))


class TunedNet(nn.Module):
    """A tower and a linear head on its raw embedding. Only what is learned is in its state: the checkpoint's.

    The head works on embeddings less their mean and over their size at the start, and on a number in standard
    deviations; `folded` gives the same head on raw embeddings, in the number's unit.

    Args:
        start: the tower and how it sees.
        recipe: what of it is learned.
        squares: pictures that are trained on, from which the sizes are taken.
        classes: number of classes; 0 for a number.
    """

    def __init__(self, start: Start, recipe: FinetuneRecipe, squares: Squares, classes: int) -> None:
        super().__init__()
        tower, self.normalisation = start.tower.eval(), start.normalisation
        self._tower = [tower]  # a list: no submodule, so that the checkpoint holds only what is learned
        self.adapters: Adapters | None = None
        if recipe.model.frozen_blocks > tower.depth:
            found = f"model.frozen_blocks = {recipe.model.frozen_blocks}"
            raise BadRecipe(found, f"at most the tower's {tower.depth}", f"model.frozen_blocks={tower.depth}")
        seen = self.embed(squares.pictures[:: max(1, len(squares) // _MEASURED)])
        if not np.isfinite(seen).all():
            raise BadCheckpoint(f"embeddings of {start.name} that are not finite", "a model that is whole")
        if recipe.model.method == "lora":
            self.adapters = Adapters(tower, recipe.lora, recipe.model.frozen_blocks)
        elif recipe.model.method == "full":
            tower.requires_grad_(True)
            tower.freeze(recipe.model.frozen_blocks)
        else:
            tower.requires_grad_(False)
        named = [(name, p) for name, p in tower.named_parameters() if p.requires_grad]
        self.plain = [p.ndim < 2 or "positional" in name for name, p in named]  # no weight decay
        self.learned = nn.ParameterList(p for _, p in named)
        self.told, self.classes = recipe.data.spacing, classes
        self.head = nn.Linear(seen.shape[1] + self.told, classes or 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._measure(seen, squares, classes)

    def _measure(self, seen: Array, squares: Squares, classes: int) -> None:
        """Middle and size of the embeddings, the spacings and the numbers."""
        middle, size = seen.mean(axis=0), np.full(seen.shape[1], max(float(seen.std(axis=0).mean()), 1e-6))
        if self.told:
            logs = np.log(squares.spacings * len(squares.pictures[0]) / self.normalisation.image_size)
            middle, size = np.append(middle, logs.mean()), np.append(size, max(float(logs.std()), 1e-3))
        numbers = np.zeros(2) if classes else np.asarray(squares.targets, np.float64)
        sizes = {"middle": middle, "size": size, "number": np.array([numbers.mean(), max(float(numbers.std()), 1e-9)])}
        for name, value in sizes.items():
            self.register_buffer(name, torch.from_numpy(value).float())
        self.middle: Tensor
        self.size: Tensor
        self.number: Tensor

    @property
    def tower(self) -> Any:
        """The image tower."""
        return self._tower[0]

    def train(self, mode: bool = True) -> TunedNet:
        """The usual, of the tower too."""
        self.tower.train(mode)
        return super().train(mode)

    def forward(self, images: Tensor, logs: Tensor) -> Tensor:
        """(B, 3, S, S) normalised and (B,) logarithms of the spacing to (B, classes) logits, or (B, 1)."""
        x = self.tower(images)
        x = torch.cat([x, logs[:, None]], dim=1) if self.told else x
        found: Tensor = self.head((x - self.middle) / self.size)
        return found

    @torch.inference_mode()
    def embed(self, pictures: Sequence[Pixels] | Pixels) -> Array:
        """Raw embeddings as the encoder makes them: n uint8 squares of any side to (n, d)."""
        n, parts = self.normalisation, []
        device = next(self.tower.parameters()).device
        was = self.tower.training
        self.tower.eval()
        for start in range(0, len(pictures), _TOGETHER):
            some = [_shrunk(picture, n.image_size) for picture in pictures[start : start + _TOGETHER]]
            x = to_tensor(some, n.mean, n.std).to(device)
            raw = self.tower(x)
            if n.mirror:
                raw = (raw + self.tower(x.flip(-1))) / 2
            parts.append(raw.double().cpu().numpy())
        self.tower.train(was)
        return np.concatenate(parts)

    def folded(self) -> tuple[Array, Array]:
        """The head on raw embeddings (and the logarithm of the spacing): weight (rows, d) and bias (rows,)."""
        weight = self.head.weight.detach().double().cpu().numpy() / self.size.double().cpu().numpy()
        bias = self.head.bias.detach().double().cpu().numpy() - weight @ self.middle.double().cpu().numpy()
        middle, size = self.number.double().tolist()
        return (weight, bias) if self.classes else (weight * size, bias * size + middle)

    def logits(self, squares: Squares) -> Array:
        """What the head says of squares as the tower sees them: (n, classes), or (n, 1) in the number's unit."""
        seen, (weight, bias) = self.embed(squares.pictures), self.folded()
        if self.told:
            side = squares.pictures.shape[-1]
            logs = np.log(squares.spacings * side / self.normalisation.image_size)
            seen = np.concatenate([seen, logs[:, None]], axis=1)
        found: Array = seen @ weight.T + bias
        return found

    def finish(self) -> None:
        """Merge the adapters, and round the tower to the half precision a model folder keeps.

        Raises:
            BadCheckpoint: weights that are not finite then.
        """
        if self.adapters is not None:
            self.adapters.merge()
            self.adapters = None
        for name, value in self.tower.state_dict().items():
            value.copy_(value.half().to(value.dtype))
            if not torch.isfinite(value).all():
                raise BadCheckpoint(f"trained weights {name} beyond half precision", "finite ones", "a lower rate")


def parameter_groups(net: TunedNet, recipe: FinetuneRecipe) -> list[dict[str, Any]]:
    """What is learned, by rate; no weight decay on norms, biases and positions."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, plain in zip(net.learned, net.plain, strict=True):
        groups.setdefault((recipe.optim.rate_tower, 0.0 if plain else recipe.optim.weight_decay), []).append(parameter)
    for parameter in net.head.parameters():
        decay = 0.0 if parameter.ndim < 2 else recipe.optim.weight_decay
        groups.setdefault((recipe.optim.rate_head, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def _shrunk(picture: Pixels, side: int) -> Pixels:
    own = picture.shape[-1]
    return picture if own == side else Letterbox(own, own, side).picture_in(picture)
