"""Dialogues with Authorize.Net.

A charge is one request. If its answer is lost, we do not have Authorize.Net's id for it, and it
cannot be searched by our name; but the lists show our name, so an inquiry reads them. Besides,
Authorize.Net refuses the same transaction for eight hours and returns the id of the first. So a
request that can be built again is repeated unchanged: it is done now, or it finds the first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from paygate import driver
from paygate.driver import Approved, Ending, Kind, MovementKind, NotFound, Operation, Unsupported
from paygate.drivers.authorize_net import (
    codes,
    fields,
    hosted,
    inquiry,
    lists,
    profiles,
    reports,
    transactions,
)
from paygate.drivers.authorize_net.inquiry import Asked, details
from paygate.drivers.authorize_net.messages import CallRefusal, Channel, answered
from paygate.drivers.authorize_net.settings import BY, AuthorizeNetSettings
from paygate.drivers.authorize_net.transactions import TransactionAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Charge, Dialogue, Finding, Inquiry, Money, Outcome, Rail, Traits
    from paygate.drivers.authorize_net.inquiry import TransactionDetails

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; raise it when what is sent, or read from an answer, changes."""

# A kernel goes on sending what we wrote for up to 15 minutes after we gave up.
IN_FLIGHT: Final = timedelta(minutes=20)

# The lag of the lists is not documented, and a form may stay open longer than its token.
SURELY_LISTED: Final = timedelta(hours=1)

# A card settles with the batch of the day, or of the day after a holiday; a bank debit is held
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
        # A key is the text itself, not the bytes that its digits represent.
        self._keys = driver.HmacKeys(settings.signature_keys, BY, digest="sha512", encoding="HEX")
        window = timedelta(seconds=settings.duplicate_window_s)
        verifies = bool(settings.signature_keys)
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.account,
            driver_version=DRIVER_VERSION,
            rails=_rails(settings),
            idempotency=driver.DedupWindow(window=window, returns_original=True),
            inquiry=driver.InquiryBy.LIST_SCAN,
            not_found_is_final_after=SURELY_LISTED,
            max_in_flight=IN_FLIGHT,
            callbacks=driver.CallbackStyle.ACKNOWLEDGED if verifies else driver.CallbackStyle.NONE,
            callback_proof=driver.CallbackProof.SIGNED,
            page_origins=frozenset({driver.origin_of(settings.forms)}),
            framable=bool(settings.communicator_url),
        )

    def __repr__(self) -> str:
        return f"AuthorizeNet({'live' if self._settings.live else 'test'} {self._settings.account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def public_settings(self) -> Mapping[str, str]:
        # Accept.js shows both to everybody who looks at the page.
        key, login = self._settings.client_key, self._settings.login
        return {"client_key": key, "login": login} if key else {}

    def sandbox_triggers(self) -> Mapping[Kind, driver.SandboxTriggers]:
        """Return the postal code that is declined; only Accept.js makes the sandbox's tokens."""
        approve, decline = driver.SandboxTrigger(), driver.SandboxTrigger(postal_code="46282")
        return {Kind.CARD: driver.SandboxTriggers(approve=approve, decline=decline)}

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
        answer = yield from transactions.collect(self._channel, charge, hold=hold)
        if not isinstance(answer, TransactionAnswer):
            return answer
        if answer.is_duplicate:
            asked = self._asked(Operation.AUTHORIZE if hold else Operation.CHARGE, charge.amount)
            return (yield from self._first_of(charge.key, answer, asked))
        taken = answer.code in ("1", "4")
        if answer.part is not None and taken:
            outcome = yield from self._end_part(answer, answer.part, hold=hold)
        else:
            done = transactions.charged(answer, charge.amount, hold=hold)
            outcome = transactions.outcome_of(answer, done)
        if charge.store_method and taken and answer.transaction:
            return (yield from self._keep(outcome, charge))
        return outcome

    def _asked(self, operation: Operation, amount: Money) -> Asked:
        return Asked(operation=operation, amount=amount, partial=self._settings.partial_approvals)

    def _first_of(self, key: str, answer: TransactionAnswer, asked: Asked) -> Dialogue[Outcome]:
        """Return the outcome of the transaction that ours repeats: an earlier sending of ours."""
        order = fields.order_number(key)
        if not answer.transaction:
            return driver.Unknown(reason="it was sent before, and Authorize.Net gives no id of it")
        found = yield from details(self._channel, answer.transaction)
        if found is None:
            return driver.Unknown(reason="it was sent before, and is not found")
        if found.order != order:
            return replace(answer.declined(), reference="")
        finding = inquiry.outcome_of(found, asked)
        return _found(finding, order, "it was sent before, as something else")

    def _end_part(self, answer: TransactionAnswer, part: Money, *, hold: bool) -> Dialogue[Outcome]:
        """Keep the part that was approved, or let it go; nothing settles before we say so."""
        keep, transaction = self._settings.partial_approvals, answer.transaction
        if answer.split:
            ended = yield from transactions.end_split(self._channel, answer.split, keep=keep)
            if isinstance(ended, CallRefusal):
                reason = f"{part} was approved, and the approval could not be ended: {ended.code}"
                return driver.Unknown(reason=reason, reference=transaction)
        elif not keep:
            return driver.Unknown(reason=f"only {part} was approved", reference=transaction)
        if keep:
            return transactions.charged(answer, part, hold=hold)
        return driver.Declined(
            code=driver.DeclineCode.INSUFFICIENT_FUNDS,
            raw_code=codes.PARTLY,
            retryable=True,
            message=f"the card has only {part}",
            reference=transaction,
        )

    def _keep(self, outcome: Outcome, charge: Charge) -> Dialogue[Outcome]:
        """Store what paid; what is held for review returns it once it was approved."""
        if not isinstance(outcome, Approved | driver.Authorized | driver.Pending):
            return outcome
        kept = yield from profiles.try_to_keep(
            self._channel, outcome.reference, charge.payer, charge.customer_reference
        )
        if isinstance(outcome, driver.Pending):
            return outcome
        return replace(outcome, alert=kept) if isinstance(kept, str) else _with(outcome, kept)

    def complete(self, completion: driver.Completion) -> Dialogue[Outcome]:
        """Find out what the payer did on the form; the browser's word only shortens the way."""
        reference = completion.reference
        found = yield from details(self._channel, completion.parameters.get("transId", ""))
        if found is None or found.order != _order_of(reference, completion.key):
            found = yield from self._newest(reference)
        asked = self._asked(Operation.COMPLETE, completion.amount)
        finding = yield from self._finding(found, asked)
        if isinstance(finding, NotFound):
            return driver.ActionRequired(action=None, reference=reference)
        return _still_open(finding, reference)

    def _newest(self, reference: str) -> Dialogue[TransactionDetails | None]:
        """Find what was paid on a form that was opened at an unknown time."""
        if fields.is_number(reference):
            return (yield from details(self._channel, reference))
        response = yield lists.build(self._channel, lists.UNSETTLED, 1, lists.PAGE)
        entries = lists.parse(self._channel, lists.UNSETTLED, response)
        best = lists.furthest([entry for entry in entries if entry.order == reference])
        return (yield from details(self._channel, "" if best is None else best.transaction))

    # --- What follows ----------------------------------------------------------------------

    def capture(self, capture: driver.Capture) -> Dialogue[Outcome]:
        """Capture what is held, or a part of it, once."""
        transactions.check_currency(self._settings, capture.amount)
        _check_id(capture.reference)
        if not capture.final:
            raise Unsupported(
                "Authorize.Net captures once and releases the rest; capture with final=True"
            )
        return self._capture(capture)

    def _capture(self, capture: driver.Capture) -> Dialogue[Outcome]:
        transaction = capture.reference
        yield driver.Note(transaction)
        answer = yield from transactions.capture(self._channel, capture)
        if not isinstance(answer, TransactionAnswer):
            return answer
        if answer.code == "1" and answer.reason in codes.DONE_BEFORE:
            found = yield from details(self._channel, transaction)
            asked = self._asked(Operation.CAPTURE, capture.amount)
            finding = yield from self._finding(found, asked)
            return _found(finding, transaction, "it was captured before, and does not show")
        answer = replace(answer, transaction=transaction)
        done = transactions.moved(transaction, capture.amount, MovementKind.CAPTURE)
        return transactions.outcome_of(answer, done)

    def void(self, voiding: driver.Voiding) -> Dialogue[Outcome]:
        """Void what has not settled; what has settled is refused, and can be refunded."""
        _check_id(voiding.reference)
        return self._void(voiding)

    def _void(self, voiding: driver.Voiding) -> Dialogue[Outcome]:
        transaction = voiding.reference
        found = yield from details(self._channel, transaction)
        if found is None or found.has_settled:
            what = "does not know the payment" if found is None else "has settled the payment"
            return _impossible(f"Authorize.Net {what}; only what has not settled is voided")
        # Once it is voided, what was taken is no longer shown, so it is noted before.
        taken = inquiry.voidable(found)
        note = f"void-{transaction}-{taken.minor}"
        yield driver.Note(note)
        answer = yield from transactions.void(self._channel, voiding.key, transaction)
        if not isinstance(answer, TransactionAnswer):
            return answer
        done = Approved(reference=note, movements=inquiry.void_of(transaction, taken))
        # A void is found again by its note; the answer names the transaction that was voided.
        named = replace(answer, transaction=note) if answer.transaction else answer
        return transactions.outcome_of(named, done)

    def refund(self, refunding: driver.Refunding) -> Dialogue[Outcome]:
        """Send money back to what paid, once it has settled."""
        transactions.check_currency(self._settings, refunding.amount)
        about = refunding.movement_id or refunding.reference
        _check_id(about)
        return self._refund(refunding, about)

    def _refund(self, refunding: driver.Refunding, about: str) -> Dialogue[Outcome]:
        found = yield from details(self._channel, about)
        if found is None:
            return _impossible("Authorize.Net does not know the payment that is to be refunded")
        if found.status in codes.CAPTURED:
            # Their code would only say that it does not meet the criteria.
            return _impossible(
                "Authorize.Net has not settled the payment yet: cancel it as a whole, or "
                "refund from tomorrow",
                retryable=True,
            )
        answer = yield from transactions.refund(self._channel, refunding, about, found.paid_with)
        if not isinstance(answer, TransactionAnswer):
            return answer
        if answer.is_duplicate:
            asked = self._asked(Operation.REFUND, refunding.amount)
            return (yield from self._first_of(refunding.key, answer, asked))
        sent, amount = answer.transaction, refunding.amount
        done = transactions.moved(sent, amount, MovementKind.REFUND, undoes=about)
        return transactions.outcome_of(answer, done)

    # --- Stored methods ----------------------------------------------------------------------

    def enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        """Store a method from a token, on Authorize.Net's form, or of a payment just made."""
        profiles.check(enrollment)
        if enrollment.from_reference:
            _check_id(enrollment.from_reference)
            return self._enroll_paid_with(enrollment)
        if enrollment.method is not None:
            _ = profiles.check_method(self._channel, enrollment)
        _ = profiles.whose(enrollment.customer)
        return self._enroll(enrollment)

    def _enroll_paid_with(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        reference = enrollment.from_reference
        yield driver.Note(reference)
        kept = yield from profiles.keep_from_transaction(
            self._channel, reference, enrollment.customer, enrollment.customer_reference
        )
        if isinstance(kept, CallRefusal):
            return kept.outcome(reference=reference)
        return Approved(reference=reference, method=kept)

    def _enroll(self, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
        channel, order = self._channel, fields.order_number(enrollment.key)
        found = yield from profiles.profile_of(
            channel, enrollment.customer, enrollment.customer_reference, order
        )
        if isinstance(found, CallRefusal):
            return found.outcome()
        place = profiles.place_of(found)
        yield driver.Note(place)
        if enrollment.method is None:
            return (yield from hosted.open_profile_page(channel, enrollment, found.id, place))
        method = yield from profiles.store(channel, enrollment, found.id)
        if not isinstance(method, str):
            return method
        stored = yield from profiles.stored_method(channel, found.id, method)
        return Approved(reference=place, method=stored)

    def forget(self, forgetting: driver.Forgetting) -> Dialogue[Outcome]:
        """Delete a stored method."""
        ids = transactions.profile_ids(forgetting.token)
        return profiles.delete(self._channel, *ids, forgetting)

    def stored_methods(self, customer: str) -> Dialogue[list[driver.StoredMethod]]:
        """Return what a customer, by our id, has stored; no verb of the cashier plays this."""
        return (yield from profiles.methods_of(self._channel, "", customer))

    # --- Find out ------------------------------------------------------------------------------

    def look_up(self, inquiry_: Inquiry) -> Dialogue[Finding]:
        """Find an operation by Authorize.Net's id, or by our name in the lists."""
        reference = inquiry_.reference
        asked = replace(
            self._asked(inquiry_.operation, inquiry_.amount),
            booked=inquiry_.booked,
            collected=inquiry_.collected,
        )
        match inquiry_.operation:
            case Operation.CHARGE | Operation.AUTHORIZE | Operation.COMPLETE | Operation.REFUND:
                return (yield from self._find(inquiry_, asked))
            case Operation.CAPTURE:
                # A capture is not a transaction of its own: it shows in what it captures.
                about = reference or inquiry_.parent_reference
                found = yield from details(self._channel, about)
                return (yield from self._finding(found, asked))
            case Operation.VOID if reference:
                return (yield from self._find_voided(reference))
            case Operation.ENROLL if reference:
                return (yield from self._find_stored(reference))
            case _:
                # Nothing was sent, or a method is to be forgotten, which may be repeated.
                return NotFound()

    def _find(self, inquiry_: Inquiry, asked: Asked) -> Dialogue[Finding]:
        reference = inquiry_.reference
        if fields.is_number(reference):
            found = yield from details(self._channel, reference)
            if found is None:
                raise driver.BadResponse(
                    "Authorize.Net does not know an id that it gave; is it another account?"
                )
            return (yield from self._finding(found, asked))
        order = _order_of(reference, inquiry_.key)
        entry, now = yield from lists.search(self._channel, order, inquiry_.sent_at)
        if entry is None:
            return NotFound()
        found = yield from details(self._channel, entry.transaction)
        finding = yield from self._finding(found, asked)
        tried = isinstance(finding, driver.Declined) and not finding.final
        closed = now is not None and now - inquiry_.sent_at > hosted.ENDED_AFTER
        if tried and closed and fields.is_ours(reference):
            return driver.Ended(how=Ending.EXPIRED, reference=reference)
        return _still_open(finding, reference)

    def _finding(self, found: TransactionDetails | None, asked: Asked) -> Dialogue[Finding]:
        """Return what was found, with the method that was stored on the way, if one was."""
        if found is None:
            return NotFound()
        finding = inquiry.outcome_of(found, asked)
        collects = asked.operation not in (Operation.CAPTURE, Operation.REFUND)
        stores = collects and all(found.profile)
        if not (stores and isinstance(finding, Approved | driver.Authorized)):
            return finding
        stored = yield from profiles.get_method(self._channel, *found.profile)
        if isinstance(stored, CallRefusal) and stored.unread:
            raise stored.error()
        # Any other refusal means that it was deleted since.
        return finding if isinstance(stored, CallRefusal) else _with(finding, stored)

    def _find_voided(self, note: str) -> Dialogue[Finding]:
        _, transaction, minor = note.split("-") if note.count("-") == 2 else ("", "", "")
        found = yield from details(self._channel, transaction)
        if found is None or found.status != "voided" or not minor.isdigit():
            return NotFound()
        taken = driver.Money(self._settings.currency, int(minor))
        return Approved(reference=note, movements=inquiry.void_of(transaction, taken))

    def _find_stored(self, reference: str) -> Dialogue[Finding]:
        if not fields.is_number(reference):
            stored = yield from profiles.find_at(self._channel, reference)
            return NotFound() if stored is None else Approved(reference=reference, method=stored)
        found = yield from details(self._channel, reference)
        if found is None or not all(found.profile):
            return NotFound()
        stored = yield from profiles.stored_method(self._channel, *found.profile)
        return Approved(reference=reference, method=stored)

    def check(self) -> Dialogue[driver.AccountFacts]:
        """Check the credentials without moving money."""
        account = answered((yield from self._channel.ask("getMerchantDetails", {}, step="check")))
        currencies = tuple(account.texts("currencies.currency"))
        if currencies and self._settings.currency not in currencies:
            raise driver.BadResponse(
                f"the account takes {', '.join(currencies)}, and not {self._settings.currency}"
            )
        if account.flag("isTestMode", default=False):
            raise driver.BadResponse(
                "the account is in Test Mode, in which it approves everything and charges nothing; "
                "switch that off in the Merchant Interface"
            )
        return driver.AccountFacts(
            merchant_account=self._settings.account,
            live=self._settings.live,
            name=account.text("merchantName", ""),
            currencies=currencies,
        )

    # --- Webhooks and the feed ------------------------------------------------------------------

    def verify(self, callback: driver.Callback) -> Dialogue[list[driver.Notice]]:
        """Authenticate a webhook and read it."""
        return [(yield from reports.read_webhook(self._channel, self._keys, callback))]

    def reply(self, notice: driver.Notice, result: driver.Applied) -> driver.Reply:
        """Acknowledge every signed webhook: what it means to us does not concern the sender."""
        del notice, result
        return driver.Reply()

    def feed(self, cursor: str) -> Dialogue[driver.FeedPage]:
        """Read what settled, and what banks took back, which no webhook reports."""
        return (yield from reports.read_feed(self._channel, cursor))


def _check_id(transaction: str) -> None:
    if not fields.is_number(transaction):
        raise Unsupported("that is not a transaction of Authorize.Net's")


def _impossible(message: str, *, retryable: bool = False) -> driver.Rejected:
    return driver.Rejected(cause=driver.RejectCause.STATE, retryable=retryable, message=message)


def _order_of(reference: str, key: str) -> str:
    """Return our name for the operation: that of a form is its reference."""
    return reference if fields.is_ours(reference) else fields.order_number(key)


def _with(outcome: Approved | driver.Authorized, method: driver.StoredMethod) -> Outcome:
    network = outcome.network_transaction_id
    return replace(outcome, method=replace(method, network_transaction_id=network))


F = TypeVar("F", bound="Finding")


def _still_open(finding: F, reference: str) -> F:
    """Let a form keep its name after a declined try: the payer may try again, and pay."""
    if isinstance(finding, driver.Declined) and not finding.final and fields.is_ours(reference):
        return replace(finding, reference=reference)
    return finding


def _found(finding: Finding, reference: str, reason: str) -> Outcome:
    """Return what must exist: that it is not found is not an answer to an operation."""
    if isinstance(finding, NotFound):
        return driver.Unknown(reason=reason, reference=reference)
    return finding


_E_CHECK: Final = frozenset(
    {Operation.CHARGE, Operation.VOID, Operation.REFUND, Operation.ENROLL, Operation.FORGET}
)
_CARD: Final = _E_CHECK | {Operation.AUTHORIZE, Operation.CAPTURE}
_FORM: Final = frozenset({Operation.CHARGE, Operation.COMPLETE, Operation.VOID, Operation.REFUND})


def _rails(settings: AuthorizeNetSettings) -> dict[Kind, Rail]:
    card = driver.Rail(
        operations=_CARD,
        currencies=frozenset({settings.currency}),
        limits=settings.limits,
        methods=_methods(driver.RawCard, accepted=settings.accept_raw_cards),
        wallets=frozenset(transactions.WALLETS),
        takes=frozenset(driver.ChargeFact) - {driver.ChargeFact.MOTO},
        withdrawable=False,
        partial_capture=True,
        refund_window=timedelta(days=settings.refund_days),
        reports_settlement=True,
        settles_within=CARD_SETTLES_WITHIN,
    )
    e_check = replace(
        card,
        operations=_E_CHECK,
        methods=_methods(driver.RawBankAccount, accepted=settings.accept_raw_bank_accounts),
        wallets=frozenset(),
        partial_capture=False,
        settles_within=BANK_SETTLES_WITHIN,
    )
    form = replace(
        e_check,
        operations=_FORM,
        methods=frozenset(),
        takes=frozenset({driver.ChargeFact.SHIP_TO}),
        needs_return_url=not settings.communicator_url,
        immediate=False,
        payer_present=True,
        return_lag=SURELY_LISTED,
    )
    return {Kind.CARD: card, Kind.E_CHECK: e_check, Kind.REDIRECT: form}


def _methods(raw: type, *, accepted: bool) -> frozenset[type]:
    return frozenset({driver.OneTimeToken, driver.StoredToken, *((raw,) if accepted else ())})
