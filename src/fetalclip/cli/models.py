"""``fetalclip models``: which models there are and what they are; answers without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli.output import Voice, json_line, printable, table

if TYPE_CHECKING:
    from fetalclip.cards import Card

app = typer.Typer(
    no_args_is_help=True, help="List the models, or show one.", rich_markup_mode=None, add_completion=False
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


def _facts(card: Card) -> list[str]:
    facts: list[tuple[str, object]] = [
        ("name", card.name),
        ("licence", card.license),
        ("here", "yes" if card.available else "no"),
        ("note", card.note),
        ("hub", card.hub),
        ("folder", card.folder or ""),
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
