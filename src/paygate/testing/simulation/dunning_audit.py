"""What must hold of campaigns after every commit, computed from invoices and events alone.

None of it uses the rules that it tests: the gaps are written here once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.service.account import GatewayAccount
    from paygate.testing.simulation.ledger import WatchedLedger
    from paygate.testing.simulation.profiles import SimulatedAccount

_TABLES: Final = (
    "paygate_item",
    "paygate_credit",
    "paygate_episode",
    "paygate_stage",
    "paygate_customer",
)
_PLAN: Final = {
    "w1": (1, 0),
    "w2": (7, 3),
    "limit": (14, 5),
    "suspend": (21, 5),
    "terminate": (60, 14),
}
"""Days after the due date, and after the stage before."""
_NOTICES: Final = ("overdue", "overdue_again", "limited", "suspended", "terminated")
_LEAST: Final = 500
_RESUMED_WITHIN: Final = 60
_ANY: Final = "SELECT 1 FROM paygate_item WHERE overdue IS NOT NULL LIMIT 1"
_OWED: Final = """
SELECT c.id, c.state, coalesce((
    SELECT sum(i.total_minor - i.allocated_minor - i.written_off_minor) FROM paygate_item i
    WHERE i.customer = c.id AND i.kind = 'invoice' AND i.status = 'open' AND i.disputed = 0
      AND i.overdue IS NOT NULL AND i.reversal IS NULL), 0)
  - max(0, coalesce((
    SELECT sum(r.amount_minor - r.used_minor - r.canceled_minor) FROM paygate_credit r
    WHERE r.customer = c.id AND r.currency = 'USD'), 0)) AS owed
FROM paygate_customer c WHERE c.tenant = 'main'
"""
_STAGES: Final = """
SELECT s.episode, s.turn, s.place, s.name, s.done_on, s.silent, s.state, e.anchor, e.anchor_due,
  e.turn = s.turn AS current, b.done_on AS before, e.resumed_on, e.customer
FROM paygate_stage s JOIN paygate_episode e ON e.id = s.episode
LEFT JOIN paygate_stage b ON b.episode = s.episode AND b.turn = s.turn AND b.place = s.place - 1
ORDER BY s.episode, s.turn, s.place
"""
_NOTICED: Final = """
SELECT count(*) FROM paygate_outbox WHERE type = 'notice.due'
  AND json_extract(data, '$.kind') IN ('overdue', 'overdue_again', 'limited', 'suspended',
    'terminated')
"""
_ANNOUNCED: Final = """
SELECT aggregate, count(*) FROM paygate_outbox WHERE type = 'invoice.overdue'
GROUP BY aggregate HAVING count(*) > 1
"""
_UNANNOUNCED: Final = """
SELECT i.id FROM paygate_item i WHERE i.overdue IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM paygate_outbox o WHERE o.type = 'invoice.overdue' AND o.aggregate = i.id)
"""
_BEGUN_AGAIN: Final = """
SELECT a.id, b.began_on, a.ended_on FROM paygate_episode a JOIN paygate_episode b
  ON b.customer = a.customer AND b.currency = a.currency AND b.id > a.id
WHERE b.id = :id AND a.final = 0 AND a.ended_on IS NOT NULL AND b.anchor_due <= a.anchor_due
"""
_EPISODES: Final = "SELECT id FROM paygate_episode"
_CLAIMED: Final = "SELECT claimed_minor FROM paygate_item WHERE id = :id"
_READ: Final = "SELECT complete_since FROM paygate_feed WHERE account = :account"
_USED: Final = "SELECT DISTINCT account FROM paygate_payment WHERE customer = :customer"


class DunningWorld(Protocol):
    """What this audit needs from a world: ledger, accounts, and what was exercised."""

    @property
    def store(self) -> WatchedLedger:
        """The ledger."""
        ...

    @property
    def profiles(self) -> Mapping[str, SimulatedAccount]:
        """The simulated accounts, by name."""
        ...

    @property
    def accounts(self) -> Mapping[str, GatewayAccount]:
        """The gateway accounts of the hosts, by name."""
        ...

    def count(self, what: str) -> None:
        """Count that *what* was exercised."""
        ...

    def violated(self, rule: str, detail: str) -> None:
        """End the schedule because *rule* does not hold."""
        ...


@dataclass(slots=True)
class DunningAuditor:
    """The audit of campaigns, with the stages that it has seen."""

    world: DunningWorld
    begun: set[str] = field(default_factory=set[str])
    seen: set[tuple[str, int, int]] = field(default_factory=set["tuple[str, int, int]"])

    def audit(self, statements: frozenset[str]) -> None:
        """Check what the last transaction may have broken, given its writing statements."""
        if not any(table in each for each in statements for table in _TABLES):
            return
        look = self.world.store.look
        if not look(_ANY):
            return
        self._check_states()
        self._check_stages()
        for aggregate, count in look(_ANNOUNCED):
            self.world.violated("I-A8", f"{aggregate} was announced as overdue {count} times")
        for (item,) in look(_UNANNOUNCED):
            self.world.violated("I-A8", f"{item} counts as overdue, but was not announced")
        for (id_,) in look(_EPISODES):
            if id_ not in self.begun:
                self.begun.add(id_)
                self._check_begun(id_)

    def _check_begun(self, episode: str) -> None:
        """Check that a new episode is not about the debt of one that has just ended."""
        for before, began, ended in self.world.store.look(_BEGUN_AGAIN, id=episode):
            if _days(ended, began) <= _RESUMED_WITHIN:
                self.world.violated(
                    "ladder", f"{episode} begins on {began}, although {before} ended on {ended}"
                )

    def _check_states(self) -> None:
        for id_, state, owed in self.world.store.look(_OWED):
            if state in ("warned", "limited", "suspended") and owed < _LEAST:
                self.world.violated("I-A10", f"{id_} is {state}, but owes {owed} late")

    def _check_stages(self) -> None:
        loud = 0
        for row in self.world.store.look(_STAGES):
            loud += not row["silent"]
            key = (row["episode"], row["turn"], row["place"])
            if key not in self.seen:
                self.seen.add(key)
                if not row["silent"]:
                    self._check_stage(row)
        [(noticed,)] = self.world.store.look(_NOTICED)
        if noticed != loud:
            self.world.violated("I-A8", f"{loud} stages have {noticed} notices")

    def _check_stage(self, row: Any) -> None:
        """Check a stage at the moment at which it was reached."""
        after, gap = _PLAN[row["name"]]
        where = f"{row['name']} of {row['episode']} on {row['done_on']}"
        if _days(row["anchor_due"], row["done_on"]) < after:
            self.world.violated("I-A9", f"{where} comes before day {after}")
        before = max(each for each in (row["before"], row["resumed_on"], "") if each is not None)
        if before and _days(before, row["done_on"]) < gap:
            self.world.violated("I-A9", f"{where} comes too soon after {before}")
        [(claimed,)] = self.world.store.look(_CLAIMED, id=row["anchor"])
        if claimed:
            self.world.violated("I-A9", f"{where} comes while a payment is under way")
        if row["state"] in ("limited", "suspended", "terminated"):
            self._check_news(row, where)
        self.world.count(f"stage {row['name']}")

    def _check_news(self, row: Any, where: str) -> None:
        for (account,) in self.world.store.look(_USED, customer=row["customer"]):
            profile = self.world.profiles.get(account)
            if profile is None or not self.world.accounts[account].has_feed:
                continue
            found = self.world.store.look(_READ, account=account)
            since = found[0]["complete_since"] if found else None
            if since is None or since[:10] < row["done_on"]:
                self.world.violated(
                    "news", f"{where} although {account} was read only up to {since}"
                )


def _days(one: str, other: str) -> int:
    return (date.fromisoformat(other) - date.fromisoformat(one)).days
