"""What the fake processor knows: orders, moved money, events, and what is still to come.

Everything that changes between `begin` and `commit` is one transaction: on disk
it is one line, so a crash leaves all of it or nothing.
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
    """An answer that is kept under an idempotency key: a repetition gets the same bytes."""

    fingerprint: str
    at: datetime
    status: int
    body: bytes


@dataclass(slots=True)
class _Line:
    """What the transaction at hand changed."""

    moved: list[Entry] = field(default_factory=list[Entry])
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    answers: dict[str, StoredAnswer] = field(default_factory=dict[str, StoredAnswer])
    methods: dict[str, str] = field(default_factory=dict[str, str])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Truth:
    """The processor's memory, on disk as well if it was given a file."""

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
        """Show *order* as answers do; a completion shows the charge that it completed."""
        shown = order.view()
        if order.operation == "complete" and order.state is State.APPROVED:
            charge = self.orders[order.about].view()
            shown = {**charge, "operation": order.operation, "our_ref": order.our_ref}
        return shown

    def of_kind(self, events: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
        """Return those *events* that are about orders of *kind*; all of them if it is empty."""
        if not kind:
            return list(events)
        found = ((each, self.orders.get(each["order"].get("reference", ""))) for each in events)
        return [each for each, order in found if order is None or order.kind == kind]

    def movement(self, movement_id: str) -> Entry | None:
        """Find a movement by its id."""
        return self._movements.get(movement_id)

    def rest(self, entry: Entry) -> int:
        """Tell how much of a movement still stands, after all that took it back."""
        return entry.minor - sum(
            self.rest(undoing) for undoing in self._undoing.get(entry.movement_id, ())
        )

    def is_void(self, entry: Entry) -> bool:
        """Tell whether a movement is a void, or was taken back by one: neither is paid out."""
        undoing = self._undoing.get(entry.movement_id, ())
        return any(one.kind is MovementKind.VOID for one in (entry, *undoing))

    def found(self, operation: str, our_ref: str) -> list[Order]:
        """Find every order that carries *our_ref*."""
        return self._by_our_ref.get((operation, our_ref), [])

    @property
    def due_at(self) -> datetime | None:
        """Tell when the next thing happens by itself; it may turn out to be nothing."""
        return self._due[0][0] if self._due else None

    def next_due(self, now: datetime) -> Iterator[tuple[Order, Due]]:
        """Take out, one by one, what was to happen until *now*, in the order of time."""
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
        """Give the next thing its number."""
        self._serial += 1
        return f"{prefix}_{self._run}{self._serial}"

    def open(self, order: Order) -> Order:
        """Remember a new order."""
        self._remember(order)
        self._line.orders[order.reference] = order
        return order

    def change(self, order: Order, state: State, **told: Any) -> None:
        """Move *order* to *state* and let its answers show *told*."""
        order.state = state
        order.told.update(told)
        self._line.orders[order.reference] = order

    def expect(self, order: Order, at: datetime, what: str, minor: int = 0) -> None:
        """Let *what* happen to *order* when its time comes."""
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
        """Move money for *order*, with an id of its own."""
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
        """Record an event, for callbacks and the feed; the order as it shows now."""
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
        """Record an event that tells of *entries* alone, as if nothing else had happened."""
        moved = [order.show(entry) for entry in entries]
        shown = order.view() | {"state": state}
        shown.pop("movements", None)
        if state is State.APPROVED:
            shown["movements"] = moved
        self._record(f"{order.operation}.{kind}", at, shown, moved=moved)

    def is_foreign(self, event: Mapping[str, Any]) -> bool:
        """Tell whether *event* is about what somebody else did at the account."""
        return event["order"]["reference"] not in self.orders

    def tell_foreign(self, at: datetime, *, minor: int, readable: bool) -> None:
        """Record an event about what somebody else does at the same account."""
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
        """Keep the answer for a repetition under *key*."""
        self.answers[key] = self._line.answers[key] = stored

    def keep_method(self, token: str, behaves_like: str) -> None:
        """Store a method, or (as an empty string) that it was deleted."""
        self.methods[token] = self._line.methods[token] = behaves_like

    def commit(self) -> None:
        """End the transaction; with a file, wait until the disk has it."""
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
                # The lists by our reference hold the object itself: refresh it in place.
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
