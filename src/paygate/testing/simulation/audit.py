"""The audit: what must hold after every committed step, whatever is still in progress.

The rules of the ledger are those of `paygate fsck`. A rule is checked only if something that
it reads was written, so that each step can be audited. Rules that read whole tables are
left to the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from paygate.domain.attempt import AttemptState
from paygate.ledger.book import RULES
from paygate.testing.processor.order import State
from paygate.testing.simulation.deeds import ONCE, happened
from paygate.testing.simulation.footprints import reads, writes
from paygate.testing.simulation.whose import disturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.ledger.rule import Rule
    from paygate.testing.fake import FakeGateway
    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.ledger import WatchedLedger

_STATES: Final = "SELECT id, state FROM paygate_attempt"
_PAYMENTS: Final = "SELECT id, status, received_minor, returned_minor FROM paygate_payment"
_ITEMS: Final = """
SELECT i.id, i.status, i.allocated_minor + i.moved_minor, i.written_off_minor + i.moved_minor,
  coalesce(d.replaced_by, '')
FROM paygate_item i LEFT JOIN paygate_prepayment d ON d.item = i.id
"""
_LET_GO: Final = """
SELECT a.payment, c.item FROM paygate_attempt a JOIN paygate_claim c ON c.payment = a.payment
WHERE a.operation IN ('charge', 'authorize') AND a.state IN ('sending', 'unknown')
  AND c.state <> 'hard'
"""
_TOO_MUCH_BACK: Final = """
SELECT id FROM paygate_payment p
WHERE refunding_minor > 0 AND returned_minor + refunding_minor > received_minor
  AND NOT EXISTS (SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.kind = 'return')
"""
_UNSEEN: Final = """
SELECT p.id FROM paygate_attempt a JOIN paygate_payment p ON p.id = a.payment
WHERE a.needs_review = 1 AND a.state IN ('sending', 'unknown') AND p.needs_review = 0
"""
_STANDING: Final = """
SELECT p.id, sum(a.amount_minor) FROM paygate_payment p
JOIN paygate_allocation a ON a.payment = p.id
WHERE p.reversal IS NOT NULL GROUP BY p.id HAVING sum(a.amount_minor) <> 0
"""
_NOTHING_HELD: Final = """
SELECT p.id, p.status, c.item, c.state FROM paygate_claim c
JOIN paygate_payment p ON p.id = c.payment
WHERE c.state IN ('hard', 'soft') AND NOT EXISTS (
    SELECT 1 FROM paygate_attempt a WHERE a.payment = p.id
    AND (a.late_pending = 1 OR a.state IN ('sending', 'unknown', 'pending')))
AND (p.status IN ('declined', 'failed', 'canceled', 'expired')
  OR (p.status = 'requires_action' AND c.state = 'hard')
  OR (p.status = 'succeeded' AND p.authorized_minor = 0 AND NOT EXISTS (
    SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id GROUP BY r.currency
    HAVING sum(CASE r.inward WHEN 1 THEN r.amount_minor ELSE -r.amount_minor END) > 0)))
"""
_LOOKS: Final = (
    _STATES,
    _PAYMENTS,
    _ITEMS,
    _LET_GO,
    _TOO_MUCH_BACK,
    _UNSEEN,
    _STANDING,
    _NOTHING_HELD,
)
_PAYMENT_OF: Final = "SELECT payment FROM paygate_attempt WHERE id = :id"
_TENANT: Final = {"tenant": "main"}


class AuditedWorld(Protocol):
    """What an audit needs from a world: ledger, processors, and what banks and clerks did."""

    @property
    def store(self) -> WatchedLedger:
        """The ledger."""
        ...

    @property
    def gateways(self) -> Mapping[str, FakeGateway]:
        """The processors, by account."""
        ...

    @property
    def disturbed(self) -> set[str]:
        """The payments, and the references of unasked money, that a bank changed by itself."""
        ...

    @property
    def judged(self) -> set[str]:
        """The payments that a clerk decided by hand."""
        ...

    def violated(self, rule: str, detail: str) -> None:
        """End the schedule because *rule* does not hold."""
        ...


@dataclass(slots=True)
class Auditor:
    """The audit of the ledger after each commit, with what the last one saw."""

    world: AuditedWorld
    states: dict[str, AttemptState] = field(default_factory=dict[str, AttemptState])
    standing: dict[str, tuple[str, int, int]] = field(
        default_factory=dict[str, "tuple[str, int, int]"]
    )
    events: dict[str, int] = field(default_factory=dict[str, int])
    items: dict[str, tuple[str, int, int, str]] = field(
        default_factory=dict[str, "tuple[str, int, int, str]"]
    )

    def audit(self, statements: frozenset[str]) -> None:
        """Check what the last transaction may have broken, given its writing statements."""
        rules, looks = _due(statements)
        self._check_books(rules)
        if _STATES in looks:
            self._check_states()
        self._check_doubts(looks)
        if _PAYMENTS in looks:
            self._check_told()
        if _ITEMS in looks:
            self._check_items_told()
        if _STANDING in looks:
            self._check_reversed()

    def has_given_up(self, attempt: str, order: Order) -> bool:
        """Return whether the core concluded by itself that *attempt* failed."""
        state = self.states.get(attempt)
        if state is None or not state.ended:
            return False
        return not {order.payment} & (self.world.disturbed | self.world.judged)

    def check_answered(self, attempt: str) -> None:
        """Check that a response that arrived was merged, whatever was concluded before."""
        state = self.states.get(attempt)
        if state is None or not state.in_doubt:
            return
        [(payment,)] = self.world.store.look(_PAYMENT_OF, id=attempt)
        # A response that shows another operation's money says nothing about this one.
        if payment not in mistaken(self.world):
            self.world.violated("answer", f"{attempt} received a response, but is {state}")

    def _check_books(self, rules: Sequence[tuple[Rule, str]]) -> None:
        for rule, sql in rules:
            for broken in self.world.store.look(sql, **_TENANT):
                self.world.violated(
                    rule.name, f"{rule.description}: {broken['subject']}: {broken['detail']}"
                )

    def _check_states(self) -> None:
        """Check that the state of an attempt never goes back (I7)."""
        known = self.states
        for id_, text in self.world.store.look(_STATES):
            before = known.get(id_)
            if before == text:
                continue
            now = AttemptState(text)
            if before is not None and now.rank <= before.rank:
                self.world.violated("I7", f"{id_} goes back from {before} to {now}")
            known[id_] = now
            if now.ended:
                self._check_given_up(id_)

    def _check_given_up(self, attempt: str) -> None:
        """Check that an operation that the processor did, or may still do, is not failed."""
        [row] = self.world.store.look("SELECT * FROM paygate_attempt WHERE id = :id", id=attempt)
        processor = self.world.gateways[row["account"]].processor
        processor.catch_up()
        if row["operation"] not in ONCE:
            return
        for order in processor.truth.found(row["operation"], attempt):
            if order.operation == "authorize" and order.state is State.APPROVED:
                continue  # part of it was captured, and the rest has expired
            wrong = happened(order) and self.has_given_up(attempt, order)
            # Unless the processor reported another operation than the requested one.
            if wrong and row["payment"] not in mistaken(self.world):
                self.world.violated(
                    "doubt", f"{attempt} is {row['state']}, but its processor did it: {order.state}"
                )

    def _check_told(self) -> None:
        """Check that a payment does not change without an event (I8)."""
        standing = self.standing
        for id_, *now in self.world.store.look(_PAYMENTS):
            before, after = standing.get(id_), (now[0], now[1], now[2])
            if before == after:
                continue
            standing[id_] = after
            self._expect_event(id_, after)

    def _check_items_told(self) -> None:
        """Check that an invoice or prepayment does not change without an event (I8)."""
        for id_, *now in self.world.store.look(_ITEMS):
            after = (now[0], now[1], now[2], now[3])
            if self.items.get(id_) == after:
                continue
            self.items[id_] = after
            self._expect_event(id_, after)

    def _expect_event(self, aggregate: str, now: object) -> None:
        [[count]] = self.world.store.look(
            "SELECT count(*) FROM paygate_outbox WHERE aggregate = :id", id=aggregate
        )
        if count <= self.events.get(aggregate, 0):
            self.world.violated("I8", f"{aggregate} became {now}, but no event reports it")
        self.events[aggregate] = count

    def _check_doubts(self, looks: frozenset[str]) -> None:
        """Check that doubts and money on its way are counted, held and flagged."""
        look = self.world.store.look
        for id_, item in look(_LET_GO) if _LET_GO in looks else ():
            self.world.violated("doubt", f"{id_} is in doubt, but no longer holds {item}")
        for (id_,) in look(_TOO_MUCH_BACK) if _TOO_MUCH_BACK in looks else ():
            if id_ not in disturbed(self.world):
                self.world.violated("I10", f"{id_}: more is on its way back than was received")
        for id_, status, item, kind in look(_NOTHING_HELD) if _NOTHING_HELD in looks else ():
            self.world.violated(
                "holds",
                f"{id_} is {status} and neither has nor expects money, but its {kind} claim "
                f"holds {item}",
            )
        for (id_,) in look(_UNSEEN) if _UNSEEN in looks else ():
            self.world.violated(
                "review", f"an attempt of {id_} needs a review, but {id_} is not flagged"
            )

    def _check_reversed(self) -> None:
        """Check that nothing remains of a payment that was reversed (I9)."""
        for id_, minor in self.world.store.look(_STANDING):
            self.world.violated("I9", f"{id_} is reversed, but {minor} of it is on invoices")


def mistaken(world: AuditedWorld) -> set[str]:
    """
    Return the payments that a duplicate window mistook for one another.

    Two payments look alike to it, and it answers the second with the response of the first.
    Their money is booked only once, and a clerk must find out for which of them.
    """
    found: set[str] = set()
    for row in world.store.look("SELECT * FROM paygate_attempt WHERE reference <> ''"):
        truth = world.gateways[row["account"]].processor.truth
        order = truth.orders.get(row["reference"])
        if order is None or order.operation != row["operation"]:
            continue
        if order.our_ref and order.our_ref != row["id"]:
            found |= {str(row["payment"]), order.payment}
    return found


@cache
def _due(statements: frozenset[str]) -> tuple[tuple[tuple[Rule, str], ...], frozenset[str]]:
    """Return the rules and queries that read something that *statements* write."""
    written = frozenset[str]().union(*map(writes, statements))
    return (
        tuple(
            (rule, sql)
            for rule in RULES
            if rule.cheap
            for sql in rule.statements
            if not written.isdisjoint(reads(sql))
        ),
        frozenset(sql for sql in _LOOKS if not written.isdisjoint(reads(sql))),
    )
