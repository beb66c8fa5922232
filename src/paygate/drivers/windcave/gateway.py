"""What Windcave can do, and which dialogue does it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Kind, NotAuthentic, Operation, Rejected, Unsupported, limits_of
from paygate.drivers.windcave import pxpost, sessions, transactions, wire
from paygate.drivers.windcave.codes import SESSION
from paygate.drivers.windcave.settings import AMOUNTS, BY, WindcaveSettings
from paygate.drivers.windcave.wire import Api

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Fields, Finding, Outcome, Rail, Traits

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; raise it when what is sent, or read from an answer, changes."""

# A kernel goes on sending what we wrote for up to 15 minutes after we gave up.
IN_FLIGHT: Final = timedelta(minutes=20)

_NAMED: Final = re.compile(rb"(?i)session_?id[\"']?\s*[=:]\s*[\"']?([0-9a-z]{24,64})(?![0-9a-z])")


class Windcave:
    """Windcave, REST interface: hosted page, hosted fields and stored cards."""

    name = "windcave"
    settings_model = WindcaveSettings

    def __init__(self, settings: WindcaveSettings) -> None:
        self._settings = settings
        self._api = Api(settings)
        notifies = bool(settings.notification_url)
        style = driver.CallbackStyle
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.username,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=driver.NotIdempotent(),
            inquiry=driver.InquiryBy.GATEWAY_REF,
            not_found_is_final_after=None,
            max_in_flight=IN_FLIGHT,
            callbacks=style.ACKNOWLEDGED if notifies else style.NONE,
            callback_proof=driver.CallbackProof.NONE,
            page_origins=frozenset({driver.origin_of(settings.base)}),
        )

    def __repr__(self) -> str:
        return f"Windcave({'live' if self._settings.live else 'test'} {self._settings.username})"

    @property
    def traits(self) -> Traits:
        return self._traits

    # --- Collect ------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Charge a stored card, or open a session for a new one."""
        return self._collect(charge, Operation.CHARGE)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold an amount, which must be captured within 7 days."""
        return self._collect(charge, Operation.AUTHORIZE)

    def _collect(self, charge: Charge, operation: Operation) -> Dialogue[Outcome]:
        by_pxpost = self._settings.has_pxpost and operation is Operation.CHARGE
        if charge.moto and not (by_pxpost and charge.method):
            raise Unsupported(f"only charges by {BY}'s PxPost are known to take telephone orders")
        if charge.method is None:
            sessions.check(self._api, charge)
            return sessions.open_to_pay(self._api, charge, operation)
        token = transactions.check(self._api, charge)
        if by_pxpost:
            return pxpost.charge_stored(self._settings, charge, token)
        return transactions.charge_stored(self._api, charge, token, operation)

    def complete(self, completion: driver.Completion) -> Dialogue[Outcome]:
        """Find out what the payer did; the browser's word is not believed."""
        found = yield from sessions.find(self._api, completion.reference)
        if found is None:
            raise driver.BadResponse(f"{BY} does not know a session that it opened")
        name = completion.payment[: wire.REFERENCE_MAX]
        return sessions.became(self._api, found, completion.amount, name)

    # --- What follows -------------------------------------------------------------------

    def capture(self, capture: driver.Capture) -> Dialogue[Outcome]:
        """Capture what is held, or a part of it, once."""
        if not capture.final:
            raise Unsupported(f"whether {BY} captures more than once is not known: final=True")
        _ = AMOUNTS.whole(capture.amount)
        return self._follow(capture, Operation.CAPTURE)

    def void(self, voiding: driver.Voiding) -> Dialogue[Outcome]:
        """Void a payment before it settles, or release what is held."""
        if pxpost.ID.fullmatch(voiding.reference):
            raise Unsupported("PxPost has no void; refund the payment")
        return self._follow(voiding, Operation.VOID)

    def _follow(
        self, order: driver.Capture | driver.Voiding, operation: Operation
    ) -> Dialogue[Outcome]:
        original = yield from self._original(order.reference)
        if isinstance(original, Rejected):
            return original
        of = original.text("id")
        outcome = yield from transactions.make(self._api, operation, order, {}, of)
        voids = operation is Operation.VOID
        return transactions.gave_back(outcome, original) if voids else outcome

    def refund(self, refunding: driver.Refunding) -> Dialogue[Outcome]:
        """Send money back, through the interface that took it."""
        if pxpost.ID.fullmatch(refunding.reference):
            return pxpost.refund(self._settings, refunding)
        of = refunding.movement_id
        return transactions.make(self._api, Operation.REFUND, refunding, {}, of)

    def _original(self, reference: str) -> Dialogue[Fields | Rejected]:
        """Return the transaction of a payment, which may have been made in a session."""
        made: list[Fields] = []
        if SESSION.fullmatch(reference):
            found = yield from sessions.find(self._api, reference)
            made = [] if found is None else found[0].each("transactions", ())
        elif not reference.startswith(transactions.PREFIX):
            found = yield from self._api.find("transactions", reference)
            made = [] if found is None else [found[0]]
        good = [each for each in made if each.flag("authorised", default=False)]
        if good:
            return good[0]
        message = f"{BY} shows no payment to which this could be done"
        return Rejected(cause=driver.RejectCause.STATE, retryable=False, message=message)

    # --- Stored cards -------------------------------------------------------------------

    def enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        """Store a card on Windcave's page, or the one that a payment stored."""
        if enrollment.from_reference:
            return self._keep(enrollment)
        if enrollment.method is not None or not enrollment.return_url:
            raise Unsupported(
                "a card is stored on Windcave's page, which needs a return_url, or with a payment "
                "by save_method=True"
            )
        return sessions.open_to_keep(self._api, enrollment)

    def _keep(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        reference = enrollment.from_reference
        yield driver.Note(reference)
        original = yield from self._original(reference)
        stored = None if isinstance(original, Rejected) else wire.stored_card(original)
        if stored is not None:
            return driver.Approved(reference=reference, method=stored)
        message = f"{BY} stored no card with that payment; save_method=True asks for it"
        return Rejected(cause=driver.RejectCause.STATE, retryable=False, message=message)

    # --- Find out -----------------------------------------------------------------------

    def look_up(self, inquiry: driver.Inquiry) -> Dialogue[Finding]:
        """Find an operation: by its session, by PxPost's id of ours, or by its transaction."""
        api, reference, operation = self._api, inquiry.reference, inquiry.operation
        if pxpost.ID.fullmatch(reference):
            return (yield from pxpost.find(self._settings, inquiry))
        if SESSION.fullmatch(reference):
            keeps = operation is Operation.ENROLL
            name = (inquiry.our_ref if keeps else inquiry.payment)[: wire.REFERENCE_MAX]
            found = yield from sessions.find(api, reference)
            asked = None if keeps else inquiry.amount
            return driver.NotFound() if found is None else sessions.became(api, found, asked, name)
        finding = yield from transactions.find(api, inquiry)
        if operation is not Operation.VOID or not isinstance(finding, driver.Approved):
            return finding
        original = yield from self._original(inquiry.parent_reference)
        if isinstance(original, Rejected):
            raise driver.BadResponse(f"{BY} voided a payment that it does not show")
        return transactions.gave_back(finding, original, inquiry.collected)

    # --- Notifications ------------------------------------------------------------------

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """
        Read the name of a session, by GET or POST; nothing else in it is believed.

        It is not signed. The core asks for a session that it knows, and for no other.
        """
        yield from ()
        named = _NAMED.search(callback.query.encode() or callback.body)
        if named is None:
            raise NotAuthentic("the notification names no session", why="unsigned")
        reference = named.group(1).decode()
        return [driver.Notice(event_id=reference, type="session", reference=reference)]

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge it: Windcave gives up after a 404 or 502, and after six other failures."""
        del notice, result
        return driver.Reply()


def _rails(settings: WindcaveSettings) -> dict[Kind, Rail]:
    currencies = frozenset(settings.currencies)
    limits = limits_of(settings.minimum, settings.maximum, currencies, BY)
    mailed = {driver.ChargeFact.MOTO} if settings.has_pxpost else set[driver.ChargeFact]()
    rail = driver.Rail(
        operations=frozenset({*wire.TYPES, Operation.COMPLETE}),
        currencies=currencies,
        limits=limits,
        # Without a method the payer enters a card, on the page or in the hosted fields.
        methods=frozenset({driver.StoredToken, type(None)}),
        takes=frozenset({driver.ChargeFact.METADATA, *mailed}),
        withdrawable=False,
        partial_capture=True,
    )
    return {Kind.CARD: rail}
