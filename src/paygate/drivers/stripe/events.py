"""Events, sent by webhooks or read from Stripe's list: who sent one, and what it concerns.

The body is a hint: it names our operation, whose state the core then asks Stripe for. Only what an
inquiry cannot return is taken from the body: the state of a dispute and the money it moved, a
refund that failed after it had succeeded, and a refund that was made in the dashboard.

Stripe has a second kind of event, thin ones (``v2.core.event``), which name an object and say
nothing about it. They are authenticated and acknowledged, and mean nothing here: a destination of
snapshot events has the same news. Later formats (``v3.…event``) are treated alike: a refused event
would be sent again for days.

The list has the events of lost webhooks. Stripe keeps events for 30 days and lists the newest
first. The first reading walks down to the oldest, so the cursor holds its start and how far down it
came; later readings walk up from the last event. The last page is read again each time,
because an event may appear a moment after a later one; the inbox keeps each of them once.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import MovementKind, by_word, check_age, read_json_value, unix_stamp
from paygate.drivers.stripe import refunds, wire
from paygate.drivers.stripe.codes import ID, facts_of

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.driver import Callback, Dialogue, Fields, Money, Movement, Notice, Response
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
        self._keys = driver.HmacKeys(settings.webhook_secrets, "Stripe")

    def read(self, callback: Callback) -> Notice:
        """Authenticate the raw bytes of *callback* and read it, or raise `NotAuthentic`."""
        stamp, signatures = _parts(callback.headers.get(SIGNATURE, ""))
        signed_at = unix_stamp(stamp, "Stripe")
        self._keys.check(stamp.encode() + b"." + callback.body, *signatures)
        check_age(signed_at, callback.received_at, TOLERANCE_S)
        try:
            event = read_json_value(callback.body, "Stripe", signed=True)
        except driver.BadResponse:
            unreadable = "the webhook is signed, and is not JSON"
            return driver.Notice(event_id="", type="", signed_at=signed_at, unreadable=unreadable)
        reader = _read_thin if _NEWER.fullmatch(event.text("object", "")) else read_event
        return reader(self._settings, event, signed_at)


def _parts(header: str) -> tuple[str, list[str]]:
    """Read ``t=…,v1=…,v1=…``; other schemes are ignored (v0 is for tests)."""
    parts = [each.partition("=") for each in header.split(",")] if len(header) <= HEADER_MAX else []
    stamps = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    # Stripe signs one time. Of two, only one could be signed, and readers differ in which.
    if len(stamps) != 1:
        raise driver.NotAuthentic(
            "the webhook has no Stripe-Signature that can be read", why="unsigned"
        )
    return stamps[0], signatures


def read_event(
    settings: StripeSettings, event: Fields, signed_at: datetime | None = None
) -> Notice:
    """
    Return what an event of the account says, or raise `NotAuthentic` if it is not one.

    Other systems use the same account, and their events may hold anything. An event that cannot be
    read is returned as unreadable, and stops nothing.
    """
    if event.value("object") != "event":
        raise driver.NotAuthentic("the webhook is not an event of Stripe's first version")
    _check_ours(settings, event.value("livemode"), event.value("account"))
    event_id, type_ = event.id("id", "", pattern=ID), event.text("type", "")
    if not event_id or not type_:
        return _nameless(type_, "an event of Stripe's", signed_at)
    about = event.at("data.object")
    kind = about.text("object", "")
    our_ref, unreadable = about.text(wire.OURS, "") if kind in _MARKED else "", ""
    try:
        reference, movements = _concerns(kind, our_ref, type_, about, event)
    except driver.BadResponse as error:
        unreadable, movements = error.message, ()
        reference = about.text("id", "") if our_ref else _by_intent(about)
    return driver.Notice(
        event_id=event_id,
        type=type_,
        signed_at=signed_at,
        reference=reference,
        our_ref=about.text("client_reference_id", "") if kind == "checkout.session" else our_ref,
        movements=movements,
        disputes=_state_of(about) if kind == "dispute" else (),
        method=_method(kind, type_, about),
        occurred_at=event.instant("created", None),
        foreign=kind in _MARKED and not our_ref,
        unreadable=unreadable,
    )


def _read_thin(settings: StripeSettings, event: Fields, signed_at: datetime) -> Notice:
    """Return an event of a newer format, which concerns nothing."""
    context = event.value("context")
    # An event of an organization names the path to the account: "org_1/acct_2".
    account = context.rpartition("/")[2] if isinstance(context, str) else context
    mode = event.value("livemode") if "livemode" in event else settings.live
    _check_ours(settings, mode, account)
    event_id, type_ = event.id("id", "", pattern=ID), event.text("type", "")
    if not event_id or not type_:
        return _nameless(type_, "a thin event", signed_at)
    return driver.Notice(event_id=event_id, type=type_, signed_at=signed_at)


def _nameless(type_: str, what: str, signed_at: datetime | None) -> Notice:
    """Return the notice of an event without an id or a type, which cannot be read."""
    unreadable = f"{what} without id or type"
    return driver.Notice(event_id="", type=type_, signed_at=signed_at, unreadable=unreadable)


def _check_ours(settings: StripeSettings, livemode: object, account: object) -> None:
    if livemode is not settings.live:
        raise driver.NotAuthentic(
            "the webhook is of the other mode: one of test and live is wrong", why="other_mode"
        )
    ours, connected = settings.charged_account, settings.connected_account
    # Only the events of a connected account always name it.
    if (account is not None or connected) and ours and account != ours:
        raise driver.NotAuthentic("the webhook is of another Stripe account", why="other_account")


# --- What it concerns, by the kind of its object -----------------------------------------

_MARKED: Final = frozenset(
    {"payment_intent", "setup_intent", "checkout.session", "charge", "refund"}
)
"""The objects that carry our reference if we made them; a dispute never does."""


def _concerns(
    kind: str, our_ref: str, type_: str, about: Fields, event: Fields
) -> tuple[str, tuple[Movement, ...]]:
    """Return the reference that an event concerns, and the money that it says moved."""
    match kind:
        case "payment_intent" | "setup_intent" | "checkout.session":
            return about.text("id", ""), ()
        case "charge":
            return _by_intent(about), ()
        case "refund":
            # One with a balance transaction moved money. One without may only be the released rest
            # of an authorization, which Stripe also calls a refund; an inquiry distinguishes them.
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
"""The events with which a dispute moves money; the others only report its state."""


def _disputed(type_: str, dispute: Fields) -> tuple[Movement, ...]:
    """
    Return what a dispute moved: everything that its balance transactions list.

    Money may be taken and given back more than once, also in parts. Each of these is a movement:
    the first taking and its return have the dispute's own id, the second ``dp_1#2``. If there is
    no list, the type of the event says what moved.
    """
    entries = _entries(dispute)
    if not entries and type_ not in _DISPUTES:
        return ()
    dispute.id("id", pattern=ID)
    if not entries:
        amount, no_entry = refunds.read_amount(dispute), driver.Fields(None, "Stripe")
        return (_turn(dispute, _DISPUTES[type_], 1, amount, no_entry),)
    count = Counter[MovementKind]()
    movements = list[driver.Movement]()
    for entry, change in entries:
        kind = MovementKind.CHARGEBACK if change < 0 else MovementKind.CHARGEBACK_WON
        count[kind] += 1
        worth = _worth(dispute, entry, abs(change))
        taking = max(1, count[MovementKind.CHARGEBACK])
        movements.append(_turn(dispute, kind, count[kind], worth, entry, taking))
    return tuple(movements)


def _turn(
    dispute: Fields,
    kind: MovementKind,
    number: int,
    amount: Money,
    entry: Fields,
    taking: int = 1,
) -> Movement:
    """Return the *number*-th movement of its kind; a return undoes the taking *taking*."""
    taken = kind is MovementKind.CHARGEBACK
    return driver.Movement(
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
    moved = [(entry, amount) for entry in listed if (amount := entry.whole("amount", 0))]
    return sorted(moved, key=lambda each: each[0].whole("created", 0))


def _worth(dispute: Fields, entry: Fields, amount: int) -> Money:
    """Return what moved, in the currency of the charge.

    A balance transaction is in the currency of Stripe's payouts. If that is another one, its amount
    depends on the day's rate, so the whole disputed amount counts as moved.
    """
    whole, currency = refunds.read_amount(dispute), entry.text("currency", "")
    if currency != dispute.text("currency", ""):
        return whole
    return refunds.read_amount(entry, currency, amount)


def _fee(entry: Fields) -> Money | None:
    """Return Stripe's fee for a dispute, in the currency of its payouts."""
    fee = entry.whole("fee", 0)
    try:
        return refunds.read_amount(entry, amount=fee) if fee > 0 else None
    except driver.BadResponse:
        return None  # the dispute is what matters


_STATES: Final = by_word(
    {
        driver.DisputeState.OPENED: """
            needs_response under_review warning_needs_response warning_under_review
        """,
        # A warning that was closed took nothing.
        driver.DisputeState.WON: "prevented warning_closed won",
        driver.DisputeState.LOST: "lost",
    }
)
"""The states of a dispute."""


def _state_of(dispute: Fields) -> tuple[driver.Dispute, ...]:
    """Return the state of a dispute, if it can be read."""
    try:
        return (
            driver.Dispute(
                reference=dispute.id("id", pattern=ID),
                state=dispute.choice("status", _STATES),
                amount=refunds.read_amount(dispute),
                reason=dispute.text("reason", ""),
                respond_by=dispute.instant("evidence_details.due_by", None),
            ),
        )
    except driver.BadResponse:
        return ()


_OF_METHODS: Final = frozenset(
    {"payment_method.automatically_updated", "payment_method.updated", "payment_method.detached"}
)
"""The events of a stored card that the bank renewed or somebody detached."""


def _method(kind: str, type_: str, about: Fields) -> driver.MethodNews | None:
    """Return what became of a stored card, or of the mandate by which a method is debited."""
    if kind == "mandate":
        reference = wire.read_id(about, "payment_method")
        if about.value("status") != "inactive" or not reference:
            return None
        return driver.MethodNews(reference=reference, ended=True, reason="inactive")
    reference = about.id("id", "", pattern=ID) if type_ in _OF_METHODS else ""
    if not reference:
        return None
    if type_ == "payment_method.detached":
        return driver.MethodNews(reference=reference, ended=True, reason="detached")
    facts = facts_of(about.at("card")) or driver.MethodFacts()
    return driver.MethodNews(reference=reference, facts=facts)


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
"""The events that can change what we know. Stripe accepts at most twenty types."""

_DOWN: Final = ">"


def feed(api: Api, cursor: str) -> Dialogue[driver.FeedPage]:
    """Read the page of events that *cursor* leads to, the oldest first."""
    top, down, low = cursor.partition(_DOWN)
    query = [*(("types[]", each) for each in TYPES), ("limit", str(wire.PAGE))]
    if cursor:
        step, event = ("starting_after", low) if down else ("ending_before", top)
        query.append((step, wire.named(event)))
    response = yield api.get("events", query, step="events")
    if cursor and _is_gone(response):
        # The last event is older than what Stripe keeps: begin again with what it has.
        return driver.FeedPage(notices=(), cursor="", more=True)
    entries, last = wire.read_page(wire.expect_ok(response))
    notices = tuple(_notice(api.settings, entry) for entry in reversed(entries))
    newest = next(filter(None, (entry.id("id", "", pattern=ID) for entry in entries)), "")
    if cursor and not down:
        following = newest if last else cursor
    else:
        top = top or newest
        following = f"{top}{_DOWN}{last}" if last else top
    return driver.FeedPage(notices=notices, cursor=following, more=bool(last))


def _is_gone(response: Response) -> bool:
    missing = response.status in (400, 404)
    return missing and wire.error_of(response).text("code", "") == "resource_missing"


def _notice(settings: StripeSettings, event: Fields) -> Notice:
    try:
        return read_event(settings, event)
    except driver.NotAuthentic as error:
        # A webhook like this is refused. Here it is in Stripe's own answer, and the events after
        # it must be read anyway.
        return driver.Notice(
            event_id=event.id("id", "", pattern=ID),
            type=event.text("type", ""),
            unreadable=f"Stripe lists an event that cannot be read: {error.message}",
        )
