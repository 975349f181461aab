"""Image quality of one picture as named checks: pass, fail or cannot tell, each with what was measured and its limit.

A new check is one function ``check(scene) -> Check`` and one entry in `CHECKS`. numpy only.

::

    scene = Scene.of(frame, "brain", masks=drawn.masks)  # drawn: a Segmentation
    for check in examine(scene):
        print(check.name, check.verdict, check.reason)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fetalclip.quality import brain, fill, gain, shadow
from fetalclip.quality.scene import STRUCTURE_OF, Mask, Scene
from fetalclip.result.quality import Check

__all__ = ["CHECKS", "STRUCTURE_OF", "Mask", "NamedCheck", "Scene", "examine"]


@dataclass(frozen=True)
class NamedCheck:
    """One entry of the registry.

    Attributes:
        name: what its `Check` is called.
        title: what a reader sees.
        ask: the check.
        planes: on which it is asked; empty: on all.
    """

    name: str
    title: str
    ask: Callable[[Scene], Check]
    planes: tuple[str, ...] = ()


CHECKS: tuple[NamedCheck, ...] = (
    NamedCheck("size", "structure fills 30 %", fill.size, tuple(STRUCTURE_OF)),
    NamedCheck("edge", "structure not cut by an edge", fill.edge, tuple(STRUCTURE_OF)),
    NamedCheck("gain low", "gain not too low", gain.low),
    NamedCheck("gain high", "gain not too high", gain.high),
    NamedCheck("shadow", "little in shadow", shadow.shadow),
    NamedCheck("no cerebellum", "no cerebellum", brain.cerebellum, ("brain",)),
    NamedCheck("midline", "symmetric: midline in the middle", brain.midline, ("brain",)),
)
"""In the order of a table."""


def examine(scene: Scene) -> tuple[Check, ...]:
    """Every check that the scene's plane has, in the order of `CHECKS`."""
    return tuple(one.ask(scene) for one in CHECKS if not one.planes or scene.plane in one.planes)
