"""The secret key of a de-identification: the same key gives the same pseudonyms, UIDs and dates, another key others.

What the key makes carries a check that only the key can make. So its own work is known again and is left as it is:
de-identifying twice gives what once gave. Nobody without the key can tell a pseudonym from a made-up one.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

from fetalclip.errors import OutputError, UnreadableInput, UsageError

ENVIRONMENT = "FETALCLIP_DEID_KEY"
"""Where the key stands when no file is named: the same 64 hexadecimal digits."""

BYTES = 32
"""Length of a key (256 bits)."""

LEAST_DAYS, MOST_DAYS = 400, 4000
"""How far dates go into the past. More than a pregnancy, so that no new date is an old one of the same exam."""

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_NAME = re.compile(r"P-[0-9a-f]{24}")
_UID = re.compile(r"2\.25\.([1-9][0-9]{0,38})")
_CHECK_BITS = 40  # of the 122 free bits of a UID


class Key:
    """What a secret key makes of identifiers.

    Args:
        secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != BYTES:
            raise ValueError("a key of another length")
        self._secret = secret

    def __repr__(self) -> str:
        return f"Key({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Tells one key from another and nothing else of it, 16 hexadecimal digits."""
        return self._mac("fingerprint", "")[:8].hex()

    def pseudonym(self, patient: str) -> str:
        """The name of a patient, ``P-`` and 24 hexadecimal digits; a pseudonym of this key is itself."""
        if self.made_name(patient):
            return patient
        body = self._mac("patient", patient)[:8].hex()
        return f"P-{body}{self._mac('patient check', body)[:4].hex()}"

    def uid(self, uid: str) -> str:
        """The UID that replaces one, under the root 2.25 (a UUID of version 8, RFC 9562); one of this key is itself."""
        if self.made_uid(uid):
            return uid
        body = int.from_bytes(self._mac("uid", uid)[:11], "big") >> 6  # 82 bits
        return f"2.25.{_uuid(body << _CHECK_BITS | self._uid_check(body))}"

    def days(self, patient: str) -> int:
        """Days by which the dates of a patient go back; 0 for a pseudonym of this key, whose dates have moved."""
        if self.made_name(patient):
            return 0
        return LEAST_DAYS + int.from_bytes(self._mac("days", patient)[:8], "big") % (MOST_DAYS - LEAST_DAYS)

    def made_name(self, text: str) -> bool:
        """Whether this key made it as a pseudonym."""
        if not _NAME.fullmatch(text):
            return False
        return hmac.compare_digest(text[18:], self._mac("patient check", text[2:18])[:4].hex())

    def made_uid(self, uid: str) -> bool:
        """Whether this key made it as a UID."""
        match = _UID.fullmatch(uid)
        free = _free(int(match[1])) if match else None
        return free is not None and free & (1 << _CHECK_BITS) - 1 == self._uid_check(free >> _CHECK_BITS)

    def _uid_check(self, body: int) -> int:
        return int.from_bytes(self._mac("uid check", str(body))[:5], "big")

    def _mac(self, use: str, text: str) -> bytes:
        """HMAC-SHA256 (RFC 2104), one domain for each use."""
        return hmac.digest(self._secret, f"fetalclip deid {use}\0{text}".encode("utf-8", "surrogateescape"), "sha256")


def _uuid(free: int) -> int:
    """A UUID of version 8 as a number, from its 122 free bits: 48, version, 12, variant, 62."""
    return (free >> 74) << 80 | 8 << 76 | (free >> 62 & 0xFFF) << 64 | 2 << 62 | free & (1 << 62) - 1


def _free(uuid: int) -> int | None:
    """The 122 free bits of a UUID of version 8, or None of any other number."""
    if uuid >> 128 or uuid >> 76 & 0xF != 8 or uuid >> 62 & 3 != 2:
        return None
    return (uuid >> 80) << 74 | (uuid >> 64 & 0xFFF) << 62 | uuid & (1 << 62) - 1


def find_key(path: Path | None, make: bool = True) -> tuple[Key, bool]:
    """The key of a file, or of the environment when no file is named.

    A file that is not there is made, readable by its owner alone.

    Args:
        path: the key file, or None.
        make: whether a missing file may be made.

    Returns:
        The key, and whether it was made now.

    Raises:
        UsageError: neither a file nor the environment has a key.
        UnreadableInput: the file cannot be read or holds no key.
        OutputError: the file cannot be made.
    """
    if path is None:
        text = os.environ.get(ENVIRONMENT, "")
        if not text:
            raise UsageError("no key", f"--key-file, or the key in {ENVIRONMENT}", "--key-file deid.key")
        fix = f"--key-file deid.key, which makes a key; or unset {ENVIRONMENT}, or put a key into it"
        return _parsed(text, ENVIRONMENT, fix), False
    try:
        if not os.path.lexists(path) and make:
            return _made(path), True
        if not path.is_file():
            raise UnreadableInput(f"--key-file {path} is not there or no file", "a key file", "--key-file deid.key")
        with path.open("rb") as stream:
            text = stream.read(1024).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no name for a file"
        raise UnreadableInput(f"--key-file {path} cannot be read ({why})", "a key file you may read") from None
    return _parsed(text, f"--key-file {path}", "a new file name, to make a key"), False


def is_private(path: Path) -> bool:
    """Whether only the owner may read the file, where the system can say so."""
    return os.name != "posix" or path.stat().st_mode & 0o077 == 0


def _parsed(text: str, place: str, fix: str) -> Key:
    """The key that a text spells. The error does not repeat it: it may be a real one with a typing error."""
    text = text.strip()
    if not _HEX.fullmatch(text):
        found = f"{place} holds {len(text)} characters" if len(text) < 1000 else f"{place} holds a long text"
        raise UnreadableInput(f"{found} that are no key", "64 hexadecimal digits", fix)
    secret = bytes.fromhex(text)
    if len(set(secret)) < 8:
        raise UnreadableInput(f"{place} holds a key that can be guessed", "64 digits by chance", fix)
    return Key(secret)


def _made(path: Path) -> Key:
    secret = secrets.token_bytes(BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secret.hex() + "\n")
    except OSError as error:
        raise OutputError(f"--key-file {path} cannot be made ({error.strerror})", "a folder that exists") from None
    return Key(secret)
