"""The keys of payment pages: from them come the tokens in addresses, and signatures of forms.

A token is derived, not drawn: it is the first 16 bytes of HMAC-SHA-256 over what the page is about,
under a key that HKDF-SHA-256 derives from a master key for one purpose and one tenant. So the same
link has the same address whenever it is asked for, though the ledger keeps only the SHA-256 digest
of the token, from which nobody can make an address. A link stores the id of its master key. The
first key is used for new links; the others, which were first before, still derive the tokens of
their links. A link whose key was removed is not found any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from paygate.domain.secret import Secret, as_secret
from paygate.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY_BYTES: Final = 32
_TOKEN_BYTES: Final = 16
_ID_LENGTH: Final = 16
_DERIVED_MAX: Final = 1_000


class PageKeys:
    """Derives tokens and signatures; its keys never appear in its repr."""

    __slots__ = ("_derived", "_masters", "first")

    def __init__(self, keys: Sequence[Secret[str] | str | bytes]) -> None:
        """Take the master keys, the one for new links first; raise `InvalidSettings`."""
        secrets = [as_secret(key) for key in keys]
        del keys
        masters = [_decoded(number, key) for number, key in enumerate(secrets, start=1)]
        if not masters:
            raise InvalidSettings("page_keys is empty; omit it, or pass at least one key")
        self._masters = {_id_of(master): master for master in masters}
        self._derived: dict[tuple[str, str, str], Secret[bytes]] = {}
        self.first = _id_of(masters[0])
        """The id of the key for new links."""

    def __repr__(self) -> str:
        return f"PageKeys({len(self._masters)} keys)"

    def has(self, key_id: str) -> bool:
        """Return whether the key with this id is here."""
        return key_id in self._masters

    def token(
        self, kind: str, tenant: str, subject: str, generation: int, key_id: str
    ) -> Secret[str]:
        """Return the token of the page about *subject*, a link or a payment."""
        text = "\0".join((kind, tenant, subject, str(generation)))
        mac = self._mac(key_id, f"{kind} token", tenant, text)
        return Secret(_written(mac[:_TOKEN_BYTES]))

    def signature(self, purpose: str, tenant: str, text: str, key_id: str) -> str:
        """Return a signature of *text* that is valid for one *purpose* and one tenant."""
        return _written(self._mac(key_id, purpose, tenant, text)[:_TOKEN_BYTES])

    def key(self, purpose: str, tenant: str, key_id: str) -> Secret[bytes]:
        """Return the key for one *purpose* and one tenant."""
        found = self._derived.get((key_id, purpose, tenant))
        if found is None:
            found = _derived(self._masters[key_id], purpose, tenant)
            if len(self._derived) >= _DERIVED_MAX:
                self._derived.clear()
            self._derived[key_id, purpose, tenant] = found
        return found

    def _mac(self, key_id: str, purpose: str, tenant: str, text: str) -> bytes:
        found = self.key(purpose, tenant, key_id)
        return hmac.digest(found.reveal(), text.encode(), "sha256")


def digest_of(token: str) -> str:
    """Return the digest under which a token is stored and found."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Return whether *text* has the form of a token: 16 bytes in URL-safe base64."""
    try:
        decoded = base64.urlsafe_b64decode(f"{text}==")
    except (binascii.Error, ValueError):
        return False
    return len(decoded) == _TOKEN_BYTES and _written(decoded) == text


def _derived(master: Secret[bytes], purpose: str, tenant: str) -> Secret[bytes]:
    """Return the key for one purpose and tenant (HKDF, RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"paygate\0{purpose}\0{tenant}".encode()
    hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info)
    return Secret(hkdf.derive(master.reveal()))


def _id_of(master: Secret[bytes]) -> str:
    """Return the id of a key, from which nobody can find the key."""
    return hmac.digest(master.reveal(), b"paygate key id", "sha256").hex()[:_ID_LENGTH]


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(number: int, key: Secret[str]) -> Secret[bytes]:
    try:
        raw = Secret(base64.urlsafe_b64decode(key.reveal()))
    except (binascii.Error, ValueError, TypeError):
        raw = Secret(b"")
    if len(raw.reveal()) != _KEY_BYTES:
        raise InvalidSettings(
            f"page key {number} is not 32 bytes in URL-safe base64; generate one with "
            "cryptography.fernet.Fernet.generate_key()"
        )
    return raw
