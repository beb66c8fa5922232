"""Finding: a payment by its id or reference, an invoice, or a customer; and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.errors import InvalidValue, InvoiceNotFound, PaymentNotFound
from paygate.web.desk.acts import ACTS
from paygate.web.desk.pages import DeskPage
from paygate.web.desk.showing import facts_of, items_table, payments_table, timeline_of
from paygate.web.desk.views import ActForm, Buttons, DeskView, Go, Input, Note, english
from paygate.web.pages.names import in_groups

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from paygate.domain.payment import Payment
    from paygate.service.history import History
    from paygate.web.desk.views import Block
    from paygate.web.desk.visit import DeskVisit

_FOUND_MAX: Final = 50


async def _find(visit: DeskVisit) -> DeskView | str:
    wanted = visit.query.get("q", "").strip()
    form = ActForm(
        get=True,
        button=english("Find"),
        inputs=[
            Input(
                name="q",
                label=english("Find a payment"),
                value=wanted,
                hint=english("Its id or reference, the number of an invoice, or a customer"),
            )
        ],
    )
    if not wanted:
        recent = await visit.run(visit.cashier.payments, limit=10)
        table = payments_table(visit, english("Newest payments"), recent)
        return DeskView(english("Payments"), [form, table])
    one = await _named(visit, wanted)
    if one is not None:
        return visit.at(f"/payments/{one.id}")
    found = await _related(visit, wanted)
    table = payments_table(visit, english("Found for {wanted}", wanted=wanted), found)
    return DeskView(english("Payments"), [form, table])


async def _named(visit: DeskVisit, wanted: str) -> Payment | None:
    """Return the payment with this id or reference, if there is one."""
    for verb in (visit.cashier.payment, visit.cashier.payment_by_reference):
        found: Payment | None = await _or_none(visit, verb, wanted)
        if found is not None:
            return found
    return None


async def _related(visit: DeskVisit, wanted: str) -> list[Payment]:
    """Return the payments of an invoice, or else of a customer."""
    of_invoice = await _or_none(visit, visit.cashier.payments, invoice=wanted, limit=_FOUND_MAX)
    if of_invoice:
        return list(of_invoice)
    found = await _or_none(visit, visit.cashier.payments, customer=wanted, limit=_FOUND_MAX)
    return list(found or [])


async def _or_none(
    visit: DeskVisit, verb: Callable[..., Any], *args: Any, **more: Any
) -> Any | None:
    try:
        return await visit.run(verb, *args, **more)
    except (PaymentNotFound, InvoiceNotFound, InvalidValue):
        return None


async def _payment(visit: DeskVisit) -> DeskView:
    history: History = await visit.run(visit.cashier.history, visit.params["payment"])
    payment = history.payment
    blocks: list[Block] = [
        Note(english("{why}", why=each.reason), "doubt") for each in payment.reviews
    ]
    blocks.append(facts_of(payment, history.receipts))
    acts = [
        Go(english(each.label), visit.at(f"/payments/{payment.id}/{each.name}"))
        for each in ACTS.values()
        if each.fits(payment) and visit.staff.role.includes(each.needs)
    ]
    if acts:
        blocks.append(Buttons(acts))
    if payment.items:
        blocks.append(items_table(visit, payment))
    blocks.append(timeline_of(history))
    reference = in_groups(payment.short_reference)
    return DeskView(english("Payment {reference}", reference=reference), blocks)


async def _reviews(visit: DeskVisit) -> DeskView:
    found = await visit.run(visit.cashier.payments, needs_review=True, limit=_FOUND_MAX)
    table = payments_table(visit, english("Payments that need manual review"), found)
    return DeskView(english("Reviews"), [table])


FIND_PAGES: Final = (
    DeskPage(path="/", show=_find, menu="Payments"),
    DeskPage(path="/payments/{payment}", show=_payment),
    DeskPage(path="/reviews", show=_reviews, menu="Reviews"),
)
"""The pages on which payments are found and looked at."""
