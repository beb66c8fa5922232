"""The door: whatever a driver returns is foreign until it has been checked here.

A driver is somebody else's code. It may return None, a string, an outcome that the operation cannot
have, an amount of zero, a time without a zone. Such a value must never reach a rule or a constraint
of the ledger, and fail late there, together with everything else in the same transaction. So
each type that a driver returns has a table of its fields, and a value that does not fit is a fault
of the driver: see `asking.ask`.

A message names the wrong field and never its value, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from paygate import logs
from paygate.dialogue import Note, Request
from paygate.domain.action import (
    PayToAddress,
)
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    NotFound,
)
from paygate.domain.quoting import Price
from paygate.driving import contain, raised
from paygate.errors import NotAuthentic, PaygateError
from paygate.gateway import AccountFacts, FeedPage, Notice, Question, Reply
from paygate.printing import place_of
from paygate.service.fitting import CHECKED, ENDS, REFERENCE, Foreign, check_field, check_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Finding, Outcome
    from paygate.gateway import Applied, Asks, Callback, PayerFacts, Verifies
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.hiding import Hidden

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door(Generic[T]):
    """What one question to *driver* may be answered with; `admit` raises `Foreign` for the rest.

    `hidden` are the secrets that no answer may contain.
    """

    driver: str
    admit: Callable[[object], T]
    hidden: Hidden


# --- What is asked, and what may come ------------------------------------------------------

_COMES: Final = frozenset({MovementKind.CHARGE, MovementKind.CAPTURE})
ADMITTED: Final[Mapping[Operation, frozenset[type]]] = {
    Operation.CHARGE: ENDS | {ActionRequired, Authorized},
    Operation.AUTHORIZE: ENDS | {ActionRequired, Authorized},
    Operation.COMPLETE: ENDS | {ActionRequired, Authorized},
    Operation.CAPTURE: ENDS,
    Operation.VOID: ENDS,
    Operation.REFUND: ENDS | {ActionRequired},
    Operation.WITHDRAW: ENDS | {ActionRequired, Authorized},
    Operation.ENROLL: ENDS | {ActionRequired},
    Operation.FORGET: ENDS,
}
"""The outcomes that each operation may have."""

_OF_METHODS: Final = frozenset({Operation.ENROLL, Operation.FORGET})
"""They concern only a method, and no money moves."""

_OF_PAGES: Final = frozenset({Operation.COMPLETE, Operation.WITHDRAW})
"""They may find that the page is still open, without a new action for the payer."""


def outcome(account: GatewayAccount, operation: Operation) -> Door[Outcome]:
    """Admit the outcomes of *operation*."""
    return Door(
        account.gateway.name,
        lambda value: _outcome(value, ADMITTED[operation], operation),
        account.hidden,
    )


def finding(account: GatewayAccount, operation: Operation) -> Door[Finding]:
    """Admit what an inquiry about *operation* may find."""
    classes = ADMITTED[operation] | {NotFound}
    return Door(
        account.gateway.name,
        # A page that is still open has the action that the payer was given before.
        lambda value: _outcome(value, classes, operation, needs_action=operation in _OF_METHODS),
        account.hidden,
    )


@dataclass(frozen=True, slots=True)
class AdmittedPage:
    """A page of a feed whose notices can be stored; `wrong` says what else of it is not valid."""

    page: FeedPage
    wrong: str = ""


def page(account: GatewayAccount) -> Door[AdmittedPage]:
    """Admit a page of a feed; an unreadable notice in it becomes one of type ``unreadable``."""
    return Door(account.gateway.name, lambda value: _page(account, value), account.hidden)


def notices(account: GatewayAccount, value: object) -> list[Notice]:
    """Return the notices of a callback; an unreadable one becomes one of type ``unreadable``."""
    if type(value) not in (list, tuple):
        raise Foreign("it returned no list of notices")
    return [_readable(account, each) for each in cast("list[object]", value)]


def facts(account: GatewayAccount) -> Door[AccountFacts]:
    """Admit the facts of an account."""
    return Door(account.gateway.name, lambda value: _one(value, AccountFacts), account.hidden)


def price(account: GatewayAccount) -> Door[Price]:
    """Admit a price."""
    return Door(account.gateway.name, lambda value: _one(value, Price), account.hidden)


def place_to_pay(account: GatewayAccount) -> Door[PayToAddress]:
    """Admit the action to pay the rest to an address."""
    return Door(account.gateway.name, lambda value: _one(value, PayToAddress), account.hidden)


def dialogue(value: object) -> bool:
    """Return whether *value* is a dialogue, which can be held and closed."""
    return isinstance(value, Generator)


def step(value: object) -> Request | Note:
    """Admit a step that a dialogue yields."""
    if type(value) not in (Request, Note):
        raise Foreign("its dialogue yielded no request")
    check_fields(value)
    return cast("Request | Note", value)


def reply(
    account: GatewayAccount,
    gateway: Verifies,
    notice: Notice,
    result: Applied,
    tx: Tx | None = None,
) -> Reply:
    """
    Return the driver's reply to a callback, or an empty one if the driver is at fault.

    With *tx*, the fault is logged when that transaction has been committed.
    """
    about = logs.About(account=account.name)
    try:
        made: object = contain(partial(gateway.reply, notice, result))
        return _one(made, Reply)
    except Foreign as fault:
        log_fault(about, account.gateway.name, str(fault), tx)
    except PaygateError:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's; the callback is stored or applied)
        log_fault(about, account.gateway.name, place_of(raised(bug)), tx)
    return Reply()


def question(account: GatewayAccount) -> Door[Question | Reply | NotAuthentic | None]:
    """Admit a question of a network, our reply to what cannot be read, or None."""

    def admit(value: object) -> Question | Reply | NotAuthentic | None:
        if value is None or isinstance(value, NotAuthentic):
            return value
        return _one(value, Reply) if type(value) is Reply else _one(value, Question)

    return Door(account.gateway.name, admit, account.hidden)


def answer(
    account: GatewayAccount, asker: Asks, asked: Question, facts: PayerFacts, tx: Tx
) -> Reply | Notice | None:
    """Return the driver's reply to a question, or what it reports; None if it is at fault."""
    about = logs.About(account=account.name)
    try:
        made: object = contain(partial(asker.reply_to, asked, facts))
        if type(made) is not Notice:
            return _one(made, Reply)
        return _named(_bookable(account, _one(made, Notice)))
    except Foreign as fault:
        log_fault(about, account.gateway.name, str(fault), tx)
    except PaygateError:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's; the network asks again)
        log_fault(about, account.gateway.name, place_of(raised(bug)), tx)
    return None


def _named(notice: Notice) -> Notice:
    """Return *notice*; an answer is made of what is stored under its event id."""
    if not notice.event_id:
        raise Foreign("Notice.event_id is empty in an answer")
    return notice


def refusal(account: GatewayAccount, asker: Asks, callback: Callback) -> Reply | None:
    """Return the driver's reply to a callback that is not authentic; None for the usual one."""
    try:
        made: object = contain(partial(asker.refuse, callback))
        return None if made is None else _one(made, Reply)
    except Foreign as fault:
        text = str(fault)
    except Exception as bug:  # noqa: BLE001  (a driver's; the callback is refused anyway)
        text = place_of(raised(bug))
    log_fault(logs.About(account=account.name), account.gateway.name, text)
    return None


def begun(begin: Callable[[], Dialogue[T]]) -> Dialogue[T]:
    """Begin a dialogue; a fault of the driver in doing so is one of the dialogue.

    A `PaygateError` of the driver is raised at once.
    """
    try:
        made = contain(begin)
        return made if dialogue(made) else _failing(Foreign("it returned no dialogue"))
    except PaygateError:
        raise
    except Exception as bug:  # noqa: BLE001  (a driver's; `ask` contains it)
        return _failing(bug)


def _failing(bug: Exception) -> Dialogue[Any]:
    yield from ()
    raise bug


def log_fault(about: logs.About, driver: str, text: str, tx: Tx | None = None) -> None:
    """Log a fault of a driver; *text* must hold nothing that comes from the driver."""
    stated = f"driver {driver or '?'} of account {about.account or '?'} is at fault: {text}"
    if tx is None:
        logs.write("paygate.service", "driver.fault", stated, about)
    else:
        tx.log("driver.fault", stated, about)


def _outcome(
    value: object,
    classes: frozenset[type],
    operation: Operation,
    *,
    needs_action: bool | None = None,
) -> Any:
    if type(value) not in classes:
        known = type(value) in CHECKED
        stated = type(value).__name__ if known else "nothing that is an outcome"
        raise Foreign(f"it returned {stated}, which this operation cannot come to")
    needed = operation not in _OF_PAGES if needs_action is None else needs_action
    if isinstance(value, ActionRequired) and value.action is None and needed:
        raise Foreign("it returned ActionRequired without an action")
    check_fields(value)
    if operation in _OF_METHODS and isinstance(value, Approved) and value.movements:
        raise Foreign("Approved.movements is not empty, and this operation moves no money")
    return value


def check(value: object) -> None:
    """Raise `Foreign` if *value* is not an outcome with valid fields."""
    if type(value) not in CHECKED:
        raise Foreign("it is not an outcome")
    check_fields(value)


def _one(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise Foreign(f"it returned no {kind.__name__}")
    check_fields(value)
    return value


def _page(account: GatewayAccount, value: object) -> AdmittedPage:
    from dataclasses import replace

    if type(value) is not FeedPage:
        raise Foreign("it returned no FeedPage")
    read, wrong_read = _figure(account, value, "read")
    behind, wrong_behind = _figure(account, value, "behind")
    readable = tuple(notices(account, value.notices))
    stated = replace(value, notices=readable, read=read, behind=behind)
    check_fields(stated)
    return AdmittedPage(stated, wrong_read or wrong_behind)


def _figure(account: GatewayAccount, page: FeedPage, name: str) -> tuple[int, str]:
    """Return a figure of a page, or 0 and the fault in it.

    The figures are for people only; a wrong one does not invalidate the movements of the page.
    """
    try:
        check_field(page, name, CHECKED[FeedPage][name])
    except Foreign as fault:
        log_fault(logs.About(account=account.name), account.gateway.name, str(fault))
        return 0, f"the driver is at fault: {fault}"
    return getattr(page, name), ""


def _readable(account: GatewayAccount, value: object) -> Notice:
    """Return a notice that can be stored: as it is, or as a hint with its readable references."""
    try:
        return _bookable(account, _one(value, Notice))
    except Foreign as fault:
        log_fault(logs.About(account=account.name), account.gateway.name, str(fault))
        why = f"the driver is at fault: {fault}"

    def text(name: str) -> str:
        held: object = getattr(value, name, None) if type(value) is Notice else None
        return cast("str", held) if REFERENCE.holds(held) else ""

    return Notice(
        event_id=text("event_id"),
        type="unreadable",
        reference=text("reference"),
        our_ref=text("our_ref"),
        earlier_reference=text("earlier_reference"),
        unreadable=why,
    )


def _bookable(account: GatewayAccount, notice: Notice) -> Notice:
    """Raise `Foreign` for money for a payer's number that does not make one clear payment."""
    if notice.reserves is not None and not (
        isinstance(notice.answer, ActionRequired)
        and notice.reference
        and (notice.answer.action is not None or not notice.payer_number)
        and not notice.movements
    ):
        raise Foreign(
            "Notice.reserves needs a reference and ActionRequired, with an action for a payer's "
            "number, and no movements"
        )
    if not notice.payer_number:
        return notice
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    stated = (*answered, *notice.movements)
    came = {(each.kind, each.movement_id) for each in stated if each.kind in _COMES}
    if len(came) > 1:
        raise Foreign("Notice.payer_number has more than one inward movement")
    rails = account.traits.rails
    if notice.kind is None and len(rails) != 1:
        raise Foreign("Notice.kind is missing, and the account has several kinds")
    if notice.kind is not None and notice.kind not in rails:
        raise Foreign("Notice.kind is not one of the account's kinds")
    return notice
