"""Stored accounts: keep settings of gateway accounts in the ledger, for many merchants.

Settings hold secrets. So they are read from a file or from standard input, never from the command
line, which every user of the machine can see.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paygate.cli import show
from paygate.cli.books import state_of
from paygate.cli.exits import hide
from paygate.cli.opening import Where, with_ledger, without_missing_ledger
from paygate.domain.secret import Secret
from paygate.errors import AccountNotStored, InvalidSettings
from paygate.plugins import revealed
from paygate.printing import shown
from paygate.variables import filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.domain.stored_account import StoredAccount

NameArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name of the account.")]
SettingsOption = Annotated[
    Path,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="TOML file with its settings, such as driver = \"stripe\"; '-' is standard input.",
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the event.")]


@with_ledger
def add(
    where: Where,
    account: NameArgument,
    settings: SettingsOption = Path("-"),
    create: Annotated[
        bool, typer.Option("--create", help="Create the ledger if it does not exist.")
    ] = False,
) -> None:
    """Store an account of a tenant in the ledger, encrypted; its settings come from a file."""
    given = _read(where, settings)
    tried = without_missing_ledger(where)
    if create and tried is not where and where.app is None:
        # Wrong settings or missing keys must not leave an empty ledger behind.
        with tried.open(make=True) as cashier:
            cashier.add_account(account, settings=given)
    with where.open(make=create, new_tenant=True) as cashier:
        _tell(where, cashier.add_account(account, settings=given))


@with_ledger
def rotate(
    where: Where,
    account: NameArgument,
    settings: SettingsOption = Path("-"),
    whole: Annotated[
        bool, typer.Option("--whole", help="Replace all settings, not just those given.")
    ] = False,
) -> None:
    """Replace settings of a stored account, such as its keys; running processes then use them."""
    given = _read(where, settings)
    with where.open(new_tenant=True) as cashier:
        _tell(where, cashier.rotate_account(account, settings=given, whole=whole))


@with_ledger
def disable(where: Where, account: NameArgument, reason: ReasonOption = "") -> None:
    """Let a stored account take no new payments; what it has is still refunded and received."""
    with where.open(new_tenant=True) as cashier:
        _tell(where, cashier.disable_account(account, reason=reason))


@with_ledger
def enable(where: Where, account: NameArgument, reason: ReasonOption = "") -> None:
    """Let a stored account take new payments again."""
    with where.open(new_tenant=True) as cashier:
        _tell(where, cashier.enable_account(account, reason=reason))


@with_ledger
def list_(where: Where) -> None:
    """List the stored accounts of a tenant, without their settings."""
    with where.open() as cashier:
        found = cashier.stored_accounts()
    if where.as_json:
        show.write_json({"accounts": found})
        return
    table = show.table("Account", "Driver", "State", ">Revision", "Changed", "By", "Reason")
    for one in found:
        state = state_of(enabled=one.enabled)
        changed = f"{one.changed_at:%Y-%m-%d %H:%M} UTC"
        show.add(
            table, one.name, one.driver, state, one.revision, changed, one.changed_by, one.reason
        )
    show.console().print(table)


@with_ledger
def show_(where: Where, account: NameArgument) -> None:
    """Show a stored account, without its settings."""
    with where.open() as cashier:
        found = {each.name: each for each in cashier.stored_accounts()}
    if account not in found:
        known = ", ".join(found) or "none"
        raise AccountNotStored(
            f"the ledger has no account {shown(account)} of this tenant; stored are: {known}",
            account=account,
        )
    _tell(where, found[account])


def _read(where: Where, file: Path) -> dict[str, Any]:
    """Return the settings in *file*; a value of the environment stands for ``{ env = "NAME" }``."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        if str(file) == "-":
            text = Secret(sys.stdin.read())
        else:
            text = Secret(file.read_text(encoding="utf-8"))
        found = tomllib.loads(text.reveal())
    except OSError as error:
        raise InvalidSettings(f"the settings in {name} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        found = None
    if found is None:
        # The message of the parser could repeat a secret.
        raise InvalidSettings(f"the settings in {name} are not TOML in UTF-8")
    secrets: list[Secret[str]] = []
    try:
        whole = filled(found, os.environ, secrets)
    except InvalidSettings as error:
        raise InvalidSettings(f"{name}: {error.message}", **error.facts) from None
    plain = revealed(whole)
    hide(where.ctx, *_texts(plain))
    if not plain:
        raise InvalidSettings(f"there are no settings in {name}; give some, such as api_key = …")
    return cast("dict[str, Any]", plain)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in settings that may be secrets; not the name of the driver."""
    match value:
        case str():
            yield value
        case list():
            for each in cast("list[object]", value):
                yield from _texts(each)
        case dict():
            for name, each in cast("dict[str, object]", value).items():
                if name != "driver":
                    yield from _texts(each)
        case _:
            return


def _tell(where: Where, made: StoredAccount) -> None:
    if where.as_json:
        show.write_json({"account": made})
        return
    sheet = {
        "Account": made.name,
        "Driver": made.driver,
        "State": state_of(enabled=made.enabled, reason=made.reason),
        "Revision": made.revision,
        "Changed": f"{made.changed_at:%Y-%m-%d %H:%M} UTC by {made.changed_by}",
    }
    show.write_sheet(sheet)
