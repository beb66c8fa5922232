"""Samples of the desk: a view of each kind of page, for those who look at them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.web.desk.staff import Role, Staff
from paygate.web.desk.views import (
    ActForm,
    Buttons,
    Choice,
    DeskView,
    Facts,
    Go,
    Input,
    Moment,
    Note,
    Several,
    Table,
    Tag,
    Timeline,
    english,
)
from paygate.web.pages.views import Fact, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

STAFF: Final = Staff(id="anna", role=Role.CLERK, session="sample", name="Anna Berg")
"""The clerk who is signed in on the samples."""

MENU: Final = tuple(
    (Go(english(name), "/desk/"), name == "Payments")
    for name in ("Payments", "Reviews", "Callbacks", "Dead letters")
)
"""The menu of the samples."""

_USD: Final = Money.of("USD", "30.00")
_AT: Final = datetime(2026, 11, 29, 10, 42, tzinfo=UTC)
_PATH: Final = "/desk/"
_PAID: Final = Tag(english("succeeded"), "good")
_TOKEN: Final = "sample"  # noqa: S105  (a sample is never accepted)

_FIND: Final = ActForm(
    get=True,
    button=english("Find"),
    inputs=(
        Input(
            name="q",
            label=english("Find a payment"),
            hint=english("Its id or reference, the number of an invoice, or a customer"),
        ),
    ),
)
_TABLE: Final = Table(
    title=english("Newest payments"),
    heads=tuple(
        english(each) for each in ("Payment", "Customer", "Invoices", "Made", "Amount", "Status")
    ),
    rows=(
        (Go("7KQ2-M4TD", _PATH), "C-1", "INV-1041", date(2026, 11, 29), _USD, _PAID),
        (
            Go("1Z9K-88QX", _PATH),
            "C-2",
            "INV-1019",
            date(2026, 10, 2),
            _USD,
            Several((_PAID, Tag(english("reversed"), "bad"))),
        ),
    ),
    empty=english("There is no payment."),
    numbers=frozenset({4}),
)
_FACTS: Final = Facts(
    (
        Fact(english("Amount"), _USD),
        Fact(english("Customer"), "C-1"),
        Fact(english("Received"), _USD),
        Fact(english("Account"), "recorded"),
        Fact(english("Id"), "pay_066192f9c5dadb8948c50f3e74b00c"),
    ),
    (_PAID, Tag(english("needs review"), "doubt")),
)
_TIMELINE: Final = Timeline(
    english("What happened"),
    (
        Moment(_AT, english("payment started")),
        Moment(_AT, english("{amount} came in: {kind}", amount=_USD, kind="charge"), (), "good"),
        Moment(_AT, english("{amount} put on {number}", amount=_USD, number="INV-1041")),
        Moment(
            _AT + timedelta(days=3),
            english("payment reversed"),
            ("bounced", english("by {actor}", actor="ben")),
            "bad",
        ),
    ),
)
_REVERSE: Final = ActForm(
    button=english("Reverse it"),
    token=_TOKEN,
    inputs=(
        Input(
            name="on",
            label=english("Date"),
            type="date",
            value="2026-12-01",
            hint=english("On which the bank took it back"),
        ),
        Input(name="reason", label=english("Reason")),
        Input(
            name="fee",
            label=english("Fee for the customer, in USD"),
            type="amount",
            value="25.00",
            hint=english("Empty for no fee"),
        ),
        Input(
            name="to",
            label=english("What happens to the invoices"),
            type="choice",
            choices=(Choice("reopen", english("They are open again")),
                     Choice("credit_note", english("They are written off: the goods came back"))),
        ),
        Input(
            name="force",
            label=english("Reverse it although the gateway still holds the money"),
            type="check",
        ),
    ),
)  # fmt: skip
_BACK: Final = Note(
    english("Nothing is done yet."), "", (Go(english("Back to the payment"), _PATH),)
)

DESK_SAMPLES: Final[Mapping[str, DeskView]] = {
    "desk-find": DeskView(english("Payments"), (_FIND, _TABLE)),
    "desk-nothing": DeskView(english("Reviews"), (replace(_TABLE, rows=()),)),
    "desk-payment": DeskView(
        english("Payment {reference}", reference="7KQ2-M4TD"),
        (
            Note(english("{number} was created.", number="REV-1"), "good"),
            Note(english("an amount other than requested is held: release it"), "doubt"),
            _FACTS,
            Buttons((Go(english("Reverse"), _PATH), Go(english("Refund"), _PATH))),
            _TIMELINE,
        ),
    ),
    "desk-act": DeskView(
        english("{act}: payment {reference}", act="Reverse", reference="7KQ2-M4TD"),
        (Note(english("The money never came, for example because a check bounced.")),
         _REVERSE, _FACTS, _BACK),
    ),
    "desk-wrong": DeskView(
        english("{act}: payment {reference}", act="Reverse", reference="7KQ2-M4TD"),
        (
            replace(
                _REVERSE,
                problems=(
                    Problem("reason", english("Enter the reason")),
                    Problem("form", english("the credit of this payment was used")),
                ),
            ),
            _BACK,
        ),
    ),
    "desk-approve": DeskView(
        english("Approve: {title}", title="Reverse: payment 7KQ2-M4TD"),
        (
            Facts((Fact(english("Asked for by"), "ben"), Fact(english("Reason"), "bounced"))),
            ActForm(button=english("Approve: {act}", act="Reverse it"), token=_TOKEN),
            _FACTS,
        ),
    ),
    "desk-signed-out": DeskView(
        english("You were signed out"),
        (Note(english("Nothing was done."), "doubt", (Go(english("Sign in"), _PATH),)),),
    ),
}  # fmt: skip
"""A view of each kind of page of the desk, by the name under which it is shown."""
