"""A world in memory: processes that die at a change, and a wire that fails once as planned.

A step that only reads is no place to die: to die before it is to die before the
next change. So the places are the transactions, the exchanges and the events that
are told; a transaction may also be torn between any two of its statements.
"""

from __future__ import annotations

import sqlite3
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import Fernet

from paygate import Cashier
from paygate.dialogue import Response
from paygate.domain.outcome import RejectCause
from paygate.errors import NoResponse, NotSent
from paygate.gateway import Callback
from paygate.ledger.sqlite import SqliteStore
from paygate.ledger.tx import Tx
from paygate.service.account import GatewayAccount, Timing
from paygate.service.flow import Exchange, Read, Step, Write
from paygate.testing.processor.checks import ProcessorRefusal
from paygate.testing.processor.faults import server_error
from paygate.testing.processor.keys import refuse
from tests.service.world import C, PowerCut, World

T = TypeVar("T")

KEY = Fernet.generate_key()
LATE = timedelta(minutes=4)
"""How late a delayed request arrives: after the lease and the first inquiries."""

# At every committed step: nothing is promised twice (I3, I5, I10).
STEP_RULES = {
    "more is paid, given up and held of an invoice than it is of": """
        SELECT number FROM paygate_item
        WHERE allocated_minor + written_off_minor + claimed_minor > total_minor""",
    "more goes back, or is on its way back, than came": """
        SELECT id FROM paygate_payment
        WHERE refunding_minor > 0 AND returned_minor + refunding_minor > received_minor""",
    "more is captured, or on its way, than was authorised": """
        SELECT id FROM paygate_payment
        WHERE capturing_minor > 0 AND collected_minor + capturing_minor > authorized_minor""",
    "something is captured while it is being voided": """
        SELECT id FROM paygate_payment WHERE voiding = 1 AND capturing_minor > 0""",
    "more of a credit is used and reserved than there is": """
        SELECT id FROM paygate_credit
        WHERE amount_minor > 0 AND used_minor + reserved_minor + canceled_minor > amount_minor""",
    "a payment that may have been made holds nothing": """
        SELECT p.id FROM paygate_payment p
        WHERE p.status = 'unknown' AND EXISTS (SELECT 1 FROM paygate_claim c WHERE c.payment = p.id)
          AND NOT EXISTS (SELECT 1 FROM paygate_claim c
                          WHERE c.payment = p.id AND c.state IN ('hard', 'used'))""",
    "an attempt that ended is open again": """
        SELECT p.id FROM paygate_payment p JOIN paygate_attempt a ON a.payment = p.id
        WHERE a.operation = 'charge' AND a.state IN ('declined', 'pending', 'unknown')
          AND p.received_minor > p.returned_minor AND p.conflicted = 0""",
}

# Waiting and asking can still tell more.
WAITS = """
SELECT 1 FROM paygate_payment WHERE status IN ('processing', 'unknown') AND needs_review = 0
UNION ALL
SELECT 1 FROM paygate_attempt WHERE state IN ('sending', 'unknown') AND needs_review = 0
"""
OUTAGE = timedelta(hours=5)
"""How long inquiries are lost; the plan, and the patience with callbacks, are longer."""

FAULTS = (
    "answered",
    "unsent",
    "request lost",
    "request late",
    "answer lost",
    "garbage",
    "truncated",
    "500, nothing done",
    "500, done",
    "slow",
    "stalled",
    "answer lost, then inquiries",
    "answer lost, then refused",
)
"""What happens to the first request that changes something at a processor."""


class Sweeping(Cashier):
    """A cashier whose process dies where the world says."""

    world: InMemory

    def _do(self, step: Step) -> Any:
        if isinstance(step, Read):
            return super()._do(step)
        torn = self.world.arrive()
        match step:
            case Write():
                result = super()._do(Write(_torn(step, torn)) if torn else step)
                self.world.check_step(self)
                return result
            case Exchange() if step.account in self.world.fakes:
                return self.world.exchange(step, super()._do)
            case _:
                return super()._do(step)


def _torn(step: Write, after: int) -> Any:
    """Do the work until *after* statements have changed rows, and then lose power."""

    def work(tx: Tx) -> Any:
        left, run, many = after, tx.run, tx.many

        def count() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise PowerCut

        def torn_run(sql: str, params: Any) -> int:
            changed = run(sql, params)
            count()
            return changed

        def torn_many(sql: str, params: Any) -> None:
            many(sql, params)
            count()

        tx.run, tx.many = torn_run, torn_many
        return step.work(tx)

    return work


# One ledger for all the worlds of this process, which come one after the other.
_EMPTY: list[tuple[Cashier, sqlite3.Connection]] = []


def _connection(cashier: Cashier) -> sqlite3.Connection:
    store = cashier._store
    assert isinstance(store, SqliteStore)
    return store._writer()


@dataclass
class InMemory(World):
    """What outlives a process, without a disk: a sweep opens thousands of them."""

    folder: Path = field(default_factory=Path)
    dies_at: int = 0
    torn_after: int = 0
    seen: int = 0
    fault: str = "answered"
    hit: tuple[str, str] = ("", "")
    heals_at: datetime | None = None
    mail: dict[str, list[Callback]] = field(default_factory=dict[str, list[Callback]])
    replies: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    heard: list[Any] = field(default_factory=list[Any])
    known: dict[str, str] = field(default_factory=dict[str, str])
    first: Cashier | None = None
    broken: list[str] = field(default_factory=list[str])

    def start(self, face: type[C]) -> C:
        if self.first is None:
            self.first = self._opened()
        process = face.__new__(face)
        vars(process).update(vars(self.first))
        if isinstance(process, Sweeping):
            process.world = self
        return process

    def process(self) -> Cashier:
        return self.start(Sweeping)

    def _opened(self) -> Cashier:
        """Open an empty ledger; to copy one takes a tenth of the time to make one."""
        if not _EMPTY:
            opened = Cashier.in_memory(token_keys=[KEY], page_keys=[KEY])
            empty = sqlite3.connect(":memory:")
            _connection(opened).backup(empty)
            # Opening a ledger with accounts writes whether they are live; these come later.
            with empty:
                empty.execute("INSERT INTO paygate_meta (name, value) VALUES ('mode', 'test')")
            _EMPTY.append((opened, empty))
        [(opened, empty)] = _EMPTY
        empty.backup(_connection(opened))
        accounts = {name: GatewayAccount.of(name, fake) for name, fake in self.fakes.items()}
        cashier = copy(opened)
        vars(cashier).update(
            _context=replace(opened._context, clock=self.clock, stopwatch=None),
            _accounts=accounts,
            _readers={},
            _couriers={},
            _timing=self.timing,
        )
        return cashier

    # --- To die -------------------------------------------------------------------------------

    def die(self, at: int, torn_after: int = 0) -> None:
        """Die before change number *at* from now, or inside it; never with 0."""
        self.dies_at, self.torn_after, self.seen = at, torn_after, 0

    def arrive(self) -> int:
        """Come to a change; tell after how many statements to die in it."""
        self.seen += 1
        if self.dies_at and self.seen == self.dies_at:
            if self.torn_after:
                return self.torn_after
            raise PowerCut
        return 0

    def check_step(self, cashier: Cashier) -> None:
        def broken(tx: Tx) -> list[str]:
            return [says for says, sql in STEP_RULES.items() if tx.all(sql, {})]

        self.broken += cashier._store.read(cashier._context, broken)

    # --- The wire -----------------------------------------------------------------------------

    def exchange(self, step: Exchange, do: Any) -> Any:
        request = step.request
        # The request that the fault was meant for, or one that asks about it.
        path = request.url.partition("/v1/")[2]
        key = request.headers.get("idempotency-key", "")
        if request.method == "GET":
            if self.heals_at is not None and self.clock.now() < self.heals_at:
                raise NoResponse("the inquiry is lost")
            return do(step)
        if path == "open":
            return do(step)
        if self.fault == "then refused" and self.hit == (path, key):
            self.fault = "answered"
            return refuse(ProcessorRefusal(RejectCause.RATE_LIMIT, "too many requests"), 429)
        fault, self.fault = self.fault, "answered"
        self.hit = (path, key)
        match fault:
            case "unsent":
                raise NotSent("the connection was refused")
            case "request lost":
                raise NoResponse("the request was lost")
            case "request late":
                self.fakes[step.account].script("timeout_late")
            case "500, nothing done":
                return server_error()
            case "stalled":
                self.others_recover()
            case _:
                pass
        response: Response = do(step)
        match fault:
            case "answer lost":
                raise NoResponse("the answer was lost")
            case "answer lost, then inquiries":
                self.heals_at = self.clock.now() + OUTAGE
                raise NoResponse("the answer was lost")
            case "answer lost, then refused":
                self.fault = "then refused"
                raise NoResponse("the answer was lost")
            case "garbage":
                return Response(status=200, body=b"<html>\xff this is not what you asked for")
            case "truncated":
                return Response(status=200, body=response.body[: len(response.body) // 2])
            case "500, done":
                return server_error()
            case "slow":
                self.clock.advance(self.timing.lease + timedelta(seconds=1))
            case _:
                pass
        return response

    def others_recover(self) -> None:
        """Let time pass in which this process stands still, and another one recovers."""
        other = self.start(Cashier)
        for pause in (self.timing.lease, *self.timing.plan[:8]):
            self.clock.advance(pause + timedelta(seconds=1))
            other.recover()

    # --- Who else is there ----------------------------------------------------------------------

    def settle(self, cashier: Cashier) -> None:
        """Recover as a worker would, at the times of the plan, while anything is on its way."""
        plan = Timing().plan
        for pause in (self.timing.lease, *plan, *plan):
            if not cashier._store.read(cashier._context, lambda tx: tx.all(WAITS, {})):
                return
            self.clock.advance(pause + timedelta(seconds=1))
            cashier.recover()

    def deliver(self, cashier: Cashier, *, backwards: bool = False) -> None:
        """Let the processors send what they have to tell, and all of it again."""
        for name, fake in self.fakes.items():
            box = self.mail.setdefault(name, [])
            box += fake.callbacks()
            for callback in reversed(box) if backwards else box:
                reply = cashier.receive(name, callback).body
                if self.replies.setdefault(callback.body, reply) != reply:
                    self.broken.append("the same callback gets another reply")

    def hear(self, event: Any) -> None:
        self.heard.append(event)
