"""Withdrawing: pages are withdrawn before their items are charged, so that nobody pays twice.

A page that stays payable while a stored card is charged is the most common cause of double
payments. So it is withdrawn first, and the gateway's answer is awaited, which may be that the page
is paid already. Each withdrawal is an attempt, stored before it is sent; a process that dies in
between leaves a withdrawn page and no charge.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.payable import name_of
from paygate.domain.payment import PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid, Refused, UsageError
from paygate.ledger import attempts, claims, items
from paygate.service import finding, inquire, operate, ways
from paygate.service.flow import Flow, look
from paygate.service.tasks import OperateOrder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta

    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


class OpenPages(Exception):
    """Pages to withdraw before the charge is stored; raised to end its transaction."""

    def __init__(self, pages: Sequence[str]) -> None:
        super().__init__(*pages)
        self.pages = tuple(pages)


def check(
    tx: Tx,
    wanted: Collection[str],
    accounts: Mapping[str, GatewayAccount],
    tried: Collection[str],
    *,
    payer_present: bool,
    page_wait: timedelta | None = None,
) -> None:
    """
    Raise `OpenPages` for pages of the items *wanted* that can be withdrawn and were not *tried*.

    A payer who is present does not wait for a page that cannot be withdrawn: the new payment
    supersedes it. Without the payer, nothing is sent until the page has ended or expired; one that
    has no end and cannot be withdrawn is waited out for *page_wait*.
    """
    rows = [page for item in wanted for page in claims.pages_on(tx, item)]
    pages = [finding.payment(tx, page) for page in dict.fromkeys(rows)]
    withdrawable = [
        page for page in pages if page.id not in tried and is_withdrawable(tx, page, accounts)
    ]
    if withdrawable:
        raise OpenPages([page.id for page in withdrawable])
    if payer_present:
        return
    for page in pages:
        if not (is_over(tx, page, page_wait) and page.id not in tried):
            out = ways.out_of(tx, page)
            raise ItemAlreadyBeingPaid(
                f"payment {page.id} is a page that can still be paid, so nothing is charged "
                f"without the payer: {out.text}",
                item=", ".join(_numbers(tx, page, wanted)),
                payments=[page.id],
                ways={page.id: list(out.verbs)},
                until=out.until,
            )


def is_over(tx: Tx, page: Payment, page_wait: timedelta | None) -> bool:
    """Return whether *page* has expired, or has no end and was waited out."""
    if page.expires_at is not None:
        return page.expires_at < tx.now
    opened = page.created_at
    return page_wait is not None and opened is not None and opened + page_wait <= tx.now


def _numbers(tx: Tx, page: Payment, wanted: Collection[str]) -> list[str]:
    """Return the names of the items among *wanted* that can be paid on *page*."""
    of_page = dict.fromkeys(claim.item for claim in claims.of_payment(tx, page.id))
    found = [items.by_id(tx, each) for each in of_page if each in wanted]
    return [name_of(item) for item in found if item is not None]


def is_withdrawable(tx: Tx, page: Payment, accounts: Mapping[str, GatewayAccount]) -> bool:
    """Return whether *page* can be withdrawn, and this process has its account."""
    main = attempts.main_of(tx, page.id)
    return main.offers_to(Operation.WITHDRAW) and page.account in accounts


def withdraw_pages(
    pages: Sequence[str], accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[None]:
    """Withdraw *pages*, and inquire about those that could not be withdrawn: they may be paid."""
    for page in pages:
        task = OperateOrder(operation=Operation.WITHDRAW, payment=page, key=None)
        try:
            after = (yield from operate.operate(task, accounts, timing)).payment
        except (Refused, UsageError):
            after = yield from look(partial(finding.payment, which=page))
        if after.status is PaymentStatus.REQUIRES_ACTION:
            yield from inquire.inquire(page, accounts, timing)
