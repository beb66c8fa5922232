"""Subscribing: customers agree to automatic payment, bills fall due, and runs are interrupted.

Few schedules have these actors, so that the others keep the schedules that they had without them.
What must hold is not computed by the plan that the engine makes. It is read from the order of the
events: whether the customer had left, whether a page was open, and what was tried before.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.autopay import AutopayPolicy
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate, MandateScope
from paygate.domain.money import Money
from paygate.domain.retries import NetworkLimits, RetryPolicy
from paygate.ledger.codec import read_date, read_instant
from paygate.testing.simulation import customers, sagas, workers
from paygate.testing.simulation.dice import dice, weighted
from paygate.testing.simulation.world import KeyedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from paygate.service.flow import Flow
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.profiles import SimulatedAccount
    from paygate.testing.simulation.world import World

_CARDS: Final = {
    "tok_visa": 6,
    "tok_declined_insufficient_funds": 4,
    "tok_declined": 2,
    "tok_declined_lost_or_stolen": 1,
    "tok_advised_after_2_days": 1,
    "tok_unknown_executed": 1,
}
_CHECKS: Final = {
    "tok_bank": 3,
    "tok_bank_returned_r01": 5,
    "tok_bank_unpaid_r01": 2,
    "tok_bank_returned_r10": 1,
}
_TOTALS: Final = (500, 1234, 3000)
_LIMITS: Final = (NetworkLimits(), NetworkLimits(in_30_days=3))
_REPRESENT: Final = ((), (1, 1), (3, 5))


def draw_policy(seed: int) -> AutopayPolicy:
    """Return the host's policy of a schedule."""
    rolls = dice(seed, 13)
    retry = RetryPolicy(
        soft=rolls.choice(((3, 5, 7), (1, 1, 1))),
        represent=rolls.choice(_REPRESENT),
        limits=rolls.choice(_LIMITS),
    )
    return AutopayPolicy(retry=retry, use_credit=rolls.random() < 0.7)


def agree(world: World, name: str, rolls: Dice) -> None:
    """Store a method, and agree to charges of it without the payer."""
    able = [profile for profile in world.profiles.values() if _charges_alone(profile)]
    if not able:
        return
    profile, customer = rolls.choice(able), rolls.choice(("C-1", "C-1", "C-2"))
    token = weighted(rolls, _CARDS if profile.kind is Kind.CARD else _CHECKS)
    pending = tuple(str(row["number"]) for row in world.invoices() if row["customer"] == customer)
    mandate = Mandate(
        text_version="simulated",
        accepted_at=world.clock.now(),
        scope=MandateScope.FUTURE_AND_PENDING if pending else MandateScope.FUTURE,
        pending=pending,
        ceiling=Money("USD", 2000) if rolls.random() < 0.3 else None,
        notice_days=0 if rolls.random() < 0.8 else 2,
    )
    key, host = f"agree-{name}", rolls.choice(world.hosts)
    flow = host.enroll(customer, via=profile.name, key=key, method=token, mandate=mandate)
    world.begin(name, host, flow, rolls)
    world.count("actor:agree")


def _charges_alone(profile: SimulatedAccount) -> bool:
    rail = profile.traits.rails[profile.kind]
    return profile.traits.offers(profile.kind, Operation.ENROLL) and not rail.payer_present


def bill(world: World, name: str, rolls: Dice) -> None:
    """Issue an invoice that is due now or in some days."""
    due = world.clock.now().date() + timedelta(days=rolls.choice((0, 0, 1, 3)))
    host = rolls.choice(world.hosts)
    flow = host.issue(
        number=f"BILL-{name.partition(':')[0]}{name.partition('.')[2]}",
        customer=_somebody(world, rolls),
        total=Money("USD", rolls.choice(_TOTALS)),
        due=due,
    )
    world.begin(name, host, flow, rolls)
    world.count("actor:bill")


def _somebody(world: World, rolls: Dice) -> str:
    """Return a customer, mostly one who has agreed."""
    rows = world.store.look("SELECT customer FROM paygate_subscription WHERE status = 'active'")
    known = sorted({str(row["customer"]) for row in rows})
    return rolls.choice(known or ["C-1", "C-2"])


def run(world: World, name: str, rolls: Dice, on: date | None = None) -> None:
    """Do the run of today or of yesterday, perhaps in two processes at once."""
    if on is None and rolls.random() < 0.3:
        on = world.clock.now().date() - timedelta(days=1)
    for number in range(rolls.choice((1, 1, 2))):
        host = rolls.choice(world.workers)
        world.begin(f"{name}.{number}", host, host.run_autopay(on), rolls)
    world.count("actor:run_autopay")


def change(world: World, name: str, rolls: Dice) -> None:
    """End, pause or resume automatic payment, turn it off for an invoice, or delete a method."""
    customer, host = rolls.choice(("C-1", "C-1", "C-2")), rolls.choice(world.hosts)
    verb = weighted(rolls, {"end": 1, "pause": 1, "resume": 4, "forget": 1, "off": 1})
    flow: Flow[Any]
    match verb:
        case "end":
            flow = host.end_autopay(customer, reason="moved away")
        case "pause":
            flow = host.pause_autopay(customer, reason="asked for it")
        case "resume":
            flow = host.resume_autopay(customer)
        case "forget":
            _forget(world, name, rolls)
            return
        case _:
            rows = world.invoices()
            if not rows:
                return
            flow = host.set_autopay(str(rolls.choice(rows)["number"]), on=rolls.random() < 0.5)
    world.begin(name, host, flow, rolls)
    world.count(f"actor:{verb} automatic payment")


def _forget(world: World, name: str, rolls: Dice) -> None:
    rows = world.store.look(_MANDATED)
    if not rows:
        return
    id_, key = str(rolls.choice(rows)["id"]), f"forget-{name}"
    order = KeyedCall("forget_method", key, lambda host: host.forget_method(id_, key=key))
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count("actor:a method with a mandate is deleted")


def days(world: World, name: str, rolls: Dice) -> None:
    """Let days pass with their bills and runs, of which some are interrupted and resumed."""
    if not world.store.look(_MANDATED) or rolls.random() < 0.3:
        agree(world, f"{name}.a", rolls)
        sagas.go_on(world, rolls)
    bill(world, f"{name}.b", rolls)
    sagas.go_on(world, rolls)
    for number in range(rolls.choice((2, 4, 8, 20))):
        begins = _morning(world)
        world.advance(begins - world.clock.now() + timedelta(minutes=rolls.choice((1, 40))))
        meanwhile = weighted(rolls, _MEANWHILE)
        if meanwhile is not None:
            meanwhile(world, f"{name}.m{number}", rolls)
            sagas.go_on(world, rolls)
        run(world, f"{name}.r{number}", rolls)
        _interrupt(world, f"{name}.i{number}", rolls)
        sagas.go_on(world, rolls)
        workers.deliver(world, f"{name}.d{number}", rolls)
        sagas.go_on(world, rolls)
    world.count("saga:days of automatic payment")


def open_page(world: World, name: str, rolls: Dice) -> None:
    """Let a payer open a page or a slip for a bill that falls due."""
    bills = [str(row["number"]) for row in world.invoices() if row["number"].startswith("BILL-")]
    customers.open_page(world, name, rolls, bills[-2:])


def _interrupt(world: World, name: str, rolls: Dice) -> None:
    """Sometimes end the process in the middle of its run, and let another one resume that."""
    if rolls.random() < 0.5:
        return
    for _ in range(rolls.randrange(1, 14)):
        if world.tasks:
            world.move(world.tasks[rolls.randrange(len(world.tasks))])
    if rolls.random() < 0.5:
        change(world, f"{name}.c", rolls)
        return
    if world.tasks:
        world.kill(rolls.choice(world.tasks).host)
        world.count("actor:a run is interrupted")
    world.advance(timedelta(minutes=rolls.choice((1, 16))))
    run(world, f"{name}.r", rolls, world.clock.now().date())


def _morning(world: World) -> datetime:
    """Return the next instant at which the runs of a day begin."""
    now = world.clock.now()
    begins = now.replace(hour=6, minute=0, second=0, microsecond=0)
    return begins if begins > now else begins + timedelta(days=1)


_MANDATED: Final = """
SELECT m.id FROM paygate_method m JOIN paygate_mandate a ON a.id = m.mandate
WHERE m.forgotten_at IS NULL AND a.ended_at IS NULL ORDER BY m.id
"""
_MEANWHILE: Final[dict[Callable[[World, str, Dice], None] | None, int]] = {
    None: 4,
    bill: 4,
    agree: 2,
    change: 2,
    open_page: 3,
    customers.pay: 2,
    workers.poll: 3,
}

ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "agree": (3, agree),
    "bill": (3, bill),
    "autopay run": (3, run),
    "autopay change": (1, change),
    "autopay days": (3, days),
}

# --- The verdict ------------------------------------------------------------------------------

_CHARGED: Final = """
SELECT p.id, p.customer, p.method, p.kind, p.amount_minor, p.created_at, p.key, s.position,
  substr(p.key, 9, 10) AS run_date, a.code, a.state, c.ceiling_minor
FROM paygate_payment p
JOIN paygate_outbox s ON s.aggregate = p.id AND s.type = 'payment.started'
JOIN paygate_attempt a ON a.payment = p.id AND a.operation = 'charge'
LEFT JOIN paygate_mandate c ON c.id = p.mandate
WHERE p.key LIKE 'autopay/%' AND p.method IS NOT NULL ORDER BY s.position
"""
_AGREED: Final = """
SELECT type FROM paygate_outbox
WHERE aggregate = 'customer:' || :customer AND position < :position AND type IN (
  'autopay.subscribed', 'autopay.resumed', 'autopay.paused', 'autopay.unsubscribed')
ORDER BY position DESC LIMIT 1
"""
_DELETED: Final = """
SELECT 1 FROM paygate_outbox
WHERE aggregate = :method AND type = 'method.forgotten' AND position < :position
"""
# Other payments of the same invoices that had begun before, and the last news of each.
_OTHERS: Final = """
SELECT q.id, q.kind, q.created_at, (
    SELECT o.type FROM paygate_outbox o
    WHERE o.aggregate = q.id AND o.position < :position AND o.type IN (
      'payment.started', 'payment.requires_action', 'payment.pending', 'payment.unknown',
      'payment.authorized', 'payment.succeeded', 'payment.declined', 'payment.failed',
      'payment.canceled', 'payment.expired', 'payment.voided', 'payment.superseded',
      'payment.reversed', 'payment.resolved')
    ORDER BY o.position DESC LIMIT 1) AS last,
  (SELECT min(a.expires_at) FROM paygate_attempt a WHERE a.payment = q.id) AS expires_at
FROM paygate_claim mine JOIN paygate_claim theirs ON theirs.item = mine.item
JOIN paygate_payment q ON q.id = theirs.payment
WHERE mine.payment = :id AND q.id <> :id
"""
_ITEMS: Final = "SELECT item FROM paygate_claim WHERE payment = :id"
# Failures of the method that were known before: each is reported in its own transaction.
_FAILED: Final = """
SELECT DISTINCT x.payment, x.ended_on FROM paygate_autopay_item x
WHERE x.method = :method AND x.outcome IN ('soft', 'issuer_away', 'advised', 'payer_needed',
  'funds_return', 'other_return') AND EXISTS (
    SELECT 1 FROM paygate_outbox o WHERE o.position < :position
      AND o.type IN ('autopay.retry_scheduled', 'autopay.given_up')
      AND json_extract(o.data, '$.payment') = x.payment)
"""
_TRIED_ON: Final = "SELECT min(tried_on) AS day FROM paygate_autopay_item WHERE payment = :id"
_NOT_ASKED: Final = frozenset(
    {"unsent", "rate_limit", "unavailable", "credentials", "permission", "validation"}
)
_UNDER_WAY: Final = frozenset({"payment.started", "payment.pending", "payment.unknown"})
_ENTRIES_MAX: Final = 3
"""How often a debit may be presented at an account: once, and twice after a return."""


def check_autopay(world: World) -> None:
    """Check what was charged automatically: by whom, how often, how much, and next to what."""
    for [skips] in world.store.look("SELECT skips FROM paygate_autopay_run"):
        for reason in json.loads(skips):
            world.count(f"not charged automatically: {reason}")
    rows = world.store.look(_CHARGED)
    tries: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        world.count(f"automatic payment: {row['state']}")
        for broken in (
            *_of_agreement(world, row),
            *_of_others(world, row),
            *_of_limits(world, row),
        ):
            world.violated("autopay", f"{row['id']} {broken}")
        if row["code"] not in _NOT_ASKED:
            for item in {each["item"] for each in world.store.look(_ITEMS, id=row["id"])}:
                tries.setdefault((item, row["run_date"]), []).append(row)
    for (item, day), made in tries.items():
        if len(made) > 1:
            ids = ", ".join(each["id"] for each in made)
            world.violated("autopay", f"{item} was tried more than once in the run of {day}: {ids}")
    for (item, method), count in _entries(tries).items():
        world.count(f"a debit presented {count} times")
        if count > _ENTRIES_MAX:
            world.violated("autopay", f"{item} was presented {count} times to {method}")


def _of_agreement(world: World, row: Any) -> Iterator[str]:
    """Yield what the payer had not agreed to when a payment was stored."""
    facts = {"position": row["position"]}
    [*last] = world.store.look(_AGREED, customer=row["customer"], **facts)
    if not last or last[0]["type"] not in ("autopay.subscribed", "autopay.resumed"):
        yield f"charged {row['customer']}, who had not agreed: {last[0]['type'] if last else ''}"
    if world.store.look(_DELETED, method=row["method"], **facts):
        yield f"charged {row['method']}, which had been deleted"
    if row["ceiling_minor"] is not None and row["amount_minor"] > row["ceiling_minor"]:
        yield f"is {row['amount_minor']}, above the ceiling of {row['ceiling_minor']}"


def _of_others(world: World, row: Any) -> Iterator[str]:
    """Yield which other payments of the same invoices were under way, or had a page."""
    waited = timedelta(days=3)
    for other in world.store.look(_OTHERS, id=row["id"], position=row["position"]):
        if other["last"] in _UNDER_WAY:
            yield f"was sent while {other['id']} was under way: {other['last']}"
        if other["last"] != "payment.requires_action":
            continue
        at = read_instant(row["created_at"])
        ends = other["expires_at"]
        over = read_instant(ends) if ends else read_instant(other["created_at"]) + waited
        if at < over:
            yield f"was sent while the page of {other['id']} was open"


def _of_limits(world: World, row: Any) -> Iterator[str]:
    """Yield how a payment goes beyond what the networks allow for its method."""
    [tried] = world.store.look(_TRIED_ON, id=row["id"])
    if tried["day"] is None:
        return
    limits = world.autopay.retry.limits
    failed = world.store.look(_FAILED, method=row["method"], position=row["position"])
    today = sum(each["ended_on"] == tried["day"] for each in failed)
    since = (read_date(tried["day"]) - timedelta(days=30)).isoformat()
    recent = sum(each["ended_on"] > since for each in failed)
    if today >= limits.a_day or recent >= limits.in_30_days:
        yield f"follows {recent} failures of {row['method']} in 30 days, {today} of them that day"


def _entries(tries: dict[tuple[str, str], list[Any]]) -> dict[tuple[str, str], int]:
    """Return how often each invoice was presented to each bank account."""
    counts: dict[tuple[str, str], int] = {}
    for (item, _), found in tries.items():
        for row in found:
            if row["kind"] == Kind.E_CHECK:
                key = (item, row["method"])
                counts[key] = counts.get(key, 0) + 1
    return counts
