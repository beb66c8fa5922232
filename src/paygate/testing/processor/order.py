"""Orders: the operations that the fake processor was asked for, and their states."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.processor.journal import Entry


class State(StrEnum):
    """The state of an order, from which the driver derives the outcome."""

    OPENED = "opened"
    """Created, and not decided yet."""
    ACTION = "action"
    """The payer must act."""
    READY = "ready"
    """The payer has approved, and the merchant must complete it."""
    PENDING = "pending"
    """Accepted, with a result later."""
    AUTHORIZED = "authorized"
    """The amount is held."""
    APPROVED = "approved"
    """Done; a charge has moved its money."""
    DECLINED = "declined"
    """The bank declined."""
    REJECTED = "rejected"
    """The processor refused a pending operation."""
    EXPIRED = "expired"
    """The page or hold ran out."""
    CANCELED = "canceled"
    """The merchant, the payer or the processor canceled it."""


PAYABLE = frozenset({State.ACTION, State.READY})


@dataclass(slots=True)
class Due:
    """An event that happens to an order by itself at a certain time."""

    at: datetime
    number: int
    what: str
    minor: int = 0


@dataclass(slots=True, kw_only=True)
class Order:
    """One operation at the processor; `about` is the charge that it concerns.

    `movement` is the movement that a refund takes back. `token` is the magic token that the
    order was made with, `return_url` the address that its page leads back to, `plan` the
    planned outcome, and `details` what its responses show in addition to the state (a decline,
    an action, a stored method). `settled` is what was paid out of each movement, and
    `disputes` are the disputes by their reference.
    """

    reference: str
    operation: str
    kind: str
    our_ref: str
    payment: str
    currency: str
    minor: int
    at: datetime
    state: State = State.OPENED
    about: str = ""
    movement: str = ""
    token: str = ""
    return_url: str = ""
    plan: dict[str, Any] = field(default_factory=dict[str, Any])
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    due: list[Due] = field(default_factory=list[Due])
    movements: list[Entry] = field(default_factory=list["Entry"])
    settled: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def view(self) -> dict[str, Any]:
        """Return the order as the processor's responses show it."""
        shown: dict[str, Any] = {
            "reference": self.reference,
            "operation": self.operation,
            "our_ref": self.our_ref,
            "state": self.state,
            "currency": self.currency,
            "minor": self.minor,
        }
        if self.about:
            shown["about"] = self.about
        if self.movements:
            shown["movements"] = [self.show(entry) for entry in self.movements]
        if self.disputes:
            shown["disputes"] = self.show_disputes()
        shown.update(self.details)
        return shown

    def show_disputes(self) -> list[dict[str, Any]]:
        """Return the current state of the disputes, as copies: earlier events stay unchanged."""
        return [dict(each) for each in self.disputes.values()]

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return one of its movements, with its settlement."""
        return {**shown_movement(entry), **self.settled.get(entry.movement_id, {})}

    def as_json(self) -> dict[str, Any]:
        """Return the order as plain JSON values; its movements are in the journal."""
        return {
            "reference": self.reference,
            "operation": self.operation,
            "kind": self.kind,
            "our_ref": self.our_ref,
            "payment": self.payment,
            "currency": self.currency,
            "minor": self.minor,
            "at": self.at.isoformat(),
            "state": str(self.state),
            "about": self.about,
            "movement": self.movement,
            "token": self.token,
            "return_url": self.return_url,
            "plan": self.plan,
            "details": self.details,
            "settled": self.settled,
            "disputes": self.disputes,
            "due": [[due.at.isoformat(), due.number, due.what, due.minor] for due in self.due],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], movements: list[Entry]) -> Order:
        """Return the order that `as_json` wrote."""
        values = dict(plain)
        values["at"] = datetime.fromisoformat(plain["at"])
        values["state"] = State(plain["state"])
        values["due"] = [Due(datetime.fromisoformat(at), *rest) for at, *rest in plain["due"]]
        return cls(movements=movements, **values)


def shown_movement(entry: Entry) -> dict[str, Any]:
    """Return a movement as the processor's responses show it."""
    shown = {
        "id": entry.movement_id,
        "kind": entry.kind,
        "currency": entry.currency,
        "minor": entry.minor,
        "effective": entry.at.isoformat(),
    }
    if entry.undoes:
        shown["undoes"] = entry.undoes
    if entry.code:
        shown["code"] = entry.code
    return shown
