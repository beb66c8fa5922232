"""Cards that expire soon: each is announced twice, so that the customer can store another."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.ledger import autopay_items, holding, methods
from paygate.service import keeping
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.method import PaymentMethod
    from paygate.ledger.tx import Tx

DAYS: Final = (7, 30)
"""How many days before a card expires that is announced."""

_AT_ONCE: Final = 100


def announce(on: date) -> Flow[None]:
    """Emit once for each card with a mandate that it expires within 30 days, and within 7."""
    after: PaymentMethod | None = None
    while True:
        page = yield from look(partial(_page, on=on, after=after))
        for method in page:
            if (yield from look(partial(_untold, method=method, on=on))):
                yield from transact(partial(_tell, method=method, on=on))
        if len(page) < _AT_ONCE:
            return
        after = page[-1]


def _page(tx: Tx, *, on: date, after: PaymentMethod | None) -> list[PaymentMethod]:
    return methods.expiring(tx, on, on + timedelta(days=max(DAYS)), after=after, limit=_AT_ONCE)


def _days_of(method: PaymentMethod, on: date) -> int:
    """Return within how many days it expires: one of `DAYS`."""
    assert method.expires is not None, "it was found by its expiry"
    return min(each for each in DAYS if (method.expires - on).days <= each)


def _occasion(method: PaymentMethod, on: date) -> str:
    return f"{method.expires} {_days_of(method, on)}"


def _untold(tx: Tx, *, method: PaymentMethod, on: date) -> bool:
    return not autopay_items.is_told(tx, "expiring", method.id, _occasion(method, on))


def _tell(tx: Tx, *, method: PaymentMethod, on: date) -> None:
    holding.hold(tx, customers=(method.customer,))
    found = methods.by_id(tx, method.id)
    if found is None or found.forgotten_at is not None or found.expires != method.expires:
        return
    days = _days_of(method, on)
    facts: dict[str, object] = {"expires": str(method.expires), "days": days}
    if autopay_items.tell(tx, "expiring", method.id, _occasion(method, on), facts):
        keeping.emit(tx, "method.expiring", method.id, days=days)
