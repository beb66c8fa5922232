"""An invoice as one HTML file: no script, nothing that is loaded, ready to print."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from paygate.errors import MissingExtra

if TYPE_CHECKING:
    from jinja2 import Template

    from paygate.documents.sheet import InvoiceSheet


def to_html(sheet: InvoiceSheet) -> bytes:
    """Return *sheet* as HTML in UTF-8; the same sheet gives the same bytes."""
    from markupsafe import Markup

    template = _template()
    code = "" if sheet.scan is None else Markup(_code(sheet))  # noqa: S704  (SVG of our own)
    logo = sheet.letterhead.logo
    made = template.render(
        sheet=sheet,
        head=sheet.letterhead,
        code=code,
        logo="" if logo is None else base64.b64encode(logo).decode(),
    )
    return made.encode()


def _code(sheet: InvoiceSheet) -> str:
    from paygate import slips

    scan, head = sheet.scan, sheet.letterhead
    if scan is None:
        return ""
    if scan.amount is None:
        return slips.qr_svg(scan.payload, scale=None)
    return slips.epc_svg(
        name=head.name,
        iban=head.iban,
        amount=scan.amount,
        remittance=scan.payload,
        scale=None,
    )


@cache
def _template() -> Template:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtra(
            "documents need Jinja; install paygate-sdk[documents]", extra="documents"
        ) from error
    source = resources.files("paygate.documents") / "templates" / "invoice.html"
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    return made.from_string(source.read_text("utf-8"))
