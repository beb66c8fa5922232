"""Events: sent by webhooks, or read from Stripe's list; who sent one, and what it concerns.

The body is a hint: it names our operation, and the core asks Stripe for the
state of it. Only what an inquiry cannot tell is taken from the body: how a dispute
stands and what money it moved, a refund that failed after it had succeeded, and a refund that
somebody made in the dashboard.

Stripe has a second kind of event, thin ones (``v2.core.event``), which name an object and
tell nothing of it. They are authenticated and acknowledged, and mean nothing here: a
destination of snapshot events has the same news. So is a format that a later version brings
(``v3.…event``): refused, it would be sent again for days.

The list has what webhooks told while nobody listened. Stripe keeps events for 30 days and
lists the newest first. Before anything was read, we walk down to the oldest, so that the
cursor is where we began and how far down we came; after that we walk up from an event that
was read. The last page is read again each time, because an event may come to light a moment
after a later one; the inbox has each of them once, however it came.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate.driver import (
    BadResponse,
    Dispute,
    DisputeState,
    FeedPage,
    Fields,
    HmacKeys,
    MethodFacts,
    MethodNews,
    Movement,
    MovementKind,
    NotAuthentic,
    Notice,
    check_age,
    read_json_value,
    unix_stamp,
)
from paygate.drivers.stripe import refunds, wire
from paygate.drivers.stripe.codes import ID, facts_of

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.driver import Callback, Dialogue, Form, Money, Response
    from paygate.drivers.stripe.settings import StripeSettings
    from paygate.drivers.stripe.wire import Api

SIGNATURE: Final = "stripe-signature"
HEADER_MAX: Final = 4000

_NEWER: Final = re.compile(r"v[0-9]+(\.[a-z0-9_]+)*\.event[a-z0-9_]*")
"""The names of the formats after the first, which is "event"."""

TOLERANCE_S: Final = 300
"""How far the signature's clock may be from ours, either way: an older one is a recording."""


class StripeVerifier:
    """Reads webhooks that are signed with one of the account's secrets."""

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._keys = HmacKeys(settings.webhook_secrets, "Stripe")

    def read(self, callback: Callback) -> Notice:
        """Authenticate *callback* on its raw bytes and read it, or raise `NotAuthentic`."""
        stamp, signatures = _parts(callback.headers.get(SIGNATURE, ""))
        signed_at = unix_stamp(stamp, "Stripe")
        self._keys.check(stamp.encode() + b"." + callback.body, *signatures)
        check_age(signed_at, callback.received_at, TOLERANCE_S)
        try:
            event = read_json_value(callback.body, "Stripe", signed=True)
        except BadResponse:
            unreadable = "the webhook is signed, and is not JSON"
            return Notice(event_id="", type="", signed_at=signed_at, unreadable=unreadable)
        reader = _read_thin if _NEWER.fullmatch(event.text("object", "")) else read_event
        return reader(self._settings, event, signed_at)


def _parts(header: str) -> tuple[str, list[str]]:
    """Read ``t=…,v1=…,v1=…``; other schemes (v0 is for tests) are not looked at."""
    stamps, signatures = list[str](), list[str]()
    if len(header) <= HEADER_MAX:
        for part in header.split(","):
            name, _, value = part.partition("=")
            if name == "v1":
                signatures.append(value)
            elif name == "t":
                stamps.append(value)
    # Stripe signs one time. Of two, only one could be the signed one, and readers differ in which.
    if len(stamps) != 1:
        raise NotAuthentic("the webhook has no Stripe-Signature that can be read", why="unsigned")
    return stamps[0], signatures


def read_event(
    settings: StripeSettings, event: Fields, signed_at: datetime | None = None
) -> Notice:
    """
    Return what an event of the account says, or raise `NotAuthentic` if it is not one.

    Other systems use the same account, and an event of theirs may hold what we have
    never heard of. One that does not read says so, and stops nothing.
    """
    if event.value("object") != "event":
        raise NotAuthentic("the webhook is not an event of Stripe's first version")
    _check_ours(settings, event.value("livemode"), event.value("account"))
    event_id, type_ = event.id("id", "", pattern=ID), event.text("type", "")
    if not event_id or not type_:
        unreadable = "an event of Stripe's without id or type"
        return Notice(event_id="", type=type_, signed_at=signed_at, unreadable=unreadable)
    about, unreadable = event.at("data.object"), ""
    kind = about.text("object", "")
    our_ref = about.text(wire.OURS, "") if kind in _MARKED else ""
    try:
        reference, movements = _concerns(kind, our_ref, type_, about, event)
    except BadResponse as error:
        unreadable, movements = error.message, ()
        reference = about.text("id", "") if our_ref else _by_intent(about)
    return Notice(
        event_id=event_id,
        type=type_,
        reference=reference,
        our_ref=about.text("client_reference_id", "") if kind == "checkout.session" else our_ref,
        movements=movements,
        disputes=_stands(about) if kind == "dispute" else (),
        method=_method(kind, type_, about),
        occurred_at=event.instant("created", None),
        signed_at=signed_at,
        foreign=kind in _MARKED and not our_ref,
        unreadable=unreadable,
    )


def _read_thin(
    settings: StripeSettings, event: Fields, signed_at: datetime | None = None
) -> Notice:
    """Return what an event of a newer format says: it concerns nothing."""
    context = event.value("context")
    # An organisation's event names the way to the account: "org_1/acct_2".
    of = context.rpartition("/")[2] if isinstance(context, str) else context
    mode = event.value("livemode") if "livemode" in event else settings.live
    _check_ours(settings, mode, of)
    event_id, type_ = event.id("id", "", pattern=ID), event.text("type", "")
    if event_id and type_:
        return Notice(event_id=event_id, type=type_, signed_at=signed_at)
    unreadable = "a thin event without id or type"
    return Notice(event_id="", type=type_, signed_at=signed_at, unreadable=unreadable)


def _check_ours(settings: StripeSettings, livemode: object, of: object) -> None:
    if livemode is not settings.live:
        raise NotAuthentic(
            "the webhook is of the other mode: one of test and live is wrong", why="other_mode"
        )
    if of is not None and settings.account and of != settings.account:
        raise NotAuthentic("the webhook is of another Stripe account", why="other_account")


# --- What it concerns, by the kind of the object in it --------------------------------

_Concerns: TypeAlias = tuple[str, tuple[Movement, ...]]
"""The reference of what an event is about, and the money that it says moved."""

_MARKED: Final = frozenset(
    {"payment_intent", "setup_intent", "checkout.session", "charge", "refund"}
)
"""What carries our reference if we made it; a dispute never does."""


def _concerns(kind: str, our_ref: str, type_: str, about: Fields, event: Fields) -> _Concerns:
    """Find out what an event concerns; what is not here changes nothing."""
    match kind:
        case "payment_intent" | "setup_intent" | "checkout.session":
            return about.text("id", ""), ()
        case "charge":
            return _by_intent(about), ()
        case "refund":
            # One with a balance transaction moved money. One without may only be what is left of
            # an authorisation being released, which Stripe calls a refund too; an inquiry tells
            # them apart.
            failed = event.value("data.previous_attributes.status") == "succeeded"
            moved = failed or wire.read_id(about, "balance_transaction")
            movements = refunds.movements_of(about, failed_later=failed) if moved else ()
            return about.text("id", "") if our_ref else _by_intent(about), movements
        case "dispute":
            return _by_intent(about), _disputed(type_, about)
        case _:
            return "", ()


def _by_intent(told: Fields) -> str:
    return wire.read_id(told, "payment_intent") or wire.read_id(told, "charge")


_DISPUTES: Final = {
    "charge.dispute.funds_withdrawn": MovementKind.CHARGEBACK,
    "charge.dispute.funds_reinstated": MovementKind.CHARGEBACK_WON,
}
"""The events with which a dispute moves money; the others only tell how it stands."""


def _disputed(type_: str, dispute: Fields) -> tuple[Movement, ...]:
    """
    Return what a dispute moved: all that its balance transactions list.

    The money may go and come back more than once, in parts as well. Each of these is a
    movement: the first taking has the dispute's own id, and so has what gives it back;
    the second ones are ``dp_1#2``. A dispute without the list says so by its event.
    """
    moved = _entries(dispute)
    if not moved and type_ not in _DISPUTES:
        return ()
    dispute.id("id", pattern=ID)
    if not moved:
        all_of_it = refunds.read_amount(dispute)
        return (_turn(dispute, _DISPUTES[type_], 1, all_of_it, Fields(None, "Stripe")),)
    count = Counter[MovementKind]()
    movements = list[Movement]()
    for entry, amount in moved:
        kind = MovementKind.CHARGEBACK if amount < 0 else MovementKind.CHARGEBACK_WON
        count[kind] += 1
        worth = _worth(dispute, entry, abs(amount))
        taking = max(1, count[MovementKind.CHARGEBACK])
        movements.append(_turn(dispute, kind, count[kind], worth, entry, taking))
    return tuple(movements)


def _turn(
    dispute: Fields, kind: MovementKind, number: int, amount: Money, entry: Fields, taking: int = 1
) -> Movement:
    """Make the *number*-th movement of its kind; what comes back undoes the taking *taking*."""
    taken = kind is MovementKind.CHARGEBACK
    return Movement(
        movement_id=_numbered(dispute, number),
        amount=amount,
        kind=kind,
        effective=entry.instant("created", None),
        fee=_fee(entry) if taken else None,
        undoes=(wire.read_id(dispute, "charge") or None) if taken else _numbered(dispute, taking),
        code=dispute.text("reason", ""),
    )


def _numbered(dispute: Fields, number: int) -> str:
    return dispute.text("id") + ("" if number == 1 else f"#{number}")


def _entries(dispute: Fields) -> list[tuple[Fields, int]]:
    """Return the balance transactions that moved money, with their amounts, the oldest first."""
    listed = dispute.each("balance_transactions", ())
    found = [(entry, entry.whole("amount", 0)) for entry in listed]
    return sorted(
        [(entry, amount) for entry, amount in found if amount],
        key=lambda each: each[0].whole("created", 0),
    )


def _worth(dispute: Fields, entry: Fields, amount: int) -> Money:
    """Return what moved, in the currency of the charge.

    A balance transaction is in the currency that Stripe pays out. If that is another one,
    its amount follows the rate of the day, so all that is disputed counts as moved.
    """
    whole, currency = refunds.read_amount(dispute), entry.text("currency", "")
    if currency != dispute.text("currency", ""):
        return whole
    return refunds.read_amount(entry, currency, amount)


def _fee(entry: Fields) -> Money | None:
    """Return what Stripe charges for a dispute, in the currency of its payouts."""
    fee = entry.whole("fee", 0)
    try:
        return refunds.read_amount(entry, amount=fee) if fee > 0 else None
    except BadResponse:
        return None  # the dispute is what matters


_STATES: Final = {
    "needs_response": DisputeState.OPENED,
    "under_review": DisputeState.OPENED,
    "warning_needs_response": DisputeState.OPENED,
    "warning_under_review": DisputeState.OPENED,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}
"""How a dispute stands, in our words; a warning that is closed took nothing."""


def _stands(dispute: Fields) -> tuple[Dispute, ...]:
    """Return how a dispute stands, if the event tells that and it reads."""
    try:
        stands = Dispute(
            reference=dispute.id("id", pattern=ID),
            state=dispute.choice("status", _STATES),
            amount=refunds.read_amount(dispute),
            reason=dispute.text("reason", ""),
            respond_by=dispute.instant("evidence_details.due_by", None),
        )
    except BadResponse:
        return ()
    return (stands,)


_OF_METHODS: Final = frozenset(
    {"payment_method.automatically_updated", "payment_method.updated", "payment_method.detached"}
)
"""The events that tell what became of a card: the bank renewed it, or somebody took it away."""


def _method(kind: str, type_: str, about: Fields) -> MethodNews | None:
    """Return what became of a stored card, or of the mandate that it is debited by."""
    if kind == "mandate":
        reference = wire.read_id(about, "payment_method")
        revoked = about.value("status") == "inactive" and reference
        return MethodNews(reference=reference, ended=True, reason="inactive") if revoked else None
    reference = about.id("id", "", pattern=ID) if type_ in _OF_METHODS else ""
    if not reference:
        return None
    if type_ == "payment_method.detached":
        return MethodNews(reference=reference, ended=True, reason="detached")
    return MethodNews(reference=reference, facts=facts_of(about.at("card")) or MethodFacts())


# --- The list of events -----------------------------------------------------------------

TYPES: Final = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "setup_intent.canceled",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""What is asked for: the events that can change what we know. Stripe takes no more than twenty."""

_DOWN: Final = ">"


def feed(api: Api, cursor: str) -> Dialogue[FeedPage]:
    """Read the page of events that *cursor* leads to, the oldest first."""
    top, down, low = cursor.partition(_DOWN)
    query: Form = [*(("types[]", each) for each in TYPES), ("limit", str(wire.PAGE))]
    if cursor:
        step, event = ("starting_after", low) if down else ("ending_before", top)
        query.append((step, wire.named(event)))
    response = yield api.get("events", query, step="events")
    if cursor and _gone(response):
        # The event where we stopped is older than what Stripe keeps: begin again with what it has.
        return FeedPage(notices=(), cursor="", more=True)
    entries, last = wire.read_page(wire.expect_ok(response))
    notices = tuple(_notice(api.settings, entry) for entry in reversed(entries))
    newest = next(filter(None, (entry.id("id", "", pattern=ID) for entry in entries)), "")
    if cursor and not down:
        return FeedPage(notices=notices, cursor=newest if last else cursor, more=bool(last))
    top = top or newest
    return FeedPage(notices=notices, cursor=f"{top}{_DOWN}{last}" if last else top, more=bool(last))


def _gone(response: Response) -> bool:
    if response.status not in (400, 404):
        return False
    return wire.error_of(response).text("code", "") == "resource_missing"


def _notice(settings: StripeSettings, event: Fields) -> Notice:
    try:
        return read_event(settings, event)
    except NotAuthentic as error:
        # The reader of webhooks does not believe it; here it is Stripe's answer, and what was
        # told after it must be read all the same.
        return Notice(
            event_id=event.id("id", "", pattern=ID),
            type=event.text("type", ""),
            unreadable=f"Stripe lists an event that cannot be read: {error.message}",
        )
