"""The fake processor: a payment processor for tests.

It is deterministic: the same calls at the same instants give the same responses
and the same journal, byte for byte. It records the money that it moved in a journal of
its own, which no ledger of ours can change, so a test can compare the two.

The protocol is our own: JSON over HTTP, one object in each direction.

====================================  ============================================
``POST /v1/open``                     create an e-check, to be debited by a charge
``POST /v1/charge``, ``/v1/authorize``  collect or hold; ``about`` names an open e-check
``POST /v1/complete`` ``capture``     finish what the payer approved; take what is held
``POST /v1/void`` ``refund`` ``withdraw``  void, refund, withdraw
``POST /v1/enroll`` ``forget``        store a method, delete it
``GET /v1/look_up?operation=&our_ref=``  find orders by our reference
``GET /v1/look_up?reference=``        find an order by the processor's reference
``GET /v1/list?operation=&since=&after=``  page through the orders
``GET /v1/events?after=&kind=``       page through the events, of all kinds or one
``GET /v1/account``                   the merchant account
``POST /v1/play/<verb>``              what a test does as the payer, the bank or the clock
====================================  ============================================

Each operation has its own key in the header ``idempotency-key``. A response with status
200 is the order with its ``state`` (see `paygate.testing.processor.order`); one with 4xx has
an ``error`` with cause, raw_code, retryable and message. The traits say what a repeated key
does. A response that is stored under a key is stored whole, so a repetition gets the
same bytes.

With a journal file all of this survives the process, except what the processor does not
know: scripts, and requests that are still in flight.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs

from paygate.domain.kind import Operation
from paygate.domain.outcome import RejectCause
from paygate.testing.clock import WallClock
from paygate.testing.processor import faults
from paygate.testing.processor.checks import Admission, ProcessorRefusal
from paygate.testing.processor.effects import Effects
from paygate.testing.processor.journal import JournalFile, moved
from paygate.testing.processor.keys import Call, Keys, answer, refuse
from paygate.testing.processor.magic import Plan, Wire
from paygate.testing.processor.order import State
from paygate.testing.processor.rails import Habits, fake_traits
from paygate.testing.processor.script import Script
from paygate.testing.processor.stage import Stage
from paygate.testing.processor.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from paygate.dialogue import Request, Response
    from paygate.domain.money import Money
    from paygate.gateway import Traits
    from paygate.testing.clock import ProcessorClock
    from paygate.testing.processor.journal import Entry
    from paygate.testing.processor.order import Order

SIGNING_KEY: Final = "fake-signing-key"
"""The default key that signs the callbacks; it is not secret, because it protects nothing."""

OPERATIONS: Final = frozenset(Operation) | {"open"}
"""The operations that can be posted, each under a key of its own."""


class FakeProcessor:
    """The fake processor: kinds of payment, a rule for repetitions, a clock, and a journal."""

    def __init__(
        self,
        traits: Traits | None = None,
        *,
        clock: ProcessorClock | None = None,
        habits: Habits | None = None,
        journal: Path | str | None = None,
        signing_key: str = SIGNING_KEY,
    ) -> None:
        self.traits = traits or fake_traits()
        self.clock = clock or WallClock()
        self.habits = habits or Habits()
        self.signing_key = signing_key
        self.script = Script()
        # Without a journal, a second run would give its money the ids of the first run, which
        # a ledger in a file still knows. With a clock of its own, a test gets the same ids.
        forgets = clock is None and not journal
        self._truth = Truth(
            JournalFile(journal) if journal else None,
            run=f"{time.time_ns():x}_" if forgets else "",
        )
        self._keys = Keys(self._truth, self.traits)
        self._checks = Admission(self._truth, self.traits, self.habits)
        self._effects = Effects(self._truth, self._checks, self.habits)
        self._stage = Stage(self._truth, self._effects, self)
        self._late: list[tuple[datetime, int, Call]] = []
        self._delayed = 0
        self._failed_once: set[str] = set()
        self._lock = threading.RLock()

    # --- The truth ------------------------------------------------------------------

    @property
    def journal(self) -> tuple[Entry, ...]:
        """Every movement of money so far, in order."""
        with self._lock:
            self._catch_up(self.clock.now())
            return tuple(self._truth.journal)

    def moved(self, currency: str) -> Money:
        """Return the money in minus the money out, in *currency*."""
        return moved(self.journal, currency)

    @property
    def journal_bytes(self) -> bytes:
        """The journal as JSON lines: equal bytes mean equal movements."""
        lines = [json.dumps(entry.as_json(), separators=(",", ":")) for entry in self.journal]
        return "".join(f"{line}\n" for line in lines).encode()

    @property
    def truth(self) -> Truth:
        """Everything that the processor knows; tests may read it, and change it with `play`."""
        return self._truth

    def serve_pages_at(self, url: str) -> None:
        """Send payers to *url* from now on, the address of the server of the pages."""
        self._effects.pages = url

    def catch_up(self) -> None:
        """Carry out everything that is due by now."""
        with self._lock:
            self._catch_up(self.clock.now())

    def close(self) -> None:
        """Close the journal file, if there is one."""
        with self._lock:
            self._truth.close()

    # --- Answering ------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """
        Return the processor's response.

        Raises `NotSent` or `NoResponse` if a script or a magic value says that the network
        fails.
        """
        path, _, query = request.url.partition("/v1/")[2].partition("?")
        with self._lock:
            now = self.clock.now()
            self._catch_up(now)
            if request.method == "POST" and path in OPERATIONS:
                body = _object(request.body)
                key = request.headers.get("idempotency-key", "")
                return self._operate(Call(path, body, key, request.body), now)
            if request.method == "GET":
                asked = {name: values[-1] for name, values in parse_qs(query).items()}
                return self._tell(path, asked, now)
        return _wrong(f"there is no {request.method} /v1/{path}", 404)

    def _operate(self, call: Call, now: datetime) -> Response:
        known = self._keys.known(call, now)
        if known is not None:
            return known
        try:
            token, plan = self._plan(call, now)
            if plan.wire in faults.BEFORE:
                if plan.wire is Wire.REQUEST_LATE:
                    self._delay(call, now + self.habits.late_after)
                faults.lose_request(plan.wire)
            if plan.wire is Wire.ERROR_BEFORE:
                response = faults.server_error()
            elif (unpaid := self._unpaid(call)) is not None:
                # Nothing is done, so nothing is stored: the same key can complete it later.
                return faults.damage(plan.wire, answer(200, unpaid.view()))
            else:
                response = self._execute(call, token, plan, now)
        except ProcessorRefusal as refusal:
            plan, response = Plan(), refuse(refusal)
        except (LookupError, TypeError, ValueError) as error:
            return _wrong(f"a field is missing or wrong: {error!r}")
        if plan.wire is Wire.ERROR_AFTER and self._keys.replays_errors(call):
            response = faults.server_error()
        self._keys.keep(call, response, now)
        self._truth.commit()
        if plan.wire is Wire.ERROR_AFTER:
            response = faults.server_error()
        return faults.damage(plan.wire, response)

    def _plan(self, call: Call, now: datetime) -> tuple[str, Plan]:
        """Check the call, and return its token and its plan: the script's, else the token's."""
        operation = "charge" if call.operation == "open" else call.operation
        token, plan = self._checks.usual(operation, call.body, now)
        scripted = self.script.take(call.operation, call.body)
        if scripted is not None:
            return token, scripted
        if call.operation == "open":
            return token, Plan()
        if plan.wire in (Wire.REQUEST_LOST, Wire.REQUEST_LATE, Wire.ERROR_BEFORE):
            # These happen once per key, so that a test can see what a repetition does.
            if call.key in self._failed_once:
                return token, replace(plan, wire=Wire.FINE)
            self._failed_once.add(call.key)
        return token, plan

    def _unpaid(self, call: Call) -> Order | None:
        """Return the page to be completed if its payer has not approved it yet."""
        about = self._truth.orders.get(call.body.get("about", ""))
        waits = about is not None and about.state is State.ACTION
        return about if waits and call.operation == Operation.COMPLETE else None

    def _execute(self, call: Call, token: str, plan: Plan, now: datetime) -> Response:
        if call.operation == "open":
            return answer(200, self._effects.open("charge", call.body, token, now).view())
        return answer(200, self._effects.do(call.operation, call.body, token, plan, now))

    # --- The payer, the bank and the test ----------------------------------------------

    def play(self, verb: str, **what: Any) -> dict[str, Any]:
        """Do as the payer, the bank or the test does; see `paygate.testing.fake.controls`."""
        with self._lock:
            self._catch_up(self.clock.now())
            answered = self._stage.play(verb, what, self.clock.now())
            self._truth.commit()
            self._catch_up(self.clock.now())
            return answered

    # --- Time -----------------------------------------------------------------------

    def _catch_up(self, now: datetime) -> None:
        """Carry out everything that was due by *now*, in order of time."""
        while self._late and self._late[0][0] <= now:
            at, _, call = heapq.heappop(self._late)
            self._settle(at)
            self._arrive(call, at)
        self._settle(now)

    def _settle(self, now: datetime) -> None:
        for order, due in self._truth.next_due(now):
            self._effects.happen(order, due)
            self._truth.commit()

    def _delay(self, call: Call, until: datetime) -> None:
        self._delayed += 1
        heapq.heappush(self._late, (until, self._delayed, call))

    def _arrive(self, call: Call, now: datetime) -> None:
        """Execute a late request, for whose response the client has stopped waiting."""
        if self._keys.known(call, now) is not None:
            return
        try:
            token, plan = self._checks.usual(call.operation, call.body, now)
            response = self._execute(call, token, replace(plan, wire=Wire.FINE), now)
        except ProcessorRefusal as refusal:
            response = refuse(refusal)
        self._keys.keep(call, response, now)
        self._truth.commit()

    # --- Reads ------------------------------------------------------------------------

    def _tell(self, path: str, asked: Mapping[str, str], now: datetime) -> Response:
        scripted = self.script.take(path, asked) or Plan()
        if scripted.wire in faults.BEFORE:
            faults.lose_request(scripted.wire)
        match path:
            case "look_up":
                response = self._look_up(asked, now)
            case "list":
                response = self._list(asked, now)
            case "events":
                response = self._events(asked)
            case "account":
                response = self._account()
            case _:
                return _wrong(f"there is no GET /v1/{path}", 404)
        if scripted.wire in (Wire.ERROR_BEFORE, Wire.ERROR_AFTER):
            response = faults.server_error()
        return faults.damage(scripted.wire, response)

    def _look_up(self, asked: Mapping[str, str], now: datetime) -> Response:
        if "reference" in asked:
            order = self._truth.orders.get(asked["reference"])
            found = [order] if order else []
        else:
            found = self._truth.found(asked.get("operation", ""), asked.get("our_ref", ""))
        seen = [
            self._truth.view(order)
            for order in found
            if order.state is not State.OPENED and order.at + self.habits.inquiry_lag <= now
        ]
        return answer(200, {"orders": seen})

    def _list(self, asked: Mapping[str, str], now: datetime) -> Response:
        since = asked.get("since", "")
        rows = [
            order
            for order in self._truth.orders.values()
            if order.operation == asked.get("operation")
            and order.about == asked.get("about", order.about)
            and order.at.isoformat() >= since
            and order.state is not State.OPENED
            and order.at + self.habits.inquiry_lag <= now
        ]
        start, end = self._page(asked)
        shown = [self._truth.view(order) for order in rows[start:end]]
        return answer(200, {"orders": shown, "after": end, "more": len(rows) > end})

    def _events(self, asked: Mapping[str, str]) -> Response:
        start, end = self._page(asked)
        read = self._truth.events[start:end]
        rest = len(self._truth.events) > end
        # A page ends at the same event for every reader.
        shown = self._truth.of_kind(read, asked.get("kind", ""))
        return answer(200, {"events": shown, "after": start + len(read), "more": rest})

    def _page(self, asked: Mapping[str, str]) -> tuple[int, int]:
        after = asked.get("after", "")
        start = int(after) if after.isascii() and after.isdigit() else 0
        return start, start + self.habits.page_size

    def _account(self) -> Response:
        shown = {"merchant_account": self.traits.merchant_account, "live": False}
        return answer(200, {**shown, "name": "paygate's fake processor"})


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _wrong(message: str, status: int = 400) -> Response:
    return refuse(ProcessorRefusal(RejectCause.VALIDATION, message), status)
