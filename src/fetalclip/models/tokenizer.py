"""Text to token ids, through the ``tokenizers`` library.

The compact model has its own byte-pair vocabulary learned on our captions; words it never saw are spelt by bytes, so
no text is unknown.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer as Engine
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from fetalclip.errors import BadCheckpoint

START, END = "<|startoftext|>", "<|endoftext|>"
_MAX_BYTES = 20_000_000


class Tokenizer:
    """Texts to padded ids.

    Args:
        engine: a ``tokenizers.Tokenizer`` that has the two special tokens.
        context_length: longest text in tokens, both special tokens counted in.

    Raises:
        BadCheckpoint: the special tokens are missing, or the end token is not put after a text.
    """

    def __init__(self, engine: Engine, context_length: int) -> None:
        start, end = engine.token_to_id(START), engine.token_to_id(END)
        if start is None or end is None:
            raise BadCheckpoint("a tokenizer without start and end tokens", f"{START} and {END} in its vocabulary")
        self.engine, self.context_length, self.end_id = engine, context_length, int(end)
        self.engine.no_truncation()
        self.engine.no_padding()
        if self.engine.encode("").ids[-1:] != [self.end_id]:
            raise BadCheckpoint("a tokenizer that does not end a text", f"{END} after every text")

    @classmethod
    def learn(cls, texts: Iterable[str], vocab_size: int, context_length: int) -> Tokenizer:
        """Learn a byte-level byte-pair vocabulary."""
        engine = Engine(models.BPE())
        engine.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        engine.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]
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
    def load(cls, path: Path, context_length: int) -> Tokenizer:
        """From ``tokenizer.json``.

        Raises:
            BadCheckpoint: missing, too large or not a tokenizer.
        """
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise BadCheckpoint(f"{path.name} is too large", f"at most {_MAX_BYTES} bytes")
            engine = Engine.from_str(path.read_text("utf-8"))
        except BadCheckpoint:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            kind = type(error).__name__
            raise BadCheckpoint(f"{path.name} cannot be read ({kind})", "a tokenizers JSON file") from None
        return cls(engine, context_length)

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
            (B, N) ids padded with the end token, N at most ``context_length``; (B,) end positions.
        """
        whole = [text.encode("utf-8", "replace").decode() for text in texts]  # half a character becomes "?"
        rows = [list(encoding.ids) for encoding in self.engine.encode_batch(whole)]
        cut = 0
        for i, row in enumerate(rows):
            if len(row) > self.context_length:
                rows[i], cut = [*row[: self.context_length - 1], self.end_id], cut + 1
        if cut:
            warnings.warn(
                f"{cut} of {len(rows)} texts cut to {self.context_length} tokens; shorten the prompt", stacklevel=2
            )
        end = torch.tensor([len(row) - 1 for row in rows], dtype=torch.long)
        ids = torch.full((len(rows), int(end.max()) + 1 if rows else 1), self.end_id, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        return ids, end
