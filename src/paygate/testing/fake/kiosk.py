"""The fake kiosk network: it asks about a number before it takes money, and expects an answer.

Its requests are JSON, signed as all callbacks of the fake processor are: ``check``, whether a
number may be paid; ``reserve``, before money is taken; ``pay``, after cash was put in; and
``cancel``, of a reservation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.driver import (
    ActionRequired,
    Applied,
    Approved,
    ApproveElsewhere,
    CallbackStyle,
    Ended,
    Ending,
    InquiryBy,
    Kind,
    Money,
    Movement,
    Notice,
    Question,
    Reply,
    ShowVoucher,
    at_once,
    slip_number,
)
from paygate.testing.fake.gateway import FakeGateway
from paygate.testing.processor import SIGNING_KEY
from paygate.testing.processor.callbacks import authenticated, read_written, signed_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, Charge, Dialogue, Outcome, PayerFacts, Withdrawal
    from paygate.testing.clock import ProcessorClock

_ASKS: Final = ("check", "reserve", "pay", "cancel")


class FakeKiosk(FakeGateway):
    """A network of kiosks whose payers type a number: FakeKiosk(clock=clock).

    ``cashier.receive("kiosk", kiosk.put_in("C-1", Money.of("USD", "20"), "t-1")).body`` is the
    reply to it.
    """

    def __init__(
        self, *, clock: ProcessorClock | None = None, signing_key: str = SIGNING_KEY
    ) -> None:
        super().__init__(
            Kind.VOUCHER,
            clock=clock,
            signing_key=signing_key,
            callbacks=CallbackStyle.ANSWERED,
            inquiry=InquiryBy.NONE,
        )

    # --- What the network sends ---------------------------------------------------------------

    def ask(self, number: str, amount: Money) -> Callback:
        """Return the question whether *amount* may be paid for *number*."""
        return self._request("check", number, amount, "")

    def reserve(self, number: str, amount: Money, id_: str) -> Callback:
        """Return the report that *amount* is reserved for *number*, as transaction *id_*."""
        return self._request("reserve", number, amount, id_)

    def put_in(self, number: str, amount: Money, id_: str) -> Callback:
        """Return the report that *amount* was put in for *number*, as transaction *id_*."""
        return self._request("pay", number, amount, id_)

    def cancel_reserved(self, number: str, amount: Money, id_: str) -> Callback:
        """Return the report that the payer gave up the transaction *id_*."""
        return self._request("cancel", number, amount, id_)

    def _request(self, ask: str, number: str, amount: Money, id_: str) -> Callback:
        event = {
            "ask": ask,
            "number": number,
            "minor": amount.minor,
            "currency": amount.currency,
            "id": id_,
        }
        [written] = signed_events([event], self._signing_key.reveal(), self.clock.now())
        return read_written(written)

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Print a slip, whose number the payer types."""
        number = slip_number(charge.our_ref)
        return at_once(ActionRequired(action=ShowVoucher(reference=number), reference=number))

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        """Withdraw a slip: from then on its number may not be paid."""
        return at_once(Ended(how=Ending.CANCELED, reference=withdrawal.reference))

    # --- The driver ---------------------------------------------------------------------------

    def question(self, callback: Callback) -> Dialogue[Question | Reply | None]:
        """Authenticate a request and read it; None for an event of the fake processor."""
        yield from ()
        authenticated(callback, self._signing_key.reveal())
        try:
            found: object = json.loads(callback.body)
        except ValueError:
            return _reply(400, result="unreadable")
        if not isinstance(found, dict):
            return _reply(400, result="unreadable")
        asked = cast("dict[str, Any]", found)
        if asked.get("ask") not in _ASKS:
            return None if "order" in asked else _reply(400, result="unreadable")
        try:
            amount = Money(str(asked["currency"]), int(asked["minor"]))
            number, id_ = str(asked["number"]), str(asked["id"])
        except (LookupError, TypeError, ValueError):
            return _reply(400, result="unreadable")
        events = (f"pay/{id_}", f"reserve/{id_}", f"cancel/{id_}") if id_ else ()
        return Question(
            currency=amount.currency,
            payer_number=number,
            amount=amount,
            events=events,
            request={"ask": str(asked["ask"]), "id": id_},
        )

    def reply_to(self, question: Question, facts: PayerFacts) -> Reply | Notice:
        """Answer a question; report money, unless it was reported before with the same facts."""
        ask, id_ = question.request["ask"], question.request["id"]
        if ask == "check" or (ask == "reserve" and facts.why_not is not None):
            return _reply(
                200,
                result=facts.why_not.value if facts.why_not else "payable",
                due=facts.due.minor if facts.due else 0,
                name=facts.name,
            )
        if facts.applied is Applied.REFUSED:
            return _reply(409, result="conflict")
        notice = self._notice(question, ask, id_, facts)
        before = facts.kept.get(notice.event_id)
        if facts.applied is None and (before is None or before.notice != notice):
            return notice
        return _reply(200, result="booked", number=before.number if before else 0)

    def _notice(self, question: Question, ask: str, id_: str, facts: PayerFacts) -> Notice:
        amount = question.amount
        assert amount is not None, "a request of the fake kiosk has an amount"
        if ask == "reserve":
            return Notice(
                event_id=f"reserve/{id_}",
                type="reserve",
                reference=id_,
                payer_number=question.payer_number,
                reserves=amount,
                answer=ActionRequired(action=ApproveElsewhere(where="the kiosk")),
            )
        if ask == "cancel":
            ended = Ended(how=Ending.CANCELED, reference=id_)
            return Notice(event_id=f"cancel/{id_}", type="cancel", reference=id_, answer=ended)
        reserved = f"reserve/{id_}" in facts.kept
        name = question.payer_number if facts.slip else id_
        came = Movement(movement_id=id_, amount=amount)
        return Notice(
            event_id=f"pay/{id_}",
            type="pay",
            reference=name,
            payer_number="" if reserved or facts.slip else question.payer_number,
            answer=Approved(reference=name, movements=(came,)),
        )

    def refuse(self, callback: Callback) -> Reply | None:
        """Refuse in the network's own words."""
        del callback
        return _reply(403, result="not authentic")


def _reply(status: int, **members: Mapping[str, Any] | str | int) -> Reply:
    headers = {"content-type": "application/json"}
    return Reply(status=status, headers=headers, body=json.dumps(members).encode())
