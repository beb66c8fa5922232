"""The world of a schedule: time, hosts, the ledger, the processors, and flows in progress.

Every actor starts its tasks here, and the scheduler picks which of them moves next. A task
moves by one step of its flow: a transaction, the sending of a request, its arrival, its
response. After every step that committed, the ledger is audited.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, assert_never

from typing_extensions import override

from paygate.cashier.face import in_time
from paygate.domain.autopay import AutopayPolicy
from paygate.domain.kind import Operation
from paygate.domain.result import OperationResult
from paygate.errors import (
    LedgerCorrupt,
    NotAuthentic,
    NotSent,
    NotVerified,
    Refused,
    StoreError,
    UsageError,
)
from paygate.ledger.page_keys import PageKeys
from paygate.ledger.vault import Vault
from paygate.service.account import GatewayAccount, Timing
from paygate.service.flow import Deliver, Exchange, InThread, Read, Together, Write
from paygate.testing.clock import FakeClock
from paygate.testing.simulation.audit import Auditor
from paygate.testing.simulation.consumer import Consumer
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.dunning_audit import DunningAuditor
from paygate.testing.simulation.faults import DRIVER, LEDGER, PlannedFault, Weather
from paygate.testing.simulation.hosts import CountedIds, Host, SkewedClock
from paygate.testing.simulation.ledger import Interrupted, PowerCut, SimulatedStore, WatchedLedger
from paygate.testing.simulation.network import SimulatedNetwork, our_ref_of
from paygate.testing.simulation.profiles import open_gateway
from paygate.testing.simulation.results import BrokenRule
from paygate.testing.simulation.tasks import Task, ignore
from paygate.testing.simulation.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from paygate.domain.job import Job
    from paygate.domain.link import LinkTry
    from paygate.domain.secret import Secret
    from paygate.gateway import Reply
    from paygate.service.flow import Flow
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.mischief import Bungler
    from paygate.testing.simulation.profiles import SimulatedAccount

STOP_AFTER: Final = 20_000
"""The number of steps after which a schedule that has not ended is itself a violation."""

_VAULT: Final = Vault([b"c2ltdWxhdGVkIGtleSBmb3IgdG9rZW5zIGF0IHJlc3Q="])
_PAGE_KEYS: Final = PageKeys([b"c2ltdWxhdGVkIGtleSBmb3IgcGF5bWVudCBsaW5rcyE="])
_WAITING: Final = object()
_STRANGERS: Final = 0.35
"""The probability that some host lacks an account."""
_PLANS: Final = """
SELECT account, id, checks, next_check_at, needs_review FROM paygate_attempt
UNION ALL SELECT account, CAST(id AS TEXT), tries, next_try_at,
  CASE state WHEN 'failed' THEN 1 ELSE 0 END FROM paygate_inbox
"""


class RunStopped(Exception):
    """A rule was violated, which ends the schedule."""


@dataclass(slots=True)
class KeyedCall:
    """A call with a key, which its caller repeats until it is answered; *items* is what it pays."""

    verb: str
    key: str
    call: Callable[[Host], Flow[Any]]
    after: Callable[[Any], None] = ignore
    answered: bool = False
    payment: str = ""
    items: tuple[str, ...] = ()


@dataclass(slots=True)
class Tab:
    """The page of a payment link in a payer's browser, with its form and how it was sent."""

    token: Secret[str]
    given: LinkTry
    chosen: bool
    ways: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    order: KeyedCall | None = None


@dataclass(slots=True)
class World:
    """The state of a schedule."""

    seed: int
    profiles: Mapping[str, SimulatedAccount]
    weather: Weather
    calm: frozenset[str] = frozenset()
    clock: FakeClock = field(default_factory=FakeClock)
    store: WatchedLedger = field(default_factory=SimulatedStore.fresh)
    trace: Trace = field(default_factory=Trace)
    covered: Counter[str] = field(default_factory=Counter[str])
    violations: list[BrokenRule] = field(default_factory=list[BrokenRule])
    tasks: list[Task] = field(default_factory=list[Task])
    orders: list[KeyedCall] = field(default_factory=list[KeyedCall])
    hosts: list[Host] = field(default_factory=list[Host])
    """The hosts that have every account; the calls of customers and clerks go to them."""
    strangers: list[Host] = field(default_factory=list[Host])
    """The hosts that lack one or more accounts; they only run workers."""
    timing: Timing = field(default_factory=Timing)
    autopay: AutopayPolicy = field(default_factory=AutopayPolicy)
    steps: int = 0
    commits: int = 0
    strikes_drawn: int = 0
    ids: CountedIds = field(default_factory=CountedIds)
    gateways: dict[str, Bungler] = field(init=False)
    accounts: dict[str, GatewayAccount] = field(init=False)
    network: SimulatedNetwork = field(init=False)
    auditor: Auditor = field(init=False)
    dunning: DunningAuditor = field(init=False)
    consumer: Consumer = field(init=False)
    acting: Task | None = None
    told: Counter[str] = field(default_factory=Counter[str])
    acknowledged: dict[str, set[int]] = field(default_factory=dict[str, "set[int]"])
    replies: dict[tuple[str, int], Reply] = field(default_factory=dict["tuple[str, int]", "Reply"])
    fees: set[str] = field(default_factory=set[str])
    """Payments that a clerk reversed with a fee."""
    disturbed: set[str] = field(default_factory=set[str])
    """Payments to which the bank did something that we did not request.

    Money for a payer's number has no payment at first, so its reference is in the set instead.
    """
    shown: set[tuple[str, str]] = field(default_factory=set["tuple[str, str]"])
    """Pages and slips that a payer was sent to, by account and reference."""
    changed: dict[tuple[str, str], bool] = field(default_factory=dict["tuple[str, str]", bool])
    """Events that were sent again with other contents, and whether they were acknowledged."""
    stopped: dict[str, int] | None = None
    """How many events each account had when sending was stopped; None if it is not stopped."""
    jobs: list[Job] = field(default_factory=list["Job"])
    """The jobs that workers have taken; each may be done again at any time."""
    tabs: list[Tab] = field(default_factory=list[Tab])
    """The pages of links that payers have opened; they can send each form at any time."""
    invoiced: set[str] = field(default_factory=set[str])
    """The orders that a run has read whose result was returned."""
    judged: set[str] = field(default_factory=set[str])
    """Payments that a clerk decided by hand."""

    def __post_init__(self) -> None:
        self.gateways = {
            name: open_gateway(profile, self.clock) for name, profile in self.profiles.items()
        }
        self.accounts = {
            name: GatewayAccount.of(name, gateway, self.profiles[name].credit_on, 0)
            for name, gateway in self.gateways.items()
        }
        self.acknowledged = {name: set() for name in self.profiles}
        self.network = SimulatedNetwork(self)
        self.auditor = Auditor(self)
        self.dunning = DunningAuditor(self)
        self.consumer = Consumer(self)
        for gateway in self.gateways.values():
            gateway.trouble = self._trouble
        self.hosts = [self._host(0), self._host(1)]
        self._draw_stranger()
        for profile in self.profiles.values():
            for mark in profile.marks():
                self.count(mark)

    # --- Recording --------------------------------------------------------------------------

    def note(self, line: str) -> None:
        """Append a line to the trace."""
        self.trace.note(line)

    def count(self, what: str) -> None:
        """Count that *what* was exercised."""
        self.covered[what] += 1

    def violated(self, rule: str, detail: str) -> None:
        """Record that a rule does not hold, and end the schedule."""
        self.note(f"VIOLATED {rule}: {detail}")
        self.violations.append(BrokenRule(rule, detail))
        raise RunStopped

    def strikes(self, rolls: Dice, *faults: PlannedFault) -> PlannedFault | None:
        """Return the one of *faults* that happens now, if any; not one that `calm` names."""
        fault = self.weather.strikes(rolls, *faults)
        if fault is None:
            return None
        name = f"{self.acting.name if self.acting else 'world'}/{self.steps_of_actor()}/{fault}"
        if name in self.calm:
            return None
        self.note(f"fault {name}")
        self.count(f"fault:{fault}")
        return fault

    def steps_of_actor(self) -> int:
        """Return the number of steps that the acting task has taken."""
        return self.acting.steps if self.acting else 0

    # --- Hosts --------------------------------------------------------------------------------

    @property
    def workers(self) -> list[Host]:
        """All hosts: workers run on each of them."""
        return [*self.hosts, *self.strangers]

    def _draw_stranger(self) -> None:
        """Draw a host that lacks one or more accounts, like another shop of the merchant."""
        rolls = dice(self.seed, 10)
        if rolls.random() < _STRANGERS:
            lacks = rolls.choice(list(self.accounts))
            has = {name for name in self.accounts if name != lacks and rolls.random() < 0.5}
            self.strangers = [self._host(2, has)]
            self.count("a host that lacks an account")

    def _trouble(self) -> tuple[PlannedFault, Dice] | None:
        """Return the fault of the driver that is called now, with its dice, or None."""
        rolls = self.acting.rolls if self.acting is not None else None
        fault = None if rolls is None else self.strikes(rolls, *DRIVER)
        if fault is None or rolls is None:
            return None
        if self.acting is not None:
            self.acting.bungled = True
        return fault, rolls

    def _host(self, number: int, has: Iterable[str] | None = None) -> Host:
        accounts = self.accounts if has is None else {name: self.accounts[name] for name in has}
        return Host(
            f"host-{number}",
            SkewedClock(self.clock),
            self.ids,
            accounts,
            self.timing,
            self.take,
            _VAULT,
            _PAGE_KEYS,
            self.autopay,
        )

    def take(self, event: Any) -> None:
        """Pass an event that a host publishes to the consumer."""
        self.consumer.take(event, self.acting)

    def kill(self, host: Host) -> None:
        """End a host between two steps; everything that it had in memory is lost."""
        self.note(f"kill {host.name}")
        mine = [task for task in self.tasks if task.host is host]
        self.tasks = [task for task in self.tasks if task.host is not host]
        for task in mine:
            task.flow.close()
            task.failed(None)
        place = self.strangers if host in self.strangers else self.hosts
        number = int(host.name.rpartition("-")[2])
        replacement = self._host(number, None if place is self.hosts else host.has)
        replacement.clock.skew = host.clock.skew
        place[place.index(host)] = replacement

    # --- Tasks -------------------------------------------------------------------------------

    def begin(
        self,
        name: str,
        host: Host,
        flow: Flow[Any],
        rolls: Dice,
        then: Callable[[Any], None] = ignore,
        failed: Callable[[BaseException | None], None] = ignore,
    ) -> Task:
        """Start a flow as a task, and return the task."""
        task = Task(name, host, flow, rolls, then, failed)
        self.tasks.append(task)
        return task

    def place(self, name: str, order: KeyedCall, host: Host, rolls: Dice) -> Task:
        """Start the call of *order*, for the first time or as a repetition."""

        def then(result: Any) -> None:
            order.answered = True
            payment = str(getattr(result, "id", ""))
            changed = order.payment and payment != order.payment
            if changed and not self._is_undone(order.payment, payment):
                self.violated(
                    "I2", f"{order.verb} {order.key} is {order.payment} and then {payment}"
                )
            first, order.payment = not order.payment, payment
            if first:
                order.after(result)

        def failed(error: BaseException | None) -> None:
            if isinstance(error, Refused | UsageError):
                order.answered = True

        return self.begin(name, host, order.call(host), rolls, then, failed)

    def _is_undone(self, one: str, two: str) -> bool:
        """Return whether one of two reversals was undone: then the payment is reversed again."""
        sql = "SELECT 1 FROM paygate_reversal WHERE id IN (:one, :two) AND undone_at IS NOT NULL"
        return bool(self.store.look(sql, one=one, two=two))

    def run(self, name: str, flow: Flow[Any], rolls: Dice, host: Host | None = None) -> Any:
        """Run one flow to its end without interleaving, and return its result."""
        results: list[Any] = []
        task = self.begin(name, host or self.hosts[0], flow, rolls, results.append)
        while task in self.tasks:
            self.move(task)
        return results[0] if results else None

    def drain(self, rolls: Dice) -> None:
        """Move all tasks, in a drawn order, until they have ended."""
        while self.tasks:
            self.move(self.tasks[rolls.randrange(len(self.tasks))])

    def move(self, task: Task) -> None:
        """Move *task* by one step."""
        self.steps += 1
        task.steps += 1
        if self.steps > STOP_AFTER:
            self.violated("ends", f"after {STOP_AFTER} steps the schedule has not ended")
        self.acting = task
        try:
            self._move(task)
        except PowerCut:
            self.kill(task.host)
        finally:
            self.acting = None

    def _payment_of(self, value: Any) -> Any:
        """Return the payment of a result, after checking the result against the payment."""
        if not isinstance(value, OperationResult):
            return value
        payment, moved = value.payment, value.payment.received
        if value.operation is Operation.REFUND:
            moved = payment.returned
        if value.operation in (Operation.REFUND, Operation.CAPTURE) and value.succeeded > moved:
            said = f"the result of {value.operation} of {payment.id} says {value.succeeded}"
            self.violated("results", f"{said}, but {moved} is booked")
        return payment

    def _move(self, task: Task) -> None:
        flow = task.flow
        try:
            if task.step is None:
                task.step = next(flow)
                return
            try:
                result = self._do(task)
            except (RunStopped, PowerCut):
                raise
            except Exception as error:  # noqa: BLE001  (the flow decides how to handle it)
                task.wire = None
                self.note(f"{task.name} {_named(task.step)} ! {type(error).__name__}")
                task.step = flow.throw(error)
            else:
                if result is _WAITING:
                    return
                task.wire = None
                self.note(f"{task.name} {_named(task.step)}")
                task.step = flow.send(result)
        except StopIteration as end:
            self._ended(task)
            value = self._payment_of(end.value)
            self.note(f"{task.name} = {_shown(value)}")
            if task.answered and not task.bungled:
                self.auditor.check_answered(task.answered)
            if getattr(value, "action", None) is not None:
                self.shown.add((value.account, value.reference))
            task.then(value)
        except (RunStopped, PowerCut):
            raise
        except Interrupted:
            self._ended(task)
            flow.close()
            self.note(f"{task.name} is interrupted")
            task.failed(None)
        except Exception as error:  # noqa: BLE001  (checked below)
            self._ended(task)
            self.note(f"{task.name} raises {type(error).__name__}")
            if not _expected(error):
                self.violated("errors", f"{task.name} raises {type(error).__name__}: {error}")
            task.failed(error)

    def _ended(self, task: Task) -> None:
        self.tasks.remove(task)

    def _do(self, task: Task) -> Any:
        step = task.step
        match step:
            case Write():
                return self._write(task, step)
            case Read():
                return self.store.read(task.host.context, step.work)
            case Exchange():
                return self._exchange(task, step)
            case Deliver():
                return step.subscriber(step.event)
            case InThread():
                return step.call()
            case Together():
                return None  # one after the other
            case None:
                raise AssertionError("a task without a step has not started")
            case _:
                assert_never(step)

    def _write(self, task: Task, step: Write) -> Any:
        if task.host not in self.strangers:
            return self._transact(task, step)
        before = self._of_others(task.host)
        try:
            return self._transact(task, step)
        finally:
            if self._of_others(task.host) != before:
                self.violated(
                    "strangers", f"{task.host.name} changed the plans of an account that it lacks"
                )

    def _of_others(self, host: Host) -> list[tuple[Any, ...]]:
        """Return the plans of attempts and callbacks at accounts that *host* lacks."""
        rows = self.store.look(_PLANS)
        return [tuple(row) for row in rows if row["account"] not in host.has]

    def _transact(self, task: Task, step: Write) -> Any:
        fault = self.weather.strikes(task.rolls, *LEDGER)
        if fault is not None and f"{task.name}/{task.steps}/{fault}" in self.calm:
            fault = None
        self.store.arm(fault, task.rolls.randrange(12) if fault is not None else 0)
        try:
            return self.store.write(task.host.context, step.work)
        finally:
            if fault is not None and self.store.struck:
                self.note(f"fault {task.name}/{task.steps}/{fault}")
                self.count(f"fault:{fault}")
            self.store.disarm()
            if self.store.writing and not isinstance(sys.exception(), PowerCut):
                self.violated("open", "a write has ended, but its transaction is still open")
            if self.store.committed:
                self.commits += 1
                self.auditor.audit(self.store.written)
                self.dunning.audit(self.store.written)

    def _exchange(self, task: Task, step: Exchange) -> Any:
        if task.wire is None:
            if step.lease is not None:
                self._see_lease(step, task.host)
            task.wire = self.network.send(step, task.rolls)
            return _WAITING
        response = self.network.go_on(task.wire, task.rolls)
        if response is None:
            return _WAITING
        if task.wire.clean and step.request.moves_money:
            task.answered = our_ref_of(step.request)
        return response

    def _see_lease(self, step: Exchange, host: Host) -> None:
        try:
            in_time(step, host.context)
        except NotSent:
            self.count("lease ended before sending")
            raise

    # --- Time ---------------------------------------------------------------------------------

    def advance(self, by: timedelta) -> None:
        """Move the clock forward; late requests arrive when they are due."""
        until = self.clock.now() + by
        self.network.give_up_waiting(until, self.tasks)
        while (due := self.network.next_late()) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
            self.network.deliver_late()
        self.clock.set(until)

    # --- Looking ------------------------------------------------------------------------------

    def payments(self, where: str = "1 = 1") -> Sequence[Any]:
        """Return the payments in the ledger that meet a condition in SQL."""
        return self.store.look(f"SELECT * FROM paygate_payment WHERE {where} ORDER BY id")  # noqa: S608

    def invoices(self, where: str = "1 = 1") -> Sequence[Any]:
        """Return the open invoices in the ledger that meet a condition in SQL."""
        return self._items("invoice", where)

    def prepayments(self, where: str = "1 = 1") -> Sequence[Any]:
        """Return the prepayments that no invoice has replaced and that meet a condition in SQL."""
        return self._items("prepayment", where)

    def _items(self, kind: str, where: str) -> Sequence[Any]:
        sql = f"kind = '{kind}' AND status = 'open' AND {where}"
        return self.store.look(f"SELECT * FROM paygate_item WHERE {sql} ORDER BY id")  # noqa: S608

    def bank_acted(self, order: Order) -> bool:
        """Return whether a bank moved money of this payment without a request of ours."""
        return (order.payment or order.reference) in self.disturbed


def _named(step: object) -> str:
    if isinstance(step, Exchange):
        return f"{step.account}.{step.request.step}"
    return type(step).__name__


def _shown(value: Any) -> str:
    """Return a result as the trace shows it, without anything that differs between runs."""
    status = getattr(value, "status", None)
    if status is not None:
        return f"{getattr(value, 'id', type(value).__name__)} {status}"
    if isinstance(value, list):
        return f"{len(value)} of them"  # pyright: ignore[reportUnknownArgumentType]
    return type(value).__name__


def _expected(error: Exception) -> bool:
    """Return whether a verb may raise *error*, as far as the schedule can know."""
    if isinstance(error, LedgerCorrupt):
        return False
    return isinstance(error, Refused | StoreError | UsageError | NotAuthentic | NotVerified)


class BugAlarm(logging.Handler):
    """Collect the log lines about failed drivers: a bug of a driver breaks a rule too."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep the messages about bugs; rejected credentials are not a bug."""
        if record.__dict__.get("event") in ("driver.fault", "attempt.passed_over"):
            self.heard.append(record.getMessage())
