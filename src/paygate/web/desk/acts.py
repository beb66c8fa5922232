"""Acts: what a clerk can do to a payment, as a table.

Each act has a form. What was typed is read into the arguments of a verb, which the cashier runs
with the clerk as the actor. Acts that send something to a gateway have a key that follows from the
payment and from what the clerk saw of it: a second click, or a second clerk who saw the same,
does the same thing once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.payment import RECORDED, PaymentStatus
from paygate.web.amounts import amount_as_typed
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.showing import words
from paygate.web.desk.staff import Role
from paygate.web.desk.stating import reads_outcome, stating_inputs
from paygate.web.desk.views import Choice, Input, english
from paygate.web.pages.views import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.result import OperationResult
    from paygate.web.desk.visit import DeskVisit
    from paygate.web.texts import Text

_REASON: Final = "Enter the reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A payment that a clerk acts on; *version* changes with everything that happens to it."""

    payment: Payment
    receipts: Sequence[Receipt]
    attempts: Sequence[Attempt]
    version: str
    today: date

    @property
    def rest(self) -> Money:
        """What came in and is still here."""
        return self.payment.received - self.payment.returned


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAct:
    """
    Something that a clerk can do to a payment.

    - *fits* says whether it is offered for a payment; the engine decides whether it is done.
    - *inputs* are those of its form; *read* returns the arguments of its *verb*, or raises
      `ProblemsError`. *keyed* says that the verb takes a key.
    - *amounts* are those that a second person may have to approve.
    - *said* says what was done, from what the verb returned.
    """

    name: str
    label: str
    explain: str
    button: str
    verb: str
    fits: Callable[[Payment], bool]
    inputs: Callable[[DeskVisit, Case], Sequence[Input]]
    read: Callable[[DeskVisit, Case], dict[str, Any]]
    amounts: Callable[[Case, Mapping[str, Any]], Sequence[Money]]
    said: Callable[[Any], Text]
    keyed: bool = False
    needs: Role = Role.CLERK


# --- What the forms have in common ---------------------------------------------------------


def _reason(visit: DeskVisit, label: str = "Reason") -> Input:
    return Input(name="reason", label=english(label), value=visit.given("reason"))


def _amount(
    visit: DeskVisit, name: str, label: str, given: Money | None = None, hint: str = ""
) -> Input:
    typed = visit.typed.get(name)
    if typed is None:
        typed = amount_as_typed(given, visit.reader) if given else ""
    return Input(
        name=name,
        label=english(label),
        type="amount",
        value=typed,
        hint=english(hint) if hint else None,
    )


def _forced(visit: DeskVisit, label: str) -> list[Input]:
    """Return the field for a reason to go against a warning, which only a manager has."""
    if not visit.staff.role.includes(Role.MANAGER):
        return []
    return [Input(name="force_reason", label=english(label), value=visit.given("force_reason"))]


def _day(visit: DeskVisit, name: str) -> date:
    try:
        return date.fromisoformat(visit.given(name))
    except ValueError:
        message = english("Enter a date such as {example}", example="2026-12-01")
        raise ProblemsError(Problem(name, message)) from None


def _nothing(_: DeskVisit, __: Case) -> list[Input]:
    return []


def _read_nothing(_: DeskVisit, __: Case) -> dict[str, Any]:
    return {}


def _read_reason(visit: DeskVisit, _: Case) -> dict[str, Any]:
    return {"reason": visit.required("reason", _REASON)}


def _just_reason(visit: DeskVisit, _: Case) -> list[Input]:
    return [_reason(visit)]


def _no_amount(_: Case, __: Mapping[str, Any]) -> list[Money]:
    return []


def _operated(result: OperationResult) -> Text:
    return english(
        "{operation} of {amount}: {state}.",
        operation=words(result.operation.value),
        amount=result.amount,
        state=english(words(result.state.value)),
    )


# --- Reverse -------------------------------------------------------------------------------


def _reverse_inputs(visit: DeskVisit, case: Case) -> list[Input]:
    currency = case.payment.amount.currency
    inputs = [
        Input(
            name="on",
            label=english("Date"),
            type="date",
            value=visit.typed.get("on") or case.today.isoformat(),
            hint=english("On which the bank took it back"),
        ),
        _reason(visit),
        _amount(visit, "fee", f"Fee for the customer, in {currency}", hint="Empty for no fee"),
        _amount(
            visit,
            "bank_charge",
            f"What the bank charged us, in {currency}",
            hint="Empty for nothing",
        ),
    ]
    if visit.staff.role.includes(Role.MANAGER):
        inputs.append(
            Input(
                name="force",
                label=english("Reverse it although the gateway still holds the money"),
                type="check",
                value=visit.given("force"),
            )
        )
    return inputs


def _read_reverse(visit: DeskVisit, case: Case) -> dict[str, Any]:
    currency = case.payment.amount.currency
    return {
        "on": _day(visit, "on"),
        "reason": visit.required("reason", _REASON),
        "fee": visit.amount("fee", currency),
        "bank_charge": visit.amount("bank_charge", currency),
        "force": bool(visit.given("force")) and visit.staff.role.includes(Role.MANAGER),
    }


def _reversed(reversal: Any) -> Text:
    if reversal.fee_invoice is None:
        return english("{number} was created.", number=reversal.number)
    return english(
        "{number} was created, and {invoice} for the fee.",
        number=reversal.number,
        invoice=reversal.fee_invoice,
    )


# --- Capture, refund, cancel ---------------------------------------------------------------


def _capture_inputs(visit: DeskVisit, case: Case) -> list[Input]:
    return [
        _amount(visit, "amount", "Amount", case.payment.authorized or case.payment.amount),
        Input(
            name="keep",
            label=english("Keep the rest authorized for another capture"),
            type="check",
            value=visit.given("keep"),
        ),
    ]


def _read_capture(visit: DeskVisit, case: Case) -> dict[str, Any]:
    amount = visit.amount("amount", case.payment.amount.currency)
    return {"amount": amount, "final": not visit.given("keep")}


def _refund_inputs(visit: DeskVisit, case: Case) -> list[Input]:
    return [
        _amount(visit, "amount", "Amount", case.rest),
        Input(
            name="to",
            label=english("What happens to the invoices"),
            type="choice",
            value=visit.given("to"),
            choices=[
                Choice("", english("As usual: credit first, else they are open again")),
                Choice("reopen", english("They are open again")),
                Choice("credit_note", english("They are written off: the goods came back")),
                Choice("from_credit", english("The credit that it made is paid out")),
            ],
        ),
        _reason(visit),
        *_forced(visit, "Why it is sent although the bank can still return the money"),
    ]


def _read_refund(visit: DeskVisit, case: Case) -> dict[str, Any]:
    return {
        "amount": visit.amount("amount", case.payment.amount.currency),
        "to": visit.given("to") or None,
        "reason": visit.required("reason", _REASON),
        **_read_forced(visit, case),
    }


def _cancel_inputs(visit: DeskVisit, _: Case) -> list[Input]:
    return _forced(visit, "Why it is sent although the bank can still return the money")


def _read_forced(visit: DeskVisit, _: Case) -> dict[str, Any]:
    manager = visit.staff.role.includes(Role.MANAGER)
    return {"force_reason": visit.given("force_reason") if manager else ""}


def _given_or_rest(case: Case, order: Mapping[str, Any]) -> list[Money]:
    return [order.get("amount") or case.rest]


def _all_of_it(case: Case, _: Mapping[str, Any]) -> list[Money]:
    return [case.rest]


# --- Decide --------------------------------------------------------------------------------


def _assign_inputs(visit: DeskVisit, _: Case) -> list[Input]:
    return [
        Input(
            name="invoices",
            label=english("Invoices, in order"),
            value=visit.given("invoices"),
            hint=english("With commas between them; empty, all becomes credit"),
        ),
        Input(
            name="customer",
            label=english("Customer"),
            value=visit.given("customer"),
            hint=english("If no customer has the number that it came for"),
        ),
        _reason(visit),
    ]


def _read_assign(visit: DeskVisit, _: Case) -> dict[str, Any]:
    numbers = [each.strip() for each in visit.given("invoices").split(",")]
    return {
        "invoices": [each for each in numbers if each],
        "customer": visit.given("customer") or None,
        "reason": visit.required("reason", _REASON),
    }


def _undecided(case: Case, _: Mapping[str, Any]) -> list[Money]:
    return list(case.payment.undecided)


def _stated_amounts(case: Case, order: Mapping[str, Any]) -> list[Money]:
    del case
    moved = [each.amount for each in getattr(order["outcome"], "movements", ())]
    return moved or [each for each in [getattr(order["outcome"], "amount", None)] if each]


def _now(payment: Payment) -> Text:
    return english("The payment is now: {state}.", state=english(words(payment.status.value)))


_OPEN: Final = frozenset(
    {PaymentStatus.UNKNOWN, PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION}
)


def _has_money(payment: Payment) -> bool:
    return payment.received > payment.returned


def _at_gateway(payment: Payment) -> bool:
    return payment.account != RECORDED


def _needs_verb(verb: str) -> Callable[[Payment], bool]:
    return lambda payment: any(verb in each.verbs for each in payment.reviews)


def _table(*acts: PaymentAct) -> dict[str, PaymentAct]:
    return {each.name: each for each in acts}


ACTS: Final[Mapping[str, PaymentAct]] = _table(
    PaymentAct(
        name="reverse",
        label="Reverse",
        explain="The money never came, for example because a check bounced. The invoices are open "
        "again, and no money is sent.",
        button="Reverse it",
        verb="reverse",
        fits=lambda payment: _has_money(payment) and not payment.reversed,
        inputs=_reverse_inputs,
        read=_read_reverse,
        amounts=_all_of_it,
        said=_reversed,
    ),
    PaymentAct(
        name="undo-reversal",
        label="Undo the reversal",
        explain="The money arrived after all. It is put on the invoices again as far as they are "
        "open; the rest becomes credit.",
        button="Undo it",
        verb="undo_reversal",
        fits=lambda payment: payment.reversed,
        inputs=_just_reason,
        read=_read_reason,
        amounts=lambda case, _: [case.payment.received],
        said=_now,
    ),
    PaymentAct(
        name="capture",
        label="Capture",
        explain="Take money that is held for us.",
        button="Capture it",
        verb="capture",
        fits=lambda payment: payment.status is PaymentStatus.AUTHORIZED,
        inputs=_capture_inputs,
        read=_read_capture,
        amounts=lambda case, order: [order["amount"] or case.payment.amount],
        said=_operated,
        keyed=True,
    ),
    PaymentAct(
        name="refund",
        label="Refund",
        explain="Send money back to the payer through the gateway.",
        button="Send it back",
        verb="refund",
        fits=lambda payment: _has_money(payment) and _at_gateway(payment),
        inputs=_refund_inputs,
        read=_read_refund,
        amounts=_given_or_rest,
        said=_operated,
        keyed=True,
    ),
    PaymentAct(
        name="cancel",
        label="Cancel",
        explain="In the cheapest way that still works: a page is withdrawn, a hold or charge is "
        "voided, and what cannot be voided is sent back.",
        button="Cancel it",
        verb="cancel",
        fits=lambda payment: (
            _at_gateway(payment)
            and (payment.status in (*_OPEN, PaymentStatus.AUTHORIZED) or _has_money(payment))
        ),
        inputs=_cancel_inputs,
        read=_read_forced,
        amounts=_all_of_it,
        said=_operated,
        keyed=True,
    ),
    PaymentAct(
        name="inquire",
        label="Ask the processor",
        explain="Ask the gateway for the state of this payment, and store what it says.",
        button="Ask now",
        verb="inquire",
        fits=lambda payment: (
            _at_gateway(payment) and (payment.status in _OPEN or payment.needs_review)
        ),
        inputs=_nothing,
        read=_read_nothing,
        amounts=_no_amount,
        said=_now,
    ),
    PaymentAct(
        name="resolve",
        label="Resolve",
        explain="Record what you found out about a request whose outcome is not known.",
        button="Record it",
        verb="resolve",
        fits=lambda payment: payment.status in _OPEN or _needs_verb("resolve")(payment),
        inputs=lambda visit, case: stating_inputs(visit, case.payment, case.attempts),
        read=lambda visit, case: reads_outcome(visit, case.payment, case.attempts),
        amounts=_stated_amounts,
        said=_now,
    ),
    PaymentAct(
        name="assign",
        label="Assign",
        explain="Decide what the money pays that was not requested, or whose it is.",
        button="Assign it",
        verb="assign",
        fits=lambda payment: bool(payment.undecided),
        inputs=_assign_inputs,
        read=_read_assign,
        amounts=_undecided,
        said=_now,
    ),
    PaymentAct(
        name="reviewed",
        label="Finish the review",
        explain="You have checked it, and there is nothing to decide.",
        button="Finish it",
        verb="reviewed",
        fits=lambda payment: payment.needs_review or payment.conflicted,
        inputs=_just_reason,
        read=_read_reason,
        amounts=_no_amount,
        said=lambda _: english("The review is finished."),
    ),
    PaymentAct(
        name="undo-credit-use",
        label="Undo the use of credit",
        explain="The credit that this payment used is returned; its invoices are open again.",
        button="Undo it",
        verb="undo_credit_use",
        fits=lambda payment: payment.from_credit.minor > 0,
        inputs=_nothing,
        read=_read_nothing,
        amounts=lambda case, _: [case.payment.from_credit],
        said=lambda _: english("The credit is returned."),
    ),
)
"""The acts, in the order of their buttons."""
