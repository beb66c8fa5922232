"""The vault: tokens of stored methods, encrypted before they come near a disk.

Fernet (AES-128-CBC with HMAC-SHA256) under keys of the host's: the first
encrypts, all of them decrypt, so a new key is put first and the old one dropped
when `rotate_keys` is through. The method's id is sealed in with its token: a row
that was given the token of another does not open.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from paygate.domain.secret import Secret, as_secret
from paygate.errors import InvalidSettings, TokenUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY_BYTES = 32


class Vault:
    """Seals and opens tokens; its keys show nowhere."""

    __slots__ = ("_all", "_first", "_keys")

    def __init__(self, keys: Sequence[Secret[str] | str | bytes]) -> None:
        """Take Fernet keys, the one that encrypts first; raises `InvalidSettings`."""
        secrets = [as_secret(key) for key in keys]
        del keys
        self._keys: tuple[Secret[str], ...] = ()
        self._keys = tuple(_checked(number, key) for number, key in enumerate(secrets, start=1))
        if not self._keys:
            raise InvalidSettings("token_keys is empty; leave it out, or give at least one key")
        self._first: Any = None
        self._all: Any = None

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, token: Secret[str], *, of: str) -> bytes:
        """Encrypt the *token* of the method *of* under the first key."""
        sealed: bytes = self._ciphers()[0].encrypt(f"{of}:{token.reveal()}".encode())
        return sealed

    def open(self, sealed: bytes, *, of: str) -> Secret[str]:
        """Decrypt the token of the method *of*, or raise `TokenUnreadable`."""
        plain = _opened(self._ciphers()[1], sealed)
        if plain is None:
            raise TokenUnreadable(
                f"none of the {len(self._keys)} token keys opens the token of method {of}; add the "
                "key that it was stored under to token_keys",
                method=of,
            )
        owner, _, token = plain.partition(":")
        if owner != of:
            raise TokenUnreadable(
                f"the token in the row of method {of} belongs to another method; somebody changed "
                "the ledger",
                method=of,
            )
        return Secret(token)

    def reseal(self, sealed: bytes, *, of: str) -> bytes | None:
        """Encrypt what is *sealed* under the first key; None where it is already."""
        if _opened(self._ciphers()[0], sealed) is not None:
            return None
        return self.seal(self.open(sealed, of=of), of=of)

    def _ciphers(self) -> tuple[Any, Any]:
        """Make the first key's cipher and that of all keys; most processes never need one."""
        if self._all is None:
            from cryptography.fernet import Fernet, MultiFernet

            ciphers = [Fernet(key.reveal()) for key in self._keys]
            self._first, self._all = ciphers[0], MultiFernet(ciphers)
        return self._first, self._all


def _checked(number: int, key: Secret[str]) -> Secret[str]:
    if not _is_key(key):
        raise InvalidSettings(
            f"token key {number} is no Fernet key (32 bytes in URL-safe base64); make one with "
            "cryptography.fernet.Fernet.generate_key()"
        )
    return key


def _is_key(key: Secret[str]) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key.reveal())) == _KEY_BYTES
    except (binascii.Error, ValueError, TypeError):
        return False


def _opened(cipher: Any, sealed: bytes) -> str | None:
    from cryptography.fernet import InvalidToken

    try:
        plain: bytes = cipher.decrypt(sealed)
    except InvalidToken:
        return None
    return plain.decode()
