"""Forms of people who are signed in: each is valid for one session, one page and one day.

A form of the member portal or the desk has a signed text in it, which another site cannot make up
and another session cannot use. It has an id of its own, so what it asks for can be done once, and
the version of what was shown, so that nobody decides about something that has changed meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from paygate.ledger.page_keys import PageKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.web.settings import WebSettings

LIFE: Final = timedelta(hours=24)
"""How long a form can be sent after it was shown."""

_LENGTH_MAX: Final = 8_000
_PARTS: Final = 4
_SECONDS_MAX: Final = 10**11


class FormNotValidError(Exception):
    """A form is too old, or was not shown in this session on this page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownForm:
    """A form that came back: its id, and the version of what it was about."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class FormKeys:
    """Signs the forms of one application (its *purpose*) for one tenant."""

    keys: PageKeys
    purpose: str
    tenant: str

    @classmethod
    def of(cls, web: WebSettings, purpose: str, tenant: str) -> FormKeys:
        """Return what signs with the keys of *web*; raise `InvalidSettings` if it has none."""
        return cls(PageKeys(web.keys), purpose, tenant)

    def begin(self, session: str, page: str, now: datetime, version: str = "") -> str:
        """Return the signed text of a form that is shown in *session* on *page*."""
        text = f"{secrets.token_urlsafe(9)}.{int(now.timestamp())}.{version}"
        return f"{text}.{self._signature(session, page, text)}"

    def read(self, value: str, session: str, page: str, now: datetime) -> ShownForm:
        """Return the form with this signed text, or raise `FormNotValidError`."""
        text, _, signature = value.rpartition(".")
        parts = value.split(".")
        if len(value) > _LENGTH_MAX or len(parts) != _PARTS or not value.isascii():
            raise FormNotValidError
        if not hmac.compare_digest(signature, self._signature(session, page, text)):
            raise FormNotValidError
        shown_at = datetime.fromtimestamp(min(int(parts[1]), _SECONDS_MAX), UTC)
        if now - shown_at > LIFE:
            raise FormNotValidError
        return ShownForm(id=parts[0], version=parts[2])

    def seal(self, facts: Mapping[str, object], session: str = "") -> str:
        """Return *facts* as a signed text for an address; anybody can read them.

        With *session*, only that session can `open` it.
        """
        text = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
        return f"{text}.{self._signature(session, 'sealed', text)}"

    def open(self, sealed: str, session: str = "") -> Mapping[str, object]:
        """Return the facts of a sealed text, or raise `FormNotValidError`."""
        text, _, signature = sealed.rpartition(".")
        if len(sealed) > _LENGTH_MAX or not sealed.isascii():
            raise FormNotValidError
        if not hmac.compare_digest(signature, self._signature(session, "sealed", text)):
            raise FormNotValidError
        try:
            found = json.loads(base64.urlsafe_b64decode(f"{text}=="))
        except (ValueError, binascii.Error):
            raise FormNotValidError from None
        return cast("Mapping[str, object]", found)

    def _signature(self, session: str, page: str, text: str) -> str:
        about = f"{session}\0{page}\0{text}"
        return self.keys.signature(self.purpose, self.tenant, about, self.keys.first)
