"""How requests to Skrill are written and its answers are read.

Skrill answers in plain text (a session), JSON (a refused page), lines (a query) and XML (a refund).
Texts are read as Latin-1, so that each byte is kept: a signature covers them exactly as they are
sent, ``9.9`` is not ``9.90``.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from paygate import driver
from paygate.driver import BadResponse, Dialogue, Fields, FormFields, NotAuthentic, read_form
from paygate.drivers.skrill import codes
from paygate.drivers.skrill.codes import AMOUNTS, ID, SESSION
from paygate.drivers.skrill.settings import SkrillSettings

BY, APP = AMOUNTS.by, "https://www.skrill.com"
SIGNED: Final = ("merchant_id", "transaction_id", "mb_amount", "mb_currency", "status")
REFUND: Final = "refund"
"""The parameter of the status URL that names the refund which Skrill reports there."""


def _digest(text: str, algorithm: str) -> str:
    # Skrill's scheme, not ours: the account can require SHA-256.
    made = hashlib.new(algorithm, text.encode("latin-1", "replace"), usedforsecurity=False)
    return made.hexdigest().upper()


class Api:
    """One account at Skrill: its requests, and what is believed."""

    def __init__(self, settings: SkrillSettings) -> None:
        self.settings = settings

    def open_page(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Prepare a page; nobody can change what it asks for."""
        settings, payer = self.settings, charge.payer
        members: driver.Members = {
            "prepare_only": "1",
            "pay_to_email": settings.email,
            "transaction_id": charge.our_ref,
            "amount": AMOUNTS.decimal(charge.amount),
            "currency": charge.amount.currency,
            "return_url": charge.return_url,
            "cancel_url": charge.return_url,
            "status_url": settings.status_url,
            "recipient_description": driver.plain(settings.brand_name, 30),
            "detail1_text": driver.plain(charge.description, 240),
            "detail2_text": driver.plain(driver.listed(charge.invoices, 240), 240),
            **({} if payer is None else _prefilled(payer)),
        }
        response = yield driver.form_request(settings.pages, "prepare", driver.filled(members))
        body = response.body.strip()
        session = body.decode("ascii", "replace")
        if response.status == 200 and SESSION.fullmatch(session):
            page, lasts = f"{settings.pages}/?sid={session}", settings.session_minutes
            return driver.page_action(page, session, response, lasts=timedelta(minutes=lasts))
        error = driver.read_json(response, BY) if body.startswith(b"{") else Fields(None, BY)
        code = error.text("code", "")
        if response.status == 200 and not code:
            raise BadResponse("Skrill returned no session for a page", status=response.status)
        return refused(response, code, message=error.text("message", ""))

    def call(
        self, program: str, step: str, members: driver.Members, *, moves_money: bool = False
    ) -> driver.Request:
        """Return a request to one of Skrill's programs, with the e-mail and the password."""
        settings = self.settings
        password = _digest(settings.api_password.reveal(), "md5").lower()
        url = f"{settings.api_base or APP}/app/{program}"
        form = driver.filled({"email": settings.email, "password": password, **members})
        return driver.form_request(url, step, form, moves_money=moves_money)

    def find(self, step: str = "look_up", **about: str) -> Dialogue[FormFields | None]:
        """Return the transaction with our reference or Skrill's id, or None.

        An answer is a code and its meaning, and a form in the second line. The code 403 is also a
        refusal, so the words with it decide.
        """
        response = yield self.call("query.pl", step, {"action": "status_trn", **about})
        if response.status != 200:
            raise driver.unanswered(response, BY)
        code, *words = response.body.decode("latin-1").split() or [""]
        form = next((each for each in reversed(words) if "=" in each), "")
        if code == "401":
            raise driver.CredentialsRejected("Skrill does not accept the API/MQI password")
        if code == "403" and "not found" in " ".join(words).lower():
            return None
        if code != "200" or not form:
            shown = code if code.isdigit() and len(code) == 3 else "none"
            raise BadResponse(f"Skrill did not answer the query: code {shown}")
        found = read_form(form.encode("latin-1"), BY, encoding="latin-1")
        ours = {"trn_id": "transaction_id", "mb_trn_id": "mb_transaction_id"}
        asked = {ours[name]: value for name, value in about.items()}
        found.expect(merchant_id=self.settings.merchant_id, **asked)
        if found.text("md5sig", "") and not self._is_signed(found, "md5"):
            raise BadResponse("Skrill's answer has a signature that is not of this account")
        return found

    def authentic(self, callback: driver.Callback) -> tuple[str, FormFields]:
        """Return the refund that our status URL names, if it names one, and the signed report."""
        try:
            refund = read_form(callback.query, BY).text(REFUND, "")
            report = read_form(callback.body, BY, encoding="latin-1")
        except BadResponse:
            raise NotAuthentic("the report is not a form of Skrill's", why="unsigned") from None
        if not self._is_signed(report, self.settings.signature):
            raise NotAuthentic("the report is not signed with the secret word", why="signature")
        # The receiver of a refund is the payer.
        parties = ("pay_to_email", "pay_from_email") if refund else ("pay_to_email",)
        named = [str(report.value(each)).casefold() for each in parties]
        ours = report.value("merchant_id") == self.settings.merchant_id
        if not ours or self.settings.email.casefold() not in named:
            raise NotAuthentic("the report is of another Skrill account", why="other_account")
        return refund, report

    def _is_signed(self, fields: FormFields, algorithm: str) -> bool:
        signed = [str(fields.value(name) or "") for name in SIGNED]
        word = _digest(self.settings.secret_word.reveal(), algorithm)
        ours = _digest("".join((*signed[:2], word, *signed[2:])), algorithm)
        theirs = fields.value("sha2sig" if algorithm == "sha256" else "md5sig")
        return all(signed) and driver.alike(ours, str(theirs or ""))


def refused(
    response: driver.Response, code: str, *, money_may_move: bool = False, message: str = ""
) -> driver.Outcome:
    """Return what an error means."""
    cause = codes.cause_of(code)
    return driver.refusal(
        response,
        BY,
        money_may_move=money_may_move,
        cause=cause,
        certain=cause is not None,
        raw_code=code,
        message=message,
    )


def _prefilled(payer: driver.Customer) -> driver.Members:
    language = payer.language[:2].upper()
    return {
        "language": language if language.isascii() and language.isalpha() else "",
        "pay_from_email": payer.email if len(payer.email) <= 100 else "",
        "phone_number": "".join(each for each in payer.phone if each in "0123456789")[:20],
    }


# --- What a transaction means -------------------------------------------------------------------


def asked_for(found: Fields) -> driver.Money:
    """Return the amount of a transaction, in the currency in which the page asked for it.

    What reached the wallet counts if it has the same currency.
    """
    currency = found.text("currency")
    name = "mb_amount" if found.text("mb_currency") == currency else "amount"
    amount = AMOUNTS.read_decimal(found, name, currency)
    if not amount.minor:
        raise BadResponse("Skrill says that money came, with an amount of 0")
    return amount


def came(found: Fields, reference: str) -> driver.Outcome:
    """Return what the state of a transaction means for the charge that it belongs to."""
    name = found.id("mb_transaction_id", pattern=ID)
    moved = driver.Movement(movement_id=name, amount=asked_for(found))
    if found.text("status") != codes.CHARGED_BACK:
        return outcome_of(found, reference, moved)
    took, dispute = charged_back(found)
    return driver.Approved(reference=reference, movements=(moved, took), disputes=(dispute,))


def outcome_of(found: Fields, reference: str, moved: driver.Movement) -> driver.Outcome:
    """Return what the state of a charge or a refund means, if it is one that *moved* money."""
    match found.text("status"):
        case codes.PAID:
            return driver.Approved(reference=reference, movements=(moved,))
        case codes.PENDING | codes.SCHEDULED:
            return driver.Pending(reference=reference)
        case codes.CANCELED:
            return driver.Ended(how=driver.Ending.CANCELED, reference=reference)
        case codes.FAILED:
            reason = found.text("failed_reason_code", "")
            generic = (driver.DeclineCode.GENERIC, True)
            code, again = codes.DECLINES.get(reason.zfill(2), generic)
            raw = reason or codes.FAILED
            return driver.Declined(code=code, raw_code=raw, retryable=again, reference=reference)
        case status:
            raise BadResponse(f"Skrill reports a transaction as {status[:10]!r}, a new status")


def charged_back(found: Fields) -> tuple[driver.Movement, driver.Dispute]:
    """Return what a chargeback took, and its state: Skrill does not report how it ends."""
    name, amount = found.id("mb_transaction_id", pattern=ID), asked_for(found)
    kind = driver.MovementKind.CHARGEBACK
    return (
        driver.Movement(movement_id=name, amount=amount, kind=kind, undoes=name),
        driver.Dispute(reference=name, state=driver.DisputeState.OPENED, amount=amount),
    )
