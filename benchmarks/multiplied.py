"""Large ledgers: one of 64 payments, written by paygate, and then copied by SQL many times.

Every id of the ledger contains the time, and so does every name that is created here (customers,
invoices, movements). So a copy consists of the same rows with another text in place of what these
names have in common. The checksums of the rows are computed again, and `paygate fsck` finds
nothing.
"""

from __future__ import annotations

import sqlite3
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from paygate import Cashier, Customer, Kind, Money
from paygate.dialogue import at_once
from paygate.domain.action import PayToAddress
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.movement import Movement
from paygate.domain.outcome import ActionRequired, Approved
from paygate.gateway import Callback, Notice
from paygate.ledger import checksums
from paygate.ledger.tx import TimedIds
from paygate.testing import FakeClock, FakeGateway

if TYPE_CHECKING:
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Charge

PAYMENTS: Final = 64
"""How many payments are copied; one in eight waits at an address, one in eight is disputed."""

# These belong to the process or the file, and do not grow with payments.
_ONCE: Final = frozenset(
    f"paygate_{each}"
    for each in ("meta", "sequence", "account", "sink", "row_count", "place_count", "feed")
)
# Digests, in which names cannot be replaced.
_DIGESTS: Final = frozenset({"gateway_key", "body_digest"})
_NUMBERS: Final = frozenset({"paygate_posting.id", "paygate_outbox.position", "paygate_inbox.id"})


class Telling(FakeGateway):
    """An account that approves cards, asks others to pay to an address, and reports events."""

    def __init__(self, kind: Kind = Kind.CARD, **given: Any) -> None:
        super().__init__(kind, **given)
        self.notices: list[Notice] = []

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        name = charge.our_ref.removeprefix("att")
        if charge.kind is Kind.CARD:
            moved = Movement(movement_id=f"txn{name}", amount=charge.amount)
            return at_once(Approved(reference=f"ch{name}", movements=(moved,)))
        action = PayToAddress(
            address=f"addr{name}", amount=charge.amount, uri=f"coin:addr{name}", rate="1"
        )
        return at_once(ActionRequired(action=action, reference=f"addr{name}"))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        return at_once(list(self.notices))

    def tell_dispute(self, reference: str) -> None:
        """Report in the next callback that the payment *reference* is disputed."""
        dispute = Dispute(
            reference=f"dp_{reference}",
            state=DisputeState.OPENED,
            amount=Money("USD", 2500),
            reason="fraudulent",
        )
        self.notices = [
            Notice(
                event_id=f"evt_{reference}",
                type="dispute",
                reference=reference,
                disputes=(dispute,),
            )
        ]

    def tell_paid(self, address: str, number: int = 0, minor: int = 2500) -> None:
        """Report in the next callback that money came to *address*."""
        name = f"{address}:{number}"
        moved = Movement(movement_id=name, amount=Money("USD", minor))
        self.notices = [Notice(event_id=name, type="paid", reference=address, movements=(moved,))]


class Accounts:
    """The gateway accounts of a large ledger, and a cashier that has them."""

    def __init__(self, path: Path) -> None:
        clock = FakeClock()
        self.card = Telling(clock=clock)
        self.coin = Telling(Kind.REDIRECT, clock=clock, merchant_account="coin")
        self.cashier = Cashier.open(
            f"sqlite:///{path}", gateways={"card": self.card, "coin": self.coin}, clock=clock
        )
        self._clock = clock
        self._ids = TimedIds()

    def pay(self, number: int, via: str) -> str:
        """Issue an invoice, collect it, and return the processor's reference of the payment."""
        name = self._ids.new("INV")
        self.cashier.issue(
            number=name,
            customer=Customer(id=self._ids.new("C"), name="Ada", email="ada@example.org"),
            total=Money("USD", 2500 + number),
            due="2026-12-01",
        )
        how: dict[str, Any] = {"method": "tok_visa"}
        if via == "coin":
            how = {"return_url": "https://shop.example/back"}
        return self.cashier.collect(name, via=via, key=f"pay-{name}", **how).reference

    def hear(self, account: Telling) -> None:
        """Receive the next callback of *account*, and apply it."""
        via = "card" if account is self.card else "coin"
        name = account.notices[0].event_id
        self.cashier.receive(
            via,
            Callback(
                method="POST",
                path="/",
                headers={},
                body=name.encode(),
                received_at=self._clock.now(),
            ),
        )
        [_] = self.cashier.apply_callbacks()


def make(path: Path) -> None:
    """Write the ledger to be copied."""
    accounts = Accounts(path)
    for number in range(PAYMENTS):
        reference = accounts.pay(number, "coin" if number % 8 == 1 else "card")
        if number % 8 == 2:
            accounts.card.tell_dispute(reference)
            accounts.hear(accounts.card)
    accounts.cashier.close()


def multiply(made: Path, path: Path, payments: int) -> None:
    """Write copies of the ledger *made* to *path* until it has *payments* payments."""
    with sqlite3.connect(made) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM INTO ?", (str(path),))
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function(
        "checksum_of", -1, lambda *row: checksums.of(row), deterministic=True
    )
    connection.execute("ATTACH ? AS made", (str(made),))
    common = _common(connection)
    copies = max(1, payments // PAYMENTS) - 1
    connection.execute("CREATE TEMP TABLE copy (number INTEGER PRIMARY KEY, mark TEXT)")
    width = len(common) - 1
    connection.executemany(
        "INSERT INTO copy VALUES (?, ?)",
        ((number, f"_{number:0{width}x}") for number in range(1, copies + 1)),
    )
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%_counted'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("BEGIN")
    for table in _tables(connection):
        connection.execute(_copying(connection, table), {"common": common})
        connection.execute(
            f"UPDATE paygate_row_count SET written = (SELECT count(*) FROM {table}) WHERE name = ?",
            (table,),
        )
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
    names = [str(name) for (name,) in rows if name.startswith("paygate_")]
    return [name for name in names if name not in _ONCE]


def _common(connection: sqlite3.Connection) -> str:
    """Return what all ids have in common: an underscore, and the common part of the time."""
    ids: list[str] = []
    for table, column in (("payment", "id"), ("customer", "id"), ("outbox", "id")):
        rows = connection.execute(f"SELECT {column} FROM made.paygate_{table}")
        ids += [name[name.index("_") :] for (name,) in rows]
    first, last = min(ids), max(ids)
    same = takewhile(lambda both: both[0] == both[1], zip(first, last, strict=True))
    return "".join(each for each, _ in same)


def _copying(connection: sqlite3.Connection, table: str) -> str:
    """Return the statement that writes all copies of the rows of *table*."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA main.table_info({table})")]
    signed = {each.checksum: each.columns for each in checksums.ALL if each.table == table}
    made = ", ".join(f"{_copied(connection, table, name)} AS {name}" for name in columns)
    values = ", ".join(
        f"checksum_of({', '.join(signed[name])})" if name in signed else name for name in columns
    )
    return (
        f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM ("
        f"SELECT {made} FROM temp.copy c CROSS JOIN made.{table} t ORDER BY c.number)"
    )


def _copied(connection: sqlite3.Connection, table: str, column: str) -> str:
    if f"{table}.{column}" in _NUMBERS:
        return f"t.{column} + c.number * (SELECT max({column}) FROM made.{table})"
    if column in _DIGESTS:
        return f"t.{column} || c.mark"
    if column == "received_at":
        # Reading a page of callbacks scans all that arrived at the instant at which it begins.
        return f"strftime('%Y-%m-%dT%H:%M:%f', t.{column}, c.number || ' seconds') || '000+00:00'"
    renamed = f"replace(t.{column}, :common, c.mark)"
    return f"CASE typeof(t.{column}) WHEN 'text' THEN {renamed} ELSE t.{column} END"
