"""CLIP's byte-pair vocabulary as OpenCLIP uses it: 49,408 tokens, 256 bytes twice, 48,894 merges and two specials.

The engine is of the ``tokenizers`` library; the text goes through `clean` first. Ids equal OpenCLIP's for every text of
characters assigned up to Unicode 16; of later ones the library does not know yet whether they are letters, and may
part a word at them where OpenCLIP (through the ``regex`` package) does not.

Source: open_clip_torch 3.3.0 (MIT), ``tokenizer.py`` and ``bpe_simple_vocab_16e6.txt.gz``, after OpenAI's CLIP (MIT).
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Engine

from fetalclip.errors import BadCheckpoint

START, END = "<start_of_text>", "<end_of_text>"
VOCAB_SIZE = 49_408
START_ID, END_ID = VOCAB_SIZE - 2, VOCAB_SIZE - 1

_MERGES = Path(__file__).parents[1] / "assets" / "tokenizers" / "bpe_simple_vocab_16e6.txt.gz"
_MERGES_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
_MODEL_SHA256 = "f9ed75c7303813705c2bd2d90308476118d3b77bfe42f07a33a57b44c175e2bc"  # tokens by id, then merges
_MERGES_USED = VOCAB_SIZE - 2 * 256 - 2  # the file lists 262,144
_SUFFIX = "</w>"

# What the original calls a word. Its pattern takes no account of case, so that a long s is an s, and U+0345 (an iota
# below, whose capital is a letter) belongs to no word at all.
_WORD = r"<[sſ]tart_of_text>|<end_of_text>|'[sſ]|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}\x{0345}]+"
# A text through every part of the engine, and its ids.
_PROBE = "fetal heart's 20 weeks, naïve 'ſ !!<start_of_text> <end_of_text> 🫀"
_PROBE_IDS = (
    "49406 42031 1936 568 273 271 2898 267 1097 35689 563 6 129 379 1443 283 1572 318 539 318 "
    "4160 285 27 945 62 684 62 18169 285 558 104 478 49407"
)


def clean(text: str) -> str:
    """The text as the original reads it: mended, HTML entities resolved twice, single spaces, lower case.

    Lone surrogates become the replacement character.
    """
    import ftfy  # 50 ms of start-up that only a CLIP vocabulary needs

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()


def build_engine(merges: Path | None = None) -> Engine:
    """The engine, from the merges file.

    The two special tokens stand in the vocabulary and not among the engine's added tokens: the engine would find those
    before it looks for words, and the original does not (in ``!<start_of_text>`` it sees none).

    Args:
        merges: ``bpe_simple_vocab_16e6.txt.gz``; None for the bundled one.

    Raises:
        BadCheckpoint: another file, or unreadable.
    """
    pairs = _read(merges or _MERGES)
    letters = _byte_letters()
    tokens = [*letters, *(letter + _SUFFIX for letter in letters), *("".join(pair) for pair in pairs), START, END]
    vocab = {token: i for i, token in enumerate(tokens)}
    engine = Engine(models.BPE(vocab=vocab, merges=pairs, end_of_word_suffix=_SUFFIX))
    words = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_])
    engine.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, START_ID), (END, END_ID)]
    )
    engine.decoder = decoders.ByteLevel()
    return engine


def check_engine(engine: Engine, name: str) -> None:
    """Hold an engine read from a file to CLIP's vocabulary.

    Args:
        engine: from ``tokenizer.json``.
        name: of the file, for the message.

    Raises:
        BadCheckpoint: another number of tokens, other ids, other merges, or another way to part words.
    """
    expected = f"CLIP's {VOCAB_SIZE} tokens, {START} at {START_ID} and {END} at {END_ID}"
    fix = "fetalclip models convert --config C --weights W --out DIR"
    size = engine.get_vocab_size(with_added_tokens=True)
    if size != VOCAB_SIZE:
        raise BadCheckpoint(f"a vocabulary of {size} tokens in {name}", expected, fix)
    ids = engine.token_to_id(START), engine.token_to_id(END)
    if ids != (START_ID, END_ID):
        raise BadCheckpoint(f"special tokens at {ids[0]} and {ids[1]} in {name}", expected, fix)
    if _digest(json.loads(engine.to_str())["model"]) != _MODEL_SHA256:
        raise BadCheckpoint(f"tokens or merges in {name} that are not CLIP's", expected, fix)
    if " ".join(map(str, engine.encode(_PROBE).ids)) != _PROBE_IDS:
        raise BadCheckpoint(f"{name} parts words in another way than CLIP", expected, fix)


def _read(path: Path) -> list[tuple[str, str]]:
    """The merges CLIP uses, first to last."""
    try:
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != _MERGES_SHA256:
            raise BadCheckpoint(f"{path.name} is not CLIP's merges file", f"sha256 {_MERGES_SHA256[:12]}…")
        lines = gzip.decompress(packed).decode("utf-8").split("\n", _MERGES_USED + 1)
    except OSError as error:
        fix = "install the package again"
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror})", "CLIP's merges file", fix) from None
    return [(first, second) for first, second in (line.split() for line in islice(lines, 1, _MERGES_USED + 1))]


def _byte_letters() -> list[str]:
    """The 256 characters that stand for bytes, in the order of their ids: printable ones first, as themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def _digest(model: dict[str, Any]) -> str:
    """Hash of the tokens by id and the merges, which files write as pairs or as one string."""
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return hashlib.sha256("\n".join([*tokens, *merges]).encode()).hexdigest()
