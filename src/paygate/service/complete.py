"""Complete: finish a payment whose payer came back from the gateway's page.

Completing may take money, so it is refused after another payment has superseded the page. On many
pages, though, the payer's money has moved before they come back, and money that came is never
refused. So before the refusal is raised, the gateway is asked, which takes nothing: money that came
is booked as credit of the customer. The same holds for a page that ended without money as far as
the ledger knows, such as one that a clerk resolved as canceled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.domain.result import result_of
from paygate.errors import ItemAlreadyBeingPaid
from paygate.service import inquire, operate
from paygate.service.flow import Flow
from paygate.service.tasks import OperateOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.service.account import GatewayAccount, Timing


def complete(
    task: OperateOrder, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[OperationResult]:
    """Complete once, even if called again; if it is too late, book the money that came."""
    refusal: ItemAlreadyBeingPaid | None = None
    try:
        result = yield from operate.operate(task, accounts, timing)
    except ItemAlreadyBeingPaid as error:
        refusal = error
    else:
        if result.attempts or not result.state.failed:
            return result
    payment = yield from inquire.inquire(task.payment, accounts, timing)
    if refusal is not None and payment.status is PaymentStatus.REQUIRES_ACTION:
        raise _refused(
            refusal, payment, can_be_asked=accounts[payment.account].inquirer is not None
        )
    return result_of(payment, Operation.COMPLETE, [], repeated=True)


def _refused(
    refusal: ItemAlreadyBeingPaid, page: Payment, *, can_be_asked: bool
) -> ItemAlreadyBeingPaid:
    """Return the refusal with a note whether money came on *page*."""
    ways = {each: list(verbs) for each, verbs in refusal.ways.items()}
    if page.unanswered:
        found = f"money may have arrived on it, and {page.unanswered}"
        if can_be_asked:
            found += "; inquire"
            ways[page.id] = ["inquire", *ways.get(page.id, [])]
    else:
        found = "the gateway shows no money on it so far"
    return ItemAlreadyBeingPaid(
        f"{refusal}; {found}",
        item=refusal.item,
        payments=refusal.payments,
        ways=ways,
        until=refusal.until,
    )
