"""The options that many commands share."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Final

import typer

from paygate.cli.exits import remember_json

LEDGER = "sqlite:///paygate.db"
"""The ledger of a command that is not told another."""

LedgerOption = Annotated[
    str,
    typer.Option("--ledger", metavar="URL", envvar="PAYGATE_LEDGER", help="Where the ledger is."),
]
GatewaysOption = Annotated[
    Path | None,
    typer.Option(
        "--gateways",
        metavar="FILE",
        envvar="PAYGATE_GATEWAYS",
        help="TOML file with a table of settings for each gateway account.",
    ),
]
AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:FACTORY",
        envvar="PAYGATE_APP",
        help="Function of yours that returns a Cashier; instead of --ledger and --gateways.",
    ),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", metavar="NAME", help="Whose books, in a ledger of several.")
]
ZoneOption = Annotated[
    str,
    typer.Option(
        "--zone",
        metavar="NAME",
        envvar="PAYGATE_ZONE",
        help="Your time zone, such as Europe/Zurich: dates of customers without one are in it.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", callback=remember_json, is_eager=True, help="Write JSON, for programs."),
]
SHARED: Final[Mapping[str, Parameter]] = {
    name: Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("ledger", LEDGER, LedgerOption),
        ("gateways", None, GatewaysOption),
        ("app", None, AppOption),
        ("tenant", "main", TenantOption),
        ("zone", "UTC", ZoneOption),
        ("as_json", False, JsonOption),
    )
}
"""What most commands share, as `paygate.cli.opening.with_gateways` gives it to them."""

PaymentArgument = Annotated[str, typer.Argument(metavar="PAYMENT", help="Id of the payment.")]
CustomerArgument = Annotated[str, typer.Argument(help="Id of the customer.")]
ViaOption = Annotated[str, typer.Option("--via", help="Name of the gateway account.")]
KeyOption = Annotated[
    str,
    typer.Option("--key", help="Idempotency key of yours: the same key again does nothing twice."),
]
AmountOption = Annotated[
    str | None,
    typer.Option("--amount", metavar="AMOUNT", help="Such as '30.00 USD'; else all that is open."),
]
CustomerOption = Annotated[str | None, typer.Option("--customer", help="Id of the customer.")]
StoredOption = Annotated[
    str | None, typer.Option("--stored", metavar="METHOD", help="Id of a stored method instead.")
]
MethodOption = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="TOKEN",
        envvar="PAYGATE_METHOD",
        show_envvar=True,
        help="One-time token; by the environment it stays out of the list of processes.",
    ),
]
KindOption = Annotated[str | None, typer.Option("--kind", help="Where the account takes several.")]
ReturnUrlOption = Annotated[
    str, typer.Option("--return-url", help="Where a redirect leads the payer back to.")
]
QrOption = Annotated[
    bool, typer.Option("--qr", help="Draw what the payer is to scan; needs the extra slips.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the books.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many at most.")]
