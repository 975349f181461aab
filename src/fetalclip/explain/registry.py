"""The methods by name. Light: their modules are loaded when they are run.

A new method is one module in this folder and one entry here. The module has ``attribute(view) -> Tensor``: a signed
(h, w) map of any size over the square that the tower saw; see `fetalclip.explain.view.View`. What is negative is left
out, the rest is brought to the scan's pixels and raised to the method's power.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

CONVOLUTIONAL, TRANSFORMER = "convolutional", "transformer"


@dataclass(frozen=True)
class Method:
    """A named method.

    Attributes:
        name: what the user types, and its module with a low line.
        about: one line.
        towers: kinds of image tower it works on.
        power: its map is raised to; chosen on validation pictures (docs/explain.md).
        reads_text: whether another text gives another map.
    """

    name: str
    about: str
    towers: tuple[str, ...]
    power: float = 1.0
    reads_text: bool = True

    def load(self) -> Callable[[Any], Any]:
        """Its ``attribute``."""
        module = import_module(f"fetalclip.explain.{self.name.replace('-', '_')}")
        found: Callable[[Any], Any] = module.attribute
        return found


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "erasing",
            "hires-cam, and again on the picture with what it found blurred away",
            (CONVOLUTIONAL,),
            power=3.0,
        ),
        Method(
            "hires-cam",
            "gradient times activation of one block, place by place",
            (CONVOLUTIONAL,),
            power=2.0,
        ),
        Method(
            "score-cam",
            "channels of one block, each weighted by the score of the picture seen through it alone, as published",
            (CONVOLUTIONAL, TRANSFORMER),
        ),
        Method(
            "score-cam-centred",
            "the same, each channel weighted by how much better or worse it scores than the others",
            (CONVOLUTIONAL, TRANSFORMER),
            power=2.0,
        ),
        Method("grad-cam", "channels of one block, each weighted by its mean gradient", (CONVOLUTIONAL,), power=2.0),
        Method(
            "rollout",
            "attention from the class token down to the patches, the same for every text",
            (TRANSFORMER,),
            reads_text=False,
        ),
        Method(
            "occlusion",
            "what the score loses when a window is blurred: slow, the reference",
            (CONVOLUTIONAL, TRANSFORMER),
        ),
    )
}

_DEFAULT = {CONVOLUTIONAL: "erasing", TRANSFORMER: "score-cam-centred"}


def method_for(kind: str, name: str | None = None) -> Method:
    """The method of that name, or the kind of tower's own.

    Raises:
        UsageError: no such method, or it does not work on such a tower.
    """
    method = method_named(name or _DEFAULT[kind])
    if kind not in method.towers:
        able = ", ".join(one.name for one in METHODS.values() if kind in one.towers)
        raise UsageError(
            f"method {method.name} on a {kind} image tower", f"one of {able}", f"--method {able.split(',')[0]}"
        )
    return method


def method_named(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r:.60}", "one of " + ", ".join(METHODS), f"--method {next(iter(METHODS))}")
    return METHODS[name]
