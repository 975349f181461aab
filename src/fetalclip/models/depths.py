"""States of a tower after chosen blocks: what every image tower's ``token_maps`` does, whatever its blocks are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from fetalclip.errors import UsageError


def after_blocks(states: Iterable[Tensor], depths: Sequence[int], depth: int) -> list[Tensor]:
    """The states after the named blocks, in the order asked; blocks beyond the deepest are not run.

    Args:
        states: what comes out of block 1, 2, …, computed as they are asked for.
        depths: block numbers, 1 to ``depth``.
        depth: number of blocks.

    Raises:
        UsageError: no depth, or one this tower does not have.
    """
    wanted = {int(d) for d in depths}
    if not wanted or min(wanted) < 1 or max(wanted) > depth:
        raise UsageError(f"token maps at depths {list(depths)}", f"one or more of 1 to {depth}")
    found: dict[int, Tensor] = {}
    for number, state in enumerate(states, start=1):
        if number in wanted:
            found[number] = state
        if number == max(wanted):
            break
    return [found[int(d)] for d in depths]
