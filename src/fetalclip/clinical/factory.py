"""The caption factory: everything known of a picture to varied captions, by a grammar of our own.

A caption says the views and a random subset of the rest, in one of five styles: prose, a leading clause, separate
sentences, a labelled report, tags. What it says comes back with it. A caption that is too long for the text tower
loses whole clauses, the least telling first, and never a part of one. The words are in `wording`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fetalclip.clinical import wording
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.vocabulary import REJECTS, SUBPLANES
from fetalclip.errors import InputError

T = TypeVar("T")
Measure = Callable[[str], int]

MAX_TOKENS = 117  # the published text tower's context, start and end token counted in
STYLES = ("prose", "lead", "sentences", "report", "tags")
DROPPED_FIRST = ("machine", "spacing", "findings", "age", "subplane")
_SPECIALS = 2
_MEMO = 200_000  # pieces whose length is remembered


@dataclass(frozen=True)
class Record:
    """All that is known of a picture, or all that a caption says of it; empty: unknown, or not said.

    Attributes:
        views: keys of ``PLANES``, or one key of ``REJECTS``.
        subplane: a key of ``SUBPLANES``; only of a brain.
        age: gestational age, days.
        spacing: mm per pixel of the picture the tower sees, two decimals.
        machine: as the table names it.
        findings: as the table words them.
        text: free text, whole and unchanged.
    """

    views: tuple[str, ...] = ()
    subplane: str | None = None
    age: int | None = None
    spacing: float | None = None
    machine: str | None = None
    findings: tuple[str, ...] = ()
    text: str | None = None

    @property
    def facts(self) -> Facts | None:
        """What the training loop compares (`captions.truth`); None without exactly one view."""
        if len(self.views) != 1:
            return None
        return Facts(self.views[0], self.subplane, self.age, self.spacing)


@dataclass(frozen=True)
class Written:
    """A caption.

    Attributes:
        text: one line.
        said: the facts it states; ``views`` names those it names.
        style: one of ``STYLES``, ``text`` for a text passed through, ``reject``.
        tokens: its length with start and end token, or an upper bound of a token or two more.
        dropped: facts left out because the caption would have been too long.
    """

    text: str
    said: Record
    style: str
    tokens: int
    dropped: tuple[str, ...] = ()


class CaptionFactory:
    """Writes captions of records; the same seed writes the same texts.

    Args:
        measure: tokens of a text, start and end token counted in, of the tokenizer the captions are for.
        rng: source of randomness.
        chance: how often a known fact is said, by name; 0.6 where not given, free text beside other facts 0.5.
        limit: longest caption in tokens.
    """

    def __init__(
        self, measure: Measure, rng: random.Random, chance: Mapping[str, float] | None = None, limit: int = MAX_TOKENS
    ) -> None:
        self._measure, self._rng, self.limit = measure, rng, limit
        self._chance = dict.fromkeys(DROPPED_FIRST, 0.6) | {"text": 0.5} | dict(chance or {})
        self._lengths: dict[str, int] = {}

    def seed(self, word: str) -> None:
        """Start the randomness anew, so that what a row gets does not hang on the rows before it."""
        self._rng.seed(word)

    def write(self, known: Record) -> Written:
        """One caption, true of a picture with these facts.

        Raises:
            InputError: nothing is known, or the free text or the shortest way to name the views is too long.
        """
        if not known.views:
            return self._pass_through(known)
        if known.views[0] in REJECTS:
            text = self._finish(self._pick(REJECTS[known.views[0]]))
            return Written(text, Record(known.views[:1]), "reject", self._measure(text))
        said = Record(
            known.views,
            self._maybe("subplane", known.subplane),
            self._maybe("age", known.age),
            self._maybe("spacing", known.spacing),
            self._maybe("machine", known.machine),
            self._maybe("findings", known.findings) or (),
        )
        if known.text and self._rng.random() < self._chance["text"]:
            return self._beside_text(said, known.text)
        return self._fitting(said, self._pick(STYLES))

    def several(self, known: Record, count: int) -> list[Written]:
        """Up to ``count`` different captions of a picture; fewer where there is no more to say, one of a text alone."""
        made: dict[str, Written] = {}
        for _ in range(3 * count):
            written = self.write(known)
            made.setdefault(written.text, written)
            if len(made) == count or written.style == "text":
                break
        return list(made.values())

    def _pass_through(self, known: Record) -> Written:
        if not known.text:
            raise InputError("nothing to say: neither a plane nor a text", "a plane, or a text")
        tokens = self._measure(known.text)
        if tokens > self.limit:
            raise InputError(f"a text of {tokens} tokens", f"at most {self.limit}", "shorten the text")
        return Written(known.text, Record(text=known.text), "text", tokens)

    def _beside_text(self, said: Record, text: str) -> Written:
        """The free text whole, after as many clauses as fit; alone where none do."""
        alone = self._pass_through(Record(text=text))
        try:
            before = self._fitting(said, "sentences", self.limit - alone.tokens - 2)
        except InputError:
            return replace(alone, dropped=("views", *_names(said)))
        joined = f"{before.text.rstrip('.')}. {text}"
        tokens = self._measure(joined)
        if tokens > self.limit:
            return replace(alone, dropped=("views", *_names(said)))
        return Written(joined, replace(before.said, text=text), "sentences", tokens, before.dropped)

    def _fitting(self, said: Record, style: str, limit: int | None = None) -> Written:
        """Write in a style; leave out clauses until it fits, at last with the shortest names of the views."""
        limit = self.limit if limit is None else limit
        pieces, separator = getattr(self, f"_{style}")(said)
        text, tokens = self._joined(pieces, separator, said, limit)
        dropped: list[str] = []
        for name in DROPPED_FIRST:
            if tokens <= limit:
                break
            if any(fact == name for fact, _ in pieces):
                pieces = [piece for piece in pieces if piece[0] != name]
                dropped.append(name)
                text, tokens = self._joined(pieces, separator, said, limit)
        if tokens > limit:
            text = self._finish(" and ".join("the " + min(wording.views(view), key=len) for view in said.views))
            tokens = self._measure(text)
        if tokens > limit:
            raise InputError(
                f"{len(said.views)} views of {tokens} tokens", f"at most {limit}", "fewer planes in the row"
            )
        return Written(text, _without(said, dropped), style, tokens, tuple(dropped))

    def _joined(self, pieces: Sequence[tuple[str, str]], separator: str, said: Record, limit: int) -> tuple[str, int]:
        """The caption and its tokens; the remembered lengths of its pieces are enough where they fit."""
        text = self._finish(separator.join(piece for _, piece in pieces))
        if not said.findings:
            bound = _SPECIALS + 1 + sum(self._length(piece) for _, piece in pieces)
            bound += (len(pieces) - 1) * self._length(separator) if separator else 0
            if bound <= limit:
                return text, bound
        return text, self._measure(text)

    def _length(self, piece: str) -> int:
        """Tokens of a piece without start and end token; pieces meet where words end, so that lengths add up."""
        found = self._lengths.get(piece)
        if found is None:
            if len(self._lengths) >= _MEMO:
                self._lengths.clear()
            found = self._lengths[piece] = self._measure(piece) - _SPECIALS
        return found

    def _prose(self, said: Record) -> tuple[list[tuple[str, str]], str]:
        return [("views", self._opening(said)), *self._adjuncts(said, _names(said))], ""

    def _lead(self, said: Record) -> tuple[list[tuple[str, str]], str]:
        names = _names(said)
        if not names:
            return self._prose(said)
        first = self._pick(names)
        lead = (first, self._clause(wording.LEADS, first, said))
        rest = [name for name in names if name != first]
        return [lead, ("views", self._opening(said)), *self._adjuncts(said, rest)], ""

    def _sentences(self, said: Record) -> tuple[list[tuple[str, str]], str]:
        facts = [(name, self._clause(wording.SENTENCES, name, said)) for name in self._shuffled(_names(said))]
        return [("views", self._opening(said) + "."), *facts], " "

    def _report(self, said: Record) -> tuple[list[tuple[str, str]], str]:
        pieces = [("views", f"{self._pick(wording.LABELS['views'])}: {self._views(said, ', ')}")]
        for name in self._shuffled(_names(said)):
            pieces.append((name, f"{self._pick(wording.LABELS[name])}: {self._value(name, said)}"))
        return pieces, self._pick((". ", "; "))

    def _tags(self, said: Record) -> tuple[list[tuple[str, str]], str]:
        pieces = [("views", self._views(said, ", "))]
        pieces += [
            (name, self._pick(wording.TAGS[name]).replace(f"{{{_SLOTS[name]}}}", self._value(name, said)))
            for name in _names(said)
        ]
        return self._shuffled(pieces), self._pick(wording.SEPARATORS)

    def _adjuncts(self, said: Record, names: Sequence[str]) -> list[tuple[str, str]]:
        """The sub-view next to its view, the rest in any order."""
        first = [name for name in names if name == "subplane"]
        order = first + self._shuffled([name for name in names if name != "subplane"])
        return [(name, self._clause(wording.ADJUNCTS, name, said)) for name in order]

    def _opening(self, said: Record) -> str:
        what = self._views(said, " and the ")
        if self._rng.random() < 0.2:
            return self._pick(wording.BARE_OPENINGS).replace("{what}", what)
        kind = self._pick(wording.KINDS)
        return self._pick(wording.OPENINGS).replace("{kind}", kind).replace("{what}", what)

    def _views(self, said: Record, between: str) -> str:
        return between.join(self._pick(wording.views(view)) for view in said.views)

    def _clause(self, table: Mapping[str, tuple[str, ...]], name: str, said: Record) -> str:
        value = self._value(name, said)
        if name == "machine":
            value = f"{'an' if value[0].lower() in 'aeiou' else 'a'} {value}"
        return self._pick(table[name]).replace(f"{{{_SLOTS[name]}}}", value)

    def _value(self, name: str, said: Record) -> str:
        if name == "subplane":
            return self._pick(SUBPLANES[str(said.subplane)])
        if name == "age":
            weeks, days = divmod(int(said.age or 0), 7)
            forms = wording.WHOLE_AGES if days == 0 and self._rng.random() < 0.5 else wording.AGES
            s = "" if days == 1 else "s"
            return self._pick(forms).format(weeks=weeks, days=days, s=s, total=said.age)
        if name == "spacing":
            mm = float(said.spacing or 0.0)
            return self._pick(wording.SPACINGS).format(mm=mm, um=round(mm * 1000))
        if name == "machine":
            return str(said.machine)
        return self._pick((", ", " and ")).join(said.findings)

    def _maybe(self, name: str, value: T) -> T | None:
        return value if value and self._rng.random() < self._chance[name] else None

    def _pick(self, options: Sequence[T]) -> T:
        return options[int(self._rng.random() * len(options))]  # a third of the time of rng.choice

    def _shuffled(self, items: Sequence[T]) -> list[T]:
        keys = [self._rng.random() for _ in items]
        return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__)]

    def _finish(self, text: str) -> str:
        if self._rng.random() < 0.5:
            text = text[0].upper() + text[1:]
        return text + "." if text[-1] != "." and self._rng.random() < 0.5 else text


_SLOTS = {"subplane": "which", "age": "age", "spacing": "spacing", "machine": "machine", "findings": "findings"}


def _names(said: Record) -> list[str]:
    """The facts beside the views that a record has, free text left out."""
    return [name for name in _SLOTS if getattr(said, name)]


def _without(said: Record, dropped: Sequence[str]) -> Record:
    empty: dict[str, Any] = {name: () if name == "findings" else None for name in dropped}
    return replace(said, **empty)
