"""Conversations with Authorize.Net.

A charge is one request. If its answer is lost we do not have Authorize.Net's name for it, and it
cannot be asked by ours; but its lists show ours, so an inquiry reads them. And it refuses for eight
hours what looks the same, and says what it looks the same as: so what can be built again is sent
again as it was, and either is done for the first time or finds the first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    Applied,
    Approved,
    Authorized,
    BadResponse,
    Callback,
    CallbackProof,
    CallbackStyle,
    Capture,
    Charge,
    Completion,
    DeclineCode,
    Declined,
    DedupWindow,
    Dialogue,
    Ended,
    Ending,
    Enrollment,
    FeedPage,
    Finding,
    Forgetting,
    Inquiry,
    InquiryBy,
    Kind,
    MethodNews,
    Money,
    Movement,
    MovementKind,
    Note,
    NotFound,
    Notice,
    OneTimeToken,
    Operation,
    Outcome,
    Pending,
    Rail,
    RawBankAccount,
    RawCard,
    Refunding,
    RejectCause,
    Rejected,
    Reply,
    SandboxTrigger,
    SandboxTriggers,
    StoredMethod,
    StoredToken,
    Traits,
    Unknown,
    Unsupported,
    Voiding,
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
from paygate.drivers.authorize_net.inquiry import Asked, TransactionDetails
from paygate.drivers.authorize_net.messages import CallRefusal, Channel, answered
from paygate.drivers.authorize_net.settings import AuthorizeNetSettings
from paygate.drivers.authorize_net.transactions import TransactionFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.drivers.authorize_net.callbacks import WebhookEvent

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; it grows when what we send, or read out of an answer, changes."""

# A kernel goes on sending what we wrote, after we gave up, for up to 15 minutes.
IN_FLIGHT: Final = timedelta(minutes=20)

# How long the lists lag behind is not documented, and a form may stay open longer than its token.
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
            return hosted.open_payment_page(self._channel, charge)
        transactions.check(self._settings, charge)
        return self._charge(charge, hold=False)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        """Hold an amount on a card, for about 30 days."""
        if charge.kind is not Kind.CARD:
            raise Unsupported(f"Authorize.Net holds amounts on cards, not on a {charge.kind}")
        transactions.check(self._settings, charge)
        return self._charge(charge, hold=True)

    def _charge(self, charge: Charge, *, hold: bool) -> Dialogue[Outcome]:
        channel, order = self._channel, fields.order_number(charge.key)
        told = yield from transactions.collect(channel, charge, hold=hold)
        if not isinstance(told, TransactionFacts):
            return told
        if told.code != "1" and told.reason in codes.DUPLICATES:
            operation = Operation.AUTHORIZE if hold else Operation.CHARGE
            return (yield from self._first_of(order, told, self._asked(operation, charge.amount)))
        if told.approved is not None and told.code in ("1", "4"):
            outcome = yield from self._end_partial(told, told.approved, hold=hold)
        else:
            done = transactions.charged(told, charge.amount, hold=hold)
            outcome = transactions.outcome_of(told, done)
        if charge.store_method and told.code in ("1", "4") and told.transaction:
            return (yield from self._keep(outcome, charge))
        return outcome

    def _details(self, transaction: str) -> Dialogue[TransactionDetails | None]:
        return inquiry.details(self._channel, transaction)

    def _asked(self, operation: Operation, amount: Money) -> Asked:
        return Asked(operation=operation, amount=amount, partial=self._settings.partial_approvals)

    def _first_of(self, order: str, told: TransactionFacts, asked: Asked) -> Dialogue[Outcome]:
        """Adopt the transaction that ours is a duplicate of: an earlier sending of the same."""
        if not told.transaction:
            return Unknown(reason="it was sent before, and Authorize.Net does not say as what")
        found = yield from self._details(told.transaction)
        if found is None:
            return Unknown(reason="it was sent before, and is not to be found")
        if found.order != order:
            return replace(told.declined(), reference="")
        outcome = inquiry.outcome_of(found, asked)
        if isinstance(outcome, NotFound):
            return Unknown(reason="it was sent before, and is another thing", reference=order)
        return outcome

    def _end_partial(self, told: TransactionFacts, part: Money, *, hold: bool) -> Dialogue[Outcome]:
        """Keep the part that was approved, or let it go; nothing settles before that is said."""
        keep = self._settings.partial_approvals
        if told.split:
            ended = yield from transactions.end_split(self._channel, told.split, keep=keep)
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
        """Store what paid; what is held for review reports it when it was approved."""
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
        found = (yield from self._details(named)) if fields.is_number(named) else None
        if found is None or found.order != order:
            found = yield from self._newest(completion.reference)
        finding = yield from self._finding(
            found, self._asked(Operation.COMPLETE, completion.amount)
        )
        if isinstance(finding, NotFound):
            return ActionRequired(action=None, reference=completion.reference)
        return _still_open(finding, completion.reference)

    def _newest(self, reference: str) -> Dialogue[TransactionDetails | None]:
        """Find what was paid on a form; how long ago that was opened is not known here."""
        if fields.is_number(reference):
            return (yield from self._details(reference))
        response = yield lists.build_unsettled(self._channel, 1)
        entries = lists.parse_list(self._channel, lists.UNSETTLED, response)
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
        told = yield from transactions.capture(self._channel, capture)
        if not isinstance(told, TransactionFacts):
            return told
        if told.code == "1" and told.reason in codes.DONE_BEFORE:
            found = yield from self._details(capture.reference)
            asked = self._asked(Operation.CAPTURE, capture.amount)
            finding = yield from self._finding(found, asked)
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
            return _impossible(f"Authorize.Net {what}; only what has not settled is voided")
        # What is taken back does not show any more once it is void, so it is noted before.
        taken = inquiry.voidable(found)
        note = f"void-{transaction}-{taken.minor}"
        yield Note(note)
        told = yield from transactions.void(self._channel, voiding.key, transaction)
        if not isinstance(told, TransactionFacts):
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
            return _impossible("Authorize.Net does not know the payment that is to be refunded")
        if found.status in codes.CAPTURED:
            # They would refuse it with a code that says only that it does not meet the criteria.
            return _impossible(
                "Authorize.Net has not settled the payment yet: cancel it as a whole, or "
                "refund from tomorrow",
                retryable=True,
            )
        told = yield from transactions.refund(self._channel, refunding, about, found.paid_with)
        if not isinstance(told, TransactionFacts):
            return told
        if told.code != "1" and told.reason in codes.DUPLICATES:
            asked = self._asked(Operation.REFUND, refunding.amount)
            order = fields.order_number(refunding.key)
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
            _ = profiles.check_method(self._channel, enrollment)
        _ = profiles.whose(enrollment.customer)
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
        channel, customer = self._channel, enrollment.customer
        order = fields.order_number(enrollment.key)
        known = enrollment.customer_reference
        found = yield from profiles.profile_of(channel, customer, known, order)
        if isinstance(found, CallRefusal):
            return found.outcome()
        place = profiles.place_of(found)
        yield Note(place)
        if enrollment.method is None:
            return (yield from hosted.open_profile_page(channel, enrollment, found.id, place))
        method = yield from profiles.store(channel, enrollment, found.id)
        if not isinstance(method, str):
            return method
        stored = yield from profiles.stored_method(channel, found.id, method)
        return Approved(reference=place, method=stored)

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        ids = transactions.profile_ids(forgetting.token)
        return profiles.delete(self._channel, *ids, forgetting)

    def stored_methods(self, customer: str) -> Dialogue[list[StoredMethod]]:
        """List what a customer of ours, by our id, has stored at Authorize.Net.

        No verb of the cashier asks for it: hold this conversation yourself.
        """
        return (yield from profiles.methods_of(self._channel, "", customer))

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
                found = yield from inquiry.details(
                    self._channel, reference or inquiry_.parent_reference
                )
                return (yield from self._finding(found, asked))
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
            return (yield from self._finding(found, asked))
        order = _order_of(inquiry_.reference, inquiry_.key)
        searched = yield from lists.search(self._channel, order, inquiry_.sent_at)
        if searched.entry is None:
            return NotFound()
        found = yield from self._details(searched.entry.transaction)
        finding = yield from self._finding(found, asked)
        reference = inquiry_.reference
        if (
            fields.is_ours(reference)
            and isinstance(finding, Declined)
            and not finding.final
            and hosted.has_ended(inquiry_.sent_at, searched.at)
        ):
            return Ended(how=Ending.EXPIRED, reference=reference)
        return _still_open(finding, reference)

    def _finding(self, found: TransactionDetails | None, asked: Asked) -> Dialogue[Finding]:
        """Return what was found; with the method that was stored on the way, if one was."""
        if found is None:
            return NotFound()
        finding = inquiry.outcome_of(found, asked)
        collects = asked.operation not in (Operation.CAPTURE, Operation.REFUND)
        if not (isinstance(finding, Approved | Authorized) and collects and all(found.profile)):
            return finding
        stored = yield from profiles.get_method(self._channel, *found.profile)
        # A refusal means that it was deleted since.
        return finding if isinstance(stored, CallRefusal) else _with(finding, stored)

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
            stored = yield from profiles.stored_method(self._channel, *found.profile)
            return Approved(reference=reference, method=stored)
        profile, number = place
        methods = yield from profiles.methods_of(self._channel, profile)
        newer = profiles.newer_than(methods, number)
        return NotFound() if newer is None else Approved(reference=reference, method=newer)

    def check(self) -> Dialogue[AccountFacts]:
        """Prove the credentials without moving money."""
        told = answered((yield from self._channel.ask("getMerchantDetails", step="check")))
        currencies = tuple(told.texts("currencies.currency"))
        if currencies and self._settings.currency not in currencies:
            raise BadResponse(
                f"the account takes {', '.join(currencies)}, and not {self._settings.currency}"
            )
        if told.flag("isTestMode", default=False):
            raise BadResponse(
                "the account is in Test Mode, in which it approves everything and charges nothing; "
                "switch that off in the Merchant Interface"
            )
        return AccountFacts(
            merchant_account=self._settings.account,
            live=self._settings.live,
            name=told.text("merchantName", ""),
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
        """Return which operation of ours an event is about; if it does not say, ask."""
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
        """Accept whatever was signed: the sender need not know what it means to us."""
        del notice, result
        return Reply()

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        """Read what settled, and what banks took back, which no webhook reports."""
        return (yield from reports.read(self._channel, cursor))


def _known(transaction: str) -> None:
    if not fields.is_number(transaction):
        raise Unsupported("that is no transaction of Authorize.Net's")


def _impossible(message: str, *, retryable: bool = False) -> Rejected:
    return Rejected(cause=RejectCause.STATE, retryable=retryable, message=message)


def _order_of(reference: str, key: str) -> str:
    """Return the name that we gave the operation: a form's is its reference."""
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
    """Return what must be there: that it is not would be no answer to an operation."""
    if isinstance(finding, NotFound):
        return Unknown(reason="it was done before, and does not show", reference=reference)
    return finding


def _taken_back(transaction: str, taken: Money) -> tuple[Movement, ...]:
    return (inquiry.void_of(transaction, taken),) if taken else ()


_CARD: Final = frozenset(
    {
        Operation.CHARGE,
        Operation.AUTHORIZE,
        Operation.CAPTURE,
        Operation.VOID,
        Operation.REFUND,
        Operation.ENROLL,
        Operation.FORGET,
    }
)
_E_CHECK: Final = _CARD - {Operation.AUTHORIZE, Operation.CAPTURE}
_FORM: Final = frozenset({Operation.CHARGE, Operation.COMPLETE, Operation.VOID, Operation.REFUND})


def _rails(settings: AuthorizeNetSettings) -> dict[Kind, Rail]:
    card = Rail(
        operations=_CARD,
        currencies=frozenset({settings.currency}),
        limits=settings.limits,
        methods=_methods(RawCard, accepted=settings.accept_raw_cards),
        withdrawable=False,
        partial_capture=True,
        refund_window=timedelta(days=settings.refund_days),
        tells_settlement=True,
        settles_within=CARD_SETTLES_WITHIN,
    )
    e_check = replace(
        card,
        operations=_E_CHECK,
        methods=_methods(RawBankAccount, accepted=settings.accept_raw_bank_accounts),
        partial_capture=False,
        settles_within=BANK_SETTLES_WITHIN,
    )
    form = replace(
        e_check,
        operations=_FORM,
        methods=frozenset(),
        needs_return_url=not settings.communicator_url,
        immediate=False,
        payer_present=True,
    )
    return {Kind.CARD: card, Kind.E_CHECK: e_check, Kind.REDIRECT: form}


def _methods(raw: type, *, accepted: bool) -> frozenset[type]:
    return frozenset({OneTimeToken, StoredToken, *((raw,) if accepted else ())})
