"""A manifest to captions: records, the factory, a check of what came out, an optional rewording, a tally.

Captions are written for the picture as the model sees it: the spacing is that after padding to a square and resizing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fetalclip.cards import get_card
from fetalclip.clinical.factory import MAX_TOKENS, CaptionFactory, Measure, Record, Written
from fetalclip.clinical.readback import disagreements
from fetalclip.data.manifest import Manifest, Problem, Row
from fetalclip.data.reword import Rewording
from fetalclip.data.tally import Tally
from fetalclip.errors import InputError
from fetalclip.io import read_size
from fetalclip.models.tokenizer import Tokenizer

CHECKED = 2_000  # captions of a run that are read back


@dataclass(frozen=True)
class Job:
    """What to write.

    Attributes:
        measure: tokens of a text, of the tokenizer the captions are for.
        image_size: side of the square the model sees, pixels.
        per_image: captions of one picture, at most.
        seed: the same seed writes the same captions; a row's do not depend on other rows.
        limit: longest caption, tokens.
        reword: an endpoint that words captions anew, or None.
    """

    measure: Measure
    image_size: int
    per_image: int = 3
    seed: int = 0
    limit: int = MAX_TOKENS
    reword: Rewording | None = None


def for_model(name: str, per_image: int = 3, seed: int = 0) -> Job:
    """The job for a model's own tokenizer, context and image size.

    Raises:
        ModelNotFound, NotAvailable, BadCheckpoint: no such model, or not one that can be read.
    """
    card = get_card(name).require()
    if card.folder is None:  # the random one, made on the spot
        from fetalclip.models.tiny import build_tiny

        config, _, tokenizer = build_tiny()
    else:
        config = dict(card.config)
        context = config["architecture"]["text"]["context_length"]
        cleaning = config.get("tokenizer", {}).get("cleaning")
        tokenizer = Tokenizer.load(card.folder / "tokenizer.json", context, cleaning)
    limit = min(MAX_TOKENS, tokenizer.context_length)
    return Job(measure_of(tokenizer), config["preprocess"]["image_size"], per_image, seed, limit)


def measure_of(tokenizer: Tokenizer) -> Measure:
    """Tokens of one text."""
    return lambda text: tokenizer.count([text])[0]


def record_of(row: Row, image_size: int) -> Record:
    """What is known of a row's picture as the model sees it.

    Raises:
        InputError: the row has a spacing and no size, and the picture's own size cannot be read.
    """
    spacing = None
    if row.mm_per_pixel is not None:
        width, height = (row.width, row.height) if row.width and row.height else read_size(row.path)
        spacing = round(row.mm_per_pixel * max(width, height) / image_size, 2) or None
    return Record(row.views, row.subplane, row.age_days, spacing, row.machine, row.findings, row.text)


def write(manifest: Manifest, job: Job, tally: Tally) -> Iterator[dict[str, Any]]:
    """One object per caption, in table order; what is refused or repaired goes to the tally with its row.

    Args:
        manifest: rows that can be used (`Manifest.usable`) and all problems found so far.
        job: what to write.
        tally: counts, and takes the problems.
    """
    factory = CaptionFactory(job.measure, random.Random(), limit=job.limit)
    tally.problems += manifest.problems
    every = max(1, len(manifest.rows) * job.per_image // CHECKED)
    count = 0
    for row, number in zip(manifest.rows, manifest.numbers, strict=True):
        try:
            known = record_of(row, job.image_size)
            _check(known, job)
            factory.seed(f"{job.seed}/{number}/{row.name}")
            captions = factory.several(known, job.per_image)
        except InputError as error:
            tally.problems.append(Problem(number, row.name, "no caption", error.found))
            continue
        if row.mm_per_pixel is not None and known.spacing is None:
            tally.problems.append(Problem(number, row.name, "spacing not said", "below 0.005 mm per pixel", True))
        tally.row(known, len(captions))
        for caption in captions:
            made, source = _reworded(caption, job)
            count += 1
            if count % every == 0:
                tally.read_back(number, made.text, disagreements(made.text, made.said))
            tally.caption(made, source)
            yield _line(row, number, made, source)


def _check(known: Record, job: Job) -> None:
    """Refuse a text that is too long whether or not it would be said.

    Raises:
        InputError: it is, or nothing is known.
    """
    if known.text and (tokens := job.measure(known.text)) > job.limit:
        raise InputError(f"a text of {tokens} tokens, more than {job.limit}", "a shorter text")
    if not known.views and not known.text:
        raise InputError("nothing to say: neither a plane nor a text", "a plane, or a text")


def _reworded(caption: Written, job: Job) -> tuple[Written, str]:
    """The caption, worded anew where that is asked for and holds; and what it comes from."""
    if caption.style == "text":
        return caption, "text"
    if job.reword is None or caption.said.text:
        return caption, "template"
    text = job.reword(caption, job.limit, job.measure)
    if text is None:
        return caption, "template"
    return replace(caption, text=text, style="reworded", tokens=job.measure(text)), "reworded"


def _line(row: Row, number: int, made: Written, source: str) -> dict[str, Any]:
    said = made.said
    facts = {
        "views": said.views,
        "subplane": said.subplane,
        "age_days": said.age,
        "mm_per_pixel": said.spacing,
        "machine": said.machine,
        "findings": said.findings,
        "free_text": said.text is not None,
    }
    return {
        "row": number,
        "path": row.path.as_posix(),
        **({} if row.frame is None else {"frame": row.frame}),
        "split": row.split or None,
        "caption": made.text,
        "tokens": made.tokens,
        "style": made.style,
        "source": source,
        "said": facts,
        "dropped": made.dropped,
    }


def read_manifest(path: Path) -> Manifest:
    """A manifest whose bad rows are left out and listed.

    Raises:
        InputError: no row can be used; the first problems are named.
        UsageError, DataMissing: the table cannot be read.
    """
    manifest = Manifest.read(path)
    usable = manifest.usable()
    if not usable.rows:
        manifest.require()
    return usable
