"""Hosted forms at the simulated processor: opened by a token, filled in by a payer."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from tests.support.simulated_authorize_net.profiles import Profiles
from tests.support.simulated_authorize_net.records import Form, Instrument, Told
from tests.support.simulated_authorize_net.sales import Sales, answer_of
from tests.support.simulated_authorize_net.speech import failed, listed, ok, part

FORM_LASTS: Final = timedelta(minutes=15)


class Forms(Sales, Profiles):
    """Forms to pay on, and to store a method on."""

    def payment_form(self, told: Told) -> tuple[str, Told]:
        """Open a form to pay on."""
        if "payment" in told["transactionRequest"]:
            return "ErrorResponse", {"messages": failed("E00119")}
        form = self._form(told, "hostedPaymentSettings", told["transactionRequest"])
        return "getHostedPaymentPageResponse", {"messages": ok(), "token": form.token}

    def profile_form(self, told: Told) -> tuple[str, Told]:
        """Open a form to store a method on."""
        if told["customerProfileId"] not in self.profiles:
            return "ErrorResponse", {"messages": failed("E00040")}
        form = self._form(told, "hostedProfileSettings", {})
        form.profile = told["customerProfileId"]
        return "getHostedProfilePageResponse", {"messages": ok(), "token": form.token}

    def _form(self, told: Told, settings: str, request: Told) -> Form:
        given = part(told, settings).get("setting")
        form = Form(
            token=f"{secrets.token_urlsafe(60)}.{secrets.token_urlsafe(5)}",
            until=self.now() + FORM_LASTS,
            request=request,
            settings={one["settingName"]: one["settingValue"] for one in listed(given)},
            our_reference=told.get("refId", ""),
        )
        self.forms[form.token] = form
        return form

    def open_form(self, token: str) -> Form | None:
        """Find a form that may still be filled in."""
        form = self.forms.get(token)
        return form if form is not None and not form.done and self.now() <= form.until else None

    def pay_on_form(self, token: str, payment: Told, zip_: str = "") -> Told | None:
        """Fill a form in and send it off; tell the transaction, or None where the form is gone."""
        with self._lock:
            form = self.open_form(token)
            if form is None:
                return None
            bill_to = {**part(form.request, "billTo"), **({"zip": zip_} if zip_ else {})}
            request: Told = {**form.request, "payment": payment, "billTo": bill_to}
            answer = self._sale(request, form.our_reference)
            told = answer_of("3", "2", None) if isinstance(answer, str) else answer
            self._write("form", told)
            form.done = told["responseCode"] in ("1", "4")
            return told

    def store_on_form(self, token: str, payment: Told) -> bool:
        """Fill a form in to store a method."""
        with self._lock:
            form = self.open_form(token)
            instrument = Instrument.read(payment)
            if form is None or instrument is None or not instrument.luhn:
                return False
            self._store(self.profiles[form.profile], instrument, {})
            form.done = True
            return True
