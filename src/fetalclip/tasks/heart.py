"""What does a clip of the heart show? Frames, embeddings, windows, one calibrated probability for each finding.

A finding is answered only where exactly one of its two answers is believed (split conformal prediction, a bound for
each answer: Vovk, ACML 2012), and a clip only where its frames look like those the head was trained on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from fetalclip.encoder import Encoder
from fetalclip.errors import BadCheckpoint, NotAvailable, UsageError
from fetalclip.frame import Shot
from fetalclip.models.heart_head import HeartConfig, HeartHead, load_heart, read_heart_config
from fetalclip.result import Finding, HeartScore, KeyFrame
from fetalclip.tasks.folders import folders_within
from fetalclip.tasks.planes import PlaneTask
from fetalclip.tasks.segment import Segmenter, SegmentTask
from fetalclip.tasks.sight import Sight
from fetalclip.tasks.track import RATE, Eye, Track
from fetalclip.tasks.windows import Floats, Places, Segment, best_segment, join, spread_out, windows

HEARTS = "hearts"
"""Folder within a model folder that holds its heart heads."""

PLANE = "thorax"  # the four-chamber view among the planes
LEAST = 8  # frames, below which what moves cannot be judged
_KEYS = 3  # key frames of an answer
_TOGETHER = 256  # windows put through the net at a time


class HeartTask:
    """Clips to heart scores.

    Args:
        encoder: the backbone.
        head: what answers.
        planes: the model's planes, for the best four-chamber segment; None for none.
        locator: the head that draws the heart, for a heart head that looks about it.

    Raises:
        BadCheckpoint: a head for other embeddings.
        NotAvailable: a head that looks about the heart, without a locator.
    """

    name = "heart"

    def __init__(
        self,
        encoder: Encoder,
        head: HeartHead,
        planes: PlaneTask | None = None,
        locator: SegmentTask | None = None,
    ) -> None:
        config = head.config
        if config.embedding != encoder.dim:
            raise BadCheckpoint(f"a heart head for embeddings of width {config.embedding}", f"{encoder.dim}")
        self.encoder, self.head, self.planes = encoder, head, planes
        self.eye = Eye(encoder, sight_of(config), locator)

    def __call__(self, shots: Iterable[Shot], segment: bool | None = None) -> HeartScore:
        """The answer to one clip.

        Args:
            shots: its frames in order, read once. Of a ``Cine``, which can be read twice, banners and strips are
                found by what never moves; otherwise burned-in text is looked for on the first frame.
            segment: judge the best four-chamber segment only, for a long sweep; None does as the head was trained.

        Raises:
            UnreadableInput: no frame.
            NotAvailable: a segment was asked for without planes, or of a head that looks about the heart only.
        """
        return self.score(self.eye(shots), segment)

    def score(self, track: Track, segment: bool | None = None) -> HeartScore:
        """The answer to a clip whose embeddings are there; arguments and errors as the call."""
        config, said = self.head.config, list(self.head.config.warnings)
        if track.seen.shape[1] != config.shape.dim:
            raise BadCheckpoint(f"a heart head for {config.shape.dim} numbers of a frame", f"{track.seen.shape[1]}")
        whole = Segment(0, len(track), float("nan"))
        found = self._segment(track) if (config.segment if segment is None else segment) else whole
        if found is None:
            found = whole
            said.append("heart: no frame looks like a four-chamber view; the whole clip was judged")
        part = track.part(found.start, found.stop)
        logits, attention = clip_logits(self.head, part)
        outlier = self.distance(part) / max(config.gate, 1e-9)
        said += _told(part)
        reason = self._reason(part, outlier, self.likeness(part))
        findings = answers(config, logits, attention)
        if reason:
            findings = {name: replace(one, abstained=True, reason=reason) for name, one in findings.items()}
            said.append(f"heart abstained: {reason}")
        return HeartScore(
            findings,
            config.name,
            tuple(int(i) for i in part.index),
            tuple(float(s) for s in part.seconds),
            (int(part.index[0]), int(part.index[-1])),
            outlier,
            _key_frames(findings, part),
            bool(reason),
            reason,
            tuple(said),
        )

    @torch.inference_mode()
    def distance(self, track: Track) -> float:
        """How far a clip lies from the training frames: mean over its frames."""
        return float(self.head.gate(torch.from_numpy(track.embeddings)).mean())

    @torch.inference_mode()
    def likeness(self, track: Track) -> float:
        """How much more a clip is like the strangers the head was shown than like its training: mean logit."""
        return float(self.head.gate.stranger(torch.from_numpy(track.embeddings)).mean())

    def _reason(self, track: Track, outlier: float, like: float) -> str:
        """Why nothing should be said of a clip, or empty."""
        if outlier > 1 or like > self.head.config.stranger:
            return "the clip does not look like those the head was trained on"
        if len(track) < LEAST:
            return f"fewer than {LEAST} frames show no motion to judge"
        return "nothing moves in the clip" if bool((track.embeddings == track.embeddings[0]).all()) else ""

    def _segment(self, track: Track) -> Segment | None:
        if self.planes is None:
            raise NotAvailable("a segment without planes", "a model that knows planes", "segment=False")
        if self.head.config.locator:
            raise NotAvailable("a segment of frames cut out about the heart", "a head of whole frames", "segment=False")
        found = self.planes(track.embeddings)
        if PLANE not in found[0].scores:
            raise NotAvailable(f"planes without {PLANE!r}", "a model that knows it", "segment=False")
        table = np.array([[0.0 if one.abstained else one[PLANE]] for one in found])
        return best_segment(table, 0, self.head.config.shape.frames)


def sight_of(config: HeartConfig) -> Sight:
    """How a head looks at clips."""
    return Sight(config.overlay, config.rate, config.locator, config.margin, config.grids)


def still(track: Track, frames: int) -> Track:
    """The middle frame of a clip as a clip of ``frames`` that are all alike: what one picture shows."""
    middle = len(track) // 2
    places = np.full(frames, middle)
    return track.at(places, np.arange(frames) / RATE)


@torch.inference_mode()
def clip_logits(head: HeartHead, track: Track) -> tuple[Floats, Floats]:
    """Logits of a clip (findings,), before the temperature, and attention (findings, T) that sums to 1."""
    said, attention = branch_logits(head, track)
    return np.asarray((said * head.net.mix.double().numpy()).sum(axis=0)), attention


@torch.inference_mode()
def branch_logits(head: HeartHead, track: Track) -> tuple[Floats, Floats]:
    """Logits of each branch of the net for a clip (branches, findings), and attention (findings, T)."""
    config = head.config
    places = cut(len(track), config)
    frames, seconds, padded = window_arrays(track, places)
    logits, weights = [], []
    for start in range(0, len(places), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        said, looked = head.net.branches(frames[part], seconds[part], padded[part])
        logits.append(said.double().numpy())
        weights.append(looked.double().numpy())
    table, shares = np.concatenate(logits), np.concatenate(weights)  # (W, K, F), (W, F, 16)
    joined = join(table.reshape(len(table), -1), config.join).reshape(table.shape[1:])
    return joined, _over_time(shares, table[:, 0], places, len(track), config.join)


def cut(count: int, config: HeartConfig) -> Places:
    """The windows of a clip of ``count`` frames as this head takes them, (W, frames)."""
    shape = config.shape
    return spread_out(count, shape.frames) if shape.kind == "concat" else windows(count, shape.frames, config.stride)


def window_arrays(track: Track, places: Places) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frames (W, 16, d), seconds (W, 16) and what is padded (W, 16) of windows by their places, -1 for none."""
    padded = places < 0
    at = np.where(padded, 0, places)
    seconds = torch.from_numpy((track.seconds[at] - track.seconds[at[:, :1]]).astype(np.float32))
    return torch.from_numpy(track.seen[at]), seconds, torch.from_numpy(padded)


def answers(config: HeartConfig, logits: Floats, attention: Floats | None = None) -> dict[str, Finding]:
    """Calibrated findings of one clip from its logits (findings,), each answered or abstained."""
    found = {}
    for i, name in enumerate(config.findings):
        p = probability(float(logits[i]), config.temperatures[name], config.offsets[name])
        absent, present = config.bounds[name]
        believed = (p <= absent, 1 - p <= present)  # 1 - p of the answer is at most its bound
        reason = {(True, True): "both answers can be", (False, False): "neither answer fits"}.get(believed, "")
        seen = () if attention is None or config.shape.kind == "concat" else tuple(float(w) for w in attention[i])
        if not reason and (p >= 0.5) != believed[1]:
            reason = "the believed answer is the less likely one"
        found[name] = Finding(p, bool(reason), reason, seen)
    return found


def probability(logit: float, temperature: float, offset: float = 0.0) -> float:
    """The sigmoid of a logit over its temperature, plus the offset."""
    return float(1 / (1 + np.exp(-np.clip(logit / temperature + offset, -60, 60))))


def _over_time(shares: Floats, logits: Floats, places: Places, count: int, how: str) -> Floats:
    """Attention within windows (W, F, 16) over the clip (F, T); windows weigh as they do in the join."""
    weight = np.ones_like(logits) if how == "mean" else np.exp(logits - logits.max(axis=0))
    weight = weight / weight.sum(axis=0)  # (W, F)
    total = np.zeros((logits.shape[1], count))
    real = places >= 0
    for window, shown, share, each in zip(places, real, shares, weight, strict=True):
        np.add.at(total.T, window[shown], (share[:, shown] * each[:, None]).T)
    return total


def _key_frames(findings: dict[str, Finding], track: Track) -> tuple[KeyFrame, ...]:
    """The frames that the likeliest finding rests on, apart by half a window's stride at least, in order of time."""
    name, top = max(findings.items(), key=lambda item: item[1].probability)
    weights: npt.NDArray[np.float64] = np.array(top.attention)
    chosen: list[int] = []
    for i in np.argsort(-weights, kind="stable"):
        if len(chosen) < _KEYS and all(abs(int(i) - other) >= 4 for other in chosen):
            chosen.append(int(i))
    return tuple(
        KeyFrame(int(track.index[i]), float(track.seconds[i]), float(weights[i]), name) for i in sorted(chosen)
    )


def _told(track: Track) -> list[str]:
    """What limits the answer."""
    said = []
    if len(track) < LEAST:
        said.append(f"heart: {len(track)} frames are too few to see motion")
    if not track.timed:
        said.append("heart: the clip does not tell its times; 30 frames per second were taken")
    return said


class Hearts:
    """The heart heads of a model by name, each loaded when it is first asked for.

    Args:
        encoder: the model's encoder.
        folder: the model folder, whose ``hearts`` folder is looked into; None for a model without one.
        planes: the model's planes.
        segmenter: the model's heads that draw masks.
    """

    def __init__(self, encoder: Encoder, folder: Path | None, planes: PlaneTask, segmenter: Segmenter) -> None:
        self.encoder, self.planes, self.segmenter = encoder, planes, segmenter
        self.folders = folders_within(folder, HEARTS)
        self._ready: dict[Path, HeartTask] = {}

    def config(self, head: str | Path | None = None) -> HeartConfig:
        """What a head is, without its weights; arguments and errors as `task`."""
        return read_heart_config(self._folder(head))

    def task(self, head: str | Path | None = None) -> HeartTask:
        """A head by name, by a folder anywhere, or the model's only one.

        Raises:
            NotAvailable: no such head, or several without a name.
            BadCheckpoint: a damaged one, or one trained on another encoder.
        """
        folder = self._folder(head)
        if folder not in self._ready:
            loaded = load_heart(folder, self.encoder.embedding_sha256)
            name = loaded.config.locator
            locator = self.segmenter.task(name) if name else None
            self._ready[folder] = HeartTask(self.encoder, loaded, self.planes, locator)
        return self._ready[folder]

    def _folder(self, head: str | Path | None) -> Path:
        known = ", ".join(self.folders) or "none"
        if head is None:
            if len(self.folders) == 1:
                return next(iter(self.folders.values()))
            raise NotAvailable(f"no heart head named; this model has {known}", "a head folder", "--head FOLDER")
        if isinstance(head, str) and head in self.folders:
            return self.folders[head]
        try:
            if Path(head).is_dir():
                return Path(head)
        except (OSError, ValueError):  # a name too long for a path, or with a zero byte
            raise UsageError("a head's name that is no path", "a head folder") from None
        found = f"no heart head {str(head)!r:.100}"
        raise NotAvailable(found, f"a head folder, or one of this model's ({known})", "fetalclip train heart.yaml")
