"""What Remita can do, and which dialogue does it."""

from __future__ import annotations

from datetime import timedelta

from paygate import driver
from paygate.driver import CallbackStyle, Dialogue, Operation, PayerField, Wallet
from paygate.drivers.remita import notifications, wire
from paygate.drivers.remita.settings import RemitaSettings


class Remita(Wallet[RemitaSettings]):
    """Remita: the payer pays a reference on its page, or at any bank minutes or days later."""

    name = "remita"
    settings_model = RemitaSettings
    return_url_max = 255

    def __init__(self, settings: RemitaSettings) -> None:
        rail = driver.Rail(
            operations=frozenset({Operation.CHARGE, Operation.WITHDRAW}),
            payer_fields=frozenset({PayerField.NAME, PayerField.EMAIL, PayerField.PHONE}),
            return_lag=timedelta(minutes=5),
        )
        traits = driver.page_traits(
            settings,
            rail,
            merchant_account=settings.merchant_id,
            driver_version="1",
            inquiry=driver.InquiryBy.GATEWAY_REF,
            # The same codes stand for wrong ids of the merchant, so nothing ends by them.
            not_found_is_final_after=None,
            callbacks=CallbackStyle.ACKNOWLEDGED
            if settings.callback_tokens
            else CallbackStyle.NONE,
            callback_proof=driver.CallbackProof.NONE,
        )
        super().__init__(settings, traits)
        self._api = wire.Api(settings)

    def charge(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Generate a reference, and send the payer to its page."""
        self.check_charge(charge)
        if not all(each.given_by(charge.payer) for each in wire.NEEDED):
            raise driver.Unsupported("Remita needs the payer's name, e-mail address and phone")
        return self._api.open_page(charge)

    def withdraw(self, withdrawal: driver.Withdrawal) -> Dialogue[driver.Outcome]:
        """Deactivate a reference that nobody has paid."""
        return self._api.withdraw(withdrawal.reference)

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[driver.Finding]:
        """Find what became of a reference.

        `NotFound` is not final: Remita's codes for it also mean that the merchant's ids are wrong.
        """
        if inquiry.operation is Operation.WITHDRAW:
            return self._api.find_withdrawal(inquiry.reference or inquiry.parent_reference)
        return self._api.find(inquiry.our_ref, inquiry.reference)

    def check(self) -> Dialogue[driver.AccountFacts]:
        """Check the merchant id and the API key with a question about an order of nobody."""
        yield from self._api.ask(order="paygate-check", step="check")
        account = self.traits.merchant_account
        return driver.AccountFacts(merchant_account=account, live=self.traits.live)

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """Read which payments a notification names; nothing else in it is believed."""
        return driver.at_once(notifications.read(self._settings, callback))

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge every notification, as Remita wants it."""
        del notice, result
        return driver.Reply(headers={"content-type": "text/plain"}, body=b"Ok")
