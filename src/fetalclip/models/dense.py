"""A mask decoder over a tower's token maps: UNETR's idea, small.

Maps of four depths and a skip from the picture itself meet from coarse to fine; one logit map for each structure comes
out at half the picture's side. A vision transformer's maps all have the patch grid's side, so the shallower ones are
first brought up by transposed convolutions, as UNETR does (Hatamizadeh et al. 2022, arXiv 2103.10504); a convolutional
tower's maps are a pyramid already. One sigmoid for each structure and no softmax: structures lie inside one another
(the ventricle in the brain in the head), and a source of masks that knows some of them only teaches those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.efficientnet import LITE0_STAGES, EfficientNetLite
from fetalclip.models.vit import VisionTransformer

LEVELS = 4
STRIDE = 2  # side of the picture over side of the logits
_GROUPS = 8  # of GroupNorm: a picture's masks do not depend on its batch
_MOST = 8192  # channels of a map that a config may name


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of a decoder.

    Attributes:
        structures: how many logit maps come out.
        channels: of the four token maps, the finest first.
        ups: how often each map's side is doubled first: 0 for a pyramid.
        widths: channels of the decoder at those levels, and at the logits' own.
    """

    structures: int
    channels: tuple[int, int, int, int]
    ups: tuple[int, int, int, int] = (0, 0, 0, 0)
    widths: tuple[int, int, int, int, int] = (32, 48, 64, 96, 16)

    def __post_init__(self) -> None:
        lists = [(self.channels, 4, 1, _MOST), (self.ups, 4, 0, 4), (self.widths, 5, _GROUPS, 1024)]
        whole = all(len(v) == n and all(type(i) is int and low <= i <= high for i in v) for v, n, low, high in lists)
        fits = whole and type(self.structures) is int and 1 <= self.structures <= 64
        if not fits or any(width % _GROUPS for width in self.widths):
            raise BadCheckpoint("a mask decoder with impossible sizes", f"four maps, widths that {_GROUPS} divides")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DecoderConfig:
        """From ``config.json``'s ``decoder``.

        Raises:
            BadCheckpoint: a key is missing or unknown, or a value is not a sensible size.
        """
        try:
            values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
            return cls(**values)
        except TypeError as error:
            raise BadCheckpoint(
                f"a mask decoder that does not fit ({error})", "structures, channels, ups, widths"
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """The form that stands in ``config.json``."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def default_depths(tower: nn.Module) -> tuple[int, int, int, int]:
    """Four depths, fine to coarse: the last block of each scale of a pyramid, or the quarters of a transformer."""
    if isinstance(tower, EfficientNetLite):
        return (3, 5, 11, 15)  # strides 4, 8, 16, 32
    depth = int(tower.depth)  # type: ignore[arg-type]
    if depth < LEVELS:
        raise UsageError(f"a tower of {depth} blocks", f"one of at least {LEVELS}, for masks")
    return (depth // 4, depth // 2, 3 * depth // 4, depth)


def decoder_config(tower: nn.Module, depths: Sequence[int], structures: int) -> DecoderConfig:
    """The decoder that fits a tower's maps of four depths.

    Raises:
        UsageError: not four depths, one the tower does not have, or a tower of an unknown kind.
    """
    if len(depths) != LEVELS or not all(1 <= d <= int(tower.depth) for d in depths):  # type: ignore[arg-type]
        raise UsageError(f"depths {list(depths)}", f"{LEVELS} of 1 to {tower.depth}")
    if isinstance(tower, EfficientNetLite):
        wide = [width for repeats, _, _, _, width in LITE0_STAGES for _ in range(repeats)]
        a, b, c, d = (wide[depth - 1] for depth in depths)
        return DecoderConfig(structures, (a, b, c, d))
    if isinstance(tower, VisionTransformer):
        width = tower.config.width
        return DecoderConfig(structures, (width, width, width, width), (2, 1, 0, 0))
    raise UsageError(f"a tower of kind {type(tower).__name__}", "one of fetalclip.models")


def side_of(tower: nn.Module, wanted: int) -> int:
    """The side a head may give a tower: ``wanted`` for a convolutional one, a transformer's own always."""
    return tower.config.image_size if isinstance(tower, VisionTransformer) else wanted


class _Conv(nn.Sequential):
    """Convolution, group norm, ReLU; the side stays."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            nn.GroupNorm(_GROUPS, channels_out),
            nn.ReLU(inplace=True),
        )


class _Bring(nn.Sequential):
    """A token map to a level's channels, its side doubled ``ups`` times."""

    def __init__(self, channels_in: int, width: int, ups: int) -> None:
        steps: list[nn.Module] = [_Conv(channels_in, width, 1)]
        for _ in range(ups):
            steps += [nn.ConvTranspose2d(width, width, 2, 2), nn.GroupNorm(_GROUPS, width), nn.ReLU(inplace=True)]
        super().__init__(*steps)


class _Join(nn.Module):
    """What came up from the coarser level beside the finer one, then two convolutions."""

    def __init__(self, coarse: int, width: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, width, 1)
        self.mix = nn.Sequential(_Conv(2 * width, width), _Conv(width, width))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, C, h, w) and (B, C', H, W) to (B, C', H, W)."""
        up = F.interpolate(self.narrow(coarse), fine.shape[-2:], mode="bilinear", align_corners=False)
        return self.mix(torch.cat([up, fine], dim=1))


class MaskDecoder(nn.Module):
    """Token maps and the picture to logit maps.

    Args:
        config: its shape.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        *levels, last = config.widths
        self.bring = nn.ModuleList(map(_Bring, config.channels, levels, config.ups))
        self.bottom = _Conv(levels[-1], levels[-1])
        coarse = [*levels[1:][::-1], levels[0]]
        self.join = nn.ModuleList(map(_Join, coarse, [*levels[:-1][::-1], last]))
        self.skip = nn.Sequential(nn.Conv2d(1, last, 3, STRIDE, 1, bias=False), nn.GroupNorm(_GROUPS, last), nn.ReLU())
        self.logits = nn.Conv2d(last, config.structures, 1)

    def forward(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        """Logits of each structure.

        Args:
            maps: four (B, C, h, w), as the config's channels.
            images: (B, 3, S, S) that the tower saw.

        Returns:
            (B, structures, S / 2, S / 2) before the sigmoid.
        """
        fine = [bring(x) for bring, x in zip(self.bring, maps, strict=True)]
        fine = [self.skip(images.mean(dim=1, keepdim=True)), *fine]  # finest first
        x = self.bottom(fine.pop())
        for join in self.join:
            x = join(x, fine.pop())
        made: Tensor = self.logits(x)
        return made
