"""``fetalclip models``: which models there are, what they are, and how to get one; list and show need no torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.models_others import NAMES
from fetalclip.cli.models_others import pull as pull_other
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, printable, table

if TYPE_CHECKING:
    from fetalclip.cards import Card
    from fetalclip.models.pull import Offer

app = typer.Typer(
    no_args_is_help=True, help="List the models, show or get one.", rich_markup_mode=None, add_completion=False
)

_JSON = Annotated[bool, typer.Option("--json", help="One JSON object per model on stdout.")]


@app.command("list")
def list_models(as_json: _JSON = False) -> None:
    """List every model by name, with its licence and whether it is here."""
    from fetalclip.cards import list_cards

    voice, cards = Voice(), list_cards()
    if as_json:
        for card in cards:
            voice.data(json_line(card))
        return
    rows = [(card.name, "yes" if card.available else "no", card.license, card.summary) for card in cards]
    for line in table(rows, header=("name", "here", "licence", "what it is")):
        voice.data(line)
    for card in cards:
        if card.note:
            voice.talk(f"{printable(card.name)}: {printable(card.note)}")
    voice.talk(NAMES)


@app.command("show", no_args_is_help=True)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from the list, or a model folder.")],
    as_json: _JSON = False,
) -> None:
    """Show one model: what it is, its licence, its numbers, its limits."""
    from fetalclip.cards import get_card

    voice, card = Voice(), get_card(name)
    if as_json:
        voice.data(json_line({**card.to_dict(), "config": card.config, "card": card.readme or None}))
        return
    for line in _facts(card):
        voice.data(line)
    if card.readme:
        voice.data("")
        for line in card.readme.rstrip().splitlines():
            voice.data(printable(line))


@app.command("pull", no_args_is_help=True)
def pull(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name from the list, or transformers:... or openclip:... .")
    ],
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept the licence of the weights without being asked.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network, only the hub's own cache (also HF_HUB_OFFLINE=1).")
    ] = False,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="R", help="A branch, tag or commit; replaces what is here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch other people's weights from the hub, once you have accepted their licence.

    A download that breaks goes on where it stopped when you type the command again.
    """
    from fetalclip.foreign import is_foreign
    from fetalclip.models import pull as puller

    voice = Voice()
    if is_foreign(name):
        pull_other(name, revision, offline, lambda: accept_license or _typed_yes(voice, name), voice, as_json)
        return
    card = puller.find(name)
    if card.available and revision is None:
        here = {"schema": "fetalclip.pull/1", "name": name, "license": card.license, "folder": card.folder}
        voice.talk(f"{name} is here already.")
        voice.data(json_line({**here, "fetched": False}) if as_json else printable(card.folder or name))
        return
    offered = puller.offer(name, revision or puller.MAIN, offline)
    for line in _terms(offered):
        voice.talk(line)
    made = puller.pull(offered, accept_license or _typed_yes(voice, name), voice.talk)
    voice.data(json_line(made) if as_json else printable(made.folder))
    voice.talk(f"{made.parameters:,} parameters. Next: fetalclip analyze your-scan.png --model {name}")


def _terms(offered: Offer) -> list[str]:
    """What is fetched and under which licence, for the person who decides."""
    file = offered.file
    size = f"{file.size / 1e6:,.1f} MB" if file.size is not None else "unknown"
    facts = [
        ("model", offered.card.name),
        ("repository", file.repository),
        ("file", file.name),
        ("revision", f"{file.revision} ({file.commit[:12]})" if file.commit else file.revision),
        ("size", size + (", in the hub's cache already" if offered.local else "")),
        ("licence", offered.card.license),
    ]
    return [printable(offered.card.summary), *table(facts), printable(offered.meaning)]


def _typed_yes(voice: Voice, name: str) -> bool:
    """Ask at the terminal; without one nobody can answer.

    Raises:
        UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        from fetalclip.errors import UsageError

        fix = f"fetalclip models pull {name} --accept-license"
        raise UsageError("there is no terminal to ask for the licence", "--accept-license", fix)
    voice.talk("Type yes to accept the licence and download:")
    return sys.stdin.readline().strip().lower() == "yes"


def _facts(card: Card) -> list[str]:
    from fetalclip.foreign import INSTALL

    facts: list[tuple[str, object]] = [
        ("name", card.name),
        ("licence", card.license),
        ("here", "yes" if card.available else "no"),
        ("note", card.note),
        ("source", f"{card.hub} on the Hugging Face hub" if card.hub else ""),
        ("folder", card.folder or (card.foreign and (card.foreign.folder or card.foreign.weights)) or ""),
        ("needs", "" if card.foreign is None or card.foreign.installed else INSTALL[card.foreign.kind]),
        ("sha256", card.sha256),
        ("image size", _inner(card.config, "preprocess", "image_size")),
        ("embedding", _inner(card.config, "architecture", "embed_dim")),
        ("image tower", _inner(card.config, "architecture", "image", "kind")),
        ("prompts", _inner(card.config, "planes", "prompts")),
    ]
    return [printable(card.summary), "", *table([fact for fact in facts if fact[1] not in ("", None)])]


def _inner(config: Mapping[str, Any], *keys: str) -> Any:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
