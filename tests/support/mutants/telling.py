"""Bugs of telling: what was heard or is to be told is lost, or is out of order."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from paygate.gateway import CallbackStyle, InquiryBy
from paygate.service.flow import Write, look, transact
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import Mutant, Patch, rewritten

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow

_TAKE = "UPDATE paygate_inbox SET next_try_at = NULL WHERE tenant = :tenant AND id = :id"


def _mark_first(original: Any) -> Any:
    def apply_safely(id_: int, accounts: Any, timing: Any, silent: Any) -> Flow[Any]:
        yield from transact(lambda tx: tx.run(_TAKE, {"tenant": tx.tenant, "id": id_}))
        applying: Flow[Any] = original(id_, accounts, timing, silent)
        return (yield from applying)

    return apply_safely


def _tell_later(original: Any) -> Any:
    allocation = import_module("paygate.service.allocation")

    def merge_any(attempt: str, answer: Any, reading: Any) -> Flow[Any]:
        touched: list[str] = []

        def put_off(_: Tx, ids: list[str], **__: Any) -> None:
            touched.extend(ids)

        def quietly(step: Write) -> Flow[Any]:
            def work(tx: Tx) -> Any:
                tell = allocation.emit_invoices
                touched.clear()
                vars(allocation)["emit_invoices"] = put_off
                try:
                    return step.work(tx)
                finally:
                    vars(allocation)["emit_invoices"] = tell

            return (yield Write(work))

        payment = yield from rewritten(original(attempt, answer, reading), quietly)
        if touched:
            yield from transact(lambda tx: allocation.emit_invoices(tx, touched))
        return payment

    return merge_any


def _reply_anew(original: Any) -> Any:
    def keep_reply(tx: Tx, id_: int, reply: str) -> None:
        del tx, id_, reply

    del original
    return keep_reply


def _cursor_first(original: Any) -> Any:
    service = import_module("paygate.service.feed")

    def read(reading: Any) -> Flow[Any]:
        account = reading.account

        def apart(step: Write) -> Flow[Any]:
            whole: Any = step.work  # `transact` wraps what is asked of it
            work = whole.args[0] if isinstance(whole, partial) and whole.args else None
            if not isinstance(work, partial) or work.func is not vars(service)["_keep"]:
                return (yield step)
            page = work.keywords["page"]
            empty = {**work.keywords, "page": _Emptied(page.cursor)}

            only_move: Any = work.func

            def move(tx: Tx) -> Any:
                return only_move(tx, **empty)

            moved = yield Write(move)
            if moved is None:
                return None
            keep = vars(service)["_keep_notice"]
            return (
                yield Write(
                    lambda tx: sum(keep(tx, account, each.event_id, each) for each in page.notices)
                )
            )

        return (yield from rewritten(original(reading), apart))

    return read


def _heard_once(original: Any) -> Any:
    def repeat(tx: Tx, row: Any) -> Any:
        del tx
        return row

    del original
    return repeat


class _Emptied:
    """A page of a feed of which only the end is left."""

    notices = ()
    memory: ClassVar[dict[str, bytes | None]] = {}

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor


def _position_first(original: Any) -> Any:
    service = import_module("paygate.service.publish")

    def next_batch(reader: Any, lease: str, position: int) -> Flow[Any]:
        batch: int = vars(service)["_BATCH"]
        events = yield from look(lambda tx: service.outbox.after(tx, position, batch))
        if events:
            last = events[-1].position

            def advance(tx: Any) -> bool:
                until = service.write_instant(tx.now + vars(service)["_LEASE"])
                moved: bool = service.outbox.advance_sink(tx, reader.name, lease, last, until)
                return moved

            yield from transact(advance)
        reading: Flow[Any] = original(reader, lease, position)
        return (yield from reading)

    return next_batch


MUTANTS: Final = (
    Mutant(
        name="inbox-marked-before-applying",
        plants="a callback is removed from the inbox before it is applied",
        breaks="merge and inbox mark are in one transaction",
        shows="a process dies between the two",
        patches=(Patch("service.apply", "apply_safely", _mark_first),),
    ),
    Mutant(
        name="event-in-its-own-transaction",
        plants="the event that an invoice was paid is stored after the commit that paid it",
        breaks="one transaction writes state, receipts and outbox",
        shows="a process dies between the two",
        patches=(Patch("service.merge", "merge_any", _tell_later),),
    ),
    Mutant(
        name="reply-is-not-kept",
        plants="a kiosk that asks again gets a new reply",
        breaks="a duplicate gets the stored reply",
        shows="the processor repeats a callback whose reply it did not get",
        patches=(Patch("ledger.inbox", "keep_reply", _reply_anew),),
    ),
    Mutant(
        name="hint-is-heard-once",
        plants="a repeated hint without proof, once applied, leads to no inquiry",
        breaks="an unsigned hint that arrives again leads to another inquiry",
        shows="a processor only names the object with news, identical each time",
        patches=(Patch("ledger.inbox", "repeat", _heard_once),),
        bias=Bias(
            actions={"dispute": 3, "pay out": 3, "callbacks arrive": 4, "poller": 3},
            callbacks=frozenset({CallbackStyle.ACKNOWLEDGED}),
            feed=False,
        ),
    ),
    Mutant(
        name="cursor-before-its-page",
        plants="a feed's cursor is committed before the page that was read",
        breaks="inbox and cursor are in one transaction",
        shows="a process dies between the two",
        patches=(Patch("service.feed", "_read_page", _cursor_first),),
        bias=Bias(
            faults={PlannedFault.CRASH_AFTER_COMMIT: 0.08},
            actions={
                "feeds": 10,
                "return check": 3,
                "dispute": 4,
                "page": 4,
                "pay": 3,
                # Each of these leaves less room for the others, and none of them needs a feed.
                **dict.fromkeys(("saga", "prepaid order", "wrong invoice", "bounced check"), 0),
                **dict.fromkeys(("link", "open link", "send form", "end link"), 0),
                **dict.fromkeys(("linked order", "prepay", "stop sending", "record refund"), 0),
            },
            feed=True,
            callbacks=frozenset({CallbackStyle.NONE}),
            inquiries=frozenset({InquiryBy.NONE}),
        ),
    ),
    Mutant(
        name="event-marked-before-it-is-sent",
        plants="the relay moves on before the events were accepted",
        breaks="events are delivered at least once",
        shows="a process dies during a delivery",
        patches=(Patch("service.publish", "_next_batch", _position_first),),
    ),
)
