"""The audit: what must hold after every committed step, whatever is still under way.

The rules of the books are those of `paygate fsck`. A rule is asked only where a
table that it reads was written to, so that each step can be audited.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from paygate.domain.payment import AttemptState
from paygate.ledger.book import RULES

if TYPE_CHECKING:
    from paygate.testing.simulation.world import World

_TABLES: Final = tuple((rule, frozenset(re.findall(r"paygate_(\w+)", rule.sql))) for rule in RULES)
_TENANT: Final = {"tenant": "main"}


@dataclass(slots=True)
class Auditor:
    """Looks at the ledger after each commit, and remembers what it saw."""

    world: World
    states: dict[str, AttemptState] = field(default_factory=dict[str, AttemptState])
    standing: dict[str, tuple[str, int, int]] = field(
        default_factory=dict[str, "tuple[str, int, int]"]
    )
    told: dict[str, int] = field(default_factory=dict[str, int])

    def audit(self, touched: set[str]) -> None:
        """Check what the last transaction may have broken."""
        self._check_books(touched)
        if "attempt" in touched:
            self._check_states()
        if "payment" in touched:
            self._check_told()

    def _check_books(self, touched: set[str]) -> None:
        execute = sqlite3.Connection.execute
        connection = self.world.store.connection
        for rule, tables in _TABLES:
            if tables.isdisjoint(touched):
                continue
            broken = execute(connection, rule.sql, _TENANT).fetchone()
            if broken is not None:
                self.world.violated(
                    rule.name, f"{rule.says}: {broken['subject']}: {broken['detail']}"
                )

    def _check_states(self) -> None:
        """See that what is known of an attempt only grows (I7)."""
        known = self.states
        for id_, text in self.world.store.look("SELECT id, state FROM paygate_attempt"):
            before = known.get(id_)
            if before == text:
                continue
            now = AttemptState(text)
            if before is not None and now.rank <= before.rank:
                self.world.violated("I7", f"{id_} goes back from {before} to {now}")
            known[id_] = now

    def _check_told(self) -> None:
        """See that a payment does not change without an event (I8)."""
        standing = self.standing
        for id_, *now in self.world.store.look(
            "SELECT id, status, received_minor, returned_minor FROM paygate_payment"
        ):
            before, after = standing.get(id_), (now[0], now[1], now[2])
            if before == after:
                continue
            standing[id_] = after
            [[count]] = self.world.store.look(
                "SELECT count(*) FROM paygate_outbox WHERE aggregate = :id", id=id_
            )
            if count <= self.told.get(id_, 0):
                self.world.violated("I8", f"{id_} became {after}, and no event tells it")
            self.told[id_] = count
