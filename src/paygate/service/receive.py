"""Receive: accept a callback of a processor, and reply.

A callback is authenticated on its raw bytes, and stored before it is interpreted. If the processor
only needs an acknowledgment, the callback is applied later, by `apply_callbacks` or `recover`: see
`apply`. If the reply carries the result, storing, applying and the reply are one transaction, and a
repetition gets the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, assert_never, cast

from paygate import telemetry
from paygate.dialogue import deferred
from paygate.domain.outcome import Unknown, Unsent
from paygate.domain.payment import PaymentStatus
from paygate.errors import NotAuthentic, NotVerified, Unsupported
from paygate.gateway import Applied, CallbackProof, CallbackStyle, Notice, Question, Verifies
from paygate.ledger import holding, inbox
from paygate.service import apply, door, intake, notices, questions, refusals
from paygate.service.asking import ask
from paygate.service.flow import Flow, look, repeatable, transact
from paygate.service.known import find_out, is_hint, known_of, question_about
from paygate.telemetry import Attribute, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Answer
    from paygate.gateway import Callback, Reply
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


def receive(account: GatewayAccount, callback: Callback, timing: Timing) -> Flow[Reply]:
    """Store *callback* of *account* and return the reply; a refused one is counted."""
    try:
        reply = yield from _receive(account, callback, timing)
    except (NotAuthentic, Unsupported) as error:
        _count(account, "refused", error=refusals.why_of(error).value)
        yield from refusals.refuse(account, callback, error)
        refusal = None
        if account.asker is not None and isinstance(error, NotAuthentic):
            refusal = door.refusal(account, account.asker, callback)
        if refusal is None:
            raise
        return refusal
    except NotVerified as error:
        _count(account, "not_verified", error=type(error).__name__)
        raise
    _count(account, "accepted")
    return reply


def _count(account: GatewayAccount, outcome: str, *, error: str = "") -> None:
    facts = {
        Attribute.ACCOUNT: account.name,
        Attribute.OUTCOME: outcome,
        Attribute.ERROR: error,
    }
    telemetry.add(Metric.CALLBACKS, 1, facts)


def _receive(account: GatewayAccount, callback: Callback, timing: Timing) -> Flow[Reply]:
    if account.asker is not None:
        asked = yield from questions.read(account, account.asker, callback)
        if isinstance(asked, Question):
            return (yield from questions.answer(account, account.asker, asked, callback, timing))
        if asked is not None:
            return asked
    gateway = account.verifier
    if gateway is None:
        raise Unsupported(
            f"the account {account.name!r} does not receive callbacks",
            account=account.name,
            why="no_secret",
        )
    acknowledged = account.traits.callbacks is CallbackStyle.ACKNOWLEDGED
    before = (yield from look(partial(_recorded, account, callback))) if acknowledged else None
    read = yield from _authentic(account, gateway, callback, timing, before)
    named = _by_event(read, callback)
    if not acknowledged:
        return (yield from _answer(account, gateway, named, callback, timing))

    def keep(tx: Tx) -> None:
        holding.hold_notices(tx, account.name, named)
        for event_id, notice in named.items():
            intake.keep_callback(tx, account, event_id, notice, callback)

    yield from repeatable(keep)
    *_, last = named.values()
    return door.reply(account, gateway, last, Applied.NO_CHANGE)


def _recorded(account: GatewayAccount, callback: Callback, tx: Tx) -> Notice | None:
    """
    Return the notice of the same bytes, if they came before with a signature without a time.

    Anybody with a recording can send it again and again, which must not cause an inquiry each time.
    """
    signed = account.traits.callback_proof is CallbackProof.SIGNED
    if not signed or not callback.body or callback.query:
        return None
    row = inbox.by_body(tx, account.name, callback.body)
    return None if row is None else notices.read_notice(row.notice)


def _authentic(
    account: GatewayAccount,
    gateway: Verifies,
    callback: Callback,
    timing: Timing,
    before: Notice | None,
) -> Flow[list[Notice]]:
    """Let the driver authenticate *callback*, while no transaction is open."""
    through = door.Door(account.gateway.name, partial(_read_of, account), account.hidden)
    read = yield from ask(
        account.name, _verified(gateway, callback, before), what="verify", door=through
    )
    if isinstance(read, NotAuthentic):
        raise read
    if isinstance(read, Unsent | Unknown):
        raise NotVerified(
            f"a callback of {account.name!r} could not be verified now ({read.reason}); it was "
            "not stored, and its sender will send it again",
            account=account.name,
        )
    for notice in read:
        at = notice.signed_at
        if at is not None and abs(callback.received_at - at) > timing.callback_age_max:
            raise NotAuthentic(
                f"a callback of {account.name!r} was signed at {at:%Y-%m-%d %H:%M:%S} and arrived "
                f"at {callback.received_at:%Y-%m-%d %H:%M:%S}; it may be a replay",
                why="too_old",
            )
    return read


def _read_of(account: GatewayAccount, value: object) -> list[Notice] | NotAuthentic:
    return value if isinstance(value, NotAuthentic) else door.notices(account, value)


def _verified(
    gateway: Verifies, callback: Callback, before: Notice | None
) -> Dialogue[list[Notice] | NotAuthentic]:
    """
    Return a refusal as a result of the dialogue, because it is not a fault of the network.

    A driver checks the signature first. If it then wants to send an inquiry about the notice that
    came *before*, its result would be that notice again.
    """
    dialogue = deferred(partial(gateway.verify, callback))
    try:
        if before is None:
            return (yield from dialogue)
        next(dialogue)
    except NotAuthentic as refusal:
        return refusal
    except StopIteration as end:
        return cast("list[Notice]", end.value)
    dialogue.close()
    return [before]


def _by_event(found: list[Notice], callback: Callback) -> dict[str, Notice]:
    """Return the notices by id: the processor's own, else a digest of the callback."""
    digest = hashlib.sha256(f"{callback.query}\n".encode() + callback.body).hexdigest()
    named: dict[str, Notice] = {}
    count: Counter[str] = Counter()
    for notice in found or [Notice(event_id=digest, type="")]:
        id_ = notice.event_id or digest
        count[id_] += 1
        named[id_ if count[id_] == 1 else f"{id_}#{count[id_]}"] = notice
    return named


def _answer(
    account: GatewayAccount,
    gateway: Verifies,
    named: Mapping[str, Notice],
    callback: Callback,
    timing: Timing,
) -> Flow[Reply]:
    """Store the notices, apply them, and store the reply, in one transaction."""
    findings: dict[str, Answer | None] = {}
    about: list[str] = []
    for event_id, notice in named.items():
        known = yield from look(known_of(account.name, notice, callback.received_at))
        about += [] if known.payment is None else [known.payment.id]
        findings[event_id] = yield from find_out(question_about(notice, known, account), account)

    def work(tx: Tx) -> tuple[Reply, list[int]]:
        holding.hold_notices(tx, account.name, named)
        holding.hold(tx, payments=about)
        reply, later = None, list[int]()
        for event_id, notice in named.items():
            kept = intake.keep_callback(tx, account, event_id, notice, callback)
            row = kept.row
            if row.reply is not None:
                reply = notices.read_reply(row.reply)
                continue
            if kept.conflicted:
                done = apply.Done(Applied.REFUSED)
            else:
                # Money that our reply refuses must not be booked later: the payer gets it back.
                finding = findings[event_id]
                done = apply.apply_in(tx, row, notice, account, finding, timing, patient=False)
            asks = done.result is Applied.NO_CHANGE and is_hint(notice) and not notice.unreadable
            stands = _standing(tx, account.name, notice) if asks else None
            reply = door.reply(account, gateway, notice, stands or done.result, tx)
            # A repetition of the question asks for the state at that time.
            if stands is None:
                inbox.keep_reply(tx, row.callback.id, notices.write_reply(reply))
            later += [row.callback.id] if notice.ready and not kept.conflicted else []
        assert reply is not None, "there is at least one notice"
        return reply, later

    reply, later = yield from transact(work)
    for id_ in later:
        yield from apply.apply_safely(id_, {account.name: account}, timing, set())
    return reply


def _standing(tx: Tx, account: str, notice: Notice) -> Applied | None:
    """Return the state of the payment that *notice* asks about; None if it is not known."""
    payment = known_of(account, notice, tx.now)(tx).payment
    if payment is None:
        return None
    match payment.status:
        case PaymentStatus.REQUIRES_ACTION if payment.superseded:
            return Applied.WITHDRAWN
        case PaymentStatus.REQUIRES_ACTION:
            ended = payment.expires_at is not None and payment.expires_at <= tx.now
            return Applied.EXPIRED if ended else Applied.OPEN
        case PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            return Applied.PAID
        case PaymentStatus.EXPIRED:
            return Applied.EXPIRED
        case PaymentStatus.CANCELED | PaymentStatus.DECLINED | PaymentStatus.FAILED:
            return Applied.WITHDRAWN
        case PaymentStatus.UNKNOWN:
            return Applied.REFUSED
        case _:
            assert_never(payment.status)
