"""The simulated processor behind HTTP on loopback: its interface, and its forms as pages."""

from __future__ import annotations

import json
from contextlib import contextmanager
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Final

from tests.support.loopback import Handler, first_values, serve
from tests.support.simulated_authorize_net.sales import broke_off, erred
from tests.support.simulated_authorize_net.speech import part

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.simulated_authorize_net.calls import SimulatedAuthorizeNet
    from tests.support.simulated_authorize_net.records import Form, Told

_PAY: Final = "/payment/payment"
_STORE: Final = "/customer/addPayment"
_API: Final = "/xml/v1/request.api"


@contextmanager
def serving(processor: SimulatedAuthorizeNet, port: int = 0) -> Generator[str]:
    """Serve *processor* on loopback, yield where, and stop when the block ends."""
    with serve(processor, _Handler, port) as url:
        yield url


class _Handler(Handler["SimulatedAuthorizeNet"]):
    methods = frozenset({"POST"})

    def answer(self) -> None:
        """Answer a call, or show a form."""
        body = self.body()
        if self.path == _API:
            self._answer_call(body)
            return
        fields = first_values(body.decode())
        if self.path in (_PAY, _STORE):
            self._show(fields.get("token", ""), store=self.path == _STORE)
        elif self.path == f"{_PAY}/send":
            self._paid(fields)
        elif self.path == f"{_STORE}/send":
            self._stored(fields)
        else:
            self.send(404, "text/plain", b"no such page")

    def _answer_call(self, body: bytes) -> None:
        """
        Answer a call, or break as the test says: before it is done, after, or with garbage.

        A code, such as ``E00001`` or ``181``, is answered though the call was carried out.
        """
        processor = self.processor
        fault = processor.breaks.pop(0) if processor.breaks else ""
        if fault == "lost request":
            self.close_connection = True
            return
        answer = processor.call(body)
        if fault == "lost answer":
            self.close_connection = True
        elif fault == "html":
            self.send(200, "text/html", b"<html><body>We'll be right back.</body></html>")
        elif fault.startswith("E"):
            self.send(200, "application/xml; charset=utf-8", broke_off(fault))
        elif fault.isdigit() and fault != "500":
            self.send(200, "application/xml; charset=utf-8", erred(fault))
        elif fault == "500":
            self.send(500, "text/html", b"<html><body>Server Error</body></html>")
        else:
            self.send(200, "application/xml; charset=utf-8", answer)

    # --- Pages ---------------------------------------------------------------------------------

    def _show(self, token: str, *, store: bool, problem: str = "") -> None:
        form = self.processor.open_form(token)
        if form is None:
            self._page("Token expired", "<p>This form is no longer valid. Ask for a new one.</p>")
            return
        self._page("Pay" if not store else "Add", _form(form, store=store, problem=problem))

    def _paid(self, fields: dict[str, str]) -> None:
        token = fields.get("token", "")
        form = self.processor.open_form(token)
        told = self.processor.pay_on_form(token, _payment(fields), fields.get("zip", ""))
        if form is None or told is None:
            self._show(token, store=False)
        elif told["responseCode"] in ("1", "4"):
            self._back(form, told)
        else:
            self._show(token, store=False, problem=told["errors"]["error"]["errorText"])

    def _stored(self, fields: dict[str, str]) -> None:
        token = fields.get("token", "")
        form = self.processor.open_form(token)
        if form is None or not self.processor.store_on_form(token, _payment(fields)):
            self._show(token, store=True, problem="That was not accepted.")
            return
        self._leave_for(form.settings.get("hostedProfileReturnUrl", ""))

    def _back(self, form: Form, told: Told) -> None:
        """Send the payer back, or tell the page around us through the communicator."""
        way = json.loads(form.settings.get("hostedPaymentReturnOptions", "{}"))
        iframe = json.loads(form.settings.get("hostedPaymentIFrameCommunicatorUrl", "{}"))
        if "url" in iframe:
            response = {"transId": told["transId"], "responseCode": told["responseCode"]}
            message = f"action=transactResponse&response={json.dumps(response)}"
            source = f"{iframe['url']}#{message}"
            self._page("Done", f'<iframe src="{escape(source, quote=True)}"></iframe>')
        else:
            self._leave_for(way.get("url", ""))

    def _leave_for(self, url: str) -> None:
        if not url:
            self._page("Done", "<p>You may close this window.</p>")
            return
        self.redirect(url)

    def _page(self, title: str, inner: str) -> None:
        page = (
            f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}"
            f"</title></head><body><h1>{escape(title)} (simulated)</h1>{inner}</body></html>"
        )
        self.send(200, "text/html; charset=utf-8", page.encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the processor's time, which a test may move on."""
        del timestamp
        return format_datetime(self.processor.now(), usegmt=True)


def _form(form: Form, *, store: bool, problem: str) -> str:
    amount = form.request.get("amount", "")
    order = part(form.request, "order")
    about = escape(str(order.get("description", "")))
    rows = "".join(
        f"<p><label>{label} <input name='{name}' autocomplete='off'></label></p>"
        for name, label in (
            ("cardNumber", "Card number"),
            ("expirationDate", "Expires (YYYY-MM)"),
            ("cardCode", "Security code"),
            ("routingNumber", "Routing number"),
            ("accountNumber", "Account number"),
            ("nameOnAccount", "Name on account"),
            ("zip", "Postal code"),
        )
    )
    return (
        f"<p role='alert'>{escape(problem)}</p><p>{escape(str(amount))} {about}</p>"
        f"<form method='post' action='{_STORE if store else _PAY}/send'>"
        f"<input type='hidden' name='token' value='{escape(form.token, quote=True)}'>{rows}"
        "<button>Send</button></form>"
    )


def _payment(fields: dict[str, str]) -> Told:
    if fields.get("cardNumber"):
        names = ("cardNumber", "expirationDate", "cardCode")
        return {"creditCard": {name: fields[name] for name in names if fields.get(name)}}
    bank = {
        "accountType": fields.get("accountType", "checking"),
        "routingNumber": fields.get("routingNumber", ""),
        "accountNumber": fields.get("accountNumber", ""),
        "nameOnAccount": fields.get("nameOnAccount", ""),
        "echeckType": "WEB",
    }
    return {"bankAccount": bank}
