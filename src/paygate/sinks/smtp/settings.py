"""Settings of the sink ``smtp``."""

from __future__ import annotations

import re
import unicodedata
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from paygate.driver import Secret, Settings
from paygate.sinks.smtp.templates import BUILT_IN, NOTICE, NOTICES, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.event import Event

PORTS: Final[Mapping[str, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port for each kind of security."""

_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?")
DEFAULT: Final = ("payment.succeeded", "payment.refunded")
"""The event types that are mailed if the settings have no templates."""


class SmtpSettings(Settings):
    """Settings of the sink ``smtp``."""

    host: str = Field(min_length=1)
    """The name of the mail server that accepts the mail."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Its port; by default the usual one for `security`: 587, 465 or 25."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted: `starttls` sends nothing before encryption begins, `tls`
    is encrypted from the first byte, and `none` is for a server in your own network."""
    ca_file: Path | None = None
    """A file with the certificates to trust, instead of the public authorities."""
    username: str = ""
    """The name to log in with; without one, no login."""
    password: Secret[str] | None = None
    """The password; it is sent only over an encrypted connection."""
    sender: str
    """Who the mail is from, such as `Acme <billing@acme.example>`."""
    reply_to: str = ""
    """Where replies go, if not to the sender."""
    to: tuple[str, ...] = ()
    """Fixed recipients, such as your own staff. Without any, the mail goes to the customer that
    the event is about; a customer without an address gets none."""
    merchant: str = ""
    """The name that templates show as `{merchant}`; by default that of the sender."""
    templates: dict[str, Template] = Field(default_factory=dict[str, Template])
    """Subject and body by event type; they replace the built-in ones of these types."""
    notices: dict[str, Template] = Field(default_factory=dict[str, Template])
    """Subject and body of the messages to customers who pay late, by kind, such as `suspended`, or
    by kind and language, such as `suspended.de`; they replace the built-in ones, which are in
    English. With any, `notice.due` is mailed."""
    attach_documents: bool = True
    """Whether a mail about a new invoice carries its documents: yours, or else the PDF
    that is drawn with the letterhead. Give `invoice.generated` a template to have such mails."""
    timeout_s: float = Field(default=20.0, gt=0, le=300)
    """How long one step of the conversation with the server may take."""
    deadline_s: float = Field(default=60.0, gt=0, le=300)
    """How long sending one mail may take; shorter than the lease of five minutes."""

    @field_validator("sender", "reply_to")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if value:
            address(value)
        return value

    @field_validator("to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            address(each)
        return value

    @field_validator("templates")
    @classmethod
    def _fit(cls, value: dict[str, Template]) -> dict[str, Template]:
        for type_, template in value.items():
            template.check(type_)
        return value

    @field_validator("notices")
    @classmethod
    def _name_kinds(cls, value: dict[str, Template]) -> dict[str, Template]:
        for name, template in value.items():
            if not _KIND.fullmatch(name):
                raise ValueError(
                    f"{name[:80]!r} is not a kind of notice such as suspended, or one with a "
                    "language, such as suspended.de"
                )
            template.check(NOTICE)
        return value

    @model_validator(mode="after")
    def _login_is_encrypted(self) -> Self:
        if bool(self.username) is not bool(self.password):
            raise ValueError("username and password belong together")
        if self.password and self.security == "none":
            raise ValueError("a password is sent only with security = starttls or tls")
        return self

    def all_templates(self) -> dict[str, Template]:
        """Return the templates by event type: the built-in ones, with those of the host."""
        return {**BUILT_IN, **self.templates}

    def template_of(self, event: Event) -> Template | None:
        """
        Return the template of the mail about *event*, or None.

        That of a notice is for its kind in the customer's language, else for its kind, else the one
        for all notices.
        """
        if event.type == NOTICE:
            kind, language = str(event.data["kind"]), str(event.data["language"])
            known = {**NOTICES, **self.notices}
            for name in (f"{kind}.{language}", f"{kind}.{language.partition('-')[0]}", kind):
                if name in known:
                    return known[name]
        return self.all_templates().get(event.type)

    def events(self) -> tuple[str, ...]:
        """Return the event types that are mailed unless the host sets a filter."""
        mailed = tuple(self.templates)
        if self.notices:
            mailed = (*mailed, NOTICE) if NOTICE not in mailed else mailed
        return mailed or DEFAULT


def address(text: str) -> Address:
    """
    Return ``Ann <ann@example.com>`` or ``ann@example.com`` as an address.

    Raises `ValueError` unless it is exactly one address that can stand in a header.
    """
    name, spec = parseaddr(text)
    if any(unicodedata.category(each)[0] in "CZ" and each != " " for each in text):
        raise ValueError("an address has no line end or other control character")
    local, _, domain = spec.rpartition("@")
    whole = text.strip() == spec or text.strip().endswith(f"<{spec}>")
    if not local or not domain or not whole or any(each in spec for each in " ,;<>"):
        raise ValueError("this is not one e-mail address, such as Acme <billing@acme.example>")
    return Address(display_name=name, username=local, domain=ascii_domain(domain))


def ascii_domain(domain: str) -> str:
    """Return *domain* in the spelling of the name system: ``bücher.example`` has an ASCII one."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the domain of the address is not valid") from None
