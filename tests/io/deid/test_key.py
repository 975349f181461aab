"""The key: what it makes is its own, known again, and another key's is other."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fetalclip.errors import OutputError, UnreadableInput, UsageError
from fetalclip.io.deid.key import ENVIRONMENT, Key, find_key, is_private


def test_consistent_and_keyed(key: Key, other_key: Key) -> None:
    again = Key(bytes(range(32)))
    for make in (Key.pseudonym, Key.uid, Key.days):
        assert make(key, "1.2.3") == make(again, "1.2.3") != make(other_key, "1.2.3")
        assert len({make(key, f"1.2.{i}") for i in range(200)}) > 180
    assert key.fingerprint == again.fingerprint != other_key.fingerprint


def test_its_own_work_is_left_as_it_is(key: Key, other_key: Key) -> None:
    for i in range(500):
        name, uid = key.pseudonym(f"{i}"), key.uid(f"1.2.{i}")
        assert (key.pseudonym(name), key.uid(uid), key.days(name)) == (name, uid, 0)
        assert len(uid) <= 64
        assert uid.startswith("2.25.")
        assert not other_key.made_uid(uid)
        assert not other_key.made_name(name)
        assert 400 <= key.days(f"{i}") < 4000


@pytest.mark.parametrize("forged", ["P-" + "0" * 24, "P-xyz", "2.25.1", "2.25." + "9" * 39, ""])
def test_a_forgery_is_not_its_own(key: Key, forged: str) -> None:
    assert not key.made_name(forged)
    assert not key.made_uid(forged)


def test_a_missing_file_is_made_for_its_owner(tmp_path: Path) -> None:
    made, new = find_key(tmp_path / "k")
    assert new
    assert find_key(tmp_path / "k")[0].fingerprint == made.fingerprint
    assert stat.S_IMODE(os.stat(tmp_path / "k").st_mode) == 0o600
    assert is_private(tmp_path / "k")
    (tmp_path / "k").chmod(0o644)
    assert not is_private(tmp_path / "k")
    with pytest.raises(UnreadableInput, match="is not there"):
        find_key(tmp_path / "no", make=False)
    with pytest.raises(OutputError, match="cannot be made"):
        find_key(tmp_path / "none" / "k")


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, "ab" * 33, "zz" * 32, "ab" * 32, "00" * 32, "x" * 5000])
def test_no_key_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(UnreadableInput) as caught:
        find_key(tmp_path / "k")
    assert len(text) < 6 or text[:6] not in str(caught.value)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch, key: Key) -> None:
    monkeypatch.setenv(ENVIRONMENT, bytes(range(32)).hex())
    assert find_key(None)[0].fingerprint == key.fingerprint
    for wrong in ("abc", "0" * 64):
        monkeypatch.setenv(ENVIRONMENT, wrong)
        with pytest.raises(UnreadableInput, match=f"unset {ENVIRONMENT}"):
            find_key(None)
    monkeypatch.setenv(ENVIRONMENT, "short")
    with pytest.raises(UnreadableInput, match="5 characters"):
        find_key(None)
    monkeypatch.delenv(ENVIRONMENT)
    with pytest.raises(UsageError, match="no key"):
        find_key(None)


def test_the_secret_does_not_show(key: Key) -> None:
    assert bytes(range(32)).hex()[:8] not in repr(key)
