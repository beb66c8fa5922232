"""Payment links: create, list, show, revoke and reissue them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import facts, options, pages, show
from paygate.cli.opening import Where, read_amount, with_gateways, with_ledger
from paygate.errors import InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier
    from paygate.domain.link import PaymentLink
    from paygate.domain.money import Money
    from paygate.domain.words import LinkStatusWord

IdArgument = Annotated[
    str, typer.Argument(metavar="LINK", help="Id of the payment link, such as lnk_….")
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        envvar="PAYGATE_BASE_URL",
        help="Where the payment pages are; with it, the address is written.",
    ),
]
ExpiresOption = Annotated[
    str | None,
    typer.Option("--expires", metavar="INSTANT", help="Such as 2031-01-31T12:00+01:00."),
]


@with_ledger
def create(
    where: Where,
    key: options.KeyOption,
    items: Annotated[
        list[str] | None,
        typer.Argument(help="Numbers of invoices, or the id of a prepayment."),
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Instead: all that this customer owes.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="In which currency, with --customer.")
    ] = None,
    least: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The payer chooses: at least this.")
    ] = None,
    most: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The payer chooses: at most this.")
    ] = None,
    uses: Annotated[int | None, typer.Option(min=1, help="How often it can be paid.")] = None,
    expires: ExpiresOption = None,
    account: Annotated[
        list[str] | None, typer.Option(help="A gateway account to choose from; repeat it for more.")
    ] = None,
    immediate_only: Annotated[
        bool, typer.Option("--immediate-only", help="Only kinds with an immediate result.")
    ] = False,
    language: Annotated[str, typer.Option(help="Language of the pages, such as de.")] = "",
    return_to: Annotated[
        str, typer.Option(metavar="URL", help="Where the pages send the payer home.")
    ] = "",
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TEXT", help="Data of yours; repeat it.")
    ] = None,
    base_url: BaseUrlOption = None,
    qr: options.QrOption = False,
) -> None:
    """Create a payment link for invoices, a prepayment, or all that a customer owes."""
    _check_qr(base_url, qr=qr)
    with where.open() as cashier:
        made = cashier.link(
            items or None,
            key=key,
            customer=customer,
            currency=currency,
            amount=_bounds(cashier, least, most, items or ()),
            uses=uses,
            expires=_instant(expires),
            accounts=account or (),
            immediate_only=immediate_only,
            language=language,
            return_to=return_to,
            metadata=_texts(metadata or ()),
        )
    _tell(made, where, base_url, qr=qr)


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerOption = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those with this status, such as active.")
    ] = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the link with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List payment links, the newest first, a page at a time."""
    with where.open() as cashier:

        def list_links(behind: str, most: int) -> list[PaymentLink]:
            return cashier.links(
                customer=customer,
                status=cast("LinkStatusWord | None", status),
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_links, after, limit)
    if where.as_json:
        show.write_json({"links": [facts.link(one) for one in page], "next": following})
        return
    table = show.table("Link", "Customer", "For", "Status", ">Open", ">Paid")
    for one in page:
        paid = str(one.paid) if one.uses is None else f"{one.paid} of {one.uses}"
        show.add(table, one.id, one.customer, _for(one), show.words(one.status), one.open, paid)
    show.console().print(table)
    pages.tell_more(following)


@with_ledger
def show_(
    where: Where, link: IdArgument, base_url: BaseUrlOption = None, qr: options.QrOption = False
) -> None:
    """Show a payment link, and what can be paid with it now."""
    _check_qr(base_url, qr=qr)
    with where.open() as cashier:
        found = cashier.link_by_id(link)
    _tell(found, where, base_url, qr=qr)


@with_gateways
def revoke(where: Where, link: IdArgument, reason: options.ReasonOption) -> None:
    """Revoke a payment link, and withdraw its pages; a payment under way goes on."""
    with where.open() as cashier:
        made = cashier.revoke_link(link, reason=reason)
    _tell(made, where, None)


@with_ledger
def reissue(
    where: Where,
    link: IdArgument,
    expires: ExpiresOption = None,
    base_url: BaseUrlOption = None,
    qr: options.QrOption = False,
) -> None:
    """Give a payment link another address; the earlier one leads nowhere from now on."""
    _check_qr(base_url, qr=qr)
    with where.open() as cashier:
        made = cashier.reissue_link(link, expires=_instant(expires))
    _tell(made, where, base_url, qr=qr)


def _check_qr(base_url: str | None, *, qr: bool) -> None:
    """Refuse to draw an address that is not known, before anything is stored."""
    if qr and base_url is None:
        raise InvalidValue("--qr draws the address, so it needs --base-url", argument="qr")


def _tell(made: PaymentLink, where: Where, base_url: str | None, *, qr: bool = False) -> None:
    if where.as_json:
        show.write_json({"link": facts.link(made, base_url)})
        return
    show.write_sheet(
        {
            "Link": made.id,
            "Customer": made.customer,
            "For": _for(made),
            "Status": show.words(made.status),
            "Reason": made.reason or None,
            "Open": made.open,
            "Payer chooses": _range(made),
            "Paid": str(made.paid) if made.uses is None else f"{made.paid} of {made.uses}",
            "Last payment": made.payment,
            "Expires": made.expires_at,
            "Accounts": ", ".join(made.accounts) or None,
            "Only immediate": "yes" if made.immediate_only else None,
            "Language": made.language or None,
            "Returns to": made.return_to or None,
            "Address": None if base_url is None else made.address(base_url),
        }
    )
    if qr and base_url is not None:
        from paygate.slips import qr_text

        show.console().print(qr_text(made.address(base_url)))


def _for(link: PaymentLink) -> str:
    names = ", ".join(each.name for each in link.items)
    return f"{link.of.value} {names}".strip()


def _range(link: PaymentLink) -> str | None:
    if link.minimum is None or link.maximum is None:
        return None
    return f"{link.minimum.decimal} to {link.maximum}"


def _bounds(
    cashier: Cashier, least: str | None, most: str | None, items: list[str] | tuple[()]
) -> tuple[Money, Money] | None:
    if least is None and most is None:
        return None
    if least is None or most is None:
        raise InvalidValue(
            "if the payer chooses the amount, give both --least and --most", argument="amount"
        )
    return read_amount(cashier, least, items), read_amount(cashier, most, items)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise InvalidValue(
            "--expires is an instant with its zone, such as 2031-01-31T12:00+01:00, not "
            f"{shown(text)}",
            argument="expires",
        )
    return found


def _texts(pairs: list[str] | tuple[()]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidValue(
                f"--metadata is NAME=TEXT, such as campaign=7, not {shown(pair)}",
                argument="metadata",
            )
        found[name] = text
    return found
