"""Staff: who works at the desk, as the host's session says, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from paygate.domain.text import identifier, line
from paygate.errors import InvalidValue
from paygate.printing import shown_value


class Role(StrEnum):
    """What somebody may do at the desk; each role includes those before it."""

    READ = "read"
    """See everything, and change nothing."""
    CLERK = "clerk"
    """Act on payments."""
    MANAGER = "manager"
    """Approve what a clerk asks for above the limit, and go against a warning of the engine."""

    def includes(self, other: Role) -> bool:
        """Return whether this role may do what *other* may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """
    Somebody who is signed in at the host and works at the desk.

    *id* is recorded as the actor of what they do. *session* is the id of their session at the
    host, or any text that is secret, belongs to that session and ends with it: the forms of the
    desk are bound to it. *name* is shown to them (default: *id*). Of many tenants, *tenant* is the
    one that they work for; the others do not exist for them. Raises `InvalidValue`.
    """

    id: str
    role: Role
    session: str
    name: str = ""
    tenant: str = "main"

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", identifier(self.id, "id", length_max=_LENGTH_MAX))
        if not isinstance(cast("object", self.role), Role):
            raise InvalidValue(
                f"role of staff must be a Role ({', '.join(Role)}), not {shown_value(self.role)}",
                argument="role",
            )
        if not self.session:
            raise InvalidValue(
                "session of staff must be the id of their session, so that forms are bound to it",
                argument="session",
            )
        if not line(self.name):
            raise InvalidValue("name of staff must be printable text", argument="name")

    @property
    def shown(self) -> str:
        """The name that is shown to them."""
        return self.name or self.id


_LENGTH_MAX = 100
