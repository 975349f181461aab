"""Text to ids: no text is unknown, a long one is cut aloud, a saved tokenizer is the same tokenizer."""

from __future__ import annotations

import json
import random
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Engine

from fetalclip.clinical.sampling import texts as corpus
from fetalclip.errors import BadCheckpoint
from fetalclip.models.tokenizer import END, START, Tokenizer

CONTEXT = 117


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.learn(corpus(300, 0), 400, CONTEXT)


def squeeze(text: str) -> str:
    return "".join(text.split())


STRANGE = ["fœtus à 20 semaines", "超声心动图", "🫀👶🏽", "naïve \u0301 x", "", "\x00\n\t", "Ω≈ç√"]


@pytest.mark.parametrize("text", STRANGE)
def test_no_text_is_unknown(tokenizer, text):
    ids, end = tokenizer([text])
    row = ids[0].tolist()
    assert row[0] == tokenizer.engine.token_to_id(START)
    assert row[-1] == tokenizer.end_id
    assert int(end) == len(row) - 1
    said = tokenizer.engine.decode(row)
    lowered = tokenizer.engine.normalizer.normalize_str(text)
    assert squeeze(said) == squeeze(lowered)


def test_half_a_character_is_a_question_mark(tokenizer):
    ids, _ = tokenizer(["heart \ud83e beats", "heart ? beats"])
    assert torch.equal(ids[0], ids[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_has_ids_of_the_vocabulary_and_an_end(tokenizer, texts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # long ones are cut
        ids, end = tokenizer(texts)
    assert ids.shape == (len(texts), int(end.max()) + 1)
    assert ids.shape[1] <= CONTEXT
    assert 0 <= int(ids.min()) <= int(ids.max()) < tokenizer.vocab_size
    for row, last in zip(ids, end, strict=True):
        assert row[last:].eq(tokenizer.end_id).all()


def test_different_texts_have_different_ids(tokenizer):
    texts = ["12 weeks", "1 2 weeks", "21 weeks", "w 12 eeks", "20 weeks", "2 weeks"]
    rows = {tuple(row) for row in tokenizer(texts)[0].tolist()}
    assert len(rows) == len(texts)


def test_digits_stand_alone(tokenizer):
    tokens = tokenizer.engine.encode("a fetus of 31 weeks").tokens
    assert [t.strip("Ġ") for t in tokens if t.strip("Ġ").isdigit()] == ["3", "1"]


def test_case_plays_no_part(tokenizer):
    ids, _ = tokenizer(["Fetal HEART", "fetal heart"])
    assert torch.equal(ids[0], ids[1])


def test_padding_is_the_end_token(tokenizer):
    ids, end = tokenizer(["fetal heart", "a much longer text about the fetal heart and its chambers"])
    assert ids[0, int(end[0]) :].eq(tokenizer.end_id).all()
    assert int(end[0]) < int(end[1]) == ids.shape[1] - 1


def test_a_text_that_fits_is_whole_and_quiet(tokenizer):
    text = "1" * (CONTEXT - 2)
    ids, end = tokenizer([text])
    assert ids.shape == (1, CONTEXT)
    assert int(end) == CONTEXT - 1


def test_a_long_text_is_cut_aloud_and_keeps_its_end(tokenizer):
    with pytest.warns(UserWarning, match=r"2 of 3 texts cut to 117 tokens; shorten"):
        ids, end = tokenizer(["1" * (CONTEXT - 1), "femur", "2" * 5000])
    assert ids.shape == (3, CONTEXT)
    assert ids[[0, 2], CONTEXT - 1].tolist() == [tokenizer.end_id] * 2
    assert end.tolist() == [CONTEXT - 1, int(end[1]), CONTEXT - 1]
    whole, _ = tokenizer(["1" * (CONTEXT - 2)])
    assert torch.equal(ids[0], whole[0])


def test_no_texts_no_rows(tokenizer):
    ids, end = tokenizer([])
    assert (ids.shape[0], end.shape[0]) == (0, 0)


def test_saved_and_loaded_are_equal(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    again = Tokenizer.load(path, CONTEXT)
    texts = [*corpus(50, 7), "🫀 naïve", ""]
    for one, other in zip(tokenizer(texts), again(texts), strict=True):
        assert torch.equal(one, other)
    assert again.vocab_size == tokenizer.vocab_size
    assert again.to_json() == tokenizer.to_json()


def test_learning_repeats_itself(tokenizer):
    random.seed(5)
    assert Tokenizer.learn(corpus(300, 0), 400, CONTEXT).to_json() == tokenizer.to_json()


def broken(tokenizer: Tokenizer) -> dict[str, bytes]:
    """Bytes that are no tokenizer of ours."""
    whole = tokenizer.to_json()
    nameless = json.loads(whole)
    nameless["added_tokens"] = []
    for word in (START, END):
        del nameless["model"]["vocab"][word]
    nameless["post_processor"] = None
    bare = json.loads(whole)
    bare["post_processor"] = None
    return {
        "empty": b"",
        "truncated": whole.encode()[: len(whole) // 2],
        "not text": b"\xff\xfe\x00",
        "another JSON": b'{"a": 1}',
        "without special tokens": json.dumps(nameless).encode(),
        "that ends no text": json.dumps(bare).encode(),
    }


@pytest.mark.parametrize(
    "kind", ["empty", "truncated", "not text", "another JSON", "without special tokens", "that ends no text"]
)
def test_a_damaged_file_is_told(tokenizer, tmp_path, kind):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(broken(tokenizer)[kind])
    with pytest.raises(BadCheckpoint):
        Tokenizer.load(path, CONTEXT)


def test_the_vocabulary_reaches_to_the_highest_id(tokenizer):
    far = json.loads(tokenizer.to_json())
    far["model"]["vocab"]["zzzz"] = 10**6  # a table of as many rows as there are tokens would be too short
    assert Tokenizer(Engine.from_str(json.dumps(far)), CONTEXT).vocab_size == 10**6 + 1


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"tokenizer\.json cannot be read"):
        Tokenizer.load(tmp_path / "tokenizer.json", CONTEXT)
