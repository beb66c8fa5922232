"""How requests to Remita are written and its answers are read.

Each request carries a SHA-512 digest of its values, one after the other, with the API key. The
amount in it must be the same text as in the body. The digest of an inquiry stands in its path, and
is a lasting key to that payment, so it must not be logged.
"""

from __future__ import annotations

import hashlib
from typing import Final

from paygate import driver
from paygate.driver import BadResponse, Dialogue, Fields, Money, PayerField, RejectCause
from paygate.drivers.remita import codes
from paygate.drivers.remita.codes import AMOUNTS, RRR
from paygate.drivers.remita.settings import RemitaSettings

BY: Final = AMOUNTS.by
NEEDED: Final = (PayerField.NAME, PayerField.EMAIL, PayerField.PHONE)
_API: Final = "/remita/exapp/api/v1/send/api/echannelsvc"


def digest(*parts: str) -> str:
    """Return the hash of a request."""
    return hashlib.sha512("".join(parts).encode()).hexdigest()


def naira(money: Money) -> str:
    """Return an amount as Remita takes it: without decimals if it is whole."""
    return AMOUNTS.decimal(money).removesuffix(".00")


class Api:
    """One merchant at Remita: its requests, and what the answers mean."""

    def __init__(self, settings: RemitaSettings) -> None:
        self.settings = settings
        self._base, self._merchant = settings.pages, settings.merchant_id

    def _headers(self, token: str) -> dict[str, str]:
        return {
            "Authorization": f"remitaConsumerKey={self._merchant},remitaConsumerToken={token}",
        }

    # --- A new reference ----------------------------------------------------------------

    def open_page(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Generate a reference for *charge*, or find the one that it has."""
        settings, order = self.settings, charge.our_ref
        payer = charge.payer or driver.Customer("")
        amount, service = naira(charge.amount), settings.service_type_id
        token = digest(self._merchant, service, order, amount, settings.api_key.reveal())
        shown = [driver.listed(charge.invoices, 100), charge.description]
        body = {
            "serviceTypeId": service,
            "amount": amount,
            "orderId": order,
            "payerName": driver.plain(payer.name, 100),
            "payerEmail": payer.email,
            "payerPhone": payer.phone,
            "description": driver.plain(": ".join(filter(None, shown)) or order, 200),
        }
        url = f"{self._base}{_API}/merchant/api/paymentinit"
        response = yield driver.json_request(url, "generate", body, headers=self._headers(token))
        if response.status != 200:
            return driver.refusal(response, BY, money_may_move=False)
        answer = driver.read_jsonp(response, BY)
        code = answer.text("statuscode")
        if code == codes.GENERATED:
            return self._page(answer.id("RRR", pattern=RRR), charge)
        if code in codes.EXISTS:
            return (yield from self._existing(charge))
        if code not in codes.CAUSES:
            raise BadResponse(f"Remita answers with the code {code[:10]!r}, which is new")
        cause, text = codes.CAUSES[code], answer.text("status", "")
        return driver.refusal(
            response, BY, money_may_move=False, cause=cause, raw_code=code, message=text
        )

    def _existing(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Return the page of the reference that the order has, if it asks for the same amount."""
        found = yield from self.ask(order=charge.our_ref, step="existing")
        if found is None:
            raise BadResponse("Remita has a reference for the order, and does not find it")
        if AMOUNTS.read_grouped(found, "amount", "NGN") != charge.amount:
            raise BadResponse("Remita has a reference for the order, of another amount")
        return self._page(found.id("RRR", pattern=RRR), charge)

    def _page(self, rrr: str, charge: driver.Charge) -> driver.ActionRequired:
        """Return the page of a reference, to which the payer's browser posts a form."""
        form = {
            "merchantId": self._merchant,
            "hash": digest(self._merchant, rrr, self.settings.api_key.reveal()),
            "rrr": rrr,
            "responseurl": charge.return_url,
        }
        return driver.page_action(f"{self._base}/remita/ecomm/finalize.reg", rrr, form=form)

    # --- What became of one -------------------------------------------------------------

    def ask(
        self, *, order: str = "", rrr: str = "", step: str = "look_up"
    ) -> Dialogue[Fields | None]:
        """Return what Remita shows of a reference or an order; None if it knows none."""
        name, end = (rrr, "status.reg") if rrr else (order, "orderstatus.reg")
        token = digest(name, self.settings.api_key.reveal(), self._merchant)
        response = yield driver.Request(
            method="GET",
            url=f"{self._base}{_API}/{self._merchant}/{name}/{token}/{end}",
            step=step,
            headers=self._headers(token),
            repeatable=True,
        )
        if response.status == 404:
            return None
        if response.status != 200:
            raise driver.unanswered(response, BY)
        answer = driver.read_jsonp(response, BY)
        status = answer.text("status")
        if status in codes.OUR_FAULT:
            raise driver.CredentialsRejected(f"Remita does not accept the ids or the key: {status}")
        return None if status in codes.GONE else answer

    def find(self, order: str, rrr: str) -> Dialogue[driver.Finding]:
        """Find what became of a charge, by its reference or, before it has one, by its order."""
        found = yield from self.ask(order=order, rrr=rrr if RRR.fullmatch(rrr) else "")
        return driver.NotFound() if found is None else outcome_of(found, order, rrr)

    # --- Withdraw one -------------------------------------------------------------------

    def withdraw(self, rrr: str) -> Dialogue[driver.Outcome]:
        """Deactivate a reference; one that was paid is reported as paid."""
        key = self.settings.api_key.reveal()
        body = {"rrr": rrr, "merchantId": self._merchant, "hash": digest(rrr, key, self._merchant)}
        url = f"{self._base}{_API}/v2/api/deactivate.json"
        response = yield driver.json_request(url, "deactivate", body)
        if response.status != 200:
            return driver.refusal(response, BY, money_may_move=False)
        answer = driver.read_jsonp(response, BY)
        code = answer.text("statuscode", "") or answer.text("status")
        if code == codes.DEACTIVATED:
            return driver.Approved(reference=rrr)
        if code in codes.OUR_FAULT:
            cause = codes.CAUSES[code]
            return driver.refusal(response, BY, money_may_move=False, cause=cause, raw_code=code)
        found = yield from self.find_withdrawal(rrr)
        return _still_open(code, rrr) if isinstance(found, driver.NotFound) else found

    def find_withdrawal(self, rrr: str) -> Dialogue[driver.Finding]:
        """Find whether a reference was paid or is gone; `NotFound` if it can still be paid."""
        found = yield from self.ask(rrr=rrr)
        if found is None:
            return driver.Ended(how=driver.Ending.CANCELED, reference=rrr)
        paid = found.text("status") in codes.PAID
        return outcome_of(found, found.text("orderId"), rrr) if paid else driver.NotFound()


def _still_open(code: str, rrr: str) -> driver.Rejected:
    return driver.Rejected(
        cause=RejectCause.STATE,
        retryable=True,
        raw_code=code,
        message="Remita did not deactivate the reference, and it can still be paid",
        reference=rrr,
    )


def outcome_of(found: Fields, order: str, rrr: str) -> driver.Outcome:
    """
    Return what the state of a reference means, or raise if it is not the one of *order*.

    An answer has neither a currency nor a payer. A code that is not listed is pending.
    """
    name = found.id("RRR", rrr, pattern=RRR)
    if name != (rrr or name) or found.text("orderId") != order:
        raise BadResponse("Remita's answer is about another order or reference")
    status = found.text("status")
    if status in codes.PAID:
        amount = AMOUNTS.read_grouped(found, "amount", "NGN")
        if not (amount.minor and name):
            raise BadResponse("Remita says that a reference is paid, and not which or how much")
        came = driver.Movement(movement_id=name, amount=amount)
        return driver.Approved(reference=name, movements=(came,))
    if status in codes.TRIES:
        code, again = codes.TRIES[status]
        return driver.Declined(code=code, raw_code=status, retryable=again, reference=name)
    # Remita does not return the page again; the one that the payer was given is still valid.
    return driver.ActionRequired(action=None, reference=name)
