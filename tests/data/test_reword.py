"""The rewording endpoint, a server on this machine: what it may change, what it may not, and what it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fetalclip.clinical.factory import Record, Written
from fetalclip.data.reword import Rewording, refusal
from fetalclip.errors import UsageError

SAID = Record(("brain",), "trans-thalamic", 143, 0.21, "Voluson E6", ("mild ventriculomegaly",))
TEXT = (
    "fetal head at the trans-thalamic plane, 20w3d, 0.21 mm per pixel, on a Voluson E6; findings: mild ventriculomegaly"
)
GOOD = (
    "On a Voluson E6, the fetal head is seen in the trans-thalamic plane (20w3d) "
    "with mild ventriculomegaly, 0.21 mm/pixel."
)
WRITTEN = Written(TEXT, SAID, "prose", 40)


def by_words(text: str) -> int:
    return len(text.split()) + 2


class Server:
    """``answer``: the request's JSON to a status and a body."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda asked: (200, b"")
        self.headers: dict[str, str] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append((self.path, dict(self.headers), asked))
                status, body = server.answer(asked)
                self.send_response(status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # whoever asked has gone
                    self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def says(self, text: str) -> None:
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        self.answer = lambda asked: (200, body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "FETALCLIP_REWORD_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def test_new_words_that_keep_the_facts_are_taken(server: Server) -> None:
    server.says(f"  {GOOD}\n")
    reword = Rewording(server.url, "llama")
    assert reword(WRITTEN, 117, by_words) == GOOD
    assert reword.counts == {"reworded": 1}
    path, headers, asked = server.asked[0]
    assert path == "/v1/chat/completions"
    assert asked["model"] == "llama"
    assert "Authorization" not in headers
    sent = json.loads(asked["messages"][1]["content"])
    assert sent["caption"] == TEXT
    assert sent["facts"]["gestational_age_days"] == 143


def test_a_key_is_sent_only_if_it_is_set(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETALCLIP_REWORD_KEY", "abc")
    server.says(GOOD)
    Rewording(server.url, "m")(WRITTEN, 117, by_words)
    assert server.asked[0][1]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("20w3d", "20w4d", "a number changed"),
        ("0.21", "0.12", "a number changed"),
        ("20w3d", "twenty weeks", "a number changed"),
        ("E6", "E8", "a number changed"),
        ("0.21 mm/pixel", "0.21 mm", "a fact changed: spacing"),
        ("trans-thalamic", "trans-ventricular", "a fact changed: subplane"),
        ("fetal head", "fetal femur", "a fact changed: views"),
        ("fetal head", "fetal head and the fetal spine", "a fact changed: views"),
        (" with mild ventriculomegaly", "", "a fact changed: findings"),
        ("mild ventriculomegaly", "mildly large ventricles", "a word added: mildly"),
        ("On a Voluson E6, the", "E6: the", "a fact changed: machine"),
        ("seen", "not seen", "a word added: not"),
        ("the fetal head", "the healthy fetal head", "a word added: healthy"),
        ("seen", "seen in the second trimester", "a word added: second"),
    ],
)
def test_a_changed_fact_falls_back_to_the_template(server: Server, before: str, after: str, reason: str) -> None:
    assert before in GOOD
    server.says(GOOD.replace(before, after))
    reword = Rewording(server.url, "m")
    assert reword(WRITTEN, 117, by_words) is None
    assert reword.counts == {reason: 1}


def test_other_reasons() -> None:
    assert refusal(GOOD, WRITTEN, 117, by_words) == ""
    assert refusal(GOOD, WRITTEN, 10, by_words) == "too long"
    assert refusal("", WRITTEN, 117, by_words) == refusal("\x07", WRITTEN, 117, by_words) != ""
    assert refusal("word " * 1000, WRITTEN, 117, by_words) == "empty, unprintable or endless"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", "endpoint answered 500"),
        (401, b"", "endpoint answered 401"),
        (302, b"", "endpoint answered 302"),
        (200, b"no json", "endpoint gave no caption"),
        (200, b"{}", "endpoint gave no caption"),
        (200, b'{"choices": []}', "endpoint gave no caption"),
        (200, b'{"choices": [{"message": {"content": 3}}]}', "endpoint gave no caption"),
        (200, b"[" * 100_000, "endpoint gave no caption"),
        (200, b" " * 1_000_001, "endpoint gave no caption"),
    ],
)
def test_a_bad_answer_is_counted(server: Server, status: int, body: bytes, reason: str) -> None:
    server.answer = lambda asked: (status, body)
    server.headers = {"Location": server.url + "/elsewhere"}
    reword = Rewording(server.url, "m")
    assert reword(WRITTEN, 117, by_words) is None
    assert reword.counts == {reason: 1}
    assert len(server.asked) == 1


def test_after_three_failures_in_a_row_it_is_left_alone(server: Server) -> None:
    server.answer = lambda asked: (503, b"")
    reword = Rewording(server.url, "m")
    for _ in range(6):
        reword(WRITTEN, 117, by_words)
    assert len(server.asked) == 3
    assert reword.counts == {"endpoint answered 503": 3, "endpoint given up": 3}


def test_a_slow_endpoint_is_not_waited_for(server: Server) -> None:
    def slow(asked: dict[str, Any]) -> tuple[int, bytes]:
        time.sleep(0.5)
        return 200, b""

    server.answer = slow
    reword = Rewording(server.url, "m", timeout=0.05)
    assert reword(WRITTEN, 117, by_words) is None
    assert reword.counts == {"endpoint too slow": 1}


def test_nobody_at_the_address() -> None:
    reword = Rewording("http://127.0.0.1:9/v1", "m", timeout=2)
    assert reword(WRITTEN, 117, by_words) is None
    assert reword.counts == {"endpoint not reached": 1}


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "file:///etc/passwd", "ftp://h/v1", "http://", "http://h/v1?x=1"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--reword-url"):
        Rewording(url, "m")


def test_a_timeout_is_above_zero() -> None:
    with pytest.raises(UsageError, match="timeout"):
        Rewording("http://127.0.0.1/v1", "m", 0)
