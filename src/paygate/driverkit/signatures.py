"""Signatures made with a shared secret (HMAC), and the age of a signed message."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from paygate.domain.secret import Secret
from paygate.errors import NotAuthentic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Digest: TypeAlias = Literal["sha1", "sha256", "sha512"]
Encoding: TypeAlias = Literal["hex", "HEX", "base64"]

_ENCODINGS: Final[dict[Encoding, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
    "base64": lambda raw: base64.b64encode(raw).decode(),
}

STAMP_DIGITS_MAX: Final = 11
"""Ten digits of Unix seconds suffice until the year 2286; 12 are too many for Python."""


class HmacKeys:
    """The secrets of which any may have signed a message: two while one is being rolled over.

    Errors name *by* as the signer. Without secrets nothing is authentic.
    """

    def __init__(
        self,
        secrets: Iterable[Secret[str]],
        by: str,
        *,
        digest: Digest = "sha256",
        encoding: Encoding = "hex",
    ) -> None:
        self._keys = [Secret(each.reveal().encode()) for each in secrets]
        self._by, self._digest, self._encode = by, digest, _ENCODINGS[encoding]

    def sign(self, message: bytes) -> str:
        """Return the signature of *message* by the first secret."""
        return self._signature(self._keys[0], message)

    def check(self, message: bytes, *signatures: str) -> None:
        """Raise `NotAuthentic` unless one of *signatures* was made by one of the secrets."""
        given = [each for each in signatures if each]
        if not given:
            raise NotAuthentic(f"the webhook has no signature of {self._by}", why="unsigned")
        good = False
        for key in self._keys:
            ours = self._signature(key, message)
            for theirs in given:
                # Each is compared, so that the time taken does not reveal which one matched.
                good = alike(ours, theirs) or good
        if not good:
            raise NotAuthentic(
                f"the webhook's signature was not made by {self._by} with our secrets",
                why="signature",
            )

    def _signature(self, key: Secret[bytes], message: bytes) -> str:
        return self._encode(hmac.digest(key.reveal(), message, self._digest))


def alike(ours: str, theirs: str) -> bool:
    """Return whether two signatures are the same, in a time that does not depend on the difference.

    Empty ones never are, so that a missing signature cannot match one that was not computed.
    """
    return bool(ours) and hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))


def unix_stamp(text: str, by: str) -> datetime:
    """Return a signed time given in Unix seconds, or raise `NotAuthentic`."""
    if not (text.isascii() and text.isdigit() and len(text) <= STAMP_DIGITS_MAX):
        raise NotAuthentic(f"the webhook has no time signed by {by}", why="unsigned")
    return datetime.fromtimestamp(int(text), UTC)


def check_age(signed_at: datetime, received_at: datetime, tolerance_s: int) -> None:
    """Raise `NotAuthentic` if the two times are further apart: it may be a replay."""
    if abs((received_at - signed_at).total_seconds()) > tolerance_s:
        raise NotAuthentic(
            f"the webhook was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC", why="too_old"
        )
