"""CLIP's tokenizer gives the ids OpenCLIP gives, and no other vocabulary passes for it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from fetalclip.errors import BadCheckpoint
from fetalclip.models.clip_tokenizer import END, END_ID, START, START_ID, VOCAB_SIZE, build_engine, clean
from fetalclip.models.tokenizer import Tokenizer

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "openclip_tokens.json").read_text("utf-8"))
ROWS = FIXTURE["rows"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "tokenizer.json"
    path.write_text(Tokenizer.clip(77).to_json(), "utf-8")
    return path


@pytest.fixture(scope="module", params=["built", "loaded"])
def make(request, saved):
    """A tokenizer of a given context, built from the merges and read from a folder's file."""
    return Tokenizer.clip if request.param == "built" else lambda n: Tokenizer.load(saved, n, "clip")


def quiet(tokenizer: Tokenizer, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # long ones are cut
        return tokenizer(texts)


@pytest.mark.parametrize(("context", "column"), [(117, 2), (77, 3)])
def test_ids_are_those_of_openclip(make, context, column):
    assert len(ROWS) == 150
    texts = [text * times for text, times, *_ in ROWS]
    ids, end = quiet(make(context), texts)
    assert ids.shape[1] == context
    for text, row, last, known in zip(texts, ids.tolist(), end.tolist(), ROWS, strict=True):
        expected = known[column] or known[2]
        assert row[: len(expected)] == expected, f"{text!r:.80}"
        assert set(row[len(expected) :]) <= {END_ID}
        assert last == expected.index(END_ID)  # where OpenCLIP reads: the first of the highest id


def test_a_text_alone_has_the_ids_it_has_in_a_batch(make):
    tokenizer = make(77)
    texts = ["a fetal head", "<end_of_text> a", "", "x " * 60]
    ids, _ = tokenizer(texts)
    for i, text in enumerate(texts):
        alone, _ = tokenizer([text])
        assert torch.equal(alone[0], ids[i, : alone.shape[1]])


def test_the_first_end_is_where_a_text_ends():
    ids, end = Tokenizer.clip(77)([f"a {END} b", f"!{END}", "a"])
    assert ids[0].tolist()[:5] == [START_ID, 320, END_ID, 321, END_ID]
    assert end.tolist() == [2, int(end[1]), 2]
    assert ids[1].tolist().count(END_ID) == ids.shape[1] - int(end[1])  # after a sign it is no token, only letters


def test_a_cut_text_is_told_and_ends():
    with pytest.warns(UserWarning, match=r"1 of 2 texts cut to 77 tokens; shorten"):
        ids, end = Tokenizer.clip(77)(["a " * 76, "a " * 75])
    assert ids.shape == (2, 77)
    assert torch.equal(ids[0], ids[1])
    assert end.tolist() == [76, 76]


def test_special_tokens_and_vocabulary_stand_where_clip_has_them():
    tokenizer = Tokenizer.clip(77)
    assert (tokenizer.vocab_size, tokenizer.end_id) == (VOCAB_SIZE, END_ID) == (49408, 49407)
    assert (tokenizer.engine.token_to_id(START), tokenizer.engine.token_to_id(END)) == (49406, 49407)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Fetal\n\tHEAD ", "fetal head"),
        ("&amp;lt; &amp;amp;lt;", "< <"),
        ("<b> &amp;lt;", "<b> <"),  # ftfy leaves entities alone beside a tag
        ("don’t “stop”", 'don\'t "stop"'),
        ("cafÃ©", "café"),
        ("e\u0301", "é"),
        ("\x00a\u2028b", "a b"),
        ("ｗｉｄｅ", "wide"),
        ("\ud83e\udec0", "🫀"),  # both halves of a character
        ("half \ud83e", "half \ufffd"),
    ],
)
def test_a_text_is_cleaned_as_the_original_cleans(text, expected):
    assert clean(text) == expected


def test_half_a_character_is_no_error():
    ids, _ = Tokenizer.clip(77)(["heart \ud83e", "heart \ufffd"])
    assert torch.equal(ids[0], ids[1])


def changed(saved: Path, kind: str) -> str:
    """The text of a tokenizer that differs from CLIP's in one thing."""
    data = json.loads(saved.read_text("utf-8"))
    model = data["model"]
    if kind == "a token less":
        del model["vocab"]["ab"]
        model["merges"] = [pair for pair in model["merges"] if "ab" not in pair and "".join(pair) != "ab"]
    elif kind == "special tokens elsewhere":
        for token, i in ((START, 5), (END, 6)):
            other = next(name for name, at in model["vocab"].items() if at == i)
            model["vocab"][token], model["vocab"][other] = i, model["vocab"][token]
        for token, i in ((START, 5), (END, 6)):
            data["post_processor"]["special_tokens"][token]["ids"] = [i]
    elif kind == "tokens in another order":
        vocab = model["vocab"]
        vocab["fetal</w>"], vocab["heart</w>"] = vocab["heart</w>"], vocab["fetal</w>"]
    elif kind == "other merges":
        model["merges"][0], model["merges"][1] = model["merges"][1], model["merges"][0]
    elif kind == "other words":
        data["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\S+"}
    elif kind == "no end":
        data["post_processor"] = None
    elif kind == "no suffix":
        model["end_of_word_suffix"] = ""
    return json.dumps(data)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("a token less", "a vocabulary of 49407 tokens in tokenizer.json"),
        ("special tokens elsewhere", "special tokens at 5 and 6"),
        ("tokens in another order", "tokens or merges in tokenizer.json that are not CLIP's"),
        ("other merges", "tokens or merges in tokenizer.json that are not CLIP's"),
        ("other words", "parts words in another way"),
        ("no end", "parts words in another way"),
        ("no suffix", "tokenizer.json"),
    ],
)
def test_another_vocabulary_is_refused(saved, tmp_path, kind, said):
    path = tmp_path / "tokenizer.json"
    path.write_text(changed(saved, kind), "utf-8")
    with pytest.raises(BadCheckpoint, match=said):
        Tokenizer.load(path, 77, "clip")


def test_a_vocabulary_of_our_own_is_not_clips(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(Tokenizer.learn(["a fetal head"], 300, 77).to_json(), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"a vocabulary of \d+ tokens in tokenizer.json. Expected CLIP's 49408"):
        Tokenizer.load(path, 77, "clip")
    assert Tokenizer.load(path, 77).clean is None


@pytest.mark.parametrize("cleaning", ["canonicalize", "", 3, ["clip"]])
def test_an_unknown_cleaning_is_refused(saved, cleaning):
    with pytest.raises(BadCheckpoint, match="cleaning"):
        Tokenizer.load(saved, 77, cleaning)


def test_another_merges_file_is_refused(tmp_path):
    path = tmp_path / "merges.txt.gz"
    path.write_bytes(gzip.compress(b"#version: 0.2\na b\n"))
    with pytest.raises(BadCheckpoint, match=r"merges.txt.gz is not CLIP's merges file"):
        build_engine(path)
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        build_engine(tmp_path / "none.gz")


def test_only_a_clip_vocabulary_loads_ftfy():
    code = (
        "import sys; from fetalclip.models.tokenizer import Tokenizer; assert 'ftfy' not in sys.modules;"
        "t = Tokenizer.clip(77); assert 'ftfy' not in sys.modules; t(['a']); assert 'ftfy' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_notice_names_the_vocabulary():
    root = Path(__file__).parents[2]
    assert "bpe_simple_vocab_16e6.txt.gz" in (root / "NOTICE").read_text("utf-8")
    licence = root / "src" / "fetalclip" / "assets" / "tokenizers" / "LICENSE"
    assert "Permission is hereby granted, free of charge" in licence.read_text("utf-8")
