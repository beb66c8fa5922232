"""API keys: add, list and revoke the keys with which programs of a merchant call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import Where, with_ledger
from paygate.domain.api_key import ApiScope

if TYPE_CHECKING:
    from paygate.domain.api_key import ApiKey


@with_ledger
def add(
    where: Where,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[list[ApiScope], typer.Option(help="What it may do; repeat it for more.")],
) -> None:
    """Make an API key, and show its secret, which cannot be shown again."""
    with where.open() as cashier:
        made = cashier.add_api_key(name, scopes=scope)
    if where.as_json:
        show.write_json({"api_key": made.key, "secret": made.secret.reveal()})
        return
    show.write_sheet({**_sheet(made.key), "Secret": made.secret.reveal()})
    show.say("Keep the secret now: the ledger has only its digest.")


@with_ledger
def list_(where: Where) -> None:
    """List the API keys of a tenant, without their secrets."""
    with where.open() as cashier:
        found = cashier.api_keys()
    if where.as_json:
        show.write_json({"api_keys": found})
        return
    table = show.table("Key", "Id", "Scopes", "Begins", "Added", "Last used", "State")
    for one in found:
        state = "live" if one.is_live else f"revoked: {one.reason}"
        used = "never" if one.last_used_at is None else f"{one.last_used_at:%Y-%m-%d %H:%M} UTC"
        added = f"{one.added_at:%Y-%m-%d}"
        show.add(table, one.name, one.id, _scopes(one), f"{one.hint}…", added, used, state)
    show.console().print(table)


@with_ledger
def revoke(
    where: Where,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, or the name of a live one.")],
    reason: options.ReasonOption,
) -> None:
    """End an API key; requests with it are refused from now on."""
    with where.open() as cashier:
        ended = cashier.revoke_api_key(key, reason=reason)
    if where.as_json:
        show.write_json({"api_key": ended})
        return
    show.write_sheet(_sheet(ended))


def _sheet(of: ApiKey) -> dict[str, object]:
    return {
        "Key": of.name,
        "Id": of.id,
        "Scopes": _scopes(of),
        "Revoked": of.revoked_at,
        "Reason": of.reason or None,
    }


def _scopes(of: ApiKey) -> str:
    return ", ".join(of.scopes)
