"""The vault: encryption of tokens before they are stored.

It uses Fernet (AES-128-CBC with HMAC-SHA256) with the host's keys. The first key encrypts, and
all of them decrypt: a new key is put first, and the old one is removed once `rotate_keys` has
finished. The method's id is encrypted together with its token, so a token that was moved to
another row cannot be used.
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
    """Encrypts and decrypts tokens; its keys never appear in its repr."""

    __slots__ = ("_all", "_first", "_keys")

    def __init__(self, keys: Sequence[Secret[str] | str | bytes]) -> None:
        """Create a vault with Fernet keys, the encrypting one first; raise `InvalidSettings`."""
        secrets = [as_secret(key) for key in keys]
        del keys
        self._keys: tuple[Secret[str], ...] = ()
        self._keys = tuple(_checked(number, key) for number, key in enumerate(secrets, start=1))
        if not self._keys:
            raise InvalidSettings("token_keys is empty; omit it, or pass at least one key")
        self._first: Any = None
        self._all: Any = None

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, token: Secret[str], *, of: str) -> bytes:
        """Return the *token* of the method *of*, encrypted under the first key."""
        sealed: bytes = self._ciphers()[0].encrypt(f"{of}:{token.reveal()}".encode())
        return sealed

    def open(self, sealed: bytes, *, of: str) -> Secret[str]:
        """Return the decrypted token of the method *of*, or raise `TokenUnreadable`."""
        plain = _opened(self._ciphers()[1], sealed)
        if plain is None:
            raise TokenUnreadable(
                f"none of the {len(self._keys)} token keys decrypts the token of method {of}; add "
                "the key that it was encrypted under to token_keys",
                method=of,
            )
        owner, _, token = plain.partition(":")
        if owner != of:
            raise TokenUnreadable(
                f"the token in the row of method {of} belongs to another method; the ledger was "
                "altered",
                method=of,
            )
        return Secret(token)

    def reseal(self, sealed: bytes, *, of: str) -> bytes | None:
        """Return *sealed* encrypted under the first key; None if it is already."""
        if _opened(self._ciphers()[0], sealed) is not None:
            return None
        return self.seal(self.open(sealed, of=of), of=of)

    def _ciphers(self) -> tuple[Any, Any]:
        """Return the cipher of the first key and that of all keys, created on first use."""
        if self._all is None:
            from cryptography.fernet import Fernet, MultiFernet

            ciphers = [Fernet(key.reveal()) for key in self._keys]
            self._first, self._all = ciphers[0], MultiFernet(ciphers)
        return self._first, self._all


def _checked(number: int, key: Secret[str]) -> Secret[str]:
    if not _is_key(key):
        raise InvalidSettings(
            f"token key {number} is not a Fernet key (32 bytes in URL-safe base64); generate one "
            "with cryptography.fernet.Fernet.generate_key()"
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
