"""The names an answer may have: the published candidates of each protocol, and what else they are called."""

from __future__ import annotations

from collections.abc import Sequence

from fetalclip.clinical.vocabulary import ALIASES, PLANES, SUBPLANES
from fetalclip.data.readers import planes_db
from fetalclip.errors import UnreadableInput

LEFT_OUT = ("other", "not a brain")  # labels of pictures of no named plane: in no F1

_PUBLISHED = {name.casefold(): ours for name, ours in [*planes_db.PLANES.items(), *planes_db.SUBPLANES.items()] if ours}
_NINE, _THREE = tuple(PLANES), tuple(SUBPLANES)


def named(word: str) -> str:
    """A class in this package's words: upper and lower case, ``heart``, ``Fetal thorax`` and the like mean the same."""
    known = word.casefold()
    known = _PUBLISHED.get(known, known)
    known = ALIASES.get(known, known)
    return known if known in (*_NINE, *_THREE, *LEFT_OUT) else word


def offered(protocol: str, label: str) -> tuple[str, ...]:
    """Candidates of a picture with that label.

    Of ``subplanes`` always the three. Of ``planes`` the published nine; a picture labelled with a sub-plane, in a file
    that holds both published sets, was offered the three. Classes may be given by number, too.
    """
    three = protocol == "subplanes" or label in _THREE
    names = _THREE if three else (*_NINE, *_THREE) if label in LEFT_OUT else _NINE
    return (*names, *(str(number) for number in range(len(_THREE if three else _NINE))))


def checked(
    protocol: str, prediction: Sequence[str], label: Sequence[str], source: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Predictions and labels in this package's words.

    Args:
        protocol: ``planes`` or ``subplanes``.
        prediction: as the file has them, (n,).
        label: likewise, (n,).
        source: how a message names the file.

    Raises:
        UnreadableInput: a label of no class, or a prediction that was no candidate; row 1 is the first.
    """
    said, true = tuple(map(named, prediction)), tuple(map(named, label))
    labels = (*_classes(protocol), *LEFT_OUT)
    for row, (answer, truth) in enumerate(zip(said, true, strict=True), 1):
        if truth not in labels:
            raise _refused(source, row, "label", label[row - 1], labels)
        if answer not in offered(protocol, truth):
            raise _refused(source, row, "prediction", prediction[row - 1], offered(protocol, truth))
    return said, true


def check_scored(protocol: str, names: Sequence[str], source: str) -> None:
    """Refuse scores of a class that is no candidate.

    Raises:
        UnreadableInput: there is one.
    """
    known = _classes(protocol)
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise UnreadableInput(f"{source} has an unusable 'scores': the class {strange!r:.80}", _words(known))


def _classes(protocol: str) -> tuple[str, ...]:
    """Every class that a file of a protocol may name."""
    return (*offered(protocol, ""), *(_THREE if protocol == "planes" else ()))


def _refused(source: str, row: int, what: str, value: str, known: Sequence[str]) -> UnreadableInput:
    return UnreadableInput(f"{source}, row {row}: the {what} {value!r:.80}", _words(known))


def _words(known: Sequence[str]) -> str:
    """Candidates with their other names; numbers are for files that know what they mean."""
    names = [name for name in known if not name.isdigit()]
    others = [alias for alias, name in ALIASES.items() if name in names]
    return "one of " + ", ".join(names) + (f" ({', '.join(others)} too)" if others else "")
