"""The network: a request is sent, arrives and is answered, each in a step of its own.

A request may arrive after its host has stopped waiting, but no later than the traits of
the account allow. The network knows both the processor's truth and the ledger, and checks
that no request is sent without a stored intent, that a key stands for one body, and that
no operation is executed twice.
"""

from __future__ import annotations

import heapq
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate.dialogue import Request, Response
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.errors import NoResponse, NotSent
from paygate.gateway import Keyed
from paygate.testing.processor.keys import Call
from paygate.testing.processor.magic import Plan, Verdict
from paygate.testing.processor.order import State
from paygate.testing.processor.truth import StoredAnswer
from paygate.testing.simulation.deeds import ONCE, happened
from paygate.testing.simulation.faults import WIRE, PlannedFault
from paygate.testing.simulation.profiles import DEADLINE
from paygate.testing.simulation.wire import RequestInFlight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from paygate.service.account import Timing
    from paygate.service.flow import Exchange
    from paygate.testing.clock import ProcessorClock
    from paygate.testing.fake import FakeGateway
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.audit import Auditor
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.ledger import WatchedLedger
    from paygate.testing.simulation.profiles import SimulatedAccount
    from paygate.testing.simulation.tasks import Task

_HTML: Final = b"<html><body>\xff\xfe Something went wrong</body></html>"
_TOO_MANY: Final = json.dumps(
    {
        "error": {
            "cause": "rate_limit",
            "raw_code": "429",
            "retryable": True,
            "message": "too many requests",
        }
    }
).encode()
_LATER: Final = (
    Plan(verdict=Verdict.WAIT),
    Plan(verdict=Verdict.WAIT, ends=Verdict.DECLINE, code="generic", raw_code="05"),
    Plan(verdict=Verdict.WAIT, ends=Verdict.REJECT, code="state"),
    Plan(verdict=Verdict.WAIT, ends=Verdict.WITHDRAW),
)
_AT_ONCE: Final = (
    Plan(verdict=Verdict.DECLINE, code="generic", raw_code="05", retryable=True),
    Plan(verdict=Verdict.REJECT, code="state", raw_code="fake_state"),
    *_LATER,
)
_DIRECT: Final = frozenset({Kind.CARD, Kind.E_CHECK})


class ConnectedWorld(Protocol):
    """What the network needs from a world: both of its ends, the time, and the faults."""

    @property
    def clock(self) -> ProcessorClock:
        """The true time, whatever the hosts' clocks show."""
        ...

    @property
    def timing(self) -> Timing:
        """How long a host may take for what it has started."""
        ...

    @property
    def store(self) -> WatchedLedger:
        """The ledger."""
        ...

    @property
    def profiles(self) -> Mapping[str, SimulatedAccount]:
        """The profile of each account."""
        ...

    @property
    def gateways(self) -> Mapping[str, FakeGateway]:
        """The processors, by account."""
        ...

    @property
    def auditor(self) -> Auditor:
        """The auditor, which knows what was concluded about each attempt."""
        ...

    def strikes(self, rolls: Dice, *faults: PlannedFault) -> PlannedFault | None:
        """Return the one of *faults* that happens now, if any."""
        ...

    def bank_acted(self, order: Order) -> bool:
        """Return whether a bank moved money of this payment without a request of ours."""
        ...

    def note(self, line: str) -> None:
        """Append a line to the trace."""
        ...

    def count(self, what: str) -> None:
        """Count that *what* was exercised."""
        ...

    def violated(self, rule: str, detail: str) -> None:
        """End the schedule because *rule* does not hold."""
        ...


@dataclass(slots=True)
class SimulatedNetwork:
    """The network between the hosts and the processors of *world*."""

    world: ConnectedWorld
    late: list[tuple[datetime, int, str, Request]] = field(
        default_factory=list["tuple[datetime, int, str, Request]"]
    )
    keys: dict[tuple[str, str, str], str] = field(default_factory=dict["tuple[str, str, str]", str])
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict["tuple[str, str]", bytes])
    delayed: int = 0

    def send(self, exchange: Exchange, rolls: Dice) -> RequestInFlight:
        """Send a request, or raise `NotSent` if it fails to connect."""
        world = self.world
        if world.store.writing:
            world.violated("I13", f"{exchange.request.step} is sent while a transaction is open")
        if exchange.request.moves_money:
            self._watch_leaving(exchange)
        if exchange.request.method == "POST":
            self._watch_repetition(exchange)
        fault = world.strikes(rolls, *WIRE)
        if fault is PlannedFault.CONNECT:
            raise NotSent("simulated: the connection was refused")
        wire = RequestInFlight(exchange, world.clock.now(), fault)
        if fault is PlannedFault.REQUEST_LOST:
            wire.fate = NoResponse("simulated: the request was sent and no response came")
        elif fault is PlannedFault.REQUEST_LATE:
            self._delay(wire, rolls)
        elif fault is PlannedFault.RESPONSE_SLOW:
            wire.slow = rolls.randint(1, 8)
        return wire

    def go_on(self, wire: RequestInFlight, rolls: Dice) -> Response | None:
        """Move *wire* one step further; return the response once it is there, else None."""
        if wire.fate is not None:
            raise wire.fate
        if wire.response is None:
            self._arrive(wire, rolls)
            return None
        if wire.slow:
            wire.slow -= 1
            return None
        if self.world.clock.now() > wire.sent_at + DEADLINE and rolls.random() < 0.5:
            raise NoResponse("simulated: the response took longer than the host waits")
        # Or it arrived in time, and the host was paused before it could read it.
        return wire.response

    def give_up_waiting(self, now: datetime, tasks: Iterable[Task]) -> None:
        """Delay the requests whose hosts stop waiting before *now*."""
        for task in tasks:
            wire = task.wire
            if wire is None or wire.fate is not None or wire.response is not None:
                continue
            if now > wire.sent_at + DEADLINE:
                self._delay(wire, task.rolls)

    def next_late(self) -> datetime | None:
        """Return when the next late request arrives, or None."""
        return self.late[0][0] if self.late else None

    def deliver_late(self) -> None:
        """Make the next late request arrive."""
        _, _, account, request = heapq.heappop(self.late)
        self.world.note(f"late {account} {request.step}")
        with suppress(NoResponse, NotSent):  # nobody waits for a response any more
            self._handle(account, request)

    # --- On the way ------------------------------------------------------------------------

    def _delay(self, wire: RequestInFlight, rolls: Dice) -> None:
        """Delay the request: its host gives up waiting, and it arrives later."""
        account = self.world.profiles[wire.exchange.account]
        until = wire.sent_at + (DEADLINE + account.traits.max_in_flight) * rolls.random()
        self.delayed += 1
        heapq.heappush(
            self.late,
            (
                max(until, self.world.clock.now()),
                self.delayed,
                wire.exchange.account,
                wire.exchange.request,
            ),
        )
        wire.fate = NoResponse("simulated: no response came in time")

    def _arrive(self, wire: RequestInFlight, rolls: Dice) -> None:
        account, request = wire.exchange.account, wire.exchange.request
        gateway = self.world.gateways[account]
        match wire.fault:
            case PlannedFault.TOO_MANY:
                wire.response = Response(status=429, body=_TOO_MANY)
                return
            case PlannedFault.ERROR_BEFORE:
                wire.response = self._keep_error(gateway, request, done=False)
                return
            case PlannedFault.GATEWAY_BEFORE:
                wire.response = Response(status=502, body=_HTML)
                return
            case _:
                pass
        self._turn(account, request, rolls)
        if wire.fault is PlannedFault.KEY_SEEN:
            self._with_other_data(account, request)
        response = self._handle(account, request)
        match wire.fault:
            case PlannedFault.RESPONSE_LOST:
                wire.fate = NoResponse("simulated: the request arrived and its response was lost")
            case PlannedFault.GARBAGE:
                response = Response(status=200, body=_HTML)
            case PlannedFault.TRUNCATED:
                response = Response(
                    status=response.status, body=response.body[: len(response.body) // 2]
                )
            case PlannedFault.ERROR_AFTER:
                response = self._keep_error(gateway, request, done=True)
            case PlannedFault.GATEWAY_AFTER:
                response = Response(status=502, body=_HTML)
            case _:
                wire.clean = response.status == 200
        wire.response = response

    def _with_other_data(self, account: str, request: Request) -> None:
        """
        Deliver a changed copy of the request first, as an older version of paygate could send.

        The processor executes the copy and then refuses ours: the key was used with other data.
        """
        body = _object(request)
        traits = self.world.profiles[account].traits
        if request.moves_money and isinstance(traits.idempotency, Keyed):
            changed = json.dumps({**body, "version": "older"}).encode()
            self._handle(account, replace(request, body=changed))

    def _turn(self, account: str, request: Request, rolls: Dice) -> None:
        """Plan the outcome of a follow-up at an odd processor: refused, slow, or failing later."""
        if request.method != "POST" or request.step not in ("capture", "void", "refund"):
            return
        profile = self.world.profiles[account]
        if not (profile.odd or profile.slow) or rolls.random() > 0.4:
            return
        plan = rolls.choice(_AT_ONCE if profile.odd else _LATER)
        body = _object(request)
        processor = self.world.gateways[account].processor
        if not processor.truth.found(request.step, body.get("our_ref", "")):
            self.world.count(f"{request.step} {plan.verdict}, ends {plan.ends}")
            processor.script.plan(plan, operation=request.step, our_ref=body["our_ref"])

    def _keep_error(self, gateway: FakeGateway, request: Request, *, done: bool) -> Response:
        """Return a server error, and store it under the key if the traits say so."""
        error = Response(status=500, headers={"content-type": "text/plain"}, body=b"trouble")
        processor = gateway.processor
        rule = processor.traits.idempotency
        key = request.headers.get("idempotency-key", "")
        if request.method != "POST" or not isinstance(rule, Keyed) or not rule.replays_errors:
            return error
        now = processor.clock.now()
        known = processor.truth.answers.get(key)
        if done or known is None or now >= known.at + rule.ttl:
            call = Call(request.step, _object(request), key, request.body)
            at = known.at if done and known is not None else now
            processor.truth.keep_answer(key, StoredAnswer(call.fingerprint, at, 500, error.body))
        return error

    # --- At the processor -------------------------------------------------------------------

    def _handle(self, account: str, request: Request) -> Response:
        world = self.world
        processor = world.gateways[account].processor
        if request.method == "POST":
            self._watch_arriving(account, request)
        response = processor.handle(request)
        if request.method == "POST":
            self._watch_done(account, request)
        return response

    def _watch_leaving(self, exchange: Exchange) -> None:
        """Check that the intent is stored and its lease is running."""
        world, request = self.world, exchange.request
        body = _object(request)
        our_ref = str(body.get("our_ref", ""))
        rows = world.store.look(
            "SELECT a.kind, a.sent_mark, a.reference, p.superseded, p.voiding "
            "FROM paygate_attempt a "
            "LEFT JOIN paygate_payment p ON p.id = a.payment WHERE a.id = :id",
            id=our_ref,
        )
        if not rows:
            world.violated("intent", f"{request.step} is sent, but its attempt is not stored")
        elif self._since(rows[0]["sent_mark"]) >= world.timing.lease:
            world.violated("lease", f"{request.step} of {our_ref} is sent after its lease")
        elif request.step == "complete" and rows[0]["superseded"]:
            world.violated("I3", "a page is completed although another payment superseded it")
        elif request.step == "capture" and rows[0]["voiding"]:
            world.violated("I3", "a capture is sent while its authorization is being voided")
        elif request.step == "charge" and not _is_noted(rows[0], body):
            world.violated("note", f"the debit of {our_ref} is sent, but its e-check is not noted")

    def _since(self, mark: str) -> timedelta:
        """Return how much time has really passed, whatever the hosts' clocks show."""
        seconds = self.world.clock.now().timestamp() - float(mark.rpartition("/")[2])
        return timedelta(seconds=seconds)

    def _watch_repetition(self, exchange: Exchange) -> None:
        """Check that a repeated request has the same key and the same body."""
        world, request = self.world, exchange.request
        our_ref, key = our_ref_of(request), request.headers.get("idempotency-key", "")
        name = (exchange.account, request.step, our_ref)
        if name in self.keys:
            world.count(f"sent again:{request.step}")
        if self.keys.setdefault(name, key) != key:
            world.violated("I2", f"{request.step} of {our_ref} is repeated under another key")
        known = self.bodies.setdefault((exchange.account, key), request.body)
        if known != request.body:
            world.violated("I2", f"{request.step} of {our_ref} is repeated with another body")

    def _watch_arriving(self, account: str, request: Request) -> None:
        """Check that we never ask the processor to capture or refund too much."""
        truth = self.world.gateways[account].processor.truth
        body = _object(request)
        about = truth.orders.get(body.get("about") or "")
        if about is None or truth.found(request.step, body.get("our_ref", "")):
            return
        if request.step == "capture" and about.state is State.AUTHORIZED:
            rest = about.minor - about.details.get("captured", 0)
            if body["minor"] > rest:
                self.world.violated("I3", f"capture of {body['minor']}, but only {rest} is held")
        if request.step == "refund" and not self.world.bank_acted(about):
            moved = [entry for entry in truth.journal if entry.payment == about.payment]
            came = [entry for entry in moved if entry.kind.inward and not entry.undoes]
            # We may not have heard yet of what a bank has returned.
            returned = [entry for entry in moved if entry.kind is MovementKind.RETURN]
            rest = sum(truth.rest(entry) for entry in came + returned)
            if body["minor"] > rest:
                self.world.violated("I10", f"refund of {body['minor']}, but only {rest} is left")

    def _watch_done(self, account: str, request: Request) -> None:
        """Check that no operation was executed twice."""
        world = self.world
        kind = world.profiles[account].kind
        if request.step not in ONCE or kind not in _DIRECT:
            return
        our_ref = our_ref_of(request)
        truth = world.gateways[account].processor.truth
        done = [order for order in truth.found(request.step, our_ref) if happened(order)]
        if len(done) > 1:
            world.violated("I2", f"{request.step} of {our_ref} was done {len(done)} times")
        if done and world.auditor.has_given_up(our_ref, done[0]):
            world.violated(
                "doubt", f"{request.step} of {our_ref} was executed, but is stored as failed"
            )


def our_ref_of(request: Request) -> str:
    """Return our reference of the attempt that a request is about."""
    return str(_object(request).get("our_ref", ""))


def _object(request: Request) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(request.body)) if request.body else {}


def _is_noted(row: Any, body: dict[str, Any]) -> bool:
    """Return whether the object that a debit is about is in the ledger; a card has none.

    The outcome of a card charge may be reported while its request is sent again.
    """
    return bool(row["kind"] != Kind.E_CHECK or row["reference"] == body.get("about", ""))
