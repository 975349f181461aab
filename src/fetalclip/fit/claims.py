"""Which captions of a batch are true of which pictures, a whole table at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fetalclip.clinical.factory import Record

Bools = npt.NDArray[np.bool_]


def diagonal(count: int) -> tuple[Tensor, Tensor]:
    """Only its own caption is true of a picture: (B, B) true and (B, B) unknown, bool."""
    return torch.eye(count, dtype=torch.bool), torch.zeros(count, count, dtype=torch.bool)


def truth_table(known: Sequence[Record], said: Sequence[Record]) -> tuple[Tensor, Tensor]:
    """Which captions are true of which pictures, and of which that is not known: (B, T) bool each.

    As `fetalclip.clinical.captions.truth` for what `Facts` can tell. Beyond it: a caption that names a view the picture
    does not show is false; free text and findings of another picture are of unknown truth unless they are the same.

    Args:
        known: of B pictures.
        said: by T captions; those from 0 to B - 1 are the pictures' own and true of them.
    """
    false, unknown = _views(known, said)
    for name in ("subplane", "age", "spacing", "machine"):
        off, open_ = _field(known, said, name)
        false, unknown = false | off, unknown | open_
    for name in ("findings", "text"):
        off, open_ = _field(known, said, name)
        unknown |= off | open_
    unknown &= ~false
    own = np.eye(len(known), len(said), dtype=bool)
    true = own | ~(false | unknown)
    return torch.from_numpy(true), torch.from_numpy(unknown & ~own)


def _views(known: Sequence[Record], said: Sequence[Record]) -> tuple[Bools, Bools]:
    """False where a caption names a view that is not there; unknown where a picture's views are."""
    names = sorted({view for record in (*known, *said) for view in record.views})
    there, claimed = (np.array([[n in r.views for n in names] for r in side], bool) for side in (known, said))
    there, claimed = there.reshape(len(known), len(names)), claimed.reshape(len(said), len(names))
    lacking = (~there).astype(np.int32) @ claimed.T.astype(np.int32) > 0  # (B, T)
    nothing = np.asarray(~there.any(axis=1))
    return lacking & ~nothing[:, None], lacking & nothing[:, None]


def _field(known: Sequence[Record], said: Sequence[Record], name: str) -> tuple[Bools, Bools]:
    """Where a claim differs from the fact, and where there is a claim and no fact."""
    values: dict[object, int] = {None: 0, (): 0}
    coded = [np.array([values.setdefault(getattr(r, name), len(values)) for r in side], int) for side in (known, said)]
    fact, claim = np.meshgrid(*coded, indexing="ij")  # (B, T) each
    return (claim > 0) & (fact > 0) & (claim != fact), (claim > 0) & (fact == 0)
