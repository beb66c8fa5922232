"""The door: what a driver hands back is foreign until it has been checked here.

A driver is somebody else's code. It may return nothing, a text, an outcome that the
operation cannot have, an amount of zero, an instant without a zone. Such a value must
never reach a rule or a constraint of the ledger, where it would fail late, and with it
whatever is done in the same transaction. So each kind of thing that a driver returns has
a table of its fields, and one that does not fit is a fault of the driver: see `flow.ask`.

A message names the field that is wrong and never its value, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, get_args

from paygate import logs
from paygate.dialogue import Note, Request
from paygate.domain.action import (
    Action,
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.currency import SCALES
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodFacts, MethodNews, StoredMethod
from paygate.domain.money import AMOUNT_MAX, MINOR_MAX, Money
from paygate.domain.movement import Movement, MovementKind, Sighting
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Closed,
    Closing,
    DeclineCode,
    Declined,
    Fault,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.quoting import Price
from paygate.domain.secret import Secret
from paygate.errors import PaygateError
from paygate.gateway import AccountFacts, FeedPage, Notice, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Finding, Outcome
    from paygate.gateway import Applied, Verifies
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.hiding import Hidden

T = TypeVar("T")

_TEXT_MAX: Final = 20_000
_NAME_MAX: Final = 500
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2200
"""Days are counted on from what a driver says, and at the ends of the calendar none are left."""


class Foreign(Exception):
    """What a driver returned is nothing that the protocol knows; the message names the field."""


@dataclass(frozen=True, slots=True)
class Door(Generic[T]):
    """What one question to *driver* may be answered with; `admit` raises `Foreign` for the rest.

    `hidden` are the secrets that stand in no answer.
    """

    driver: str
    admit: Callable[[object], T]
    hidden: Hidden


# --- What is asked, and what may come ------------------------------------------------------

_COMES: Final = frozenset({MovementKind.CHARGE, MovementKind.CAPTURE})
_ENDS: Final = frozenset({Approved, Declined, Rejected, Pending, Closed, Unknown})
ADMITTED: Final[Mapping[Operation, frozenset[type]]] = {
    Operation.CHARGE: _ENDS | {ActionRequired, Authorized},
    Operation.AUTHORIZE: _ENDS | {ActionRequired, Authorized},
    Operation.COMPLETE: _ENDS | {ActionRequired, Authorized},
    Operation.CAPTURE: _ENDS,
    Operation.VOID: _ENDS,
    Operation.REFUND: _ENDS | {ActionRequired},
    Operation.CLOSE: _ENDS | {ActionRequired, Authorized},
    Operation.ENROLL: _ENDS | {ActionRequired},
    Operation.FORGET: _ENDS,
}
"""What each operation may come to."""

_OF_METHODS: Final = frozenset({Operation.ENROLL, Operation.FORGET})
"""They are about a method alone, and no money moves."""

_OF_PAGES: Final = frozenset({Operation.COMPLETE, Operation.CLOSE})
"""They may find that the page is still open, which says nothing new of what it asks for."""


def outcome(account: GatewayAccount, operation: Operation) -> Door[Outcome]:
    """Admit what *operation* may come to."""
    return Door(
        account.gateway.name,
        lambda value: _outcome(value, ADMITTED[operation], operation),
        account.hidden,
    )


def finding(account: GatewayAccount, operation: Operation) -> Door[Finding]:
    """Admit what an inquiry about *operation* may find."""
    classes = ADMITTED[operation] | {NotFound}
    return Door(
        account.gateway.name, lambda value: _outcome(value, classes, operation), account.hidden
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A page of a feed whose notices can be kept; `wrong` says what else of it does not fit."""

    page: FeedPage
    wrong: str = ""


def page(account: GatewayAccount) -> Door[Told]:
    """Admit a page of a feed; a notice in it that cannot be read becomes one that says so."""
    return Door(account.gateway.name, lambda value: _page(account, value), account.hidden)


def notices(account: GatewayAccount, value: object) -> list[Notice]:
    """Return what a callback says; a notice that cannot be read becomes one that says so."""
    if type(value) not in (list, tuple):
        raise Foreign("it returned no list of notices")
    return [_readable(account, each) for each in cast("list[object]", value)]


def facts(account: GatewayAccount) -> Door[AccountFacts]:
    """Admit what is said of an account."""
    return Door(account.gateway.name, lambda value: _one(value, AccountFacts), account.hidden)


def price(account: GatewayAccount) -> Door[Price]:
    """Admit what an amount costs."""
    return Door(account.gateway.name, lambda value: _one(value, Price), account.hidden)


def place_to_pay(account: GatewayAccount) -> Door[PayToAddress]:
    """Admit how a payer pays what is left at a place."""
    return Door(account.gateway.name, lambda value: _one(value, PayToAddress), account.hidden)


def dialogue(value: object) -> bool:
    """Return whether *value* is a dialogue, which can be held and closed."""
    return isinstance(value, Generator)


def step(value: object) -> Request | Note:
    """Admit what a dialogue yields."""
    if type(value) not in (Request, Note):
        raise Foreign("its dialogue yielded no request")
    _check(value)
    return cast("Request | Note", value)


def reply(
    account: GatewayAccount,
    gateway: Verifies,
    notice: Notice,
    result: Applied,
    tx: Tx | None = None,
) -> Reply:
    """
    Return the driver's reply to a callback, or a plain one if it makes none.

    In the transaction *tx* a fault of the driver is logged when that is durable.
    """
    about = logs.About(account=account.name)
    try:
        made: object = gateway.reply(notice, result)
        return _one(made, Reply)
    except Foreign as fault:
        tell_bug(about, account.gateway.name, str(fault), tx)
    except PaygateError:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's; the callback is stored or applied)
        tell_bug(about, account.gateway.name, place_of(bug), tx)
    return Reply()


def begun(begin: Callable[[], Dialogue[T]]) -> Dialogue[T]:
    """Begin a dialogue; a fault of the driver in doing so is one of the dialogue.

    What the driver refuses in our words is raised at once.
    """
    try:
        made = begin()
        return made if dialogue(made) else _failing(Foreign("it returned no dialogue"))
    except PaygateError:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's; `ask` contains it)
        return _failing(bug)


def _failing(bug: Exception) -> Dialogue[Any]:
    yield from ()
    raise bug


def tell_bug(about: logs.About, driver: str, text: str, tx: Tx | None = None) -> None:
    """Log a fault of a driver; *text* holds nothing that a driver has said."""
    told = f"driver {driver or '?'} of account {about.account or '?'} is at fault: {text}"
    if tx is None:
        logs.write("paygate.service", "driver.fault", told, about)
    else:
        tx.say("driver.fault", told, about)


def place_of(bug: BaseException) -> str:
    """Return the kind and the place of an exception: its text may hold a secret."""
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "an unknown place"
    if trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"it failed with {type(bug).__name__} at {where}"


def _outcome(value: object, classes: frozenset[type], operation: Operation) -> Any:
    if type(value) not in classes:
        known = type(value) in CHECKED
        told = type(value).__name__ if known else "nothing that is an outcome"
        raise Foreign(f"it returned {told}, which this operation cannot come to")
    if isinstance(value, ActionRequired) and value.action is None and operation not in _OF_PAGES:
        raise Foreign("it asks the payer to do something, and not for what")
    _check(value)
    if operation in _OF_METHODS and isinstance(value, Approved) and value.movements:
        raise Foreign("Approved.movements is not empty, and this operation moves no money")
    return value


def check(value: object) -> None:
    """Raise `Foreign` if a field of the outcome *value* does not fit."""
    if type(value) not in CHECKED:
        raise Foreign("it is nothing that is an outcome")
    _check(value)


def _one(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise Foreign(f"it returned no {kind.__name__}")
    _check(value)
    return value


def _page(account: GatewayAccount, value: object) -> Told:
    from dataclasses import replace

    if type(value) is not FeedPage:
        raise Foreign("it returned no FeedPage")
    read, wrong_read = _figure(account, value, "read")
    behind, wrong_behind = _figure(account, value, "behind")
    readable = tuple(notices(account, value.notices))
    told = replace(value, notices=readable, read=read, behind=behind)
    _check(told)
    return Told(told, wrong_read or wrong_behind)


def _figure(account: GatewayAccount, page: FeedPage, name: str) -> tuple[int, str]:
    """Return a figure of a page, or 0 and what is wrong with it.

    It is for people; what the page says of money counts all the same.
    """
    try:
        _check_field(page, name, CHECKED[FeedPage][name])
    except Foreign as fault:
        tell_bug(logs.About(account=account.name), account.gateway.name, str(fault))
        return 0, f"the driver is at fault: {fault}"
    return getattr(page, name), ""


def _readable(account: GatewayAccount, value: object) -> Notice:
    """Return a notice that can be kept: as it is, or as a hint with what can be read of it."""
    try:
        return _bookable(account, _one(value, Notice))
    except Foreign as fault:
        tell_bug(logs.About(account=account.name), account.gateway.name, str(fault))
        why = f"the driver is at fault: {fault}"

    def text(name: str) -> str:
        held: object = getattr(value, name, None) if type(value) is Notice else None
        return cast("str", held) if _REFERENCE.holds(held) else ""

    return Notice(
        event_id=text("event_id"),
        type="unreadable",
        reference=text("reference"),
        our_ref=text("our_ref"),
        earlier_reference=text("earlier_reference"),
        unreadable=why,
    )


def _bookable(account: GatewayAccount, notice: Notice) -> Notice:
    """Refuse money for a payer's number of which it is not clear what payment it makes."""
    if not notice.payer_number:
        return notice
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    told = (*answered, *notice.movements)
    came = {(each.kind, each.movement_id) for each in told if each.kind in _COMES}
    if len(came) > 1:
        raise Foreign("Notice.payer_number has more than one movement that comes")
    rails = account.traits.rails
    if notice.kind is None and len(rails) != 1:
        raise Foreign("Notice.kind is not said, and the account has several kinds")
    if notice.kind is not None and notice.kind not in rails:
        raise Foreign("Notice.kind is none of the account's kinds")
    return notice


# --- Rules for one field -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    says: str
    holds: Callable[[Any], bool]


def _storable(value: object, limit: int) -> bool:
    if not isinstance(value, str) or len(value) > limit or "\x00" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _storable(name, _TEXT_MAX) and _storable(text, _TEXT_MAX)
        for name, text in cast("Mapping[object, object]", value).items()
    )


def _is_memory(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _storable(name, _NAME_MAX) and (held is None or type(held) is bytes)
        for name, held in cast("Mapping[object, object]", value).items()
    )


def _is_secret(value: object) -> bool:
    if not isinstance(value, Secret):
        return False
    secret = cast("Secret[str]", value)
    return bool(secret) and _storable(secret.reveal(), _TEXT_MAX)


def _is_money(value: object, low: int) -> bool:
    return (
        type(value) is Money
        and value.currency in SCALES
        and type(value.minor) is int
        and low <= value.minor <= AMOUNT_MAX
    )


def _is_instant(value: object) -> bool:
    if type(value) is not datetime or value.utcoffset() is None:
        return False
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def _is_date(value: object) -> bool:
    return type(value) is date and _FIRST_YEAR <= value.year <= _LAST_YEAR


def _or_none(rule: _Rule) -> _Rule:
    return _Rule(f"{rule.says}, or None", lambda value: value is None or rule.holds(value))


def _member(enum: type) -> _Rule:
    return _Rule(f"a {enum.__name__}", lambda value: type(value) is enum)


def _number(low: int, high: int) -> _Rule:
    return _Rule(
        f"a whole number from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def _is_whole(value: object, kind: type) -> bool:
    """Return whether *value* is of *kind*, and all of its fields fit."""
    if type(value) is not kind:
        return False
    _check(value)
    return True


def _all_of(kind: type) -> _Rule:
    def holds(value: object) -> bool:
        if type(value) not in (tuple, list):
            return False
        return all(_is_whole(each, kind) for each in cast("list[object]", value))

    return _Rule(f"a tuple of {kind.__name__}", holds)


_TEXT: Final = _Rule("a text that can be stored", lambda value: _storable(value, _TEXT_MAX))
_NAME: Final = _Rule(
    f"a name of 1 to {_NAME_MAX} characters",
    lambda value: _storable(value, _NAME_MAX) and bool(value.strip()),
)
_REFERENCE: Final = _Rule(
    f"a text of at most {_NAME_MAX} characters", lambda value: _storable(value, _NAME_MAX)
)
_ADDRESS: Final = _Rule(
    "an address", lambda value: _storable(value, _TEXT_MAX) and bool(value.strip())
)
_TEXTS: Final = _Rule("a mapping of texts", _is_texts)
_YES_NO: Final = _Rule("True or False", lambda value: type(value) is bool)
_AMOUNT: Final = _Rule("an amount above zero", lambda value: _is_money(value, 1))
_ANY_AMOUNT: Final = _Rule("an amount", lambda value: _is_money(value, -AMOUNT_MAX))
_YEARS: Final = f"from {_FIRST_YEAR} to {_LAST_YEAR}"
_INSTANT: Final = _Rule(f"an instant {_YEARS} with its zone", _is_instant)
_DATE: Final = _Rule(f"a date {_YEARS}", _is_date)
_DAY: Final = _Rule(
    f"a date, or an instant with its zone, {_YEARS}",
    lambda value: _DATE.holds(value) or _INSTANT.holds(value),
)
_BYTES: Final = _Rule("bytes", lambda value: type(value) is bytes)
_SECRET: Final = _Rule("a secret text", _is_secret)
_ACTIONS: Final = get_args(Action)
_ACTION: Final = _Rule(
    "an action",
    lambda value: any(_is_whole(value, kind) for kind in _ACTIONS),
)
_STORED: Final = _Rule("a StoredMethod", lambda value: _is_whole(value, StoredMethod))
_FACTS: Final = _Rule("MethodFacts", lambda value: _is_whole(value, MethodFacts))
_CHECKS: Final = _Rule("CardChecks", lambda value: _is_whole(value, CardChecks))
_SIGHTING: Final = _Rule("a Sighting", lambda value: _is_whole(value, Sighting))
_NEWS: Final = _Rule("a MethodNews", lambda value: _is_whole(value, MethodNews))
_ANSWER: Final = _Rule(
    "an outcome",
    lambda value: any(_is_whole(value, kind) for kind in (*_ENDS, ActionRequired, Authorized)),
)
_SECONDS: Final = _Rule(
    "a number above zero", lambda value: type(value) in (int, float) and value > 0
)


# --- What the fields of each class hold ----------------------------------------------------

CHECKED: Final[Mapping[type, Mapping[str, _Rule]]] = {
    Approved: {
        "reference": _REFERENCE,
        "movements": _all_of(Movement),
        "disputes": _all_of(Dispute),
        "method": _or_none(_STORED),
        "network_transaction_id": _REFERENCE,
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "alert": _TEXT,
    },
    Authorized: {
        "amount": _AMOUNT,
        "reference": _REFERENCE,
        "expires_at": _or_none(_INSTANT),
        "method": _or_none(_STORED),
        "network_transaction_id": _REFERENCE,
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "alert": _TEXT,
    },
    Declined: {
        "method_facts": _or_none(_FACTS),
        "checks": _or_none(_CHECKS),
        "code": _member(DeclineCode),
        "raw_code": _TEXT,
        "retryable": _YES_NO,
        "message": _TEXT,
        "reference": _REFERENCE,
        "final": _YES_NO,
        "alert": _TEXT,
        "part": _YES_NO,
    },
    Rejected: {
        "cause": _member(RejectCause),
        "retryable": _YES_NO,
        "raw_code": _TEXT,
        "message": _TEXT,
        "reference": _REFERENCE,
        "alert": _TEXT,
    },
    Pending: {
        "reference": _REFERENCE,
        "expected_at": _or_none(_INSTANT),
        "amount": _or_none(_AMOUNT),
    },
    ActionRequired: {
        "action": _or_none(_ACTION),
        "reference": _REFERENCE,
        "expires_at": _or_none(_INSTANT),
    },
    Closed: {"how": _member(Closing), "reference": _REFERENCE},
    Unknown: {
        "reason": _TEXT,
        "reference": _REFERENCE,
        "fault": _or_none(_member(Fault)),
        "flagged": _YES_NO,
    },
    NotFound: {},
    Movement: {
        "movement_id": _NAME,
        "amount": _AMOUNT,
        "kind": _member(MovementKind),
        "effective": _or_none(_DAY),
        "settled": _or_none(_ANY_AMOUNT),
        "fee": _or_none(_ANY_AMOUNT),
        "settled_on": _or_none(_DATE),
        "undoes": _or_none(_REFERENCE),
        "code": _TEXT,
        "valued": _Rule("None", lambda value: value is None),
    },
    Sighting: {
        "name": _NAME,
        "quantity": _AMOUNT,
        "confirmations": _number(0, 2**31),
        "needed": _number(0, 2**31),
        "replaces": _REFERENCE,
        "replaced": _or_none(_AMOUNT),
    },
    Price: {"cost": _AMOUNT, "rate": _REFERENCE, "source": _REFERENCE},
    Dispute: {
        "reference": _NAME,
        "state": _member(DisputeState),
        "amount": _AMOUNT,
        "reason": _TEXT,
        "respond_by": _or_none(_INSTANT),
    },
    MethodFacts: {
        "brand": _TEXT,
        "last4": _TEXT,
        "expires_month": _or_none(_number(1, 12)),
        "expires_year": _or_none(_number(1970, 9998)),
        "wallet": _TEXT,
    },
    CardChecks: dict.fromkeys(
        ("address", "postal_code", "security_code", "authentication"),
        _Rule("a CardCheck", lambda value: _is_whole(value, CardCheck)),
    ),
    CardCheck: {"result": _member(CheckResult), "raw_code": _TEXT},
    StoredMethod: {
        "token": _SECRET,
        "kind": _member(Kind),
        "brand": _TEXT,
        "last4": _TEXT,
        "expires_month": _or_none(_number(1, 12)),
        "expires_year": _or_none(_number(1970, 9998)),
        "holder": _TEXT,
        "network_transaction_id": _REFERENCE,
        "fingerprint": _TEXT,
        "reference": _REFERENCE,
        "customer_reference": _REFERENCE,
    },
    MethodNews: {
        "reference": _NAME,
        "ended": _YES_NO,
        "reason": _TEXT,
        "facts": _FACTS,
    },
    Redirect: {"url": _ADDRESS, "method": _TEXT, "fields": _TEXTS},
    PostForm: {"url": _ADDRESS, "token_field": _NAME, "token": _SECRET, "fields": _TEXTS},
    ScriptStep: {"script_url": _ADDRESS, "publishable_key": _TEXT, "client_secret": _SECRET},
    ShowCode: {"payload": _ADDRESS, "url": _TEXT, "instructions": _TEXT},
    ApproveElsewhere: {"where": _ADDRESS, "code": _TEXT, "instructions": _TEXT},
    ShowVoucher: {"reference": _TEXT, "url": _TEXT, "barcode": _TEXT, "instructions": _TEXT},
    PayToAddress: {
        "address": _NAME,
        "amount": _AMOUNT,
        "uri": _TEXT,
        "enough": _or_none(_AMOUNT),
        "rate": _TEXT,
        "rate_source": _TEXT,
    },
    Notice: {
        "event_id": _TEXT,
        "type": _TEXT,
        "reference": _REFERENCE,
        "our_ref": _REFERENCE,
        "earlier_reference": _REFERENCE,
        "answer": _or_none(_ANSWER),
        "ready": _YES_NO,
        "movements": _all_of(Movement),
        "disputes": _all_of(Dispute),
        "occurred_at": _or_none(_INSTANT),
        "signed_at": _or_none(_INSTANT),
        "place": _or_none(_number(0, 2**31)),
        "sighting": _or_none(_SIGHTING),
        "foreign": _YES_NO,
        "method": _or_none(_NEWS),
        "payer_number": _REFERENCE,
        "kind": _or_none(_member(Kind)),
        "unreadable": _TEXT,
    },
    FeedPage: {
        "notices": _all_of(Notice),
        "cursor": _Rule("a text", lambda value: isinstance(value, str)),
        "more": _YES_NO,
        "read": _number(0, MINOR_MAX),
        "behind": _number(0, MINOR_MAX),
        "memory": _Rule("a mapping of names to bytes, or None", _is_memory),
    },
    AccountFacts: {
        "merchant_account": _TEXT,
        "live": _YES_NO,
        "name": _TEXT,
        "currencies": _Rule(
            "a tuple of texts",
            lambda value: (
                type(value) in (tuple, list) and all(isinstance(each, str) for each in value)
            ),
        ),
    },
    Reply: {"status": _number(100, 599), "headers": _TEXTS, "body": _BYTES},
    Request: {
        "method": _NAME,
        "url": _Rule("a text", lambda value: isinstance(value, str)),
        "step": _Rule("a text", lambda value: isinstance(value, str)),
        "headers": _Rule("a mapping", lambda value: isinstance(value, Mapping)),
        "body": _BYTES,
        "moves_money": _YES_NO,
        "repeatable": _YES_NO,
        "retry_header": _Rule("a text", lambda value: isinstance(value, str)),
        "sign_in": _YES_NO,
        "timeout_s": _or_none(_SECONDS),
        "answer_bytes_max": _number(1, MINOR_MAX),
    },
    Note: {"reference": _REFERENCE},
}
"""What each field of what a driver returns must hold."""


def _check(value: object) -> None:
    """Raise `Foreign` for the first field of *value* that does not fit its class."""
    for name, rule in CHECKED[type(value)].items():
        _check_field(value, name, rule)


def _check_field(value: object, name: str, rule: _Rule) -> None:
    field = f"{type(value).__name__}.{name}"
    try:
        fits = rule.holds(getattr(value, name, None))
    except Foreign:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's, in a mapping or a zone of its own)
        raise Foreign(f"{field} cannot be read: {type(bug).__name__}") from None
    if not fits:
        raise Foreign(f"{field} is not {rule.says}")
