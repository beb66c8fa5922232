"""What Skrill can do, and which dialogue does it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from paygate import driver
from paygate.driver import CallbackStyle, Dialogue, Notice, Operation, Wallet
from paygate.drivers.skrill import codes, refunds, wire
from paygate.drivers.skrill.settings import SkrillSettings


class Skrill(Wallet[SkrillSettings]):
    """Skrill: the payer pays on Skrill's page, from their wallet, a card or a bank account."""

    name = "skrill"
    settings_model = SkrillSettings
    return_url_max = 240

    def __init__(self, settings: SkrillSettings) -> None:
        traits = driver.page_traits(
            settings,
            driver.Rail(
                operations=frozenset({Operation.CHARGE, Operation.REFUND}),
                withdrawable=False,
                return_lag=timedelta(minutes=2),
            ),
            merchant_account=settings.merchant_id,
            driver_version="1",
            # Nobody has paid until then, but the session may still be open.
            not_found_is_final_after=timedelta(minutes=settings.session_minutes + 20),
            callbacks=CallbackStyle.ACKNOWLEDGED if settings.status_url else CallbackStyle.NONE,
            callback_proof=driver.CallbackProof.SIGNED,
        )
        super().__init__(settings, traits)
        self._api = wire.Api(settings)

    def charge(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Open Skrill's page."""
        self.check_charge(charge)
        return self._api.open_page(charge)

    def refund(self, refunding: driver.Refunding) -> Dialogue[driver.Outcome]:
        """Send money back, all or part of a transaction."""
        return refunds.refund(self._api, refunding)

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[driver.Finding]:
        """Find a payment by our reference, or a refund by Skrill's id.

        `NotFound` for a payment means that nobody has paid so far.
        """
        if inquiry.operation is Operation.REFUND:
            return (yield from refunds.find(self._api, inquiry))
        found = yield from self._api.find(trn_id=inquiry.our_ref)
        return driver.NotFound() if found is None else wire.came(found, inquiry.reference)

    def check(self) -> Dialogue[driver.AccountFacts]:
        """Check the API/MQI password, and that this machine may ask."""
        yield from self._api.find(trn_id="paygate-check")
        account = self.traits.merchant_account
        return driver.AccountFacts(merchant_account=account, live=self.traits.live)

    def verify(self, callback: driver.Callback) -> Dialogue[list[Notice]]:
        """Authenticate a status report and read it.

        The signature covers neither what was asked for, nor the two accounts, nor Skrill's id. So a
        report is a hint: the core queries the payment. Only a chargeback is read from it, after a
        query for what is not signed, since a query may go on showing the payment as paid.
        """
        refund, report = self._api.authentic(callback)
        status, name = report.text("status"), report.id("mb_transaction_id", "", pattern=codes.ID)
        signed = [report.text(each) for each in wire.SIGNED[1:]]
        notice = Notice(
            event_id="/".join((*([refund] if refund else []), *signed)),
            type=f"refund {status}" if refund else status,
            our_ref=refund or report.text("transaction_id"),
            reference=name if refund else "",
        )
        if refund or status != codes.CHARGED_BACK:
            return [notice]
        found = yield from self._api.find(trn_id=notice.our_ref)
        same = ("mb_amount", "mb_currency")
        if found is None or any(found.value(each) != report.value(each) for each in same):
            text = "Skrill reports a chargeback of another amount than was paid; look for it there"
            return [replace(notice, unreadable=text)]
        moved, dispute = wire.charged_back(found)
        return [replace(notice, movements=(moved,), disputes=(dispute,))]
