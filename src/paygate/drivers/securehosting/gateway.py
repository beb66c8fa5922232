"""What Secure Hosting can do, and which dialogue does it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Kind, Operation, Unsupported, at_once, limits_of
from paygate.drivers.securehosting import callbacks, codes, pages, wire
from paygate.drivers.securehosting.settings import BY, SecureHostingSettings

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Outcome, Rail, Traits

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; raise it when what is sent, or read from an answer, changes."""

# A kernel goes on sending what we wrote for up to 15 minutes after we gave up.
IN_FLIGHT: Final = timedelta(minutes=20)


class SecureHosting:
    """Secure Hosting and Payments: the hosted page, charges by token, refunds."""

    name = "securehosting"
    settings_model = SecureHostingSettings

    def __init__(self, settings: SecureHostingSettings) -> None:
        self._settings = settings
        style = driver.CallbackStyle
        pages_at = {driver.origin_of(settings.base)} if settings.has_page else set[str]()
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.shreference,
            driver_version=DRIVER_VERSION,
            rails={Kind.CARD: _rail(settings)},
            idempotency=driver.NotIdempotent(),
            inquiry=driver.InquiryBy.NONE,
            not_found_is_final_after=None,
            max_in_flight=IN_FLIGHT,
            callbacks=style.ACKNOWLEDGED if settings.hears else style.NONE,
            callback_proof=driver.CallbackProof.SIGNED,
            page_origins=frozenset(pages_at),
        )

    def __repr__(self) -> str:
        live = "live" if self._settings.live else "test"
        return f"SecureHosting({live} {self._settings.shreference})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """
        Charge a card by token, or return the form of the page.

        A payer who comes back from the page proves nothing, and nobody can be asked: the callback
        reports what was paid.
        """
        wire.check(self._settings, charge)
        if charge.method is not None:
            return wire.charge(self._settings, charge)
        action = pages.action_of(self._settings, charge)
        return at_once(driver.ActionRequired(action=action, reference=charge.our_ref))

    def refund(self, refunding: driver.Refunding) -> Dialogue[Outcome]:
        """Send money back."""
        wire.check_amount(self._settings, refunding.amount)
        if self._settings.password is None:
            raise Unsupported(f"refunds need the password of the {BY} account in its settings")
        return wire.refund(self._settings, refunding)

    def enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        """Return the token of a payment that was made: its own number."""
        number = enrollment.from_reference
        if not codes.NUMBER.fullmatch(number):
            raise Unsupported(
                f"{BY} keeps the card of each payment: collect one with save_method=True, or pass "
                "from_payment= of a card payment that succeeded"
            )
        return at_once(driver.Approved(reference=number, method=codes.token_of(number)))

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """Authenticate a callback, by GET or POST, and read it."""
        yield from ()
        return [callbacks.read(self._settings, callback)]

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge it, as the plug-ins do; whether it would be sent again is not known."""
        del notice, result
        return driver.Reply(headers={"Content-Type": "text/plain"}, body=b"OK")


def _rail(settings: SecureHostingSettings) -> Rail:
    operations = {Operation.CHARGE, Operation.ENROLL}
    methods: set[type] = {driver.StoredToken}
    if settings.password is not None:
        operations.add(Operation.REFUND)
    if settings.has_page:
        methods.add(type(None))
    if settings.accept_raw_cards:
        methods.add(driver.RawCard)
    return driver.Rail(
        operations=frozenset(operations),
        currencies=frozenset({settings.currency}),
        limits=limits_of(settings.minimum, settings.maximum, {settings.currency}, BY),
        methods=frozenset(methods),
        withdrawable=False,
    )
