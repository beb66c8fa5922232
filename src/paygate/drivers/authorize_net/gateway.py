"""Conversations with Authorize.Net.

A charge is one request. If its answer is lost we do not have Authorize.Net's
name for it, and it cannot be asked by ours; but its lists show ours, so an
inquiry reads them. And it refuses for eight hours what looks the same, and says
what it looks the same as: so what can be built again is sent again as it was,
and either is done for the first time or finds the first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    Approved,
    Authorized,
    BadResponse,
    CallbackProof,
    CallbackStyle,
    DeclineCode,
    Declined,
    DedupWindow,
    Ended,
    Ending,
    InquiryBy,
    Kind,
    Limits,
    MethodNews,
    Money,
    MovementKind,
    Note,
    NotFound,
    Notice,
    OneTimeToken,
    Operation,
    Pending,
    Rail,
    RawBankAccount,
    RawCard,
    RejectCause,
    Rejected,
    Reply,
    SandboxTrigger,
    SandboxTriggers,
    StoredToken,
    Traits,
    Unknown,
    Unsupported,
)
from paygate.drivers.authorize_net import (
    callbacks,
    codes,
    fields,
    hosted,
    inquiry,
    lists,
    profiles,
    reports,
    transactions,
)
from paygate.drivers.authorize_net.inquiry import Asked
from paygate.drivers.authorize_net.markup import each, text
from paygate.drivers.authorize_net.messages import CallRefusal, Channel
from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import (
        Applied,
        Callback,
        Capture,
        Charge,
        Completion,
        Dialogue,
        Enrollment,
        FeedPage,
        Finding,
        Forgetting,
        Inquiry,
        Movement,
        Outcome,
        Refunding,
        Request,
        StoredMethod,
        Voiding,
    )
    from paygate.drivers.authorize_net.callbacks import WebhookEvent
    from paygate.drivers.authorize_net.inquiry import TransactionDetails
    from paygate.drivers.authorize_net.transactions import TransactionFacts

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; it grows when what we send, or read out of an answer, changes."""

# A kernel goes on sending what we wrote, after we gave up, for up to 15 minutes.
IN_FLIGHT: Final = timedelta(minutes=20)

# How long their lists lag behind is told nowhere, and a form may stay open longer than its token.
SURELY_LISTED: Final = timedelta(hours=1)

# A card settles with the batch of the day, or of the day after a holiday; a bank draft is held
# back for up to seven banking days.
CARD_SETTLES_WITHIN: Final = timedelta(days=5)
BANK_SETTLES_WITHIN: Final = timedelta(days=14)


class AuthorizeNet:
    """Authorize.Net, XML interface: cards, e-checks, the hosted form, customer profiles."""

    name = "authorize_net"
    settings_model = AuthorizeNetSettings

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        self._settings = settings
        self._channel = Channel(settings)
        self._verifier = callbacks.AuthorizeNetVerifier(settings)
        self._traits = Traits(
            live=settings.live,
            merchant_account=settings.account,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=DedupWindow(
                window=timedelta(seconds=settings.duplicate_window_s), returns_original=True
            ),
            inquiry=InquiryBy.LIST_SCAN,
            not_found_is_final_after=SURELY_LISTED,
            max_in_flight=IN_FLIGHT,
            callbacks=(
                CallbackStyle.ACKNOWLEDGED if settings.signature_keys else CallbackStyle.NONE
            ),
            callback_proof=CallbackProof.SIGNED,
        )

    def __repr__(self) -> str:
        return f"AuthorizeNet({'live' if self._settings.live else 'test'} {self._settings.account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        # Accept.js shows both to whoever looks at the page.
        key, login = self._settings.client_key, self._settings.login
        return {"client_key": key, "login": login} if key else {}

    def sandbox_triggers(self) -> Mapping[Kind, SandboxTriggers]:
        """Return the postal code that is declined; Accept.js alone makes the sandbox's tokens."""
        declined = SandboxTrigger(postal_code="46282")
        return {Kind.CARD: SandboxTriggers(approve=SandboxTrigger(), decline=declined)}

    # --- Collect -------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Charge a card or a bank account, or open the form."""
        if charge.kind is Kind.REDIRECT:
            hosted.check(self._settings, charge)
            return self._open_form(charge)
        transactions.check(self._settings, charge)
        return self._charge(charge, hold=False)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold an amount on a card, for about 30 days."""
        if charge.kind is not Kind.CARD:
            raise Unsupported(f"Authorize.Net holds amounts on cards, not on a {charge.kind}")
        transactions.check(self._settings, charge)
        return self._charge(charge, hold=True)

    def _open_form(self, charge: Charge) -> Dialogue[Outcome]:
        response = yield hosted.build_payment_page(self._channel, charge)
        return hosted.parse_payment_page(self._channel, charge, response)

    def _charge(self, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
        channel, order = self._channel, fields.order_number(charge.key)
        response = yield transactions.build_charge(channel, charge, hold=hold)
        told = transactions.parse_charge(channel, charge, response)
        if not isinstance(told, transactions.TransactionFacts):
            return told
        if told.code != "1" and told.reason in codes.DUPLICATES:
            operation = Operation.AUTHORIZE if hold else Operation.CHARGE
            return (yield from self._first_of(order, told, self._asked(operation, charge.amount)))
        if told.partly and told.code in ("1", "4"):
            outcome = yield from self._end_partial(told, hold=hold)
        else:
            done = transactions.charged(told, charge.amount, hold=hold)
            outcome = transactions.outcome_of(told, done)
        if charge.store_method and told.code in ("1", "4") and told.transaction:
            return (yield from self._keep(outcome, charge))
        return outcome

    def _asked(self, operation: Operation, amount: Money) -> Asked:
        return Asked(operation=operation, amount=amount, partial=self._settings.partial_approvals)

    def _first_of(self, order: str, told: TransactionFacts, asked: Asked) -> Dialogue[Outcome]:
        """Adopt the transaction that ours is a duplicate of: an earlier sending of the same."""
        if not told.transaction:
            return Unknown(reason="it was sent before, and Authorize.Net does not say as what")
        response = yield inquiry.build_details(self._channel, told.transaction)
        found = inquiry.parse_details(self._channel, told.transaction, response)
        if found is None:
            return Unknown(reason="it was sent before, and is not to be found")
        if found.order != order:
            return replace(told.declined(), reference="")
        outcome = inquiry.outcome_of(found, asked)
        if isinstance(outcome, NotFound):
            return Unknown(reason="it was sent before, and is another thing", reference=order)
        return outcome

    def _end_partial(self, told: TransactionFacts, *, hold: bool) -> Dialogue[Outcome]:
        """Keep the part that was approved, or let it go; nothing settles before that is said."""
        keep = self._settings.partial_approvals
        part = self._channel.money(told.approved)
        if told.split:
            response = yield transactions.build_end_split(self._channel, told.split, keep=keep)
            ended = self._channel.answer("updateSplitTenderGroup", response)
            if isinstance(ended, CallRefusal):
                reason = f"{part} was approved, and could not be ended: {ended.code}"
                return Unknown(reason=reason, reference=told.transaction)
        elif not keep:
            return Unknown(reason=f"only {part} was approved", reference=told.transaction)
        if keep:
            return transactions.charged(told, part, hold=hold)
        return Declined(
            code=DeclineCode.INSUFFICIENT_FUNDS,
            raw_code=codes.PARTLY,
            retryable=True,
            message=f"the card has only {part}",
            reference=told.transaction,
        )

    def _keep(self, outcome: Outcome, charge: Charge) -> Dialogue[Outcome]:
        """Store what paid; what is held for review tells it when it was approved."""
        if not isinstance(outcome, Approved | Authorized | Pending):
            return outcome
        kept = yield from profiles.try_to_keep(
            self._channel, outcome.reference, charge.payer, charge.customer_reference
        )
        if isinstance(outcome, Pending):
            return outcome
        return replace(outcome, alert=kept) if isinstance(kept, str) else _with(outcome, kept)

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        """Find out what the payer did on the form; what the browser says only shortens the way."""
        order = _order_of(completion.reference, completion.key)
        named = completion.parameters.get("transId", "")
        found: TransactionDetails | None = None
        if fields.is_number(named):
            found = yield from self._details(named)
        if found is None or found.order != order:
            found = yield from self._newest(completion.reference)
        finding = yield from self._tell(found, self._asked(Operation.COMPLETE, completion.amount))
        if isinstance(finding, NotFound):
            return ActionRequired(action=None, reference=completion.reference)
        return _still_open(finding, completion.reference)

    def _newest(self, reference: str) -> Dialogue[TransactionDetails | None]:
        """Find what was paid on a form; how long ago that was opened is not known here."""
        if fields.is_number(reference):
            return (yield from self._details(reference))
        response = yield lists.build_unsettled(self._channel, 1)
        entries = lists.parse_list(self._channel, "getUnsettledTransactionList", response)
        ours = [entry for entry in entries if entry.order == reference]
        best = min(ours, key=lambda entry: entry.rank, default=None)
        return None if best is None else (yield from self._details(best.transaction))

    # --- What follows ----------------------------------------------------------------------

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        """Take what is held, or a part of it, once."""
        transactions.check_currency(self._settings, capture.amount)
        _known(capture.reference)
        if not capture.final:
            raise Unsupported(
                "Authorize.Net captures once and releases the rest; capture with final=True"
            )
        return self._capture(capture)

    def _capture(self, capture: Capture) -> Dialogue[Outcome]:
        yield Note(capture.reference)
        response = yield transactions.build_capture(self._channel, capture)
        order = fields.order_number(capture.key)
        told = transactions.parse(self._channel, response, order)
        if not isinstance(told, transactions.TransactionFacts):
            return told
        if told.code == "1" and told.reason in codes.DONE_BEFORE:
            found = yield from self._details(capture.reference)
            asked = self._asked(Operation.CAPTURE, capture.amount)
            finding = yield from self._tell(found, asked)
            return _not_lost(finding, capture.reference)
        told = replace(told, transaction=capture.reference)
        done = transactions.moved(told, capture.amount, MovementKind.CAPTURE)
        return transactions.outcome_of(told, done)

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        """Undo what has not settled; what has is refused, and can be refunded."""
        _known(voiding.reference)
        return self._void(voiding)

    def _void(self, voiding: Voiding) -> Dialogue[Outcome]:
        transaction = voiding.reference
        found = yield from self._details(transaction)
        if found is None or found.has_settled:
            what = "does not know the payment" if found is None else "has settled the payment"
            return Rejected(
                cause=RejectCause.STATE,
                retryable=False,
                message=f"Authorize.Net {what}; only what has not settled is voided",
            )
        # What is taken back is not told any more once it is void, so it is written down before.
        taken = inquiry.voidable(found)
        note = f"void-{transaction}-{taken.minor}"
        yield Note(note)
        response = yield transactions.build_void(self._channel, voiding.key, transaction)
        order = fields.order_number(voiding.key)
        told = transactions.parse(self._channel, response, order)
        if not isinstance(told, transactions.TransactionFacts):
            return told
        done = Approved(reference=note, movements=_taken_back(transaction, taken))
        # A void is found again by its note; the answer names the transaction that it undoes.
        named = replace(told, transaction=note) if told.transaction else told
        return transactions.outcome_of(named, done)

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        """Send money back to what paid, once it has settled."""
        transactions.check_currency(self._settings, refunding.amount)
        about = refunding.movement_id or refunding.reference
        _known(about)
        return self._refund(refunding, about)

    def _refund(self, refunding: Refunding, about: str) -> Dialogue[Outcome]:
        found = yield from self._details(about)
        if found is None:
            return Rejected(
                cause=RejectCause.STATE,
                retryable=False,
                message="Authorize.Net does not know the payment that is to be refunded",
            )
        if found.status in codes.CAPTURED:
            # They would refuse it with a code that says only that it does not meet the criteria.
            return Rejected(
                cause=RejectCause.STATE,
                retryable=True,
                message="Authorize.Net has not settled the payment yet: cancel it as a whole, or "
                "refund from tomorrow",
            )
        request = transactions.build_refund(self._channel, refunding, about, found.paid_with())
        order = fields.order_number(refunding.key)
        told = transactions.parse(self._channel, (yield request), order)
        if not isinstance(told, transactions.TransactionFacts):
            return told
        if told.code != "1" and told.reason in codes.DUPLICATES:
            asked = self._asked(Operation.REFUND, refunding.amount)
            return (yield from self._first_of(order, told, asked))
        done = transactions.moved(told, refunding.amount, MovementKind.REFUND, undoes=about)
        return transactions.outcome_of(told, done)

    # --- Stored methods ----------------------------------------------------------------------

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        """Store a method: of a token, on Authorize.Net's form, or of a payment just made."""
        profiles.check(enrollment)
        if enrollment.from_reference:
            _known(enrollment.from_reference)
            return self._enroll_paid_with(enrollment)
        if enrollment.method is not None:
            _ = profiles.build_method(self._channel, enrollment, "1")
        _ = profiles.who(enrollment.customer)
        return self._enroll(enrollment)

    def _enroll_paid_with(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        reference = enrollment.from_reference
        yield Note(reference)
        kept = yield from profiles.keep_from_transaction(
            self._channel, reference, enrollment.customer, enrollment.customer_reference
        )
        if isinstance(kept, CallRefusal):
            return kept.outcome(reference=reference)
        return Approved(reference=reference, method=kept)

    def _enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        channel, order = self._channel, fields.order_number(enrollment.key)
        found = yield from self._profile_of(enrollment, order)
        if isinstance(found, CallRefusal):
            return found.outcome()
        if not isinstance(found, profiles.Profile):
            return found
        profile, place = found.id, profiles.place_of(found.id, found.methods)
        yield Note(place)
        if enrollment.method is None:
            response = yield hosted.build_profile_page(channel, enrollment, profile)
            return hosted.parse_profile_page(channel, enrollment, place, response)
        response = yield profiles.build_method(channel, enrollment, profile)
        method = profiles.parse_method(channel, response, order)
        if not isinstance(method, str):
            return method
        response = yield profiles.build_get_method(channel, profile, method)
        stored = profiles.parse_get_method(channel, profile, response)
        return Approved(reference=place, method=stored)

    def _profile_of(
        self, enrollment: Enrollment, order: str
    ) -> Dialogue[profiles.Profile | CallRefusal | Outcome]:
        """Find the customer's profile, or make one."""
        channel, customer = self._channel, enrollment.customer
        found = yield from profiles.find_profile(channel, customer, enrollment.customer_reference)
        if found is not None:
            return found
        response = yield profiles.build_profile(channel, customer, order)
        made = profiles.parse_profile(channel, response, order)
        if not isinstance(made, tuple):
            return made
        profile, was_there = made
        if not was_there:
            return profiles.Profile(profile, [])
        response = yield profiles.build_get_profile(channel, profile)
        return profiles.Profile(profile, profiles.parse_get_profile(channel, response))

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        return self._forget(forgetting, profiles.build_delete(self._channel, forgetting))

    def _forget(self, forgetting: Forgetting, request: Request) -> Dialogue[Outcome]:
        response = yield request
        return profiles.parse_delete(self._channel, response, fields.order_number(forgetting.key))

    def stored_methods(self, customer: str) -> Dialogue[list[StoredMethod]]:
        """
        List what a customer of ours, by our id, has stored at Authorize.Net.

        No verb of the cashier asks for it: hold this conversation yourself.
        """
        response = yield profiles.build_find_profile(self._channel, customer)
        return profiles.parse_get_profile(self._channel, response)

    # --- Find out ------------------------------------------------------------------------------

    def look_up(self, inquiry_: Inquiry) -> Dialogue[Finding]:
        """Find an operation, by Authorize.Net's id, or in its lists by the name that we gave it."""
        reference = inquiry_.reference
        asked = replace(
            self._asked(inquiry_.operation, inquiry_.amount),
            booked=inquiry_.booked,
            collected=inquiry_.collected,
        )
        match inquiry_.operation:
            case Operation.CHARGE | Operation.AUTHORIZE | Operation.COMPLETE | Operation.REFUND:
                return (yield from self._find(inquiry_, asked))
            case Operation.CAPTURE if fields.is_number(reference or inquiry_.parent_reference):
                # A capture is no transaction of its own: it shows in what it captures.
                found = yield from self._details(reference or inquiry_.parent_reference)
                return (yield from self._tell(found, asked))
            case Operation.VOID if reference:
                return (yield from self._find_voided(reference))
            case Operation.ENROLL if reference:
                return (yield from self._find_stored(reference))
            case _:
                # Nothing was sent, or a method is to be forgotten, which may be done again.
                return NotFound()

    def _find(self, inquiry_: Inquiry, asked: Asked) -> Dialogue[Finding]:
        if fields.is_number(inquiry_.reference):
            found = yield from self._details(inquiry_.reference)
            if found is None:
                raise BadResponse(
                    "Authorize.Net does not know what it named; is it another account?"
                )
            return (yield from self._tell(found, asked))
        order = _order_of(inquiry_.reference, inquiry_.key)
        searched = yield from lists.search(self._channel, order, inquiry_.sent_at)
        if searched.entry is None:
            return NotFound()
        found = yield from self._details(searched.entry.transaction)
        finding = yield from self._tell(found, asked)
        reference = inquiry_.reference
        if (
            fields.is_ours(reference)
            and isinstance(finding, Declined)
            and not finding.final
            and hosted.has_ended(inquiry_.sent_at, searched.at)
        ):
            return Ended(how=Ending.EXPIRED, reference=reference)
        return _still_open(finding, reference)

    def _details(self, transaction: str) -> Dialogue[TransactionDetails | None]:
        response = yield inquiry.build_details(self._channel, transaction)
        return inquiry.parse_details(self._channel, transaction, response)

    def _tell(self, found: TransactionDetails | None, asked: Asked) -> Dialogue[Finding]:
        """Tell what was found; with the method that was stored on the way, if one was."""
        if found is None:
            return NotFound()
        finding = inquiry.outcome_of(found, asked)
        profile, method = found.profile
        if not isinstance(finding, Approved | Authorized) or not (profile and method):
            return finding
        if asked.operation in (Operation.CAPTURE, Operation.REFUND):
            return finding
        response = yield profiles.build_get_method(self._channel, profile, method)
        told = self._channel.answer("getCustomerPaymentProfile", response)
        if isinstance(told, CallRefusal):
            return finding  # it was deleted since
        return _with(finding, profiles.parse_get_method(self._channel, profile, response))

    def _find_voided(self, note: str) -> Dialogue[Finding]:
        _, transaction, minor = note.split("-") if note.count("-") == 2 else ("", "", "")
        if not (fields.is_number(transaction) and minor.isdigit()):
            return NotFound()
        found = yield from self._details(transaction)
        if found is None or found.status != "voided":
            return NotFound()
        taken = Money(self._settings.currency, int(minor))
        return Approved(reference=note, movements=_taken_back(transaction, taken))

    def _find_stored(self, reference: str) -> Dialogue[Finding]:
        place = profiles.read_place(reference)
        if place is None:
            found = (yield from self._details(reference)) if fields.is_number(reference) else None
            if found is None or not all(found.profile):
                return NotFound()
            profile, method = found.profile
            response = yield profiles.build_get_method(self._channel, profile, method)
            stored = profiles.parse_get_method(self._channel, profile, response)
            return Approved(reference=reference, method=stored)
        profile, number = place
        response = yield profiles.build_get_profile(self._channel, profile)
        newer = profiles.newer_than(profiles.parse_get_profile(self._channel, response), number)
        return NotFound() if newer is None else Approved(reference=reference, method=newer)

    def check(self) -> Dialogue[AccountFacts]:
        """Prove the credentials without moving money."""
        response = yield self._channel.call("getMerchantDetails", step="check")
        told = self._channel.expect("getMerchantDetails", response)
        currencies = tuple(one.text or "" for one in each(told, "currencies/currency"))
        if currencies and self._settings.currency not in currencies:
            raise BadResponse(
                f"the account takes {', '.join(currencies)}, and not {self._settings.currency}"
            )
        if text(told, "isTestMode") == "true":
            raise BadResponse(
                "the account is in Test Mode, where it approves everything and charges nothing; "
                "switch that off in the Merchant Interface"
            )
        return AccountFacts(
            merchant_account=self._settings.account,
            live=self._settings.live,
            name=text(told, "merchantName"),
            currencies=currencies,
        )

    # --- Webhooks and the feed ------------------------------------------------------------------

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Authenticate a webhook and read it."""
        event = self._verifier.read(callback)
        if event is None:
            text = "the webhook is signed, and does not read as an event"
            return [Notice(event_id="", type="", unreadable=text)]
        return [(yield from self._notice(event))]

    def _notice(self, event: WebhookEvent) -> Dialogue[Notice]:
        """Tell which operation of ours an event is about, asking for it where that is not said."""
        bare = Notice(event_id=event.id, type=event.type, occurred_at=event.at)
        if event.deleted_method:
            ended = MethodNews(reference=event.deleted_method, ended=True, reason="deleted")
            return replace(bare, method=ended)
        if not event.transaction:
            return bare
        order = event.order
        if event.is_refund or not order:
            found = yield from self._details(event.transaction)
            if found is None:
                return bare
            if found.is_refund and not fields.is_ours(found.our_reference):
                # Somebody made it in the Merchant Interface, and it belongs to what it takes back.
                payment = yield from inquiry.refunded_of(self._channel, found)
                moved = (inquiry.refund_of(found),)
                return replace(bare, reference=payment, movements=moved) if payment else bare
            order = found.order
        if not fields.is_ours(order):
            return bare  # another system's, at the same account
        return replace(bare, reference=event.transaction, earlier_reference=order)

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Thank for whatever was signed: what it means to us is not theirs to know."""
        del notice, result
        return Reply()

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read what settled, and what banks took back, of which no webhook tells."""
        return (yield from reports.read(self._channel, cursor))


def _known(transaction: str) -> None:
    if not fields.is_number(transaction):
        raise Unsupported("that is no transaction of Authorize.Net's")


def _order_of(reference: str, key: str) -> str:
    """Tell the name that we gave the operation: a form's is its reference."""
    return reference if fields.is_ours(reference) else fields.order_number(key)


def _with(outcome: Approved | Authorized, method: StoredMethod) -> Outcome:
    network = outcome.network_transaction_id
    return replace(outcome, method=replace(method, network_transaction_id=network))


F = TypeVar("F", bound="Finding")


def _still_open(finding: F, reference: str) -> F:
    """Let a form keep its name after a declined try: the next one has the same, and pays."""
    if isinstance(finding, Declined) and not finding.final and fields.is_ours(reference):
        return replace(finding, reference=reference)
    return finding


def _not_lost(finding: Finding, reference: str) -> Outcome:
    """Read what must be there: to say that it is not would be no answer to an operation."""
    if isinstance(finding, NotFound):
        return Unknown(reason="it was done before, and does not show", reference=reference)
    return finding


def _taken_back(transaction: str, taken: Money) -> tuple[Movement, ...]:
    return (inquiry.void_of(transaction, taken),) if taken else ()


def _rails(settings: AuthorizeNetSettings) -> dict[Kind, Rail]:
    stored: frozenset[type] = frozenset({OneTimeToken, StoredToken})
    raw_card: frozenset[type] = frozenset({RawCard} if settings.accept_raw_cards else ())
    raw_bank: frozenset[type] = frozenset(
        {RawBankAccount} if settings.accept_raw_bank_accounts else ()
    )
    currencies = frozenset({settings.currency})
    limits = {
        settings.currency: Limits(
            *(
                None if amount is None else Money.of(settings.currency, amount).minor
                for amount in (settings.minimum, settings.maximum)
            )
        )
    }
    return {
        Kind.CARD: Rail(
            operations=frozenset(
                {
                    Operation.CHARGE,
                    Operation.AUTHORIZE,
                    Operation.CAPTURE,
                    Operation.VOID,
                    Operation.REFUND,
                    Operation.ENROLL,
                    Operation.FORGET,
                }
            ),
            currencies=currencies,
            limits=limits,
            methods=stored | raw_card,
            withdrawable=False,
            partial_capture=True,
            refund_window=timedelta(days=settings.refund_days),
            tells_settlement=True,
            settles_within=CARD_SETTLES_WITHIN,
        ),
        Kind.E_CHECK: Rail(
            operations=frozenset(
                {
                    Operation.CHARGE,
                    Operation.VOID,
                    Operation.REFUND,
                    Operation.ENROLL,
                    Operation.FORGET,
                }
            ),
            currencies=currencies,
            limits=limits,
            methods=stored | raw_bank,
            withdrawable=False,
            refund_window=timedelta(days=settings.refund_days),
            tells_settlement=True,
            settles_within=BANK_SETTLES_WITHIN,
        ),
        Kind.REDIRECT: Rail(
            operations=frozenset(
                {Operation.CHARGE, Operation.COMPLETE, Operation.VOID, Operation.REFUND}
            ),
            currencies=currencies,
            limits=limits,
            needs_return_url=not settings.communicator_url,
            immediate=False,
            payer_present=True,
            withdrawable=False,
            refund_window=timedelta(days=settings.refund_days),
            tells_settlement=True,
            settles_within=BANK_SETTLES_WITHIN,
        ),
    }
