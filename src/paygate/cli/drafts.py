"""Drafts of invoices, and the documents of invoices."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from paygate.cli import facts, options, show
from paygate.cli.invoices import write_invoice
from paygate.cli.opening import Where, read_amount, with_ledger
from paygate.domain.document import Document
from paygate.domain.invoice_lines import NO_TEXT, InvoiceText
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.invoice import Invoice

DraftArgument = Annotated[
    str, typer.Argument(metavar="INVOICE", help="Id of the draft, such as inv_….")
]
LinesOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON file with its lines and tax, and the currency."),
]
TotalOption = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Such as '30.00 USD'; not needed with lines.")
]
DocumentOption = Annotated[
    list[Path], typer.Option("--document", metavar="FILE", help="A file that goes with it.")
]


@with_ledger
def draft(
    where: Where,
    customer: Annotated[str, typer.Option(help="Id of the customer.")],
    due: Annotated[str, typer.Option(metavar="DATE", help="Due date.")],
    key: options.KeyOption,
    total: TotalOption = None,
    lines: LinesOption = None,
    assignment_key: Annotated[
        str | None, typer.Option(help="The key of the prepayments that pay it.")
    ] = None,
    document: DocumentOption = [],  # noqa: B006  (typer reads the default)
    create: Annotated[
        bool, typer.Option("--create", help="Create the ledger if it does not exist.")
    ] = False,
) -> None:
    """Make a draft of an invoice: nobody owes it until it is finalized."""
    text = NO_TEXT if lines is None else read_text(lines)
    with where.open(make=create) as cashier:
        made = cashier.draft(
            customer=customer,
            due=due,
            key=key,
            total=None if total is None else read_amount(cashier, total),
            assignment_key=assignment_key,
            lines=text.lines,
            tax=text.tax,
            rounding=text.rounding,
            document=[read_document(each) for each in document],
        )
    _tell(made, where)


@with_ledger
def change_draft(
    where: Where,
    invoice: DraftArgument,
    total: TotalOption = None,
    lines: LinesOption = None,
    due: Annotated[str | None, typer.Option(metavar="DATE", help="Another due date.")] = None,
    assignment_key: Annotated[
        str | None, typer.Option(help="The key of the prepayments that pay it.")
    ] = None,
) -> None:
    """Change a draft; what is left out stays as it is."""
    text = None if lines is None else read_text(lines)
    with where.open() as cashier:
        made = cashier.change_draft(
            invoice,
            total=None if total is None else read_amount(cashier, total),
            due=due,
            assignment_key=assignment_key,
            lines=None if text is None else text.lines,
            tax=() if text is None else text.tax,
            rounding="half_up" if text is None else text.rounding,
        )
    _tell(made, where)


@with_ledger
def finalize(
    where: Where,
    invoice: DraftArgument,
    number: Annotated[str | None, typer.Option(help="A number of yours.")] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="Or the next of a series: 'INV-{year}-{n:05}'."),
    ] = None,
    due: Annotated[str | None, typer.Option(metavar="DATE", help="Another due date.")] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="Date of issue.")] = None,
    document: DocumentOption = [],  # noqa: B006  (typer reads the default)
) -> None:
    """Issue a draft: it gets its number, and is owed from then on."""
    with where.open() as cashier:
        made = cashier.finalize(
            invoice,
            number=number,
            series=series,
            due=due,
            on=on,
            document=[read_document(each) for each in document],
        )
    _tell(made, where)


@with_ledger
def attach(
    where: Where,
    number: Annotated[str, typer.Argument(help="Number or id of the invoice.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of yours.")],
) -> None:
    """Add documents of yours to an invoice or a draft; its notices carry them."""
    with where.open() as cashier:
        made = cashier.attach_documents(number, [read_document(each) for each in files])
    if where.as_json:
        show.write_json({"documents": made})
        return
    table = show.table("Document", "Type", ">Bytes", "SHA-256")
    for each in made:
        show.add(table, each.name, each.media_type, f"{each.size:,}", each.digest[:16])
    show.console().print(table)


def read_text(file: Path) -> InvoiceText:
    """Return the lines and the tax in a JSON file."""
    from paygate.service import orders

    read = _json(file)
    given = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    if "currency" not in given:
        raise InvalidValue(f"{file} must be an object with currency, lines and, optionally, tax")
    return orders.read_text(given, orders.currency_of(given))


def read_document(file: Path) -> Document:
    """Return a file of the host as a document."""
    media_type, _ = mimetypes.guess_type(file.name)
    content = read_file(file)
    return Document(
        content=content, media_type=media_type or "application/octet-stream", name=file.name
    )


def read_file(file: Path) -> bytes:
    """Return the content of a file, or raise `InvalidValue`."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidValue(f"the file {file} cannot be read: {error.strerror}") from None


def _json(file: Path) -> object:
    try:
        return json.loads(read_file(file))
    except ValueError as error:
        raise InvalidValue(f"the file {file} is not JSON: {error}") from None


def _tell(made: Invoice, where: Where) -> None:
    if where.as_json:
        show.write_json({"invoice": facts.invoice(made)})
    else:
        write_invoice(made)


@with_ledger
def document(
    where: Where,
    number: Annotated[str, typer.Argument(help="Number or id of the invoice.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write it: .pdf or .html.")
    ],
    pay_url: Annotated[
        str, typer.Option(metavar="URL", help="Of a page to pay on, as a code to scan.")
    ] = "",
    own: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of yours, instead of a drawn one.")
    ] = None,
) -> None:
    """Write the document of an invoice, drawn with the letterhead, or one of yours."""
    with where.open() as cashier:
        if own is None:
            media = out.suffix.lower().lstrip(".")
            made = cashier.invoice_document(number, media=media, pay_url=pay_url)
        else:
            made = cashier.document(number, own)
    try:
        out.write_bytes(made.content)
    except OSError as error:
        raise InvalidValue(f"the file {out} cannot be written: {error.strerror}") from None
    facts_ = {"file": str(out), "media_type": made.media_type, "size": len(made.content)}
    if where.as_json:
        show.write_json({"document": facts_})
    else:
        show.console().print(f"{out}: {made.media_type}, {len(made.content):,} bytes")
