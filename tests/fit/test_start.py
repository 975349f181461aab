"""Starts: numbers near each other."""

from __future__ import annotations

import re

import torch

from fetalclip.clinical.sampling import texts
from fetalclip.fit.start import start_numbers
from fetalclip.models.tokenizer import Tokenizer


def test_numbers_near_each_other_start_alike():
    tokenizer = Tokenizer.learn(texts(3000, 0), 2000, 117)
    torch.manual_seed(0)
    table = torch.nn.Embedding(tokenizer.vocab_size, 48)
    before = table.weight.detach().clone()
    start_numbers(table, tokenizer)
    vocabulary = {word.removeprefix("Ġ"): row for word, row in tokenizer.engine.get_vocab().items()}
    rows = {int(word): row for word, row in vocabulary.items() if re.fullmatch("[0-9]{1,6}", word)}
    assert len(rows) > 90

    numbers = sorted(number for number in rows if 98 <= number <= 272)
    waves = table.weight.detach()[[rows[number] for number in numbers], :32]

    def gap(apart: int) -> float:
        return (waves[apart:] - waves[:-apart]).norm(dim=1).mean().item()

    assert gap(1) < gap(5) < gap(20) < gap(60)
    changed = (table.weight != before).any(dim=1)
    words = {row for word, row in tokenizer.engine.get_vocab().items() if re.search("[a-z]", word)}
    assert not changed[sorted(words)].any()
    assert all(changed[row] for row in rows.values())
    torch.testing.assert_close(table.weight[:, 32:], before[:, 32:])
