"""Text to token ids, through the ``tokenizers`` library.

The compact model has its own byte-pair vocabulary learned on our captions; words it never saw are spelt by bytes, so
no text is unknown. A converted checkpoint has CLIP's (`clip_tokenizer`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer as Engine
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from fetalclip.errors import BadCheckpoint
from fetalclip.models import clip_tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
_SPELLINGS = ((START, END), (clip_tokenizer.START, clip_tokenizer.END))
_MAX_BYTES = 20_000_000


class Tokenizer:
    """Texts to padded ids.

    Args:
        engine: a ``tokenizers.Tokenizer`` that has the two special tokens.
        context_length: longest text in tokens, both special tokens counted in.
        clean: what is done to a text before the engine sees it; None for nothing.

    Raises:
        BadCheckpoint: the special tokens are missing, or the end token is not put after a text.
    """

    def __init__(self, engine: Engine, context_length: int, clean: Callable[[str], str] | None = None) -> None:
        specials = _specials(engine)
        end = list(specials)[-1]
        self.engine, self.context_length, self.clean = engine, context_length, clean
        self.end_id = specials[end]
        self.engine.no_truncation()
        self.engine.no_padding()
        if self.engine.encode("").ids[-1:] != [self.end_id]:
            raise BadCheckpoint("a tokenizer that does not end a text", f"{end} after every text")
        # An engine that knows no special token in a text spells it out: the ids it then gives, and the one they mean.
        spelt = {word: engine.encode(word, add_special_tokens=False).ids for word in specials}
        self._spelt = {word: (ids, specials[word]) for word, ids in spelt.items() if len(ids) > 1}

    @classmethod
    def learn(cls, texts: Iterable[str], vocab_size: int, context_length: int) -> Tokenizer:
        """Learn a byte-level byte-pair vocabulary."""
        engine = Engine(models.BPE())
        engine.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        # Digits stay together: "20" and the "61" of "0.61" are words, whose meaning need not be put together again.
        engine.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=True)]
        )
        engine.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[START, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        engine.train_from_iterator(texts, trainer)
        engine.post_processor = processors.TemplateProcessing(
            single=f"{START} $A {END}",
            special_tokens=[(START, engine.token_to_id(START)), (END, engine.token_to_id(END))],
        )
        return cls(engine, context_length)

    @classmethod
    def clip(cls, context_length: int) -> Tokenizer:
        """CLIP's vocabulary and cleaning, as OpenCLIP's standard tokenizer."""
        return cls(clip_tokenizer.build_engine(), context_length, clip_tokenizer.clean)

    @classmethod
    def load(cls, path: Path, context_length: int, cleaning: str | None = None) -> Tokenizer:
        """From ``tokenizer.json``.

        Args:
            path: the file.
            context_length: longest text in tokens.
            cleaning: the config's ``tokenizer.cleaning``: ``"clip"``, or None for a vocabulary that needs none.

        Raises:
            BadCheckpoint: missing, too large, not a tokenizer, or another vocabulary than the cleaning is for.
        """
        if cleaning not in (None, "clip"):
            raise BadCheckpoint(f"a tokenizer with cleaning {cleaning!r:.60}", "'clip', or no such key in config.json")
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise BadCheckpoint(f"{path.name} is too large", f"at most {_MAX_BYTES} bytes")
            engine = Engine.from_str(path.read_text("utf-8"))
        except BadCheckpoint:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            kind = type(error).__name__
            raise BadCheckpoint(f"{path.name} cannot be read ({kind})", "a tokenizers JSON file") from None
        if cleaning is None:
            return cls(engine, context_length)
        clip_tokenizer.check_engine(engine, path.name)
        return cls(engine, context_length, clip_tokenizer.clean)

    def to_json(self) -> str:
        """The text of ``tokenizer.json``."""
        return str(self.engine.to_str(pretty=False))

    @property
    def vocab_size(self) -> int:
        """Rows an embedding table needs: the highest token id and one."""
        return max(self.engine.get_vocab(with_added_tokens=True).values()) + 1

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and end positions, trimmed to the longest text.

        Args:
            texts: any texts; one longer than the context is cut, with a warning.

        Returns:
            (B, N) ids padded with the end token, N at most ``context_length``; (B,) positions of the first end token,
            where the text tower reads: a text may hold that token itself.
        """
        rows = self._rows(texts)
        cut = sum(len(row) > self.context_length for row in rows)
        rows = [row if len(row) <= self.context_length else self._cut(row) for row in rows]
        if cut:
            warnings.warn(
                f"{cut} of {len(rows)} texts cut to {self.context_length} tokens; shorten the prompt", stacklevel=2
            )
        end = torch.tensor([row.index(self.end_id) for row in rows], dtype=torch.long)
        ids = torch.full((len(rows), max(map(len, rows), default=1)), self.end_id, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        return ids, end

    def count(self, texts: Sequence[str]) -> list[int]:
        """Length of each text in tokens, start and end counted in, however long."""
        return [len(row) for row in self._rows(texts)]

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, however long."""
        cleaned = [self.clean(text) for text in texts] if self.clean else texts
        whole = [text.encode("utf-8", "replace").decode() for text in cleaned]  # half a character becomes "?"
        rows = [list(encoding.ids) for encoding in self.engine.encode_batch(whole)]
        for i, text in enumerate(whole):
            for word, (spelt, meant) in self._spelt.items():
                if word in text:
                    rows[i] = _replace(rows[i], spelt, meant)
        return rows

    def _cut(self, row: list[int]) -> list[int]:
        return [*row[: self.context_length - 1], self.end_id]


def _specials(engine: Engine) -> dict[str, int]:
    """Start and end token of an engine, in this order, with their ids."""
    for pair in _SPELLINGS:
        found = {word: i for word in pair if (i := engine.token_to_id(word)) is not None}
        if len(found) == len(pair):
            return found
    raise BadCheckpoint("a tokenizer without start and end tokens", f"{START} and {END} in its vocabulary")


def _replace(row: list[int], spelt: list[int], meant: int) -> list[int]:
    """The row with one id wherever a run of them stands."""
    made: list[int] = []
    for i in row:
        made.append(i)
        if made[-len(spelt) :] == spelt:
            made[-len(spelt) :] = [meant]
    return made
