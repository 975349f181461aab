"""Texts that begin alike, encoded as a tree: what they share is run once.

A token of a causal tower sees only the tokens before it. Texts sorted by their tokens are therefore the leaves of a
tree whose branches are the beginnings they share: each branch is run once, its keys and values are kept, and what
follows attends to them. The numbers are those of encoding every text by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Ints = npt.NDArray[np.int64]
Row = tuple[int, ...]

_ROWS = 8192  # texts of one tree
_TOKENS, _SEEN = 4096, 32_768  # tokens run at a time, and tokens they look at
_ROOM = 256_000_000  # bytes of keys and values of one tree's branches
_HELD = 512_000_000  # bytes of keys and values that are kept between calls


@dataclass(frozen=True)
class Branch:
    """A run of tokens shared by the sorted rows ``first`` to ``last``, positions ``start`` to ``stop`` (both halves
    open at the end)."""

    first: int
    last: int
    start: int
    stop: int


class TextTree:
    """Encodes texts given as token ids.

    Args:
        tower: a text tower, ready to infer on its device.
        device: where.
    """

    def __init__(self, tower: Any, device: str) -> None:
        self.tower, self.device = tower, device
        self.blocks = list(tower.transformer.resblocks)
        self._pool: Tensor | None = None  # (layers, 2, slots, heads, D / heads): keys and values, one slot a token
        self._kept = 0  # slots in use by what is held
        self._stems: dict[Row, Ints] = {}

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
        """Raw embeddings.

        Args:
            rows: distinct ids of n texts, each up to and with its end token.

        Returns:
            (n, d) float32, not normalised.
        """
        order = sorted(range(len(rows)), key=lambda i: rows[i])
        made = np.zeros((len(rows), self.tower.text_projection.shape[1]), np.float32)
        for begin in range(0, len(order), _ROWS):
            part = order[begin : begin + _ROWS]
            ids, lengths = _matrix([rows[i] for i in part])
            for first, last in _fitting(inner_tokens(_alike(ids, lengths)), max(1, _ROOM // self._bytes(1))):
                made[part[first:last]] = self._encode([rows[i] for i in part[first:last]])
        self._resize(self._kept)
        return made

    @torch.inference_mode()
    def hold(self, stems: Sequence[Row]) -> None:
        """Keep the keys and values of beginnings for the calls to come, as long as there is room for them."""
        new = sorted({stem for stem in stems if stem and stem not in self._stems})
        if not new:
            return
        ids, lengths = _matrix(new)
        tokens = int((lengths - _alike(ids, lengths)).sum())
        if self._bytes(self._kept + tokens) > _HELD:
            return
        self._resize(self._kept + tokens)
        slots = np.zeros(ids.shape, np.int64)
        for level in plan(ids, lengths, [(0, len(new), 0)]):
            self._kept = _place(level, slots, self._kept)
            for batch in _batches(level):
                self._run(batch, ids, slots, keep=True)
        self._stems |= {stem: slots[i, : len(stem)].copy() for i, stem in enumerate(new)}

    def _encode(self, rows: list[Row]) -> npt.NDArray[np.float32]:
        """Embeddings of sorted rows, (n, d)."""
        ids, lengths = _matrix(rows)
        slots, roots, used = np.zeros(ids.shape, np.int64), self._roots(rows), self._kept
        for first, last, depth in roots:
            if depth:
                slots[first:last, :depth] = self._stems[rows[first][:depth]]
        self._resize(used + int(inner_tokens(_alike(ids, lengths)).sum()))
        made = np.zeros((len(rows), self.tower.text_projection.shape[1]), np.float32)
        for level in plan(ids, lengths, roots):
            inner = [branch for branch in level if branch.last - branch.first > 1]
            used = _place(inner, slots, used)
            for batch in _batches(inner):
                self._run(batch, ids, slots, keep=True)
            for batch in _batches([branch for branch in level if branch.last - branch.first == 1]):
                x = self._run(batch, ids, slots, keep=False)
                found = self.tower.ln_final(x) @ self.tower.text_projection
                made[[branch.first for branch in batch]] = found.float().cpu().numpy()
        return made

    def _roots(self, rows: list[Row]) -> list[tuple[int, int, int]]:
        """Runs of rows by the longest held stem they begin with: first, last, its length."""
        lengths = sorted({len(stem) for stem in self._stems}, reverse=True)
        runs: list[tuple[int, int, int]] = []
        before: Row | None = None
        for i, row in enumerate(rows):
            stem = next((row[:n] for n in lengths if n < len(row) and row[:n] in self._stems), ())
            if runs and stem == before:
                runs[-1] = (runs[-1][0], i + 1, len(stem))
            else:
                runs.append((i, i + 1, len(stem)))
            before = stem
        return runs

    def _run(self, batch: list[Branch], ids: Ints, slots: Ints, keep: bool) -> Tensor:
        """Run branches after what comes before them: (B, D) states of their last tokens, before the final norm.

        ``keep`` writes the keys and values to the branches' slots.
        """
        first, start = (np.array([getattr(b, name) for b in batch]) for name in ("first", "start"))
        own = np.array([b.stop - b.start for b in batch])
        past, length = int(start.max()), int(own.max())
        places = start[:, None] + np.arange(length)  # (B, N) positions, some beyond a branch's end
        inside = np.arange(length) < own[:, None]
        columns = np.minimum(places, ids.shape[1] - 1)
        tokens = self._tensor(np.where(inside, ids[first[:, None], columns], 0))
        x = self.tower.token_embedding(tokens) + self.tower.positional_embedding[self._tensor(columns)]
        path = self._tensor(np.where(np.arange(past) < start[:, None], slots[first, :past], 0))  # (B, P)
        goal = self._tensor(slots[first[:, None], columns][inside])
        mask = self._mask(start, length)
        inner, ends = self._tensor(inside), self._tensor(own - 1)
        rows = torch.arange(len(batch), device=self.device)
        for i, block in enumerate(self.blocks):
            q, k, v = block.project(x)  # (B, heads, N, D / heads)
            if keep:
                pool = self._pool
                assert pool is not None
                pool[i, 0, goal] = k.transpose(1, 2)[inner]
                pool[i, 1, goal] = v.transpose(1, 2)[inner]
            if past:
                assert self._pool is not None
                k, v = (torch.cat([self._pool[i, j][path].transpose(1, 2), new], dim=2) for j, new in enumerate((k, v)))
            seen = mask
            if i == len(self.blocks) - 1:  # of the last block only the last token is read
                q, x = q[rows, :, ends].unsqueeze(2), x[rows, ends].unsqueeze(1)
                seen = mask[rows % len(mask), :, ends].unsqueeze(2)
            x = block.finish(x, F.scaled_dot_product_attention(q, k, v, attn_mask=seen))
        return x[:, 0]

    def _mask(self, start: Ints, length: int) -> Tensor:
        """What each token may see, (B or 1, 1, N, P + N): all of the past that is its own, itself, its forerunners."""
        past = int(start.max())
        counted = start[:1] if (start == start[0]).all() else start
        before = np.broadcast_to((np.arange(past) < counted[:, None])[:, None, :], (len(counted), length, past))
        causal = np.broadcast_to(np.tri(length, dtype=bool), (len(counted), length, length))
        return self._tensor(np.concatenate([before, causal], axis=2)[:, None])

    def _resize(self, slots: int) -> None:
        """Room for so many slots and no more; what is held stays."""
        have = 0 if self._pool is None else self._pool.shape[2]
        if slots == have:
            return
        weight, heads = self.tower.token_embedding.weight, self._heads()
        shape = (len(self.blocks), 2, slots, heads, weight.shape[1] // heads)
        other = torch.empty(shape, dtype=weight.dtype, device=self.device)
        if self._pool is not None:
            other[:, :, : self._kept] = self._pool[:, :, : self._kept]
        self._pool = other

    def _heads(self) -> int:
        block = self.blocks[0]
        return int(getattr(block, "heads", 0) or block.attn.heads)

    def _bytes(self, slots: int) -> int:
        weight = self.tower.token_embedding.weight
        return slots * len(self.blocks) * 2 * weight.shape[1] * weight.element_size()

    def _tensor(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def plan(ids: Ints, lengths: Ints, roots: Sequence[tuple[int, int, int]]) -> Iterator[list[Branch]]:
    """The tree over sorted rows, level by level: a level's branches follow only branches of the levels before it.

    Args:
        ids: (n, longest) sorted rows, padded with -1.
        lengths: (n,).
        roots: runs of rows with the number of tokens that were run already: first, last, depth.
    """
    alike = _alike(ids, lengths)
    level = list(roots)
    while level:
        found, deeper = [], []
        for first, last, start in level:
            stop = int(lengths[first]) if last - first == 1 else int(alike[first + 1 : last].min())
            if stop > start:
                found.append(Branch(first, last, start, stop))
            if last - first > 1:
                cuts = np.flatnonzero(alike[first + 1 : last] == stop) + first + 1
                ends = [first, *cuts.tolist(), last]
                deeper += [(a, b, stop) for a, b in pairwise(ends)]
        level = deeper
        if found:
            yield found


def shared(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """What each row begins with like its counterpart."""
    stems = []
    for row, other in zip(rows, others, strict=True):
        n = next((i for i, (a, b) in enumerate(zip(row, other, strict=False)) if a != b), min(len(row), len(other)))
        stems.append(row[:n])
    return stems


def inner_tokens(alike: Ints) -> Ints:
    """Tokens that each sorted row is the first to have and the next row has too, (n,): those of the branches."""
    after = np.append(alike[1:], 0)
    return np.asarray(np.maximum(after - alike, 0))


def _fitting(tokens: Ints, room: int) -> Iterator[tuple[int, int]]:
    """Runs of rows, first and last, whose tokens fit the room; one row at least."""
    first, total = 0, 0
    for i, n in enumerate(tokens.tolist()):
        if i > first and total + n > room:
            yield first, i
            first, total = i, 0
        total += n
    if first < len(tokens):
        yield first, len(tokens)


def _place(branches: list[Branch], slots: Ints, used: int) -> int:
    """Give every token of the branches a slot from ``used`` on; returns how many are used then."""
    for branch in branches:
        n = branch.stop - branch.start
        slots[branch.first : branch.last, branch.start : branch.stop] = np.arange(used, used + n)
        used += n
    return used


def _matrix(rows: Sequence[Row]) -> tuple[Ints, Ints]:
    """Rows as one array padded with -1, and their lengths."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.full((len(rows), int(lengths.max(initial=0))), -1, dtype=np.int64)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = [i for row in rows for i in row]
    return ids, lengths


def _alike(ids: Ints, lengths: Ints) -> Ints:
    """How many tokens each row begins with like the row before it, (n,); 0 of the first."""
    found = np.zeros(len(ids), np.int64)
    if len(ids) > 1:
        same = np.logical_and.accumulate(ids[1:] == ids[:-1], axis=1).sum(axis=1)
        found[1:] = np.minimum(same, np.minimum(lengths[1:], lengths[:-1]))
    return found


def _batches(level: list[Branch]) -> Iterator[list[Branch]]:
    """Like shapes together: as long, and after as many tokens."""
    rows = sorted(level, key=lambda b: (b.stop - b.start, b.start, b.first))
    batch: list[Branch] = []
    length = past = 0
    for branch in rows:
        longer, later = max(length, branch.stop - branch.start), max(past, branch.start)
        count = len(batch) + 1
        if batch and (longer * count > _TOKENS or (longer + later) * count > _SEEN):
            yield batch
            batch, longer, later = [], branch.stop - branch.start, branch.start
        batch.append(branch)
        length, past = longer, later
    if batch:
        yield batch
