"""Pages of the fake processor, for a person or test to use in a browser as a payer would.

``/`` lists the pages that payers can pay, and ``/pay/{reference}`` is the page that a
redirect leads to. The pages are plain HTML forms and need no script.
`paygate.testing.fake_server` serves them on loopback, and no real money moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.errors import InvalidValue
from paygate.testing.processor.effects import PAGES
from paygate.testing.processor.order import PAYABLE, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.testing.processor import FakeProcessor
    from paygate.testing.processor.order import Order

PAY: Final = "/pay/"

_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "referrer-policy": "no-referrer",
}
_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1rem }
button { font: inherit; display: block; width: 100%; padding: .75rem 1rem; margin: .75rem 0 }
[role=alert] { border-left: .4rem solid; padding: .5rem 1rem }
table { border-collapse: collapse; width: 100% }
caption, th, td { text-align: left; padding: .5rem 1rem .5rem 0; vertical-align: top }
""".strip()

# What a payer may do, by the value that the form sends. The first is what most payers do.
_WAYS: Final = {
    "pay": "Pay",
    "decline": "Decline this try",
    "refuse": "Decline, and go back",
    "cancel": "Cancel, and go back",
    "lose": "Pay, and lose the return and the callback",
    "late": "Go back unpaid, and pay late",
}
_ENDED_WAYS: Final = {"pay": "Pay anyway, too late"}
_ENDED: Final = frozenset({State.EXPIRED, State.CANCELED})

_HINTS: Final = {
    State.READY: "You have approved this payment. The merchant completes it.",
    State.PENDING: "You have paid. The payment is being processed.",
    State.AUTHORIZED: "You have approved this payment. The amount is held.",
    State.APPROVED: "You have paid.",
    State.DECLINED: "This payment was declined.",
    State.REJECTED: "This payment was refused.",
    State.EXPIRED: "This page has expired. Money that is paid now arrives too late.",
    State.CANCELED: "This page was canceled. Money that is paid now arrives too late.",
}


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of *processor*; a late payment arrives after *late_s* seconds.

    *unheard* calls its argument without sending the merchant any callbacks about it.
    """

    processor: FakeProcessor
    late_s: float
    unheard: Callable[[Callable[[], object]], None]

    def serve(self, method: str, target: str, body: bytes) -> Response | None:
        """Return the page at *target*, or None if there is no page at that address."""
        path = urlsplit(target).path
        if path == "/" and method == "GET":
            return self._index()
        if not path.startswith(PAY):
            return None
        self.processor.catch_up()
        order = self.processor.truth.orders.get(path.removeprefix(PAY))
        if order is None or not _has_page(order):
            return _page(404, "Page not found", "<p>There is no page at this address.</p>")
        if method == "GET":
            return _page_of(order)
        return self._click(order, parse_qs(body.decode("ascii", "replace")).get("do", [""])[-1])

    def _index(self) -> Response:
        self.processor.catch_up()
        orders = [each for each in self.processor.truth.orders.values() if _has_page(each)]
        rows = "".join(
            f"<tr><th scope=row><a href='{PAY}{escape(each.reference)}'>{escape(each.reference)}"
            f"</a></th><td>{_kind(each)}</td><td>{_amount(each)}</td><td>{each.state}</td></tr>"
            for each in reversed(orders)
        )
        shown = (
            "<table><caption>Newest first</caption><thead><tr><th scope=col>Page</th>"
            "<th scope=col>Kind</th><th scope=col>Amount</th><th scope=col>State</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
            if rows
            else "<p>No payer has been sent here yet.</p>"
        )
        return _page(200, "Pages of the fake processor", shown)

    def _click(self, order: Order, do: str) -> Response:
        if do not in _ways(order):
            return _page_of(order, "That is no longer possible.", 409)
        play, reference = self.processor.play, order.reference
        try:
            match do:
                case "pay":
                    play("pay", reference=reference)
                case "decline":
                    play("decline_try", reference=reference)
                    return _page_of(order, "The bank declined. You can try again.", 422)
                case "refuse":
                    play("decline_try", reference=reference, final=True)
                case "cancel":
                    play("cancel", reference=reference)
                case "lose":
                    self.unheard(lambda: play("pay", reference=reference))
                    return _page_of(
                        order,
                        "Your browser was not sent back, and the merchant received no callback.",
                        200,
                    )
                case _:
                    play("pay_late", reference=reference, seconds=self.late_s)
        except InvalidValue as refused:
            # The page was paid, withdrawn or expired in the meantime.
            return _page_of(order, str(refused), 409)
        return _back(order)


def _has_page(order: Order) -> bool:
    collects = order.operation in ("charge", "authorize")
    return "action" in order.details or (collects and order.kind in PAGES)


def _ways(order: Order) -> dict[str, str]:
    if order.state in PAYABLE and order.state is not State.READY:
        return _WAYS
    if order.state in _ENDED and order.kind in PAGES:
        return _ENDED_WAYS
    return {}


def _back(order: Order) -> Response:
    """Redirect to the merchant, or show the state of the payment if there is no return URL."""
    to = order.return_url
    # A test may give any text as its address, but a header allows only printable ASCII.
    if not to or not (to.isascii() and to.isprintable()):
        return _page_of(order)
    return Response(status=303, headers={**_HEADERS, "location": to}, body=b"")


def _page_of(order: Order, alert: str = "", status: int = 200) -> Response:
    amount, ways = _amount(order), _ways(order)
    title = f"Pay {amount}" if amount else "Store a method"
    if alert:
        title = f"{alert.partition('.')[0]}: {title}"
    buttons = "".join(
        f"<button name=do value={do}>{escape(label)}</button>" for do, label in ways.items()
    )
    parts = [
        f"<p role=alert>{escape(alert)}</p>" if alert else "",
        f"<p>{_HINTS[order.state]}</p>" if order.state in _HINTS else "",
        f"<p>By {_kind(order)}, reference <code>{escape(order.reference)}</code>.</p>",
        f"<form method=post action='{PAY}{escape(order.reference)}'>{buttons}</form>"
        if ways
        else "",
    ]
    if not ways and order.return_url:
        parts.append(f"<p><a href='{escape(order.return_url)}'>Back to the merchant</a></p>")
    parts.append("<p><a href='/'>All pages</a></p>")
    return _page(status, title, "".join(parts), heading=f"Pay {amount}" if amount else title)


def _page(status: int, title: str, content: str, *, heading: str = "") -> Response:
    text = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)} - fake processor</title><style>{_STYLE}</style></head>"
        "<body><header><p>This is the fake processor. No money moves.</p></header>"
        f"<main><h1>{escape(heading or title)}</h1>{content}</main></body></html>"
    )
    return Response(status=status, headers=_HEADERS, body=text.encode())


def _kind(order: Order) -> str:
    return escape(order.kind.replace("_", "-"))


def _amount(order: Order) -> str:
    return str(Money(order.currency, order.minor)) if order.minor else ""
