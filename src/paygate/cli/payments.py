"""Payments: collect, record, reverse, and inquire about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paygate.cli import facts, options, pages, show, steps, timeline
from paygate.cli.commands import OF_VERBS
from paygate.cli.exits import FINDINGS, hide, without_secrets
from paygate.cli.opening import Where, read_amount, with_gateways, with_ledger
from paygate.domain import short_reference
from paygate.domain.payment import PaymentStatus
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paygate.domain.money import Money
    from paygate.domain.movement import Sighting
    from paygate.domain.payment import Payment, PaymentItem
    from paygate.domain.review import Review
    from paygate.domain.words import (
        KeyedVerb,
        KindWord,
        PaymentStatusWord,
        RecordedBy,
    )

NOT_COLLECTED = frozenset(
    {
        PaymentStatus.DECLINED,
        PaymentStatus.FAILED,
        PaymentStatus.CANCELED,
        PaymentStatus.EXPIRED,
        PaymentStatus.UNKNOWN,
    }
)
"""The statuses for which ``collect`` exits with status 1, so that a script stops."""


@with_gateways
def collect(
    where: Where,
    invoices: Annotated[list[str], typer.Argument(help="Numbers of the invoices to collect.")],
    via: options.ViaOption,
    key: options.KeyOption,
    method: options.MethodOption = None,
    stored: options.StoredOption = None,
    amount: options.AmountOption = None,
    expect: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Collect only if this much is open.")
    ] = None,
    kind: options.KindOption = None,
    customer: options.CustomerOption = None,
    return_url: options.ReturnUrlOption = "",
    qr: options.QrOption = False,
) -> None:
    """Collect invoices through a gateway; exits with status 1 if the money was not collected."""
    hide(where.ctx, method)
    with where.open() as cashier:
        made = cashier.collect(
            invoices,
            via=via,
            key=key,
            method=method if stored is None else cashier.method(stored),
            amount=None if amount is None else read_amount(cashier, amount, invoices),
            expect=None if expect is None else read_amount(cashier, expect, invoices),
            kind=cast("KindWord | None", kind),
            customer=customer,
            return_url=return_url,
        )
    if qr and made.action is not None and not where.as_json:
        steps.show_qr(made.action)
    tell_collected(where.ctx, made, as_json=where.as_json)


@with_ledger
def record(
    where: Where,
    by: Annotated[str, typer.Option(help="check, cash, transfer or terminal.")],
    key: options.KeyOption,
    invoices: Annotated[
        list[str] | None, typer.Argument(help="Numbers of the invoices it is for.")
    ] = None,
    amount: options.AmountOption = None,
    reference: Annotated[
        str,
        typer.Option(
            help="Number of the check, text of the transfer, or from the slip of the terminal."
        ),
    ] = "",
    on: Annotated[str | None, typer.Option(metavar="DATE", help="When it was received.")] = None,
    customer: options.CustomerOption = None,
) -> None:
    """Record money received by hand; what exceeds the open amount becomes credit."""
    numbers = invoices or []
    with where.open() as cashier:
        made = cashier.record(
            numbers,
            by=cast("RecordedBy", by),
            key=key,
            amount=None if amount is None else read_amount(cashier, amount, numbers),
            reference=reference,
            on=on,
            customer=customer,
        )
    tell(made, as_json=where.as_json)


@with_gateways
def inquire(
    where: Where,
    payment: options.PaymentArgument,
) -> None:
    """Ask the gateway for the state of a payment; exits with status 1 if it did not respond."""
    with where.open() as cashier:
        made = cashier.inquire(payment)
    tell(made, as_json=where.as_json)
    if made.unanswered:
        raise typer.Exit(FINDINGS)


@with_gateways
def recover(
    where: Where,
    limit: options.LimitOption = 100,
) -> None:
    """Ask once about every payment whose inquiry is due: after a crash, or from a timer."""
    with where.open() as cashier:
        asked = cashier.recover(limit=limit)
    unanswered = sum(bool(one.unanswered) for one in asked)
    if where.as_json:
        written = [facts.payment(one) for one in asked]
        show.write_json({"payments": written, "unanswered": unanswered})
        return
    console = show.console()
    if asked:
        console.print(_table(asked))
    else:
        console.print("Nothing is due.")
    if unanswered:
        console.print(f"{unanswered} of {len(asked)}: the gateway did not respond; run it again.")


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerOption = None,
    invoice: Annotated[
        str | None, typer.Option("--invoice", help="Only those for the invoice with this number.")
    ] = None,
    via: pages.ViaOption = None,
    status: Annotated[
        str | None,
        typer.Option("--status", help=f"Only those with this status: {', '.join(PaymentStatus)}."),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Only those flagged for manual review.")
    ] = False,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the payment with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List payments, the newest first, a page at a time."""
    with where.open() as cashier:

        def list_payments(behind: str, most: int) -> list[Payment]:
            return cashier.payments(
                customer=customer,
                invoice=invoice,
                account=via,
                status=cast("PaymentStatusWord | None", status),
                needs_review=review or None,
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_payments, after, limit)
    if where.as_json:
        show.write_json({"payments": [facts.payment(one) for one in page], "next": following})
        return
    show.console().print(_table(page))
    pages.tell_more(following)


@with_ledger
def show_(
    where: Where,
    id_: Annotated[
        str | None,
        typer.Argument(metavar="PAYMENT", help="Id of the payment."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Or the eight characters that its payer was shown."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key of the call that created it.")
    ] = None,
    verb: Annotated[
        str, typer.Option("--verb", help="The verb that was called with the key.")
    ] = "collect",
    qr: options.QrOption = False,
) -> None:
    """Show a payment, by its id, --reference or --key, and its whole history as a timeline."""
    if sum(each is not None for each in (id_, key, reference)) != 1:
        raise InvalidValue("name the payment by its id, by --reference, or by --key")
    with where.open() as cashier:
        if key is not None:
            id_ = cashier.payment_by_key(key, verb=cast("KeyedVerb", verb)).id
        elif reference is not None:
            id_ = cashier.payment_by_reference(reference).id
        history = cashier.history(cast("str", id_))
    line = timeline.moments(history)
    if where.as_json:
        show.write_json(
            {
                "payment": facts.payment(history.payment),
                "attempts": history.attempts,
                "receipts": history.receipts,
                "allocations": history.allocations,
                "events": history.events,
                "timeline": line,
            }
        )
        return
    show.write_sheet(rows(history.payment))
    show.console().print()
    timeline.write(line)
    if qr:
        steps.show_qr(history.payment.action)


def tell_collected(ctx: typer.Context, made: Payment, *, as_json: bool) -> None:
    """Show a payment that was just requested, and stop a script if it was not collected."""
    # Some processors repeat the token when they refuse it.
    made = replace(made, reason=without_secrets(ctx, made.reason))
    tell(made, as_json=as_json)
    if made.status in NOT_COLLECTED or made.needs_review or made.conflicted:
        raise typer.Exit(FINDINGS)


def tell(made: Payment, *, as_json: bool) -> None:
    """Show a payment."""
    if as_json:
        show.write_json({"payment": facts.payment(made)})
    else:
        show.write_sheet(rows(made))


def rows(of: Payment) -> dict[str, object]:
    """Return what is shown of a payment, by name; None is left out."""
    return {
        "Payment": of.id,
        "Short reference": short_reference.written(of.short_reference),
        "Customer": of.customer or "not known; 'paygate payment assign' sets it",
        "Paid to": of.payer_number or None,
        "Via": f"{of.account} ({show.words(of.kind)})",
        "Status": show.status(of.status),
        "Amount": of.amount,
        "Received": _amounts([of.received, *(each.received for each in of.foreign)])
        or show.amount(of.received),
        "Seen": of.seen or None,
        "Made up of": "\n".join(map(_sighting, of.sightings)) or None,
        "Address number": of.address_index,
        "Being captured": of.capturing or None,
        "Returned": _amounts([of.returned, *(each.returned for each in of.foreign)]) or None,
        "Being refunded": of.refunding or None,
        "Became credit": _amounts([of.credited, *(each.credited for each in of.foreign)]) or None,
        "From credit": of.from_credit or None,
        "Unassigned": _amounts(of.undecided) or None,
        "On its way": of.awaiting or None,
        "Invoices": "\n".join(map(_about, of.items)) or None,
        "Made": None if of.created_at is None else f"{of.created_at:%Y-%m-%d %H:%M} UTC",
        "Key": of.key or None,
        "Disputed": "yes" if of.disputed else None,
        "Paid with": _paid_with(of),
        "Checks": _checks(of),
        "Reference": of.reference or None,
        "Reason": " · ".join(filter(None, (of.code, of.raw_code, of.reason))) or None,
        "Reversal": of.reversal,
        "Expires": _expiry(of),
        **_next_step(of),
        "Not answered": of.unanswered or None,
        "Repeated": "nothing was sent: the key was used before" if of.repeated else None,
        "Warning": " ".join(of.warnings) or None,
    }


def _paid_with(of: Payment) -> str | None:
    facts = of.method_facts
    if facts is None:
        return None
    parts = [facts.brand, facts.wallet and f"by {show.words(facts.wallet)}"]
    parts.append(facts.last4 and f"ending {facts.last4}")
    if facts.expires_month and facts.expires_year:
        parts.append(f"until {facts.expires_month:02}/{facts.expires_year}")
    return " ".join(filter(None, parts)) or None


def _checks(of: Payment) -> str | None:
    results = {} if of.checks is None else of.checks.results
    return (
        ", ".join(f"{show.words(name)} {show.words(each)}" for name, each in results.items())
        or None
    )


def _expiry(of: Payment) -> str | None:
    """Return when the page, slip or hold expires, unless the payment has ended."""
    waits = of.status in (PaymentStatus.REQUIRES_ACTION, PaymentStatus.AUTHORIZED)
    return f"{of.expires_at:%Y-%m-%d %H:%M} UTC" if waits and of.expires_at else None


def _next_step(of: Payment) -> dict[str, object]:
    """Return rows that say what is to be done about a payment, if anything is."""
    if of.reviews:
        return {
            "Review": "\n".join(each.reason for each in of.reviews),
            "Next": "\n".join(dict.fromkeys(_commands(each) for each in of.reviews)),
        }
    if of.status is PaymentStatus.UNKNOWN:
        return {"Next": "do not pay again; 'paygate payment recover' asks for the outcome"}
    return {} if of.action is None else steps.rows(of.action)


def _amounts(amounts: Iterable[Money]) -> str:
    """Return amounts of several currencies as text, without zeros."""
    return ", ".join(show.amount(each) for each in amounts if each.minor)


def _commands(of: Review) -> str:
    """Return the commands that end a review."""
    return " or ".join(f"'paygate {OF_VERBS[verb]}'" for verb in of.verbs)


def _table(payments: list[Payment]) -> Any:
    """Return a table of payments: customer and items are below the id, which stays whole."""
    table = show.table("Payment", "Made, via", "Status", ">Amount")
    for one in payments:
        about = [one.customer or f"for {one.payer_number}", *(each.invoice for each in one.items)]
        # Below the date, so that a row fits into eighty columns.
        made = "" if one.created_at is None else f"{one.created_at:%Y-%m-%d}\n"
        status = show.status(one.status)
        status.append("".join(f", {each}" for each in _went_back(one)))
        if one.needs_review or one.conflicted:
            status.append("\nneeds review", style="yellow")
        show.add(table, show.below(one.id, *about), f"{made}{one.account}", status, one.amount)
    return table


def _went_back(of: Payment) -> Iterator[str]:
    """Yield what became of the money of a payment that no longer has all of it."""
    returned = _amounts([of.returned, *(each.returned for each in of.foreign)])
    if returned:
        yield f"returned {returned}"
    if of.reversed:
        yield "reversed"


def _sighting(of: Sighting) -> str:
    return f"{show.amount(of.quantity)}, {of.confirmations} of {of.needed} confirmations: {of.name}"


def _about(item: PaymentItem) -> str:
    """Return how much of an invoice a payment paid, and how much it holds."""
    facts_ = [f"{show.amount(item.paid)} paid" if item.paid.minor else ""]
    facts_.append(f"{show.amount(item.claimed)} held" if item.claimed.minor else "")
    return f"{item.invoice}: {', '.join(filter(None, facts_)) or 'nothing paid'}"
