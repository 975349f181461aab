"""Whether a claim is true of what is known, and that the words for it mean one thing each."""

from __future__ import annotations

from itertools import product

from fetalclip.clinical.captions import Facts, truth
from fetalclip.clinical.vocabulary import ALIASES, KNOWN, PLANES, REJECTS, SUBPLANES

KINDS = {**PLANES, **REJECTS}


def named(text: str, words: dict[str, tuple[str, ...]]) -> set[str]:
    """Keys whose phrases stand in the text, longer phrases first, each letter read once."""
    text, found = text.lower(), set()
    phrases = [(phrase.lower(), key) for key, phrases in words.items() for phrase in phrases]
    for phrase, key in sorted(phrases, key=lambda item: -len(item[0])):
        if phrase in text:
            found.add(key)
            text = text.replace(phrase, " ")
    return found


def test_no_phrase_names_two_things():
    for words in (KINDS, SUBPLANES):
        for key, phrases in words.items():
            assert len(set(phrases)) == len(phrases)
            for phrase in phrases:
                assert named(phrase, words) == {key}
    for phrases in SUBPLANES.values():
        for phrase in phrases:
            assert not named(phrase, KINDS)


def test_aliases_lead_to_planes():
    assert set(ALIASES.values()) <= set(PLANES)
    assert not set(ALIASES) & set(PLANES)
    assert set(KNOWN) <= set(PLANES)


def test_the_truth_table():
    values = {"subplane": ("trans-thalamic", "trans-cerebellum"), "age_days": (150, 151), "spacing": (0.3, 0.31)}
    for columns in product(*[[None, *pair] for pair in values.values()], repeat=2):
        said, known = Facts("brain", *columns[:3]), Facts("brain", *columns[3:])
        cells = list(zip(columns[:3], columns[3:], strict=True))
        if any(claim is not None and fact is not None and claim != fact for claim, fact in cells):
            wanted = False
        elif any(claim is not None and fact is None for claim, fact in cells):
            wanted = None
        else:
            wanted = True
        assert truth(said, known) is wanted, (said, known)
        # Another plane makes it false, whatever else is known or not.
        assert truth(said, Facts("femur", *columns[3:])) is False
