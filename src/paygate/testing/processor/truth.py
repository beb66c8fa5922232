"""The memory of the fake processor: orders, movements, events, and what is due later.

Everything that changes between two calls of `commit` is one transaction: on disk it is
one line, so a crash leaves all of it or none of it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paygate.domain.movement import MovementKind
from paygate.testing.processor.journal import Entry, JournalFile
from paygate.testing.processor.order import Due, Order, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A response that is stored under an idempotency key: a repetition gets the same bytes."""

    fingerprint: str
    at: datetime
    status: int
    body: bytes


@dataclass(slots=True)
class _Line:
    """The changes of the current transaction."""

    moved: list[Entry] = field(default_factory=list[Entry])
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    answers: dict[str, StoredAnswer] = field(default_factory=dict[str, StoredAnswer])
    methods: dict[str, str] = field(default_factory=dict[str, str])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Truth:
    """The processor's memory, and on disk too if it has a file."""

    def __init__(self, file: JournalFile | None = None, run: str = "") -> None:
        self.journal: list[Entry] = []
        self.orders: dict[str, Order] = {}
        self.answers: dict[str, StoredAnswer] = {}
        self.methods: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self._by_our_ref: dict[tuple[str, str], list[Order]] = {}
        self._due: list[tuple[datetime, int, str]] = []
        self._movements: dict[str, Entry] = {}
        self._undoing: dict[str, list[Entry]] = {}
        self._serial = 0
        self._run = run
        self._line = _Line()
        self._file = file
        if file is not None:
            for line in file.load():
                self._replay(line)
            for order in self.orders.values():
                for due in order.due:
                    heapq.heappush(self._due, (due.at, due.number, order.reference))

    # --- Reading ------------------------------------------------------------------

    def view(self, order: Order) -> dict[str, Any]:
        """Return *order* as responses show it; a completion shows the completed charge."""
        shown = order.view()
        if order.operation == "complete" and order.state is State.APPROVED:
            charge = self.orders[order.about].view()
            shown = {**charge, "operation": order.operation, "our_ref": order.our_ref}
        return shown

    def of_kind(self, events: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
        """Return those of *events* that are about orders of *kind*, or all if *kind* is empty."""
        if not kind:
            return list(events)
        found = ((each, self.orders.get(each["order"].get("reference", ""))) for each in events)
        return [each for each, order in found if order is None or order.kind == kind]

    def movement(self, movement_id: str) -> Entry | None:
        """Return the movement with this id, or None."""
        return self._movements.get(movement_id)

    def rest(self, entry: Entry) -> int:
        """Return how much of a movement remains after everything that took it back."""
        return entry.minor - sum(
            self.rest(undoing) for undoing in self._undoing.get(entry.movement_id, ())
        )

    def is_void(self, entry: Entry) -> bool:
        """Return whether a movement is a void or was voided: neither is paid out."""
        undoing = self._undoing.get(entry.movement_id, ())
        return any(one.kind is MovementKind.VOID for one in (entry, *undoing))

    def found(self, operation: str, our_ref: str) -> list[Order]:
        """Return every order with this operation and reference of ours."""
        return self._by_our_ref.get((operation, our_ref), [])

    @property
    def due_at(self) -> datetime | None:
        """The instant at which something is due next; it may turn out to have no effect."""
        return self._due[0][0] if self._due else None

    def next_due(self, now: datetime) -> Iterator[tuple[Order, Due]]:
        """Remove and yield what was due until *now*, in order of time."""
        while self._due and self._due[0][0] <= now:
            _, number, reference = heapq.heappop(self._due)
            order = self.orders[reference]
            due = next((due for due in order.due if due.number == number), None)
            if due is not None:
                order.due.remove(due)
                self._line.orders[reference] = order
                yield order, due

    # --- Writing ------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """Return the next unused id with this prefix."""
        self._serial += 1
        return f"{prefix}_{self._run}{self._serial}"

    def open(self, order: Order) -> Order:
        """Store a new order."""
        self._remember(order)
        self._line.orders[order.reference] = order
        return order

    def change(self, order: Order, state: State, **details: Any) -> None:
        """Move *order* to *state*, and show *details* in its responses."""
        order.state = state
        order.details.update(details)
        self._line.orders[order.reference] = order

    def expect(self, order: Order, at: datetime, what: str, minor: int = 0) -> None:
        """Schedule *what* for *order* at the instant *at*."""
        self._serial += 1
        order.due.append(Due(at, self._serial, what, minor))
        self._line.orders[order.reference] = order
        heapq.heappush(self._due, (at, self._serial, order.reference))

    def move(
        self,
        order: Order,
        kind: MovementKind,
        minor: int,
        at: datetime,
        *,
        currency: str = "",
        movement_id: str = "",
        undoes: str = "",
        code: str = "",
    ) -> Entry:
        """Record a movement of money for *order*, under a new id if none is given."""
        entry = Entry(
            sequence=len(self.journal) + 1,
            kind=kind,
            movement_id=movement_id or self.new_id("mv"),
            reference=order.reference,
            our_ref=order.our_ref,
            payment=order.payment,
            currency=currency or order.currency,
            minor=minor,
            at=at,
            undoes=undoes,
            code=code,
        )
        self._book(entry, order)
        self._line.moved.append(entry)
        self._line.orders[order.reference] = order
        return entry

    def tell(self, kind: str, order: Order, at: datetime, **more: Any) -> dict[str, Any]:
        """Record an event for callbacks and the feed; return the order as it is shown."""
        shown = self.view(order)
        new = {entry.movement_id for entry in self._line.moved}
        moved = [movement for movement in shown.get("movements", ()) if movement["id"] in new]
        if moved:
            more["moved"] = [*more.get("moved", ()), *moved]
        self._record(f"{order.operation}.{kind}", at, shown, **more)
        return shown

    def _record(self, type_: str, at: datetime, shown: Mapping[str, Any], **more: Any) -> None:
        event = {
            "id": f"evt_{self._run}{len(self.events) + 1}",
            "type": type_,
            "occurred_at": at.isoformat(),
            "order": shown,
            **more,
        }
        self.events.append(event)
        self._line.events.append(event)

    def tell_only(
        self, kind: str, order: Order, at: datetime, entries: list[Entry], state: State
    ) -> None:
        """Record an event that reports only *entries*, as if nothing else had happened."""
        moved = [order.show(entry) for entry in entries]
        shown = order.view() | {"state": state}
        shown.pop("movements", None)
        if state is State.APPROVED:
            shown["movements"] = moved
        self._record(f"{order.operation}.{kind}", at, shown, moved=moved)

    def is_foreign(self, event: Mapping[str, Any]) -> bool:
        """Return whether *event* is about an operation of another application at the account."""
        return event["order"]["reference"] not in self.orders

    def tell_foreign(self, at: datetime, *, minor: int, readable: bool) -> None:
        """Record an event about a charge of another application at the same account."""
        name = self.new_id("other")
        shown: dict[str, Any] = {
            "reference": name,
            "operation": "charge",
            "our_ref": "",
            "state": State.APPROVED,
            "currency": "USD" if readable else "?",
            "minor": minor if readable else 0,
        }
        moved = {"id": f"{name}-1", "kind": "charge", "effective": at.isoformat()}
        shown["movements"] = [{**moved, "currency": shown["currency"], "minor": shown["minor"]}]
        self._record("charge.approved", at, shown, moved=shown["movements"])

    def keep_answer(self, key: str, stored: StoredAnswer) -> None:
        """Store the response for a repetition under *key*."""
        self.answers[key] = self._line.answers[key] = stored

    def keep_method(self, token: str, behaves_like: str) -> None:
        """Store a method, or with an empty *behaves_like* its deletion."""
        self.methods[token] = self._line.methods[token] = behaves_like

    def commit(self) -> None:
        """End the transaction; with a file, wait until it is on disk."""
        line, self._line = self._line, _Line()
        if self._file is None:
            return
        plain: dict[str, Any] = {}
        if line.moved:
            plain["moved"] = [entry.as_json() for entry in line.moved]
        if line.orders:
            plain["orders"] = [order.as_json() for order in line.orders.values()]
        if line.answers:
            plain["answers"] = {
                key: [kept.fingerprint, kept.at.isoformat(), kept.status, kept.body.decode()]
                for key, kept in line.answers.items()
            }
        if line.methods:
            plain["methods"] = line.methods
        if line.events:
            plain["events"] = line.events
        if plain:
            self._file.append({"serial": self._serial, **plain})

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    # --- Starting again -------------------------------------------------------------

    def _remember(self, order: Order) -> None:
        self.orders[order.reference] = order
        self._by_our_ref.setdefault((order.operation, order.our_ref), []).append(order)

    def _book(self, entry: Entry, order: Order) -> None:
        self.journal.append(entry)
        order.movements.append(entry)
        self._movements[entry.movement_id] = entry
        if entry.undoes:
            self._undoing.setdefault(entry.undoes, []).append(entry)

    def _replay(self, line: Mapping[str, Any]) -> None:
        self._serial = line["serial"]
        for plain in line.get("orders", ()):
            known = self.orders.get(plain["reference"])
            order = Order.from_json(plain, known.movements if known else [])
            if known is None:
                self._remember(order)
            else:
                # The lists by our reference contain the object itself: update it in place.
                for name in Order.__slots__:
                    setattr(known, name, getattr(order, name))
        for plain in line.get("moved", ()):
            entry = Entry.from_json(plain)
            self._book(entry, self.orders[entry.reference])
        for key, (fingerprint, at, status, body) in line.get("answers", {}).items():
            kept = StoredAnswer(fingerprint, datetime.fromisoformat(at), status, body.encode())
            self.answers[key] = kept
        self.methods.update(line.get("methods", {}))
        self.events += line.get("events", ())
