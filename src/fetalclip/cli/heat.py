"""Heat maps for the page of ``analyze``: where the plane of each picture comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.frame import Frame
    from fetalclip.result import Analysis, Attribution

AUTO = "auto"


def check_heat(method: str | None, report: Path | None, prompts: str | None) -> None:
    """Refuse ``--explain`` where it cannot be shown, before a model is loaded.

    Raises:
        UsageError: no page, candidates of the user's own, or no such method.
    """
    if method is None:
        return
    if report is None:
        raise UsageError("--explain without --report", "a page to show it on", "--report report.html")
    if prompts is not None:
        raise UsageError("--explain with --prompts", "the model's own planes", "fetalclip explain PATH --text TEXT")
    if method != AUTO:
        from fetalclip.explain.registry import method_named

        method_named(method)


class Heat:
    """Explains the plane of each picture.

    Args:
        network: the model.
        method: `AUTO` or the name of one.
        overlay: as the pictures were analysed.

    Raises:
        UsageError: a method that is not for the model's tower.
        NotAvailable: a model that reads no text.
    """

    def __init__(self, network: Any, method: str, overlay: str) -> None:
        self.network, self.method, self.overlay = network, None if method == AUTO else method, overlay
        network.explainer.method(self.method)
        network.explainer.ask("brain")

    def __call__(self, analysis: Analysis, frame: Frame | None) -> Attribution | None:
        """The heat map of the plane that was told; None where none was."""
        plane = analysis.plane
        if frame is None or plane is None or plane.abstained or not plane.scores:
            return None
        found: Attribution = self.network.explain(frame, plane.label, self.method, None, self.overlay)
        return found
