"""Settings of the sink ``standard_webhooks``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from paygate.driver import Secret, Secrets, Settings, safe_url

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "whsec_"
"""What a signing secret of the scheme begins with; the rest is base64."""

_KEY_BYTES_MIN: Final = 24
_KEY_BYTES_MAX: Final = 64
_SECRETS_MAX: Final = 5


def _are_keys(given: tuple[Secret[str], ...]) -> tuple[Secret[str], ...]:
    for each in given:
        key = key_of(each)
        if not _KEY_BYTES_MIN <= len(key.reveal()) <= _KEY_BYTES_MAX:
            raise ValueError(
                f"a signing secret is {PREFIX} and then base64 of {_KEY_BYTES_MIN} to "
                f"{_KEY_BYTES_MAX} random bytes"
            )
    return given


def key_of(secret: Secret[str]) -> Secret[bytes]:
    """Return the key of a signing secret; empty if *secret* is not one."""
    text = secret.reveal()
    try:
        # Some tools leave out the padding.
        encoded = text.removeprefix(PREFIX) + "=" * (-len(text.removeprefix(PREFIX)) % 4)
        key = base64.b64decode(encoded, validate=True) if text.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    return Secret(key)


class StandardWebhooksSettings(Settings):
    """Settings of the sink ``standard_webhooks``."""

    url: Annotated[str, safe_url("private", page=True)]
    """The endpoint that receives the events; `http` only in your own network."""
    secrets: Annotated[Secrets, AfterValidator(_are_keys)] = Field(
        min_length=1, max_length=_SECRETS_MAX
    )
    """The signing secret, `whsec_…`. While it is being replaced, several: each signs, so a
    receiver that knows any of them accepts the event."""
    allow_private_addresses: bool = False
    """Whether the endpoint may have an address of this machine or of a private network."""
    timeout_s: float = Field(default=15.0, gt=0, le=120)
    """How long one request may take, from the look-up of the name to the end of the answer."""
    answer_bytes_max: int = Field(default=65_536, ge=1_024, le=2_000_000)
    """The largest answer that is read; a longer one is a refusal."""
    in_flight: int = Field(default=10, ge=1, le=200)
    """How many events, of different aggregates, an `AsyncCashier` sends at once."""

    @model_validator(mode="after")
    def _http_is_private(self) -> Self:
        if urlsplit(self.url).scheme == "http" and not self.allow_private_addresses:
            raise ValueError("http is for your own network: set allow_private_addresses, too")
        return self

    def keys(self) -> Iterator[Secret[bytes]]:
        """Yield the keys that sign, in the order of the secrets."""
        return map(key_of, self.secrets)
