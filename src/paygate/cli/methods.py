"""Stored methods: store one, list them, choose the default, forget one; and the token keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import decisions, options, pages, show, steps
from paygate.cli.exits import FINDINGS, hide, without_secrets
from paygate.cli.opening import KEYS_VARIABLE, Where, with_gateways, with_ledger
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import StoredMethod
from paygate.domain.outcome import Approved, Declined, Ended
from paygate.domain.secret import Secret
from paygate.errors import TokenKeysMissing
from paygate.service.stating import End, not_done

if TYPE_CHECKING:
    from paygate.domain.method import MethodRequest, PaymentMethod
    from paygate.domain.words import KindWord

ChangeArgument = Annotated[str, typer.Argument(metavar="CHANGE", help="Id of the request.")]
MethodArgument = Annotated[str, typer.Argument(metavar="METHOD", help="Id of the stored method.")]


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerArgument,
    after: Annotated[str, typer.Option(help="Continue after the method with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List the stored methods of a customer, the newest first."""
    with where.open() as cashier:

        def list_methods(behind: str, most: int) -> list[PaymentMethod]:
            return cashier.methods(customer, after=behind, limit=most)

        found, following = pages.read(list_methods, after, limit)
    if where.as_json:
        show.write_json({"methods": found, "next": following})
        return
    console = show.console()
    if not found:
        console.print("No method is stored.")
        return
    table = show.table("Method", "Via", "Card or account", "Expires", "")
    for one in found:
        label = f"{one.brand or show.words(one.kind)} {one.last4}"
        default = "default" if one.is_default else ""
        show.add(table, one.id, one.account, label, one.expires, default)
    console.print(table)
    pages.tell_more(following)


@with_gateways
def enroll(
    where: Where,
    customer: options.CustomerArgument,
    via: options.ViaOption,
    key: options.KeyOption,
    method: options.MethodOption = None,
    from_payment: Annotated[
        str | None, typer.Option(metavar="PAYMENT", help="Store the method of this payment.")
    ] = None,
    kind: options.KindOption = None,
    return_url: Annotated[str, typer.Option(help="URL to which its page returns the payer.")] = "",
) -> None:
    """Store a customer's method at a gateway; exits with status 1 if it is not stored yet."""
    hide(where.ctx, method)
    with where.open() as cashier:
        change = cashier.enroll(
            customer,
            via=via,
            key=key,
            method=method,
            from_payment=from_payment,
            kind=cast("KindWord | None", kind),
            return_url=return_url,
        )
    _tell(where, change)


@with_gateways
def inquire(where: Where, change: ChangeArgument) -> None:
    """Ask for the state of storing or deleting a method; exits with status 1 until it is done."""
    with where.open() as cashier:
        found = cashier.inquire_method(change)
    _tell(where, found)


@with_ledger
def changes(
    where: Where,
    review: Annotated[
        bool, typer.Option("--review", help="Only those flagged for manual review.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="Only the one that was stored with this idempotency key.")
    ] = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the request with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List the requests to store or delete methods, the newest first."""
    with where.open() as cashier:

        def list_changes(behind: str, most: int) -> list[MethodRequest]:
            return cashier.method_changes(
                key=key,
                needs_review=review or None,
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        found, following = pages.read(list_changes, after, limit)
    if where.as_json:
        show.write_json({"method_changes": found, "next": following})
        return
    table = show.table("Change", "What", "Via", "State")
    for one in found:
        label = show.below(one.id, one.customer)
        show.add(table, label, one.operation, one.account, show.words(one.state))
    show.console().print(table)
    pages.tell_more(following)


@with_ledger
def resolve(
    where: Where,
    change: ChangeArgument,
    ended: decisions.EndOption,
    evidence: decisions.EvidenceOption,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="PAYGATE_METHOD",
            help="The gateway's token of the stored method.",
        ),
    ] = None,
    brand: Annotated[str, typer.Option(help="Brand of the card.")] = "",
    last4: Annotated[str, typer.Option(help="The last digits of its number.")] = "",
    kind: Annotated[Kind, typer.Option(help="Kind of the method.")] = Kind.CARD,
) -> None:
    """Record the outcome of storing or deleting a method that could not be determined."""
    hide(where.ctx, method)
    decisions.check_held(ended)
    with where.open() as cashier:
        outcome: Approved | Declined | Ended = not_done(ended)
        if ended is End.SUCCEEDED:
            stored = None
            if method is not None:
                stored = StoredMethod(token=Secret(method), kind=kind, brand=brand, last4=last4)
            outcome = Approved(method=stored)
        found = cashier.resolve_method(change, outcome, evidence=evidence)
    _tell(where, found, stop=False)


@with_ledger
def set_default(
    where: Where,
    method: MethodArgument,
) -> None:
    """Make a stored method the default of its customer."""
    with where.open() as cashier:
        found = cashier.set_default_method(method)
    if where.as_json:
        show.write_json({"method": found})
        return
    _write(found)


@with_gateways
def forget(
    where: Where,
    method: MethodArgument,
    key: options.KeyOption,
) -> None:
    """Stop charging a method and have its gateway delete it; exits with status 1 until it has."""
    with where.open() as cashier:
        change = cashier.forget_method(method, key=key)
    _tell(where, change)


@with_gateways
def replace_(
    where: Where,
    method: MethodArgument,
    replacement: Annotated[
        str, typer.Argument(metavar="REPLACEMENT", help="Id of the method that replaces it.")
    ],
    key: options.KeyOption,
) -> None:
    """Let another stored method replace one, and forget that; exits with status 1 until it is."""
    with where.open() as cashier:
        change = cashier.replace_method(method, replacement=replacement, key=key)
    _tell(where, change)


@with_ledger
def rotate_keys(
    where: Where,
) -> None:
    """Encrypt the tokens of all stored methods under the first of the keys."""
    with where.open() as cashier:
        try:
            done = cashier.rotate_keys()
        except TokenKeysMissing:
            raise TokenKeysMissing(
                f"{KEYS_VARIABLE} is not set; put the new key into it, followed by the old ones, "
                "separated by commas"
            ) from None
    if where.as_json:
        show.write_json({"tokens": done})
        return
    show.console().print(f"{done.rotated} rotated, {done.current} already under the first key")


def _write(of: PaymentMethod) -> None:
    show.write_sheet(
        {
            "Method": of.id,
            "Customer": of.customer,
            "Via": f"{of.account} ({show.words(of.kind)})",
            "Card or account": f"{of.brand} {of.last4}".strip() or None,
            "Expires": of.expires,
            "Default": "yes" if of.is_default else "no",
            "Mandate": of.mandate,
        }
    )


def _tell(where: Where, change: MethodRequest, *, stop: bool = True) -> None:
    """Show a method request, and stop a script if it is not done."""
    change = replace(change, reason=without_secrets(where.ctx, change.reason))
    if where.as_json:
        show.write_json({"method_change": change})
    else:
        _write_change(change)
    if stop and change.state is not AttemptState.SUCCEEDED:
        raise typer.Exit(FINDINGS)


def _write_change(of: MethodRequest) -> None:
    done = of.state is AttemptState.SUCCEEDED
    deletes = of.operation is Operation.FORGET
    show.write_sheet(
        {
            "Change": of.id,
            "Method": None if of.method is None else of.method.id,
            "Customer": of.customer,
            "Via": of.account,
            "Deleted there" if deletes else "Stored": "yes" if done else show.words(of.state),
            "Reason": " · ".join(filter(None, (of.code, of.raw_code, of.reason))) or None,
            **_next_step(of, deletes=deletes),
        }
    )


def _next_step(of: MethodRequest, *, deletes: bool) -> dict[str, object]:
    """Return rows that say what is to be done about a request, if anything is."""
    if of.action is not None:
        return steps.rows(of.action)
    if of.state.final:
        failed = deletes and of.state.ended
        return {"Next": "delete it at the gateway by hand" if failed else None}
    if of.needs_review:
        return {"Next": "it needs manual review: 'paygate method resolve'"}
    if deletes:
        return {"Next": "it is charged no more; 'paygate payment recover' repeats the deletion"}
    return {"Next": "'paygate payment recover' asks for the outcome"}
