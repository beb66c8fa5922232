"""The options that many commands share."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Final

import typer

from paygate.cli.exits import remember_json

LEDGER = "sqlite:///paygate.db"
"""The ledger of a command without --ledger."""

LedgerOption = Annotated[
    str,
    typer.Option("--ledger", metavar="URL", envvar="PAYGATE_LEDGER", help="URL of the ledger."),
]
GatewaysOption = Annotated[
    Path | None,
    typer.Option(
        "--gateways",
        metavar="FILE",
        envvar="PAYGATE_GATEWAYS",
        help="TOML file with a table of settings for each gateway account and sink.",
    ),
]
AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:FACTORY",
        envvar="PAYGATE_APP",
        help="Your function that returns a Cashier; instead of --ledger and --gateways.",
    ),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", metavar="NAME", help="Whose books, if the ledger has several.")
]
ZoneOption = Annotated[
    str,
    typer.Option(
        "--zone",
        metavar="NAME",
        envvar="PAYGATE_ZONE",
        help="Your time zone, such as Europe/Zurich, for customers without one.",
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
"""The options that most commands share, as `paygate.cli.opening.with_gateways` adds them."""

PaymentArgument = Annotated[str, typer.Argument(metavar="PAYMENT", help="Id of the payment.")]
CustomerArgument = Annotated[str, typer.Argument(help="Id of the customer.")]
ViaOption = Annotated[str, typer.Option("--via", help="Name of the gateway account.")]
KeyOption = Annotated[
    str,
    typer.Option("--key", help="Your idempotency key: a call with the same key acts only once."),
]
AmountOption = Annotated[
    str | None,
    typer.Option("--amount", metavar="AMOUNT", help="Such as '30.00 USD'; default: all open."),
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
        help="One-time token; in the environment it stays out of the process list.",
    ),
]
KindOption = Annotated[str | None, typer.Option("--kind", help="If the account has several.")]
ReturnUrlOption = Annotated[
    str, typer.Option("--return-url", help="URL to which a redirect returns the payer.")
]
QrOption = Annotated[
    bool, typer.Option("--qr", help="Draw the code for the payer to scan; needs the extra slips.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the books.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Maximum number.")]
