"""Captions worded anew by a language model behind an OpenAI-compatible endpoint; off unless it is asked for.

The endpoint gets the stated facts and the template's caption, never a path, a free text or a picture. Its answer is
used only if every number and every term is still there and nothing was added, as far as `refusal` can tell; otherwise
the template's caption stays, and the reason is counted.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fetalclip.clinical.factory import Measure, Record, Written
from fetalclip.clinical.readback import disagreements, numbers
from fetalclip.errors import UsageError

KEY_VARIABLE = "FETALCLIP_REWORD_KEY"
_MAX_ANSWER = 1_000_000  # bytes
_MAX_CHARACTERS = 1_500
_GIVE_UP = 3  # failed requests in a row after which no more are made
_ASK = (
    "You rewrite one caption of a fetal ultrasound picture. Keep every fact, every number with its unit and every "
    "quoted term exactly as written. Add nothing, leave nothing out. Answer with the one caption and nothing else."
)
# Words that would be a new fact, or turn one round, if the template's caption does not have them.
_CLAIMS = re.compile(
    r"\b(?:no|not|non|never|without|absent|absence|normal\w*|abnormal\w*|healthy|suspect\w*|suspicious|possibl[ey]|"
    r"probabl[ey]|likely|mild\w*|severe\w*|moderate\w*|twins?|triplets?|male|female|boy|girl|left|right|"
    r"first|second|third|early|late|trimester|voluson|aloka|philips|samsung|siemens|mindray|canon|patient|mother|maternal|cm|doppler|colou?r|3d|"
    r"zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|"
    r"nine)ty(?:-\w+)?|half|quarter|dozen)\b",
    re.IGNORECASE,
)


@dataclass
class Rewording:
    """An endpoint that words captions anew.

    Attributes:
        url: base address of the API, such as ``http://127.0.0.1:8000/v1``; ``/chat/completions`` is added.
        model: name of the model, as the endpoint knows it.
        timeout: seconds for one answer.
        counts: reworded, and the reason of each caption that was not.
    """

    url: str
    model: str
    timeout: float = 20.0
    counts: Counter[str] = field(default_factory=Counter)
    _failures: int = 0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        except ValueError:
            fine = False
        if not fine:
            raise UsageError(f"--reword-url {self.url!r:.100}", "http://HOST:PORT/v1", "http://127.0.0.1:8000/v1")
        if not self.timeout > 0:
            raise UsageError(f"--reword-timeout {self.timeout}", "seconds above zero")

    def __call__(self, written: Written, limit: int, measure: Measure) -> str | None:
        """The caption in other words, or None when the template's must stay."""
        if self._failures >= _GIVE_UP:
            self.counts["endpoint given up"] += 1
            return None
        try:
            answer = self._ask(written)
            self._failures = 0
        except (OSError, HTTPException, ValueError) as error:
            self._failures += 1
            self.counts[_why(error)] += 1
            return None
        reason = refusal(answer, written, limit, measure)
        self.counts[reason or "reworded"] += 1
        return None if reason else " ".join(answer.split())

    def _ask(self, written: Written) -> str:
        """The endpoint's answer.

        Raises:
            OSError, HTTPException: no answer.
            ValueError: an answer of another shape, or too large.
        """
        words = json.dumps({"facts": _facts(written.said), "caption": written.text}, ensure_ascii=False)
        asked = {
            "model": self.model,
            "messages": [{"role": "system", "content": _ASK}, {"role": "user", "content": words}],
            "temperature": 0.7,
            "max_tokens": 300,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(KEY_VARIABLE, ""):
            headers["Authorization"] = f"Bearer {key}"
        request = Request(f"{self.url.rstrip('/')}/chat/completions", json.dumps(asked).encode(), headers)
        with build_opener(_NoRedirect).open(request, timeout=self.timeout) as answer:
            data = answer.read(_MAX_ANSWER + 1)
        if len(data) > _MAX_ANSWER:
            raise ValueError("too large")
        try:
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError, RecursionError):
            raise ValueError("another shape") from None
        if not isinstance(content, str):
            raise ValueError("no text")
        return content


def refusal(answer: str, written: Written, limit: int, measure: Measure) -> str:
    """Why an answer cannot take the place of a caption, in a few words; empty when it can.

    Args:
        answer: what the endpoint gave.
        written: the template's caption and its facts.
        limit: tokens.
        measure: tokens of a text.
    """
    text = " ".join(answer.split())
    if not text or not text.isprintable() or len(text) > _MAX_CHARACTERS:
        return "empty, unprintable or endless"
    if numbers(text) != numbers(written.text):
        return "a number changed"
    if added := _new_claims(text, written.text):
        return f"a word added: {added}"
    if wrong := disagreements(text, written.said):
        return f"a fact changed: {wrong[0].partition(':')[0]}"
    if measure(text) > limit:
        return "too long"
    return ""


def _new_claims(text: str, before: str) -> str:
    had = {word.lower() for word in _CLAIMS.findall(before)}
    return next((word.lower() for word in _CLAIMS.findall(text) if word.lower() not in had), "")


def _facts(said: Record) -> dict[str, Any]:
    told = {
        "views": list(said.views),
        "section": said.subplane,
        "gestational_age_days": said.age,
        "mm_per_pixel": said.spacing,
        "machine": said.machine,
        "findings": list(said.findings),
    }
    return {name: value for name, value in told.items() if value}


class _NoRedirect(HTTPRedirectHandler):
    """Facts and key go to the address given and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"endpoint answered {error.code}"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "endpoint too slow"
    return "endpoint gave no caption" if isinstance(error, ValueError) else "endpoint not reached"
