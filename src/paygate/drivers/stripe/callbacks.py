"""Webhooks: who sent one, and what it concerns.

The body is a hint: it names our operation, and the core asks Stripe for the
state of it. Only what an inquiry cannot tell is taken from the body: how a dispute
stands and what money it moved, a refund that failed after it had succeeded, and a refund that
somebody made in the dashboard.

Stripe has a second kind of event, thin ones (``v2.core.event``), which name an object and
tell nothing of it. They are authenticated and acknowledged, and mean nothing here: a
destination of snapshot events has the same news. So is a format that a later version brings
(``v3.…event``): refused, it would be sent again for days.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from pydantic_core import from_json

from paygate.driver import (
    BadResponse,
    Dispute,
    DisputeState,
    MethodFacts,
    MethodNews,
    Movement,
    MovementKind,
    NotAuthentic,
    Notice,
    Secret,
)
from paygate.drivers.stripe import refunds
from paygate.drivers.stripe.messages import ID, at, facts_of, instant, read_id, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import Callback, Money
    from paygate.drivers.stripe.settings import StripeSettings

SIGNATURE: Final = "stripe-signature"
HEADER_MAX: Final = 4000

_NEWER: Final = re.compile(r"v[0-9]+(\.[a-z0-9_]+)*\.event[a-z0-9_]*")
"""The names of the formats after the first, which is "event"."""

TOLERANCE_S: Final = 300
"""How far the signature's clock may be from ours, either way: an older one is a recording."""


class StripeVerifier:
    """Reads webhooks that are signed with one of the account's secrets."""

    def __init__(self, settings: StripeSettings) -> None:
        self._live = settings.live
        self._account = settings.account
        self._secrets = [Secret(each.reveal().encode()) for each in settings.webhook_secrets]

    def read(self, callback: Callback) -> Notice:
        """Authenticate *callback* on its raw bytes and read it, or raise `NotAuthentic`."""
        signed_at = self._authenticate(callback)
        try:
            event: object = from_json(callback.body)
        except ValueError:
            unreadable = "the webhook is signed, and is not JSON"
            return Notice(event_id="", type="", signed_at=signed_at, unreadable=unreadable)
        reader = read_thin if _NEWER.fullmatch(text(event, "object")) else read_event
        notice = reader(event, live=self._live, account=self._account)
        return replace(notice, signed_at=signed_at)

    def _authenticate(self, callback: Callback) -> datetime:
        stamp, signatures = _parts(callback.headers.get(SIGNATURE, ""))
        message = stamp.encode() + b"." + callback.body
        good = False
        for secret in self._secrets:
            ours = hmac.digest(secret.reveal(), message, "sha256").hex().encode()
            for theirs in signatures:
                good = hmac.compare_digest(ours, theirs) or good
        if not good:
            raise NotAuthentic(
                "the webhook's signature is none that Stripe made with our secrets", why="signature"
            )
        signed_at = datetime.fromtimestamp(int(stamp), UTC)
        if abs((callback.received_at - signed_at).total_seconds()) > TOLERANCE_S:
            raise NotAuthentic(
                f"the webhook was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC", why="too_old"
            )
        return signed_at


def read_event(event: object, *, live: bool, account: str) -> Notice:
    """
    Read an event of the account, or raise `NotAuthentic` if it is none.

    Other systems use the same account, and an event of theirs may hold what we have
    never heard of. One that does not read says so, and stops nothing.
    """
    told = cast("dict[str, object]", event) if isinstance(event, dict) else {}
    if told.get("object") != "event":
        raise NotAuthentic("the webhook is no event of Stripe's first version")
    _check_ours(told.get("livemode"), told.get("account"), live=live, account=account)
    event_id, type_ = text(told, "id"), text(told, "type")
    if not ID.fullmatch(event_id) or not type_:
        return Notice(event_id="", type=type_, unreadable="an event of Stripe's without id or type")
    data = told.get("data")
    about = at(data, "object")
    reader = _READERS.get(text(about, "object"), _nothing)
    unreadable = ""
    try:
        reference, our_ref, movements = reader(type_, about, data)
    except BadResponse as error:
        unreadable, movements = error.message, ()
        our_ref = text(about, "metadata", "paygate_attempt")
        reference = text(about, "id") if our_ref else _by_intent(about)
    return Notice(
        event_id=event_id,
        type=type_,
        reference=reference,
        our_ref=our_ref,
        movements=movements,
        disputes=_stands(about),
        method=_method(type_, about),
        occurred_at=instant(told, "created"),
        foreign=text(about, "object") in _MARKED and not text(about, "metadata", "paygate_attempt"),
        unreadable=unreadable,
    )


def read_thin(event: object, *, live: bool, account: str) -> Notice:
    """Read an event of a newer format, which concerns nothing, or raise `NotAuthentic`."""
    told = cast("dict[str, object]", event)
    context = told.get("context")
    # An organisation's event names the way to the account: "org_1/acct_2".
    of = context.rpartition("/")[2] if isinstance(context, str) else context
    _check_ours(told.get("livemode", live), of, live=live, account=account)
    event_id, type_ = text(told, "id"), text(told, "type")
    if not ID.fullmatch(event_id) or not type_:
        return Notice(event_id="", type=type_, unreadable="a thin event without id or type")
    return Notice(event_id=event_id, type=type_)


def _check_ours(livemode: object, of: object, *, live: bool, account: str) -> None:
    if livemode is not live:
        raise NotAuthentic(
            "the webhook is of the other mode: one of test and live is wrong", why="other_mode"
        )
    if of is not None and account and of != account:
        raise NotAuthentic("the webhook is of another Stripe account", why="other_account")


def _parts(header: str) -> tuple[str, list[bytes]]:
    """Read ``t=…,v1=…,v1=…``; other schemes (v0 is for tests) are not looked at."""
    stamps, signatures = list[str](), list[bytes]()
    if len(header) <= HEADER_MAX:
        for part in header.split(","):
            name, _, value = part.partition("=")
            if name == "v1":
                signatures.append(value.encode("utf-8", "replace"))
            elif name == "t":
                stamps.append(value)
    # Stripe signs one time. Of two, only one could be the signed one, and readers differ in which.
    stamp = stamps[0] if len(stamps) == 1 else ""
    # Ten digits until the year 2286; more would not be a time that Python has.
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        raise NotAuthentic("the webhook has no Stripe-Signature that can be read", why="unsigned")
    return stamp, signatures


# --- What it concerns, by the kind of the object in it -----------------------------------


def _ours(type_: str, told: object, data: object) -> _Concerns:
    """Read an object that carries our reference."""
    del type_, data
    return text(told, "id"), text(told, "metadata", "paygate_attempt"), ()


def _page(type_: str, session: object, data: object) -> _Concerns:
    del type_, data
    return text(session, "id"), text(session, "client_reference_id"), ()


def _charge(type_: str, charge: object, data: object) -> _Concerns:
    del type_, data
    return _by_intent(charge), text(charge, "metadata", "paygate_attempt"), ()


def _refund(type_: str, refund: object, data: object) -> _Concerns:
    del type_
    our_ref = text(refund, "metadata", "paygate_attempt")
    # A refund with a balance transaction moved money. One without may only be what is left of an
    # authorisation being released, which Stripe calls a refund too; an inquiry tells them apart.
    was = text(data, "previous_attributes", "status")
    moved = bool(read_id(refund, "balance_transaction"))
    movements = (
        refunds.movements_of(cast("dict[str, object]", refund), failed_later=was == "succeeded")
        if moved or was == "succeeded"
        else ()
    )
    return text(refund, "id") if our_ref else _by_intent(refund), our_ref, movements


_DISPUTES: Final = {
    "charge.dispute.funds_withdrawn": MovementKind.CHARGEBACK,
    "charge.dispute.funds_reinstated": MovementKind.CHARGEBACK_WON,
}
"""The events with which a dispute moves money; the others only tell how it stands."""


def _dispute(type_: str, dispute: object, data: object) -> _Concerns:
    """
    Read what a dispute moved: all that its balance transactions list.

    The money may go and come back more than once, in parts as well. Each of these is a
    movement: the first taking has the dispute's own id, and so has what gives it back;
    the second ones are ``dp_1#2``. A dispute without the list says so by its event.
    """
    del data
    moved = _entries(dispute)
    if not moved and type_ not in _DISPUTES:
        return _by_intent(dispute), "", ()
    if not ID.fullmatch(text(dispute, "id")):
        raise BadResponse("Stripe tells of a dispute without its id")
    if not moved:
        by_event = _turn(dispute, _DISPUTES[type_], 1, refunds.read_amount(dispute))
        return _by_intent(dispute), "", (by_event,)
    count = Counter[MovementKind]()
    movements = list[Movement]()
    for entry, amount in moved:
        kind = MovementKind.CHARGEBACK if amount < 0 else MovementKind.CHARGEBACK_WON
        count[kind] += 1
        worth = _worth(dispute, entry, abs(amount))
        movements.append(
            _turn(dispute, kind, count[kind], worth, entry, max(1, count[MovementKind.CHARGEBACK]))
        )
    return _by_intent(dispute), "", tuple(movements)


def _turn(
    dispute: object,
    kind: MovementKind,
    number: int,
    amount: Money,
    entry: object = None,
    taking: int = 1,
) -> Movement:
    """Make the *number*-th movement of its kind; what comes back undoes the taking *taking*."""
    taken = kind is MovementKind.CHARGEBACK
    return Movement(
        movement_id=_numbered(dispute, number),
        amount=amount,
        kind=kind,
        effective=instant(entry, "created"),
        fee=_fee(entry) if taken else None,
        undoes=(read_id(dispute, "charge") or None) if taken else _numbered(dispute, taking),
        code=text(dispute, "reason"),
    )


def _numbered(dispute: object, number: int) -> str:
    return text(dispute, "id") + ("" if number == 1 else f"#{number}")


def _entries(dispute: object) -> list[tuple[object, int]]:
    """Return the balance transactions that moved money, with their amounts, the oldest first."""
    listed = at(dispute, "balance_transactions")
    found = list[tuple[object, int]]()
    for entry in cast("list[object]", listed) if isinstance(listed, list) else []:
        amount = at(entry, "amount")
        if type(amount) is int and amount:
            found.append((entry, amount))
    return sorted(found, key=lambda each: _created(each[0]))


def _created(entry: object) -> int:
    created = at(entry, "created")
    return created if type(created) is int else 0


def _worth(dispute: object, entry: object, amount: int) -> Money:
    """Return what moved, in the currency of the charge.

    A balance transaction is in the currency that Stripe pays out. If that is another one,
    its amount follows the rate of the day, so all that is disputed counts as moved.
    """
    whole = refunds.read_amount(dispute)
    if text(entry, "currency") != text(dispute, "currency"):
        return whole
    return refunds.read_amount({"currency": text(entry, "currency"), "amount": amount})


def _fee(entry: object) -> Money | None:
    """Read what Stripe charges for a dispute, in the currency of its payouts."""
    fee = at(entry, "fee")
    if type(fee) is not int or fee <= 0:
        return None
    try:
        return refunds.read_amount({"currency": text(entry, "currency"), "amount": fee})
    except BadResponse:
        return None  # the dispute is what matters


_OF_METHODS: Final = frozenset(
    {
        "payment_method.automatically_updated",
        "payment_method.updated",
        "payment_method.detached",
    }
)
"""The events that tell what became of a card: the bank renewed it, or somebody took it away."""

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


def _stands(told: object) -> tuple[Dispute, ...]:
    """Read how a dispute stands, where the event tells one that reads as such."""
    state, identity = _STATES.get(text(told, "status")), text(told, "id")
    if text(told, "object") != "dispute" or state is None or not ID.fullmatch(identity):
        return ()
    try:
        amount = refunds.read_amount(told)
    except BadResponse:
        return ()
    stands = Dispute(
        reference=identity,
        state=state,
        amount=amount,
        reason=text(told, "reason"),
        respond_by=instant(told, "evidence_details", "due_by"),
    )
    return (stands,)


def _method(type_: str, told: object) -> MethodNews | None:
    """Read what became of a stored card, or of the mandate that it is debited by."""
    if text(told, "object") == "mandate":
        revoked = text(told, "status") == "inactive"
        reference = read_id(told, "payment_method")
        fits = revoked and ID.fullmatch(reference)
        return MethodNews(reference=reference, ended=True, reason="inactive") if fits else None
    if type_ not in _OF_METHODS or not ID.fullmatch(text(told, "id")):
        return None
    reference = text(told, "id")
    if type_ == "payment_method.detached":
        return MethodNews(reference=reference, ended=True, reason="detached")
    return MethodNews(reference=reference, facts=facts_of(at(told, "card")) or MethodFacts())


def _nothing(type_: str, told: object, data: object) -> _Concerns:
    del type_, told, data
    return "", "", ()


def _by_intent(told: object) -> str:
    return read_id(told, "payment_intent") or read_id(told, "charge")


_MARKED: Final = frozenset(
    {"payment_intent", "setup_intent", "checkout.session", "charge", "refund"}
)
"""What carries our reference if we made it; a dispute never does."""

_Concerns: TypeAlias = tuple[str, str, tuple[Movement, ...]]

_READERS: Final[dict[str, Callable[[str, object, object], _Concerns]]] = {
    "payment_intent": _ours,
    "setup_intent": _ours,
    "checkout.session": _page,
    "charge": _charge,
    "refund": _refund,
    "dispute": _dispute,
}
"""How to find out what an event concerns; what is not here changes nothing."""
