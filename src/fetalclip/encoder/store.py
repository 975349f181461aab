"""Embeddings of prompts, kept on disk by model and text, so that a prompt is encoded once and not at every start.

Texts are kept as hashes, not as words: a prompt may hold what its writer would not want on the disk.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.cards import Card
from fetalclip.settings import cache_folder

Array = npt.NDArray[np.float32]

_TABLE = "CREATE TABLE IF NOT EXISTS prompts (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
_FULL = 200_000  # rows; beyond this nothing more is kept
_LARGEST = 1 << 30  # bytes; likewise
_WAIT = 5.0  # seconds for another process to finish writing


class PromptStore:
    """A small database file; whatever is wrong with it costs time, never an answer.

    Args:
        path: the file; made when first written to.
        model: what the embeddings depend on besides the text: weights, tokenizer, number type.
    """

    @classmethod
    def of(cls, card: Card, device: str, precision: str) -> PromptStore:
        """The store of a model; everything an embedding depends on is in its key."""
        assert card.folder is not None
        words = hashlib.sha256((card.folder / "tokenizer.json").read_bytes()).hexdigest()
        told = [card.config.get(name) for name in ("architecture", "tokenizer")]
        key = hashlib.sha256(repr((card.sha256, words, told, device, precision)).encode()).hexdigest()
        return cls(cache_folder() / "prompts.sqlite", key)

    def __init__(self, path: Path, model: str) -> None:
        self.path, self.model = path, model

    def get(self, texts: Iterable[str], dim: int) -> dict[str, Array]:
        """Embeddings that are there, by text; those of another width than ``dim`` are left out."""
        if not self.path.is_file():
            return {}
        found: dict[str, Array] = {}
        try:
            with self._open() as base:
                for text in texts:
                    row = base.execute("SELECT vector FROM prompts WHERE key = ?", (self._key(text),)).fetchone()
                    if row is not None and len(row[0]) == 4 * dim:
                        found[text] = np.frombuffer(row[0], "<f4").astype(np.float32)
        except (sqlite3.Error, OSError, TypeError):
            return {}
        return {text: vector for text, vector in found.items() if np.isfinite(vector).all()}

    def put(self, made: Mapping[str, Array]) -> None:
        """Keep embeddings (d,) float32 by text."""
        rows = [(self._key(text), vector.astype("<f4").tobytes()) for text, vector in made.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_file() and self.path.stat().st_size > _LARGEST:
                return
            with self._open() as base:
                base.execute(_TABLE)
                if base.execute("SELECT count(*) FROM prompts").fetchone()[0] < _FULL:
                    base.executemany("INSERT OR REPLACE INTO prompts VALUES (?, ?)", rows)
                    base.commit()
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                self.path.unlink(missing_ok=True)  # only a cache: begin again
        except OSError:
            pass  # nowhere to write: encoded again next time

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.model}\n{text}".encode("utf-8", "surrogatepass")).digest()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=_WAIT)) as base:
            yield base
