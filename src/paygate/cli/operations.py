"""What is done to a payment through its gateway: authorize, capture, refund, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import facts, options, payments, show
from paygate.cli.exits import FINDINGS, hide, without_secrets
from paygate.cli.opening import Where, read_amount, with_gateways
from paygate.domain.result import OperationState

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier
    from paygate.domain.money import Money
    from paygate.domain.result import OperationResult
    from paygate.domain.words import KindWord, RefundToWord

PartOption = Annotated[
    str | None,
    typer.Option("--amount", metavar="AMOUNT", help="A part of it; default: all that is left."),
]

_UNDERTAKEN = frozenset({OperationState.SUCCEEDED, OperationState.PENDING})


@with_gateways
def authorize(
    where: Where,
    invoices: Annotated[list[str], typer.Argument(help="Numbers of the invoices to hold for.")],
    via: options.ViaOption,
    key: options.KeyOption,
    method: options.MethodOption = None,
    stored: options.StoredOption = None,
    amount: options.AmountOption = None,
    kind: options.KindOption = None,
    return_url: options.ReturnUrlOption = "",
) -> None:
    """Hold the amount of invoices, to be captured later; exits with status 1 if it is not held."""
    hide(where.ctx, method)
    with where.open() as cashier:
        made = cashier.authorize(
            invoices,
            via=via,
            key=key,
            method=method if stored is None else cashier.method(stored),
            amount=None if amount is None else read_amount(cashier, amount, invoices),
            kind=cast("KindWord | None", kind),
            return_url=return_url,
        )
    payments.tell_collected(where.ctx, made, as_json=where.as_json)


@with_gateways
def capture(
    where: Where,
    payment: options.PaymentArgument,
    key: options.KeyOption,
    amount: PartOption = None,
    keep_rest: Annotated[
        bool, typer.Option("--keep-rest", help="Keep the rest authorized for another capture.")
    ] = False,
) -> None:
    """Capture what was authorized, or a part of it; exits with status 1 if it was not captured."""
    with where.open() as cashier:
        wanted = _amount(cashier, payment, amount)
        made = cashier.capture(payment, key=key, amount=wanted, final=not keep_rest)
    _tell(where.ctx, made, as_json=where.as_json)


@with_gateways
def refund(
    where: Where,
    payment: options.PaymentArgument,
    key: options.KeyOption,
    amount: PartOption = None,
    to: Annotated[
        str | None,
        typer.Option(help="reopen, credit_note or from_credit: what happens to the invoices."),
    ] = None,
    invoices: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="INVOICE", help="Invoice to refund; can be repeated."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the processor.")] = "",
    force_reason: Annotated[
        str, typer.Option(help="Why it is sent although the payer's bank can still return it.")
    ] = "",
) -> None:
    """Send money of a payment back to the payer; exits with status 1 if it was not sent."""
    with where.open() as cashier:
        wanted = _amount(cashier, payment, amount)
        made = cashier.refund(
            payment,
            key=key,
            amount=wanted,
            to=cast("RefundToWord | None", to),
            items=invoices or (),
            reason=reason,
            force_reason=force_reason,
        )
    _tell(where.ctx, made, as_json=where.as_json)


@with_gateways
def cancel(
    where: Where,
    payment: options.PaymentArgument,
    key: options.KeyOption,
    force_reason: Annotated[
        str, typer.Option(help="Why it is sent although the payer's bank can still return it.")
    ] = "",
) -> None:
    """Cancel a payment in the cheapest way that works; exits with status 1 if that failed."""
    with where.open() as cashier:
        made = cashier.cancel(payment, key=key, force_reason=force_reason)
    _tell(where.ctx, made, as_json=where.as_json)


def _amount(cashier: Cashier, payment: str, text: str | None) -> Money | None:
    """Return an amount; without a currency, it is in that of the payment."""
    if text is None:
        return None
    if " " not in text.strip():
        text = f"{text.strip()} {cashier.payment(payment).amount.currency}"
    return read_amount(cashier, text)


def _tell(ctx: typer.Context, made: OperationResult, *, as_json: bool) -> None:
    """Show the result of an operation, and its payment; stop a script if it was not done."""
    made = replace(made, reason=without_secrets(ctx, made.reason))
    if as_json:
        show.write_json({"result": facts.result(made), "payment": facts.payment(made.payment)})
    else:
        show.write_sheet({**_rows(made), **payments.rows(made.payment)})
    if made.state not in _UNDERTAKEN or made.payment.needs_review or made.payment.conflicted:
        raise typer.Exit(FINDINGS)


def _rows(of: OperationResult) -> dict[str, object]:
    told = f"{show.words(of.state)}, of {show.amount(of.amount)}"
    before = " (nothing sent: it was requested before)" if of.repeated else ""
    return {
        show.words(of.operation).capitalize(): told + before,
        "Done": of.succeeded if of.succeeded and of.succeeded != of.amount else None,
        "Under way": of.under_way or None,
        "Why": " · ".join(filter(None, (of.code, of.raw_code, of.reason))) or None,
        "Then": _THEN.get(of.state),
    }


_THEN = {
    OperationState.UNKNOWN: "do not repeat it; 'paygate payment recover' finds out the outcome",
    OperationState.PENDING: "the outcome is known later",
}
