"""Temporal heads: embeddings of a clip's frames, in order, to one logit for each finding.

Three kinds. ``concat`` is the published baseline of FetalCLIP's heart task (Maani et al. 2025, arXiv 2502.14807): a
fixed number of frames side by side into one linear layer. ``attention`` is a small transformer whose positions are
seconds; ``convolution`` is a stack of convolutions over time. The latter two pool by gated attention (Ilse et al., ICML
2018), each finding with weights of its own, so a clip of any length has an answer that says which frames it rests on.

Two more branches are linear: on how much each channel changes within the window (the logarithm of its spread over time:
contraction is an amount of motion), and on what is of the clip as a whole, its rhythm (`fetalclip.tasks.sight.rhythm`)
and the facts of the chest (`fetalclip.tasks.chest`), where there are any. These two are convex and fitted, not trained
(`fetalclip.fit.heart_lines`). Each branch has logits of its own; ``mix`` says how much each counts for a finding, and
is chosen on held-out clips.

With class prompts a finding's logit is the scaled cosine of its pooled, projected embedding with its text's embedding;
otherwise one linear layer for each finding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.errors import BadCheckpoint

KINDS = ("concat", "attention", "convolution")
MOST_CELLS = 32  # of the grid a map is pooled to, along one side
_STILL = 0.03  # of a channel's spread over all training frames: less is no motion
_LONGEST, _SHORTEST = 10.0, 0.08  # seconds, periods of the positions: a fetal heart beats every 0.35 to 0.55 s


@dataclass(frozen=True)
class HeartShape:
    """Shape of a temporal head.

    Attributes:
        kind: one of ``KINDS``.
        dim: width of an embedding.
        findings: how many logits come out.
        frames: of a window; ``concat`` takes exactly so many.
        width: channels within.
        layers: of the transformer or of the convolutions.
        heads: of the transformer's attention.
        dropout: share of the channels left out in training.
        aligned: logits are cosines with texts.
        whole: so many of the last of ``dim`` numbers are of the clip as a whole, the same for all its frames.
    """

    kind: str
    dim: int
    findings: int
    frames: int = 16
    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    aligned: bool = False
    whole: int = 0

    def __post_init__(self) -> None:
        if type(self.whole) is not int or type(self.dim) is not int or not 0 <= self.whole < max(1, self.dim):
            found = f"{self.whole!r:.20} numbers of the clip as a whole"
            raise BadCheckpoint(found, "fewer than there are of a frame")
        sizes = [(self.dim, 65_536), (self.findings, 64), (self.frames, 1024), (self.width, 4096), (self.layers, 16)]
        whole = all(type(n) is int and 1 <= n <= most for n, most in [*sizes, (self.heads, 64)])
        rate = type(self.dropout) in (int, float) and 0 <= self.dropout < 1
        if self.kind not in KINDS or not whole or not rate or type(self.aligned) is not bool:
            raise BadCheckpoint(
                "a temporal head with impossible sizes", f"a kind of {', '.join(KINDS)} and whole sizes"
            )
        if self.width % self.heads or self.width % 2:
            raise BadCheckpoint(f"a temporal head of width {self.width}", f"an even one that {self.heads} heads divide")
        if self.kind == "concat" and self.aligned:
            raise BadCheckpoint("a concat head aligned to texts", "attention or convolution")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HeartShape:
        """From ``config.json``'s ``shape``.

        Raises:
            BadCheckpoint: a key is missing or unknown, or a value is not a sensible size.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise BadCheckpoint(f"a temporal head that does not fit ({error})", "kind, dim, findings, …") from None

    def to_dict(self) -> dict[str, Any]:
        """The form that stands in ``config.json``."""
        return asdict(self)


class HeartNet(nn.Module):
    """A temporal head.

    Embeddings are first brought to the training set's mean and spread, which are part of its state.

    Args:
        shape: its sizes.
    """

    mean: Tensor
    spread: Tensor
    usual: Tensor
    range: Tensor
    mix: Tensor
    texts: Tensor

    def __init__(self, shape: HeartShape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.zeros(shape.dim))
        self.register_buffer("spread", torch.ones(shape.dim))
        if shape.kind == "concat":
            self.register_buffer("mix", torch.ones(1, shape.findings))
            self.linear = nn.Linear(shape.frames * shape.dim, shape.findings)
            return
        frame = shape.dim - shape.whole
        self.register_buffer("usual", torch.zeros(frame))
        self.register_buffer("range", torch.ones(frame))
        self.register_buffer("mix", torch.ones(3 if shape.whole else 2, shape.findings))
        self.enter = nn.Linear(frame, 3 * shape.width)
        self.energy = _nothing_yet(frame, shape.findings)
        if shape.whole:
            self.clip = _nothing_yet(shape.whole, shape.findings)
        self.body = (_Transformer if shape.kind == "attention" else _Convolutions)(shape)
        self.pool = _GatedPool(shape.width, shape.findings)
        self.drop = nn.Dropout(shape.dropout)
        out = shape.dim if shape.aligned else 1
        self.weight = nn.Parameter(torch.randn(shape.findings, shape.width, out) / math.sqrt(shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.findings))
        if shape.aligned:
            self.register_buffer("texts", torch.zeros(shape.findings, shape.dim))
            self.scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def fit_to(self, clips: Sequence[Tensor]) -> None:
        """Take mean and spread of the frames of the training clips, (n, dim) each; clip by clip, as they are large."""
        count = sum(map(len, clips))
        mean = sum((clip.double().sum(dim=0) for clip in clips), torch.zeros(self.shape.dim).double()) / count
        square = sum(((clip.double() - mean).square().sum(dim=0) for clip in clips), torch.zeros_like(mean)) / count
        self.mean.copy_(mean)
        self.spread.copy_(square.sqrt().clamp_min(1e-6))
        if self.shape.kind == "concat":
            return
        frame = self.shape.dim - self.shape.whole
        every = [((clip - self.mean) / self.spread)[None, :, :frame] for clip in clips]
        energies = torch.cat([_energy(x, torch.zeros(x.shape[:2], dtype=torch.bool)) for x in every])
        self.usual.copy_(energies.mean(dim=0))
        self.range.copy_(energies.std(dim=0, correction=0).clamp_min(1e-3))

    def energies(self, x: Tensor, padded: Tensor) -> Tensor:
        """How much each channel moves, beside what is usual: (B, T, d), (B, T) to (B, d)."""
        return (_energy(x, padded) - self.usual) / self.range

    def forward(self, frames: Tensor, seconds: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and attention of each window.

        Args:
            frames: (B, T, dim) embeddings in the order of time; what is padded is ignored.
            seconds: (B, T) time of each; only differences count.
            padded: (B, T) bool, True where there is no frame; never all of a window.

        Returns:
            (B, findings) logits, the branches' sum by ``mix``, and (B, findings, T) weights over time that sum to 1, 0
            where padded. A ``concat`` head has no attention: its weights are equal.
        """
        said, weights = self.branches(frames, seconds, padded)
        return (said * self.mix).sum(dim=1), weights

    def branches(self, frames: Tensor, seconds: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of each branch (B, branches, findings), and weights; arguments as `forward`."""
        x = ((frames - self.mean) / self.spread).masked_fill(padded.unsqueeze(-1), 0.0)
        if self.shape.kind == "concat":
            shown = (~padded).to(x.dtype)
            equal = (shown / shown.sum(dim=1, keepdim=True)).unsqueeze(1)
            return self.linear(x.flatten(1))[:, None], equal.expand(-1, self.shape.findings, -1)
        frame = self.shape.dim - self.shape.whole
        x, whole = x[..., :frame], x[:, 0, frame:]  # the first frame is never padded
        more = [self.energy(self.energies(x, padded))]
        if self.shape.whole:
            more.append(self.clip(whole))
        said, weights = self._over_time(x, seconds, padded)
        return torch.stack([said, *more], dim=1), weights

    def _over_time(self, x: Tensor, seconds: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, findings) of the branch that follows the frames, and its weights over time."""
        whole = self.drop(x.new_ones(len(x), 1, x.shape[-1]))  # a channel is left out of all frames: no flicker
        x = self.body(_moving(self.enter(x * whole), padded), seconds - seconds[:, :1], padded)  # (B, T, width)
        weights = self.pool(x, padded)  # (B, F, T)
        pooled = self.drop(weights @ x)  # (B, F, width)
        said = torch.einsum("bfw,fwo->bfo", pooled, self.weight)
        if self.shape.aligned:
            cosines = (nn.functional.normalize(said, dim=-1) * self.texts).sum(dim=-1)
            return cosines * self.scale.clamp(max=math.log(100.0)).exp() + self.bias, weights
        return said.squeeze(-1) + self.bias, weights


def _nothing_yet(width: int, findings: int) -> nn.Linear:
    """A linear layer that says nothing before it is fitted."""
    line = nn.Linear(width, findings)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    return line


def _moving(x: Tensor, padded: Tensor) -> Tensor:
    """A third of the channels as they are, one as they differ from the window's mean, one from the frame before.

    What a clip shows all along is most of an embedding; motion is little of it and would be drowned.

    Args:
        x: (B, T, 3 d).
        padded: (B, T).

    Returns:
        (B, T, d), the sum of the three; the latter two are 0 where nothing moves, and where padded.
    """
    still, apart, step = x.chunk(3, dim=-1)
    shown = (~padded).to(x.dtype).unsqueeze(-1)
    mean = (apart * shown).sum(dim=1, keepdim=True) / shown.sum(dim=1, keepdim=True)
    step = nn.functional.pad((step[:, 1:] - step[:, :-1]) * shown[:, 1:], (0, 0, 1, 0))
    return still + (apart - mean) * shown + step


def _energy(x: Tensor, padded: Tensor) -> Tensor:
    """How much each channel changes within the window: the logarithm of its spread over time.

    Args:
        x: (B, T, d), 0 where padded.
        padded: (B, T).

    Returns:
        (B, d), about -1 to 1; the least where nothing moves.
    """
    count = (~padded).to(x.dtype).sum(dim=1, keepdim=True)
    mean = x.sum(dim=1) / count
    variance = (x.square().sum(dim=1) / count - mean.square()).clamp_min(0.0)
    return (variance + _STILL**2).log() / 2 + 1  # a channel moves by some 0.1 to 1 of its spread over all frames


class _Transformer(nn.Module):
    """Pre-norm self-attention over frames; positions are waves of their seconds."""

    rates: Tensor

    def __init__(self, shape: HeartShape) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            shape.width, shape.heads, 2 * shape.width, shape.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, shape.layers, nn.LayerNorm(shape.width), enable_nested_tensor=False)
        periods = torch.logspace(math.log10(_LONGEST), math.log10(_SHORTEST), shape.width // 2)
        self.register_buffer("rates", 2 * math.pi / periods, persistent=False)

    def forward(self, x: Tensor, seconds: Tensor, padded: Tensor) -> Tensor:
        """(B, T, width), (B, T), (B, T) to (B, T, width)."""
        phase = seconds.masked_fill(padded, 0.0).unsqueeze(-1) * self.rates
        found: Tensor = self.layers(x + torch.cat([phase.cos(), phase.sin()], dim=-1), src_key_padding_mask=padded)
        return found


class _Convolutions(nn.Module):
    """Residual convolutions over neighbouring frames; what is padded stays zero, so it never leaks in."""

    def __init__(self, shape: HeartShape) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(shape.layers))
        steps = [2**i for i in range(shape.layers)]
        self.convs = nn.ModuleList(nn.Conv1d(shape.width, shape.width, 3, padding=s, dilation=s) for s in steps)
        self.drop = nn.Dropout(shape.dropout)
        self.last = nn.LayerNorm(shape.width)

    def forward(self, x: Tensor, seconds: Tensor, padded: Tensor) -> Tensor:
        """(B, T, width), (B, T), (B, T) to (B, T, width); frames count as evenly spaced."""
        for norm, conv in zip(self.norms, self.convs, strict=True):
            clean = norm(x).masked_fill(padded.unsqueeze(-1), 0.0)
            x = x + self.drop(nn.functional.gelu(conv(clean.transpose(1, 2)).transpose(1, 2)))
        found: Tensor = self.last(x)
        return found


class _GatedPool(nn.Module):
    """Gated attention over time, weights of its own for each finding (Ilse, Tomczak & Welling, ICML 2018)."""

    def __init__(self, width: int, findings: int) -> None:
        super().__init__()
        self.look, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        self.score = nn.Linear(width, findings)

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        """(B, T, width), (B, T) to weights (B, findings, T)."""
        scores = self.score(torch.tanh(self.look(x)) * torch.sigmoid(self.gate(x)))  # (B, T, F)
        weights: Tensor = scores.masked_fill(padded.unsqueeze(-1), -torch.inf).softmax(dim=1).transpose(1, 2)
        return weights
