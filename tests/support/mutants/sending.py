"""Bugs of sending: too early, too often, too late, or something else than before."""

from __future__ import annotations

import itertools
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from paygate import logs
from paygate.domain import payable
from paygate.domain.kind import Kind
from paygate.domain.payable import Share
from paygate.driving import relay
from paygate.errors import CommitUnknown, NoResponse
from paygate.service.flow import look, transact
from paygate.service.reading import AnswerSource
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import Mutant, Patch, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue, Note, Request, Response
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow

THAT_SEND: Final = ("collect", "operate", "inquire")
"""The use cases that ask a gateway to move money."""


_IDS: Final = "_ids"


class _Ids:
    """Gives the ids of a first run out again in a second one."""

    def __init__(self, ids: Any) -> None:
        self._ids, self._given, self._again = ids, list[str](), itertools.count()

    def new(self, noun: str) -> str:
        number = next(self._again)
        if number == len(self._given):
            self._given.append(self._ids.new(noun))
        return self._given[number]

    def again(self) -> _Ids:
        self._again = itertools.count()
        return self


class _NotYet(Exception):
    """No error: it undoes a transaction and brings its result."""

    def __init__(self, result: Any) -> None:
        self.result = result


def _send_before_intent(original: Any) -> Any:
    service = import_module("paygate.service.collect")

    def collect(order: Any, timing: Any, accounts: Any) -> Flow[Any]:
        del accounts
        kept: list[_Ids] = []

        def intent(tx: Tx, *, only_look: bool) -> Any:
            if not kept:
                kept.append(_Ids(getattr(tx, _IDS)))
            setattr(tx, _IDS, kept[0].again())
            kind = vars(service)["_kind_of"](order)
            rail = order.account.rail(kind, order.operation)
            opened = service.open_payment(tx, order, kind, rail, timing)
            if only_look and opened.dialogue is not None:
                raise _NotYet(opened)
            return opened

        sent: Any = None
        vars(service)["_check_saving"](
            order,
            vars(service)["_kind_of"](order),
            order.account.rail(vars(service)["_kind_of"](order), order.operation),
        )
        try:
            found = yield from transact(lambda tx: intent(tx, only_look=True))
        except _NotYet as opened:
            sent = opened.result
        else:
            return found.payment
        asking: Flow[Any] = service.ask(
            order.account.name,
            sent.dialogue,
            what=order.operation.value,
            door=service.door.outcome(order.account, order.operation),
            hidden=order.account.hidden.of(sent.method),
            about=logs.About(attempt=sent.attempt),
            lease=sent.lease,
        )
        answer = yield from asking
        yield from transact(lambda tx: intent(tx, only_look=False))
        reading = AnswerSource(
            source=service.Source.RESPONSE,
            variable_amount=order.account.traits.rails[
                vars(service)["_kind_of"](order)
            ].variable_amount,
            can_inquire=order.account.can_be_asked,
            timing=timing,
        )
        merging: Flow[Any] = service.merge.merge(sent.attempt, answer, reading)
        return (yield from merging)

    del original
    return collect


def _trust_a_lost_commit(original: Any) -> Any:
    def intend(work: Callable[[Tx], Any], attempt_of: Any) -> Flow[Any]:
        del attempt_of
        try:
            return (yield from transact(work))
        except CommitUnknown as lost:
            return lost.result

    del original
    return intend


def _new_key(original: Any) -> Any:
    def send_again(case: Any, account: Any, timing: Any, silent: Any) -> Flow[Any]:
        key = f"{case.row.gateway_key}-{case.row.sends}"
        request = case.request
        if hasattr(request, "key"):
            request = replace(request, key=key)
        row = replace(case.row, gateway_key=key)
        again = replace(case, row=row, request=request)
        flow: Flow[Any] = original(again, account, timing, silent)
        return (yield from flow)

    return send_again


def _twice(step: Request | Note) -> Dialogue[Response]:
    try:
        return (yield step)
    except NoResponse:
        return (yield step)  # what retries holds the call that moves money


def _retry_around_sending(original: Any) -> Any:
    def ask(account: str, dialogue: Dialogue[Any], **more: Any) -> Flow[Any]:
        flow: Flow[Any] = original(account, relay(dialogue, _twice), **more)
        return (yield from flow)

    return ask


def _after_the_lease(original: Any) -> Any:
    def ask(account: str, dialogue: Dialogue[Any], **more: Any) -> Flow[Any]:
        flow: Flow[Any] = original(account, dialogue, **(more | {"lease": None}))
        return (yield from flow)

    return ask


def _without_token(original: Any) -> Any:
    def rebuild(tx: Tx, attempt: str) -> Any:
        charge = original(tx, attempt)
        return None if charge is None else replace(charge, method=None)

    return rebuild


def _claim_after_look(original: Any) -> Any:
    service = import_module("paygate.service.collect")
    finding = service.finding

    def collect(order: Any, timing: Any, accounts: Any) -> Flow[Any]:
        def seen(tx: Tx) -> list[Any]:
            return [
                item if isinstance(item, Share) else _Seen(finding.item(tx, item))
                for item in order.items
            ]

        items = yield from look(seen)
        flow: Flow[Any] = original(replace(order, items=items), timing, accounts)
        return (yield from flow)

    return collect


class _Seen:
    """An item as it was when somebody looked."""

    def __init__(self, item: Any) -> None:
        self.item = item


def _believe_the_look(original: Any) -> Any:
    def share(tx: Tx, item: Any) -> Any:
        return (item.item, None) if isinstance(item, _Seen) else original(tx, item)

    return share


def _name_of_the_look(original: Any) -> Any:
    def name_of(item: Any) -> Any:
        return payable.name_of(item.item) if isinstance(item, _Seen) else original(item)

    return name_of


MUTANTS: Final = (
    Mutant(
        name="sends-before-the-intent",
        plants="a charge is sent first, and stored together with its response",
        breaks="the intent is stored before anything is sent",
        shows="a process dies while it waits for the response",
        patches=(Patch("service.collect", "collect", _send_before_intent),),
    ),
    Mutant(
        name="trusts-a-lost-commit",
        plants="the request is sent although the response to its COMMIT was lost",
        breaks="a nonce is read back before anything is sent",
        shows="a COMMIT fails, and did not take effect",
        patches=tuple(
            Patch(f"service.{module}", "intend", _trust_a_lost_commit)
            for module in ("collect", "operate", "enroll")
        ),
    ),
    Mutant(
        name="new-key-when-sent-again",
        plants="a request that is sent again gets a key of its own",
        breaks="a request is sent again with the same key and the same body",
        shows="the first request was executed, or arrives late",
        patches=(Patch("service.inquire", "_send_again", _new_key),),
    ),
    Mutant(
        name="retry-wraps-the-send",
        plants="a request without a response is sent again at once",
        breaks="no retry includes the request that moves money",
        shows="the response is lost and the processor keeps no keys",
        patches=tuple(
            Patch(f"service.{module}", "ask", _retry_around_sending) for module in THAT_SEND
        ),
    ),
    Mutant(
        name="sends-after-the-lease",
        plants="the end of the lease does not keep a process from sending",
        breaks="the lease limits sending",
        shows="a process stalls between its intent and its request",
        patches=tuple(Patch(f"service.{module}", "ask", _after_the_lease) for module in THAT_SEND),
    ),
    Mutant(
        name="rebuilt-without-its-token",
        plants="a charge that is built again lacks the stored method's token",
        breaks="the body is the same again, and it is sent only if it can be rebuilt",
        shows="a charge of a stored method is lost on its way",
        patches=(Patch("service.requests", "rebuild_charge", _without_token),),
        bias=Bias(
            faults={PlannedFault.REQUEST_LOST: 0.3},
            actions={"store method": 4, "pay": 2, "poller": 3},
            kinds=frozenset({Kind.CARD, Kind.E_CHECK}),
            rules=frozenset({"keyed", "keyed_without_errors"}),
        ),
    ),
    Mutant(
        name="looks-then-claims",
        plants="the open amount of an invoice is read before the transaction that claims it",
        breaks="one conditional update per item makes the claim; no decision uses an earlier read",
        shows="two payments of one invoice begin at once",
        patches=(
            Patch("service.collect", "collect", _claim_after_look),
            Patch("service.claiming", "share_of", _believe_the_look),
            Patch("service.claiming", "name_of", _name_of_the_look),
            Patch(
                "ledger.items",
                "_CLAIM",
                without(
                    " AND total_minor - allocated_minor - written_off_minor - claimed_minor"
                    " - moved_minor >= :amount"
                ),
            ),
        ),
        bias=Bias(
            faults={PlannedFault.RESPONSE_SLOW: 0.3},
            actions={"pay": 8, "time passes": 0, "clock": 0},
        ),
    ),
)
