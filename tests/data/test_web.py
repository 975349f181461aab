"""What `tests/data/test_records.py` does not hold of the web: addresses, redirects, answers that are too short."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest

from fetalclip.data import web
from fetalclip.errors import DataMissing, UsageError


def file(zenodo, size: int, data: bytes) -> web.WebFile:
    url = f"{zenodo.url}/records/7/files/a.bin/content"
    return web.WebFile("a.bin", size, "sha256", hashlib.sha256(data).hexdigest(), url, "index")


@pytest.mark.parametrize("url", ["ftp://host/a", "file:///etc/passwd", "https://", "a.json", ""])
def test_another_kind_of_address(url: str) -> None:
    with pytest.raises(UsageError, match="https://"):
        web.ask(url, "a thing", 10)


def test_an_answer_is_bounded(zenodo) -> None:
    zenodo.files["7"] = {"a.bin": b"x" * 100_000}
    assert len(web.ask(f"{zenodo.url}/records/7/files/a.bin/content", "a thing", 10)) == 11


@pytest.mark.parametrize(("before", "after"), [("https", "http"), ("https", "file"), ("http", "ftp")])
def test_no_way_back_to_http(before: str, after: str) -> None:
    with pytest.raises(URLError, match="redirected to"):
        web._SafeRedirect().redirect_request(Request(f"{before}://a/b"), None, 302, "", {}, f"{after}://a/b")


def test_https_from_http() -> None:
    sent = web._SafeRedirect().redirect_request(Request("http://a/b"), None, 302, "", {}, "https://a/b")
    assert sent.full_url == "https://a/b"


def test_by_sha256(zenodo, tmp_path: Path) -> None:
    data = b"x" * 5000
    zenodo.files["7"] = {"a.bin": data}
    path = web.fetch(file(zenodo, 5000, data), tmp_path)
    assert path.read_bytes() == data
    assert web.is_whole(path, file(zenodo, 5000, data))
    assert not web.is_whole(path, file(zenodo, 5000, b"y"))


def test_an_answer_that_is_whole_and_too_short(zenodo, tmp_path: Path) -> None:
    zenodo.files["7"] = {"a.bin": b"x" * 5000}
    with pytest.raises(DataMissing, match=r"a\.bin is shorter than its index says"):
        web.fetch(file(zenodo, 6000, b"x" * 6000), tmp_path)
    (tmp_path / "a.bin.part").write_bytes(b"x" * 5500)
    with pytest.raises(DataMissing, match="answered 416"):
        web.fetch(file(zenodo, 6000, b"x" * 6000), tmp_path)
    assert list(tmp_path.iterdir()) == []
