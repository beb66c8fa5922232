"""Views: what a page shows, as plain values between the engine and the templates.

A view holds amounts, dates and texts, and no HTML. The ledger's part of the application fills one
in, the renderer writes it in the language and theme of the reader, and the page of all states shows
samples of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.money import Money
    from paygate.web.pages.states import PageState
    from paygate.web.texts import Text, Value


class Does(StrEnum):
    """What a button of a page does; each state has some of them, in this wording."""

    CONTINUE = "continue"
    ANOTHER_WAY = "another_way"
    CHECK = "check"
    BACK = "back"
    RECEIPT = "receipt"
    PRINT = "print"
    SAVE = "save"
    WALLET = "wallet"
    NEW_PRICE = "new_price"
    PAY_REST = "pay_rest"
    TRY_AGAIN = "try_again"
    SHOW_OTHER = "show_other"
    PAY_AGAIN = "pay_again"


@dataclass(frozen=True, slots=True)
class Link:
    """A button that is a link; with *top* it leaves the frame that the page may be in."""

    href: str
    top: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """A button that posts *fields* to *url*; with *at_once* the script presses it.

    *external* says that it is posted to a processor.
    """

    url: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    at_once: bool = False
    external: bool = False


@dataclass(frozen=True, slots=True)
class ByScript:
    """A button that only the page's script can serve; it is hidden without the script."""


Target: TypeAlias = Link | Post | ByScript
"""Where a button leads. A button without a target is not shown."""


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One thing that is to be paid, such as an invoice with its due date, and how much."""

    label: Text
    amount: Money


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and a value, such as the date of a payment."""

    label: Text
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to pay: what the form sends, its name, a hint and an icon."""

    value: str
    label: Text
    hint: Text | None = None
    icon: str = "card"
    by: Text
    """The text of the button if this is the only way."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field of the form."""

    field: str
    message: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountField:
    """The amount that the payer chooses, as it was typed."""

    typed: str
    minimum: Money
    maximum: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerInput:
    """A fact about the payer that a way to pay needs."""

    name: str
    label: Text
    value: str = ""
    type: str = "text"
    autocomplete: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayForm:
    """The form in which a payer chooses a way to pay.

    *token* is the signed one-use `try` of the form. *legend* asks for the way; *chosen* is the one
    that was chosen before the form came back with *problems*.
    """

    action: str
    token: str
    legend: Text
    ways: tuple[Way, ...]
    chosen: str = ""
    amount: AmountField | None = None
    inputs: tuple[PayerInput, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def only(self) -> Way | None:
        """The way to pay, if there is one only."""
        return self.ways[0] if len(self.ways) == 1 else None

    def problem_of(self, field: str) -> Text | None:
        """Return what is wrong with *field*."""
        return next((each.message for each in self.problems if each.field == field), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A code to scan, as SVG of ours, and what it is called for those who cannot see it."""

    svg: str
    label: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Copyable:
    """A text to copy into a wallet or a bank's form."""

    label: Text
    text: str


class StepState(StrEnum):
    """Where a payment is with respect to one of its steps."""

    DONE = "done"
    NOW = "now"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Step:
    """One of the steps that a payment takes, such as confirmations of a transaction."""

    state: StepState
    label: Text
    note: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSource:
    """The processor's own script, and what it is given; the only foreign script of any page."""

    url: str
    publishable_key: str
    client_secret: str
    return_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipView:
    """A payment slip, to print and to pay at a counter.

    *number* is what the counter types if it cannot scan the *code*; *state_code* leads the payer
    back to the page. *instructions* come from the processor.
    """

    number: str
    code: Picture | None = None
    state_code: Picture | None = None
    instructions: str = ""
    issued: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """Everything that one page shows.

    *values* are those that the texts of the *state* contain, *targets* the places to which its
    buttons lead. *refresh* is where the page goes at once, *poll* the address at which the script
    asks whether the state has changed since *version*. *result* is what the script sends to the
    page of the merchant that shows this one in a frame.
    """

    state: PageState
    values: Mapping[str, Value]
    reference: str = ""
    amount: Money | None = None
    lines: tuple[SummaryLine, ...] = ()
    facts: tuple[Fact, ...] = ()
    targets: Mapping[Does, Target] = field(default_factory=dict["Does", "Target"])
    form: PayForm | None = None
    picture: Picture | None = None
    slip: SlipView | None = None
    copyables: tuple[Copyable, ...] = ()
    steps: tuple[Step, ...] = ()
    script: ScriptSource | None = None
    notes: tuple[Text, ...] = ()
    refresh: str = ""
    poll: str = ""
    version: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """What a part of the money was used for."""

    number: str
    due: date | None
    total: Money | None
    paid: Money
    open: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    """A payment receipt, to print.

    *credit* is what was kept for the customer. *payer* has the lines of the payer, which only the
    portal shows, because a link can be in anybody's hands.
    """

    number: str
    received: Money
    received_on: date
    facts: tuple[Fact, ...]
    rows: tuple[ReceiptRow, ...]
    credit: Money | None = None
    payer: tuple[str, ...] = ()
    targets: Mapping[Does, Target] = field(default_factory=dict["Does", "Target"])
