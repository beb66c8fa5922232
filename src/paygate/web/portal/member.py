"""Members: who is signed in at the host, and which customer they are."""

from __future__ import annotations

from dataclasses import dataclass

from paygate.domain.text import identifier, line
from paygate.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """
    Somebody who is signed in at the host.

    *customer* is the customer of the ledger whose invoices they see. *session* is the id of their
    session at the host, or any text that is secret, belongs to that session and ends with it: the
    forms of the portal are bound to it. *name* is shown to them, and *language* (such as ``"de"``)
    is that of the pages, instead of the one that the browser prefers. *authenticated* says how they
    signed in, such as ``"password"``, and is kept with what they authorize. Of many tenants,
    *tenant* is the one whose customer they are. Raises `InvalidValue`.
    """

    customer: str
    session: str
    name: str = ""
    language: str = ""
    authenticated: str = ""
    tenant: str = "main"

    def __post_init__(self) -> None:
        object.__setattr__(self, "customer", identifier(self.customer, "customer"))
        if not self.session:
            raise InvalidValue(
                "session of a member must be the id of their session, so that forms are bound to "
                "it",
                argument="session",
            )
        for name in ("name", "authenticated"):
            if not line(getattr(self, name)):
                raise InvalidValue(f"{name} of a member must be printable text", argument=name)
