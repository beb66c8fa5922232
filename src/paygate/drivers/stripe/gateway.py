"""Conversations with Stripe.

A charge by a token is two requests. The first creates a PaymentIntent with our
ids on it and names the card; the second confirms it, and only that moves money.
One request could do both, and would save a round trip. But if its answer were
lost we would not know the intent's name, and Stripe cannot be searched by our
ids in time: the search lags by a minute or more. Nor could it be sent again,
because the token is not kept. With two, the name is in the ledger before money
can move, so every unknown ends in one GET. A lost first request has harmed
nobody: an intent that nobody confirms is never charged.

A charge of a stored card is one request. Its body can be built again, so that a
lost answer is had by repeating it under the same key, as long as Stripe keeps
the key; and at any time it is in the list of the card's customer, whose name is
in the ledger before the request leaves.

What follows a charge notes the name of what it is about before it is sent, for
the same reason: a capture or a cancelling shows in its intent, and a refund
among those of its charge, under our reference.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import (
    ActionRequired,
    Approved,
    CallbackStyle,
    Declined,
    Ended,
    Ending,
    InquiryBy,
    Keyed,
    Kind,
    Note,
    NotFound,
    OneTimeToken,
    Operation,
    Rail,
    Rejected,
    Reply,
    SandboxTrigger,
    SandboxTriggers,
    StoredToken,
    Traits,
    Unknown,
    limits_of,
)
from paygate.drivers.stripe import callbacks, codes, events, refunds, sessions, stored, wire
from paygate.drivers.stripe.codes import AMOUNTS
from paygate.drivers.stripe.messages import is_replayed
from paygate.drivers.stripe.settings import StripeSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        AccountFacts,
        Applied,
        Callback,
        Capture,
        Charge,
        Completion,
        Customer,
        Dialogue,
        Enrollment,
        FeedPage,
        Finding,
        Forgetting,
        Inquiry,
        Money,
        Movement,
        Notice,
        Outcome,
        Refunding,
        Response,
        Voiding,
        Withdrawal,
    )

DRIVER_VERSION: Final = "3"
"""Stored with every attempt; it grows when what we send, or read out of an answer, changes."""

# A kernel goes on sending what we wrote, after we gave up, for up to 15 minutes.
IN_FLIGHT: Final = timedelta(minutes=20)

PAGES_MAX: Final = 100


class Stripe:
    """Stripe, API 2026-06-24.dahlia: cards, stored cards, and Stripe's own page for them."""

    name = "stripe"
    settings_model = StripeSettings

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._verifier = callbacks.StripeVerifier(settings)
        self._traits = Traits(
            live=settings.live,
            merchant_account=settings.account,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=Keyed(ttl=timedelta(hours=24), replays_errors=True),
            # By its name, which we have before money can move; by a scan for the rest.
            inquiry=InquiryBy.LIST_SCAN,
            not_found_is_final_after=IN_FLIGHT,
            max_in_flight=IN_FLIGHT,
            callbacks=(
                CallbackStyle.ACKNOWLEDGED if settings.webhook_secrets else CallbackStyle.NONE
            ),
        )

    def __repr__(self) -> str:
        return f"Stripe({'live' if self._settings.live else 'test'} {self._settings.account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        key = self._settings.publishable_key
        return {"publishable_key": key} if key else {}

    def sandbox_triggers(self) -> Mapping[Kind, SandboxTriggers]:
        """Return the test cards that Stripe documents, by their ids of a PaymentMethod."""
        card = SandboxTriggers(
            approve=SandboxTrigger(method=OneTimeToken.of("pm_card_visa")),
            decline=SandboxTrigger(method=OneTimeToken.of("pm_card_visa_chargeDeclined")),
        )
        return {Kind.CARD: card}

    # --- Collect -------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Charge a card, or open a page; `Unsupported` is raised before there is a dialogue."""
        if charge.kind is Kind.REDIRECT:
            sessions.check(charge)
            return self._open_page(charge)
        wire.check(charge)
        return self._charge(charge, hold=False)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold an amount on a card, to be captured within some days."""
        wire.check(charge)
        return self._charge(charge, hold=True)

    def _charge(self, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
        if isinstance(charge.method, StoredToken):
            return (yield from self._charge_stored(charge, hold=hold))
        customer = ""
        if charge.store_method and isinstance(charge.method, OneTimeToken):
            found = yield from self._customer(charge.key, charge.payer, charge.customer_reference)
            if not isinstance(found, str):
                return found
            customer = found
        response = yield wire.build_create(self._settings, charge, hold=hold, customer=customer)
        created = wire.parse_create(self._settings, charge, response)
        if not isinstance(created, wire.Intent):
            return created
        yield Note(created.id)
        response = yield wire.build_confirm(self._settings, charge, created.id)
        return (yield from self._adopt(charge.amount, created.id, response))

    def _charge_stored(self, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
        settings, customer = self._settings, wire.customer_of(charge.method)
        if customer:
            yield Note(customer)
        response = yield wire.build_charge(settings, charge, hold=hold)
        answer = wire.parse_charge(settings, charge, response)
        if not isinstance(answer, wire.Elsewhere):
            return (yield from self._as_it_is(charge.amount, answer, response))
        if not customer:
            return answer.refusal
        listed = yield wire.build_latest(settings, customer)
        found, _ = wire.parse_list(settings, charge.amount, charge.our_ref, listed)
        return answer.unless_moved(wire.furthest(settings, found))

    def _adopt(self, asked: Money, reference: str, response: Response) -> Dialogue[Outcome]:
        """Read the answer to a confirmation, or what became of the intent without it."""
        answer = wire.parse_confirm(self._settings, asked, reference, response)
        if not isinstance(answer, wire.Elsewhere):
            return (yield from self._as_it_is(asked, answer, response))
        finding = yield from self._intent(reference, asked)
        if isinstance(finding, NotFound) and answer.refusal.raw_code == wire.MOVED_ON:
            return Unknown(reason="Stripe refused to confirm a new intent", reference=reference)
        return answer.unless_moved(finding)

    def _as_it_is(self, asked: Money, answer: Outcome, response: Response) -> Dialogue[Outcome]:
        """Return *answer*, or what is so now if Stripe kept it under our key while it was open."""
        ended = isinstance(answer, Approved | Declined | Rejected)
        if ended or not answer.reference or not is_replayed(response):
            return answer
        finding = yield from self._intent(answer.reference, asked)
        return answer if isinstance(finding, NotFound) else finding

    def _intent(self, reference: str, asked: Money) -> Dialogue[Finding]:
        response = yield wire.build_get(self._settings, reference)
        return wire.parse_get(self._settings, asked, reference, response)

    def _open_page(self, charge: Charge) -> Dialogue[Outcome]:
        customer = ""
        if charge.store_method and charge.customer_reference:
            customer = yield from self._known_customer(charge.customer_reference)
        response = yield sessions.build_payment(self._settings, charge, customer)
        return sessions.parse_payment(self._settings, charge, response)

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Tell what the payer did on the bank's page or Stripe's, and confirm what waits for it."""
        reference = completion.reference
        yield Note(reference)
        finding = yield from self._find(reference, completion.amount)
        if not isinstance(finding, NotFound):
            return finding
        if not _is_payment(reference):
            return ActionRequired(action=None, reference=reference)
        response = yield wire.build_complete(self._settings, completion.key, reference)
        return (yield from self._adopt(completion.amount, reference, response))

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Make a page unpayable, or an intent that waits for the payer."""
        yield Note(withdrawal.reference)
        if sessions.is_session(withdrawal.reference):
            return (yield from self._expire(withdrawal))
        request = wire.build_cancel(
            self._settings, withdrawal.key, withdrawal.reference, step="withdraw", moves_money=False
        )
        answer = wire.parse_cancel(
            self._settings, withdrawal.reference, (yield request), money_may_move=False
        )
        return (yield from self._canceled_otherwise(withdrawal.reference, answer))

    def _expire(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        reference = withdrawal.reference
        response = yield sessions.build_expire(self._settings, withdrawal.key, reference)
        answer = sessions.parse_expire(self._settings, reference, response)
        if not isinstance(answer, wire.Elsewhere):
            return answer
        response = yield sessions.build_get(self._settings, reference)
        withdrawn = sessions.closed_of(self._settings, reference, response)
        return sessions.complete(reference) if isinstance(withdrawn, NotFound) else withdrawn

    # --- What follows ----------------------------------------------------------------------

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take what is held, or a part of it, once."""
        wire.check_capture(capture)
        return self._capture(capture)

    def _capture(self, capture: Capture) -> Dialogue[Outcome]:
        yield Note(capture.reference)
        response = yield wire.build_capture(self._settings, capture)
        answer = wire.parse_capture(self._settings, capture, response)
        if not isinstance(answer, wire.Elsewhere):
            return answer
        response = yield wire.build_get(self._settings, capture.reference)
        found = wire.captured_of(self._settings, capture.amount, capture.reference, response)
        if isinstance(found, Ended) and answer.refusal.raw_code in codes.HOLD_OVER:
            return replace(found, how=Ending.EXPIRED)
        return answer.unless_moved(found)

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Release what is held. What was captured is refused: it can only be refunded."""
        yield Note(voiding.reference)
        request = wire.build_cancel(
            self._settings, voiding.key, voiding.reference, step="void", moves_money=True
        )
        answer = wire.parse_cancel(
            self._settings, voiding.reference, (yield request), money_may_move=True
        )
        return (yield from self._canceled_otherwise(voiding.reference, answer))

    def _canceled_otherwise(
        self, reference: str, answer: Outcome | wire.Elsewhere
    ) -> Dialogue[Outcome]:
        """Where Stripe refuses to cancel, look whether it is canceled, or why it can't be."""
        if not isinstance(answer, wire.Elsewhere):
            return answer
        response = yield wire.build_get(self._settings, reference)
        canceled = wire.canceled_of(self._settings, reference, response)
        if not isinstance(canceled, NotFound):
            return canceled
        return wire.still_alive(self._settings, reference, response) or answer.refusal

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send money back."""
        request = refunds.build_refund(self._settings, refunding)
        return self._refund(refunding, request)

    def _refund(self, refunding: Refunding, request: Any) -> Dialogue[Outcome]:
        about = refunds.about(refunding)
        yield Note(about)
        answer = refunds.parse_refund(self._settings, refunding, (yield request))
        if not isinstance(answer, wire.Elsewhere):
            return answer
        listed = yield from self._refunds_of(about)
        return answer.unless_moved(
            refunds.find(self._settings, refunding.amount, refunding.our_ref, listed)
        )

    def _refunds_of(self, about: str) -> Dialogue[list[dict[str, Any]]]:
        after = ""
        listed: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            page, after = refunds.parse_list(
                (yield refunds.build_list(self._settings, about, after))
            )
            listed += page
            if not after:
                break
        return listed

    # --- Stored cards ------------------------------------------------------------------------

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Keep a card, from a one-time token, on Stripe's page, or of a payment just made."""
        stored.check(enrollment)
        if enrollment.from_reference:
            return self._keep_from_payment(enrollment.from_reference)
        return self._keep(enrollment)

    def _keep(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        settings = self._settings
        customer = yield from self._customer(
            enrollment.key, enrollment.customer, enrollment.customer_reference
        )
        if not isinstance(customer, str):
            return customer
        if enrollment.method is None:
            response = yield sessions.build_setup(settings, enrollment, customer)
            return sessions.parse_setup(settings, response)
        setup = stored.parse_setup(
            settings, (yield stored.build_setup(settings, enrollment, customer))
        )
        if not isinstance(setup, str):
            return setup
        yield Note(setup)
        response = yield stored.build_confirm(settings, enrollment, setup)
        answer = stored.parse_confirm(settings, setup, response)
        if not isinstance(answer, wire.Elsewhere):
            return answer
        response = yield stored.build_get(settings, setup)
        return answer.unless_moved(stored.parse_get(settings, setup, response))

    def _customer(self, key: str, payer: Customer | None, known: str) -> Dialogue[str | Outcome]:
        """Return Stripe's customer for a payer: the one that it had before, or a new one."""
        customer = (yield from self._known_customer(known)) if known else ""
        if customer:
            return customer
        response = yield stored.build_customer(self._settings, key, payer)
        return stored.parse_customer(self._settings, response)

    def _known_customer(self, reference: str) -> Dialogue[str]:
        """Return the customer *reference*; empty if somebody has deleted it at Stripe."""
        response = yield stored.build_get_customer(self._settings, reference)
        return stored.parse_get_customer(self._settings, reference, response)

    def _keep_from_payment(self, reference: str) -> Dialogue[Outcome]:
        yield Note(reference)
        return stored.from_payment(reference, (yield from self._find_any_amount(reference)))

    def _find_any_amount(self, reference: str) -> Dialogue[Finding]:
        response = yield stored.build_get_payment(self._settings, reference)
        return stored.parse_get_payment(self._settings, reference, response)

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Let Stripe forget a card."""
        request = stored.build_detach(self._settings, forgetting)
        return self._forget(forgetting, request)

    def _forget(self, forgetting: Forgetting, request: Any) -> Dialogue[Outcome]:
        answer = stored.parse_detach(self._settings, (yield request))
        if not isinstance(answer, wire.Elsewhere):
            return answer
        response = yield stored.build_get_card(self._settings, forgetting)
        return stored.detached_of(self._settings, response) or answer.refusal

    # --- Find out ------------------------------------------------------------------------------

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Find an operation.

        `NotFound` of a charge means that it was not confirmed: Stripe has the
        intent as we made it, or has none with our reference. A confirmation may
        still be on its way, which is why that is final only after a while. An
        intent that Stripe named and now does not know is no such finding: the key
        is another account's, and money may have moved at the first.

        The reference of a charge of a stored card is its customer until Stripe has
        named the intent: it is looked for in the list of the customer.

        Without a reference nothing was sent that could move money by this ledger,
        because a name is stored before. A ledger that was restored from a backup may
        have lost the name: then what was done to a payment is looked for under the
        payment, and a charge in the list of its time.
        """
        reference = inquiry.reference or inquiry.parent_reference
        match inquiry.operation:
            case Operation.CHARGE | Operation.AUTHORIZE if not reference:
                return (yield from self._scan(inquiry))
            case Operation.CHARGE | Operation.AUTHORIZE if stored.is_customer(reference):
                return (yield from self._scan(inquiry, customer=reference))
            case Operation.CHARGE | Operation.AUTHORIZE | Operation.COMPLETE if reference:
                return (yield from self._find(reference, inquiry.amount))
            case Operation.CAPTURE if reference:
                response = yield wire.build_get(self._settings, reference)
                return wire.captured_of(self._settings, inquiry.amount, reference, response)
            case Operation.VOID | Operation.WITHDRAW if reference:
                return (yield from self._find_closed(reference))
            case Operation.REFUND:
                return (yield from self._find_refund(inquiry))
            case Operation.ENROLL if reference:
                return (yield from self._find_kept(reference))
            case _:
                # Nothing was sent, or a card is to be forgotten, which may be done again.
                return NotFound()

    def _find(self, reference: str, asked: Money) -> Dialogue[Finding]:
        """Find a payment by its intent or its page."""
        settings = self._settings
        if stored.is_setup(reference):
            return (yield from self._find_kept(reference))
        if sessions.is_session(reference):
            response = yield sessions.build_get_paid(settings, reference)
            return sessions.paid_of(settings, asked, reference, response)
        response = yield wire.build_get(settings, reference)
        finding = wire.parse_get(settings, asked, reference, response)
        refunded = wire.parse_refunded(response) if isinstance(finding, Approved) else ""
        if not isinstance(finding, Approved) or not refunded:
            return finding
        # Refunds that somebody made in the dashboard are known only here.
        listed = yield from self._refunds_of(refunded)
        moved: list[Movement] = [each for one in listed for each in refunds.movements_of(one)]
        return replace(finding, movements=(*finding.movements, *moved))

    def _find_closed(self, reference: str) -> Dialogue[Finding]:
        if sessions.is_session(reference):
            response = yield sessions.build_get(self._settings, reference)
            return sessions.closed_of(self._settings, reference, response)
        response = yield wire.build_get(self._settings, reference)
        return wire.canceled_of(self._settings, reference, response)

    def _find_refund(self, inquiry: Inquiry) -> Dialogue[Finding]:
        reference, settings = inquiry.reference, self._settings
        if reference and refunds.is_refund(reference):
            response = yield refunds.build_get(settings, reference)
            return refunds.parse_get(settings, inquiry.amount, reference, response)
        about = reference or refunds.of_payment(inquiry.movement_id, inquiry.parent_reference)
        if about:
            listed = yield from self._refunds_of(about)
            return refunds.find(settings, inquiry.amount, inquiry.our_ref, listed)
        after = ""
        for _ in range(PAGES_MAX):
            page, after = refunds.parse_list((yield refunds.build_scan(settings, inquiry, after)))
            found = refunds.find(settings, inquiry.amount, inquiry.our_ref, page)
            if not after or not isinstance(found, NotFound):
                return found
        return Unknown(reason="too many refunds of that hour to find this one among them")

    def _find_kept(self, reference: str) -> Dialogue[Finding]:
        if sessions.is_session(reference):
            response = yield sessions.build_get_kept(self._settings, reference)
            return sessions.kept_of(self._settings, reference, response)
        if stored.is_setup(reference):
            response = yield stored.build_get(self._settings, reference)
            return stored.parse_get(self._settings, reference, response)
        paid = yield from self._find_any_amount(reference)
        found = stored.from_payment(reference, paid)
        return found if isinstance(found, Approved) else NotFound()

    def _scan(self, inquiry: Inquiry, customer: str = "") -> Dialogue[Finding]:
        after = ""
        found: list[wire.Intent] = []
        for _ in range(PAGES_MAX):
            response = yield wire.build_list(self._settings, inquiry, after, customer)
            intents, after = wire.parse_list(
                self._settings, inquiry.amount, inquiry.our_ref, response
            )
            found += intents
            if not after:
                return wire.furthest(self._settings, found)
        return Unknown(reason="too many payments of that hour to find this one among them")

    def check(self) -> Dialogue[AccountFacts]:
        """Prove the key without moving money."""
        response = yield wire.build_check(self._settings)
        return wire.parse_check(self._settings, response)

    # --- Webhooks -------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Authenticate a webhook and read it."""
        yield from ()
        return [self._verifier.read(callback)]

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read the events after *cursor*: those whose webhooks were lost are among them."""
        response = yield events.build_list(self._settings, cursor)
        return events.parse_list(self._settings, cursor, response)

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Thank for whatever Stripe signed: what it means to us is not Stripe's to know."""
        del notice, result
        return Reply()


def _is_payment(reference: str) -> bool:
    return not sessions.is_session(reference) and not stored.is_setup(reference)


def _rails(settings: StripeSettings) -> dict[Kind, Rail]:
    limits = limits_of(settings.minimum, settings.maximum, AMOUNTS.currencies, "Stripe")
    return {
        Kind.CARD: Rail(
            operations=frozenset(
                {
                    Operation.CHARGE,
                    Operation.AUTHORIZE,
                    Operation.COMPLETE,
                    Operation.CAPTURE,
                    Operation.VOID,
                    Operation.REFUND,
                    Operation.WITHDRAW,
                    Operation.ENROLL,
                    Operation.FORGET,
                }
            ),
            currencies=AMOUNTS.currencies,
            limits=limits,
            methods=frozenset({OneTimeToken, StoredToken}),
            partial_capture=True,
        ),
        Kind.REDIRECT: Rail(
            operations=frozenset(
                {Operation.CHARGE, Operation.COMPLETE, Operation.WITHDRAW, Operation.REFUND}
            ),
            currencies=AMOUNTS.currencies,
            limits=limits,
            needs_return_url=True,
            immediate=False,
            payer_present=True,
        ),
    }
