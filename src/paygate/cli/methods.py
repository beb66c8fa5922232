"""Stored methods: list them, choose the default one, forget one; and their keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS, without_secrets
from paygate.cli.opening import KEYS_VARIABLE, Where, with_gateways, with_ledger
from paygate.domain.payment import AttemptState
from paygate.errors import TokenKeysMissing

if TYPE_CHECKING:
    from paygate.domain.method import MethodChange, PaymentMethod

methods = typer.Typer(no_args_is_help=True, help="List, choose and forget stored methods.")

MethodArgument = Annotated[str, typer.Argument(metavar="METHOD", help="Id of the stored method.")]


@methods.command("list")
@with_ledger
def list_(
    where: Where,
    customer: Annotated[str, typer.Argument(help="Id of the customer.")],
) -> None:
    """List the stored methods of a customer."""
    with where.open() as cashier:
        found = cashier.methods(customer)
    if where.as_json:
        show.write_json({"methods": found})
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


@methods.command("default")
@with_ledger
def default(
    where: Where,
    method: MethodArgument,
) -> None:
    """Make a stored method the default one of its customer."""
    with where.open() as cashier:
        found = cashier.set_default_method(method)
    if where.as_json:
        show.write_json({"method": found})
        return
    show.console().print(_sheet(found))


@methods.command("forget")
@with_gateways
def forget(
    where: Where,
    method: MethodArgument,
    key: options.KeyOption,
) -> None:
    """Charge a method no more and have its gateway delete it; exits with 1 where it did not yet."""
    with where.open() as cashier:
        change = cashier.forget_method(method, key=key)
    change = replace(change, reason=without_secrets(where.ctx, change.reason))
    if where.as_json:
        show.write_json({"change": change})
    else:
        show.console().print(_change(change))
    if change.state is not AttemptState.SUCCEEDED:
        raise typer.Exit(FINDINGS)


@with_ledger
def rotate_keys(
    where: Where,
) -> None:
    """Encrypt every token of a stored method under the first of the keys."""
    with where.open() as cashier:
        try:
            done = cashier.rotate_keys()
        except TokenKeysMissing:
            raise TokenKeysMissing(
                f"there is no key; give the new one and behind it the old ones in {KEYS_VARIABLE}, "
                "with a comma between them"
            ) from None
    if where.as_json:
        show.write_json({"rotated": done.rotated, "current": done.current})
        return
    show.console().print(f"{done.rotated} rotated, {done.current} were under the first key already")


def _sheet(of: PaymentMethod) -> Any:
    return show.sheet(
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


def _change(of: MethodChange) -> Any:
    done = of.state is AttemptState.SUCCEEDED
    left = "a person must delete it at the gateway" if of.state.closed else None
    if not done and not of.state.final:
        left = "it is not charged any more; 'paygate recover' tries the deletion again"
    return show.sheet(
        {
            "Method": None if of.method is None else of.method.id,
            "Customer": of.customer,
            "Via": of.account,
            "Deleted there": "yes" if done else show.words(of.state),
            "Reason": " · ".join(filter(None, (of.code, of.raw_code, of.reason))) or None,
            "Next": left,
        }
    )
