"""What ``fetalclip models`` does with other people's models that have no card here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fetalclip.cli.output import Voice, json_line, printable, table

if TYPE_CHECKING:
    from fetalclip.models.pull_others import Offered

NAMES = (
    "Also by name: imagenet; transformers:FOLDER or OWNER/NAME; openclip:ARCHITECTURE@FILE, FOLDER or OWNER/NAME "
    "(docs/other-models.md)."
)


def pull(
    name: str, revision: str | None, offline: bool, accept: Callable[[], bool], voice: Voice, as_json: bool
) -> None:
    """Fetch the files of a repository, once the licence on its card has been accepted.

    Args:
        name: of `fetalclip.foreign`.
        revision: branch, tag or commit; replaces what is here.
        offline: use no network.
        accept: whether the user accepts; asked when the terms have been told.
        voice, as_json: as of every command.
    """
    from fetalclip.foreign import look
    from fetalclip.models import pull_others as puller

    found = look(name)
    there = (found.here and not found.tag) or found.weights is not None
    if there and (revision is None or not found.repository):
        here = {"schema": "fetalclip.pull/1", "name": found.name, "license": found.license, "folder": found.folder}
        voice.talk(f"{printable(found.name)} is here already.")
        voice.data(json_line({**here, "fetched": False}) if as_json else printable(found.folder or found.name))
        return
    offered = puller.offer(found, revision or "main", offline)
    for line in _terms(offered):
        voice.talk(line)
    folder = puller.pull(offered, accept(), lambda line: voice.talk(printable(line)))
    voice.data(json_line(offered.to_dict(folder, True)) if as_json else printable(folder))
    voice.talk(f"Next: fetalclip embed your-scan.png -o F.npz --model {printable(name)}")


def _terms(offered: Offered) -> list[str]:
    """What is fetched and under which licence, for the person who decides."""
    facts = [
        ("model", offered.found.name),
        ("repository", offered.repository),
        ("files", ", ".join(file.name for file in offered.files.values())),
        ("size", f"{offered.size / 1e6:,.1f} MB"),
        ("licence", offered.license + (" (its card names none)" if offered.license == "unknown" else "")),
    ]
    return [
        printable(offered.found.summary),
        *table(facts),
        "The licence's own text is what holds.",
    ]
