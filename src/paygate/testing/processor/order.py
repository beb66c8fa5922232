"""One thing that the fake processor was asked to do, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.testing.processor.journal import Entry


class State(StrEnum):
    """Where an order stands; the driver makes an outcome of it."""

    OPENED = "opened"
    ACTION = "action"
    READY = "ready"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    APPROVED = "approved"
    DECLINED = "declined"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"


PAYABLE = frozenset({State.ACTION, State.READY})


@dataclass(slots=True)
class Due:
    """Something that happens to an order by itself when its time comes."""

    at: datetime
    number: int
    what: str
    minor: int = 0


@dataclass(slots=True, kw_only=True)
class Order:
    """One operation at the processor; `about` is the charge that it concerns.

    `movement` is what a refund takes back. `token` is the magic token that it was
    made with, `return_url` where its page leads back to, `plan` how it will end, and
    `told` what its answers show beside the state (a decline, an action, a stored
    method). `settled` is what was paid out of each movement, `disputes` how disputes
    stand, by the movement that takes the money.
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
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    due: list[Due] = field(default_factory=list[Due])
    movements: list[Entry] = field(default_factory=list["Entry"])
    settled: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def view(self) -> dict[str, Any]:
        """Show the order as the processor's answers do."""
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
        shown.update(self.told)
        return shown

    def show_disputes(self) -> list[dict[str, Any]]:
        """Show how disputes stand now; what was told of them before stays as it was."""
        return [dict(told) for told in self.disputes.values()]

    def show(self, entry: Entry) -> dict[str, Any]:
        """Show one of its movements, with what is settled of it."""
        return {**shown_movement(entry), **self.settled.get(entry.movement_id, {})}

    def as_json(self) -> dict[str, Any]:
        """Write the order as plain JSON values; its movements stand in the journal."""
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
            "told": self.told,
            "settled": self.settled,
            "disputes": self.disputes,
            "due": [[due.at.isoformat(), due.number, due.what, due.minor] for due in self.due],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], movements: list[Entry]) -> Order:
        """Read what `as_json` wrote."""
        values = dict(plain)
        values["at"] = datetime.fromisoformat(plain["at"])
        values["state"] = State(plain["state"])
        values["due"] = [Due(datetime.fromisoformat(at), *rest) for at, *rest in plain["due"]]
        return cls(movements=movements, **values)


def shown_movement(entry: Entry) -> dict[str, Any]:
    """Show a movement as the processor's answers do."""
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
