"""What Payarena can do, and which dialogue does it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from paygate import driver
from paygate.driver import Dialogue, Kind, Unsupported, Wallet
from paygate.drivers.payarena import wire
from paygate.drivers.payarena.settings import PayarenaSettings


class Payarena(Wallet[PayarenaSettings]):
    """Payarena: the payer pays with a card or PayAttitude on its page; only polling shows it."""

    name = "payarena"
    settings_model = PayarenaSettings
    return_url_max = 150

    def __init__(self, settings: PayarenaSettings) -> None:
        traits = driver.page_traits(
            settings,
            driver.Rail(
                operations=frozenset({driver.Operation.CHARGE}),
                withdrawable=False,
                # A payer has about 90 seconds to confirm in the app of PayAttitude.
                return_lag=timedelta(minutes=2),
            ),
            merchant_account=settings.merchant_id,
            driver_version="1",
            inquiry=driver.InquiryBy.GATEWAY_REF,
            not_found_is_final_after=timedelta(hours=settings.page_hours),
        )
        if not settings.dollars:
            rail = replace(traits.rails[Kind.REDIRECT], currencies=frozenset({"NGN"}))
            traits = replace(traits, rails={Kind.REDIRECT: rail})
        super().__init__(settings, traits)

    def charge(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Create a transaction, and send the payer to its page."""
        self.check_charge(charge)
        if charge.amount.currency == "USD" and not self._settings.dollars:
            raise Unsupported("Payarena has to enable US dollars; then set dollars", currency="USD")
        if not wire.REF.fullmatch(charge.our_ref):
            raise Unsupported("our_ref does not fit into Payarena's description")
        return wire.open_page(self._settings, charge)

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[driver.Finding]:
        """Find what became of a transaction; nothing about one whose number was lost."""
        if not wire.ID.fullmatch(inquiry.reference):
            return driver.at_once(driver.NotFound())
        return wire.find(self._settings, inquiry)
