"""Keeping freed memory is a request to the C library, refused quietly elsewhere."""

from __future__ import annotations

import platform

import pytest

from fetalclip.memory import keep_freed_memory


def test_asks_glibc() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False
