"""The wording of the payment pages: what each state says, as a table.

Every page of the application is in one of these states. What it says is here in English, which is
also the key of the catalogs; the order of the buttons is the order on the page, and the first one
is the main one. The names in braces are values of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.outcome import DeclineCode
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does
from paygate.web.texts import message

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tone(StrEnum):
    """How a page looks at a glance; the text says the same in words."""

    NONE = ""
    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a page; a *strong* one must not be overlooked, a *lead* is the news itself."""

    message: str
    strong: bool = False
    lead: bool = False


@dataclass(frozen=True, slots=True)
class PageText:
    """What the pages of one state say. *fixed* texts cannot be changed by a host."""

    title: str
    sentences: tuple[Sentence, ...]
    buttons: tuple[Does, ...] = ()
    tone: Tone = Tone.NONE
    fixed: bool = False


_NOT_AGAIN: Final = Sentence(message("Please do not pay again."), strong=True)
_NOT_CHARGED: Final = Sentence(message("Nothing was charged."), strong=True)
_NOTHING_YET: Final = Sentence(message("We have received nothing so far."))

TEXTS: Final[Mapping[PageState, PageText]] = {
    PageState.CHOOSE: PageText(
        message("Pay {amount} to {payee}"),
        (
            Sentence(
                message(
                    "Card and bank details are entered at the payment processor. "
                    "{payee} never sees them."
                )
            ),
        ),
        (Does.CONTINUE,),
    ),
    PageState.GO: PageText(
        message("Continue at {processor}"),
        (Sentence(message("Nothing is charged until you confirm there.")),),
        (Does.CONTINUE, Does.ANOTHER_WAY),
    ),
    PageState.CAME_BACK: PageText(
        message("You have not paid yet"), (_NOTHING_YET,), (Does.CONTINUE, Does.ANOTHER_WAY)
    ),
    PageState.SCRIPT: PageText(
        message("Confirm with your bank"),
        (Sentence(message("This step needs JavaScript.")), _NOT_CHARGED),
        (Does.ANOTHER_WAY,),
    ),
    PageState.ELSEWHERE: PageText(
        message("Approve on your phone"),
        (Sentence(message("Open {app} and approve {amount}.")),),
        (Does.CHECK, Does.ANOTHER_WAY),
        Tone.WAIT,
    ),
    PageState.BITCOIN: PageText(
        message("Pay with Bitcoin"),
        (
            Sentence(message("Send {btc} BTC for {amount}."), lead=True),
            Sentence(message("This price is held until {time}.")),
            Sentence(message("Send it once.")),
            Sentence(
                message(
                    "If another amount arrives, it is counted: what is missing stays open, "
                    "what is over becomes credit."
                )
            ),
        ),
        (Does.WALLET, Does.CHECK, Does.ANOTHER_WAY),
    ),
    PageState.CODE: PageText(
        message("Scan the code to pay {amount}"),
        (
            Sentence(message("Open the app of your bank or wallet and scan the code.")),
            Sentence(message("Nothing is charged until you confirm there.")),
        ),
        (Does.WALLET, Does.CHECK, Does.ANOTHER_WAY),
    ),
    PageState.QUOTE_OVER: PageText(
        message("The price has expired"),
        (Sentence(message("If you have already sent it, it still counts.")),),
        (Does.NEW_PRICE,),
    ),
    PageState.SLIP: PageText(
        message("Cash payment slip"),
        (
            Sentence(message("Show this slip at the counter.")),
            Sentence(message("Valid until {date}.")),
            Sentence(message("This is a request to pay, not a receipt.")),
        ),
        (Does.PRINT, Does.SAVE, Does.ANOTHER_WAY),
    ),
    PageState.WAITING: PageText(
        message("We are waiting for {processor}"), (_NOT_AGAIN,), (Does.CHECK,), Tone.WAIT
    ),
    PageState.PENDING: PageText(
        message("Your payment is on its way"),
        (
            _NOT_AGAIN,
            Sentence(message("It usually takes {duration}.")),
            Sentence(message("You can close this page.")),
        ),
        (Does.CHECK, Does.BACK),
        Tone.WAIT,
        fixed=True,
    ),
    PageState.AUTHORIZED: PageText(
        message("Your payment is authorized"),
        (Sentence(message("{amount} is reserved for {payee}.")),),
        (Does.BACK,),
        Tone.GOOD,
    ),
    PageState.PAID: PageText(
        message("Paid. Thank you."),
        (Sentence(message("{amount} to {payee}"), lead=True),),
        (Does.BACK, Does.RECEIPT),
        Tone.GOOD,
    ),
    PageState.AWAITING: PageText(
        message("Received"),
        (
            _NOT_AGAIN,
            Sentence(message("It counts when the bank confirms it, in about {duration}.")),
        ),
        (Does.BACK,),
        Tone.WAIT,
    ),
    PageState.PARTLY: PageText(
        message("{amount} received"),
        (Sentence(message("{rest} is still to be paid.")),),
        (Does.PAY_REST, Does.RECEIPT),
        Tone.GOOD,
    ),
    PageState.OVER: PageText(
        message("Paid. Thank you."),
        (Sentence(message("{extra} more than was due is kept as your credit with {payee}.")),),
        (Does.BACK, Does.RECEIPT),
        Tone.GOOD,
    ),
    PageState.TWICE: PageText(
        message("Already paid"),
        (
            Sentence(message("The invoice had been paid another way.")),
            Sentence(message("{amount} is kept as your credit.")),
        ),
        (Does.BACK,),
        Tone.GOOD,
    ),
    PageState.DECLINED: PageText(
        message("The payment was declined"),
        (Sentence(message("Your bank said no: {reason}.")), _NOT_CHARGED),
        (Does.CONTINUE,),
        Tone.BAD,
    ),
    PageState.FAILED: PageText(
        message("The payment was not made"),
        (Sentence(message("We could not reach the payment processor.")), _NOT_CHARGED),
        (Does.TRY_AGAIN, Does.ANOTHER_WAY),
        Tone.BAD,
    ),
    PageState.CANCELED: PageText(
        message("This payment was canceled"), (_NOTHING_YET,), (Does.ANOTHER_WAY,)
    ),
    PageState.EXPIRED: PageText(
        message("This payment has expired"), (_NOTHING_YET,), (Does.ANOTHER_WAY,)
    ),
    PageState.UNKNOWN: PageText(
        message("We do not know yet whether this payment went through"),
        (
            _NOT_AGAIN,
            Sentence(message("If the money was taken, it is counted once.")),
            Sentence(message("We keep asking the payment processor.")),
            Sentence(message("You can close this page and come back.")),
        ),
        (Does.CHECK, Does.BACK),
        Tone.DOUBT,
        fixed=True,
    ),
    PageState.REVIEW: PageText(
        message("We are checking this payment"),
        (_NOT_AGAIN, Sentence(message("{payee} is looking at it."))),
        (Does.BACK,),
        Tone.DOUBT,
    ),
    PageState.BUSY: PageText(
        message("This is already being paid"),
        (_NOT_AGAIN,),
        (Does.SHOW_OTHER, Does.CHECK),
        Tone.DOUBT,
        fixed=True,
    ),
    PageState.TAKEN_BACK: PageText(
        message("This payment was returned"),
        (
            Sentence(message("The bank took {amount} back on {date}.")),
            Sentence(message("The invoices are open again.")),
        ),
        (Does.PAY_AGAIN,),
        Tone.BAD,
    ),
    PageState.REFUNDED: PageText(
        message("{amount} was sent back"), (Sentence(message("On {date}.")),), (Does.BACK,)
    ),
    PageState.CHANGED: PageText(
        message("The amount has changed"),
        (Sentence(message("It was {old}; it is now {new}.")), _NOT_CHARGED),
        (Does.CONTINUE,),
        Tone.DOUBT,
        fixed=True,
    ),
    PageState.NOTHING_DUE: PageText(
        message("Nothing to pay"),
        (Sentence(message("Everything is paid.")),),
        (Does.BACK,),
        Tone.GOOD,
    ),
    PageState.NOT_FOUND: PageText(
        message("This payment link is not valid"),
        (
            Sentence(message("It may have expired, been replaced or been mistyped.")),
            Sentence(message("Opening it charged nothing.")),
            Sentence(message("Ask for a new one.")),
        ),
    ),
    PageState.TRY_LATER: PageText(
        message("Please try again in a moment"),
        (Sentence(message("If you have just paid, do not pay again."), strong=True),),
        (Does.TRY_AGAIN,),
    ),
}
"""What each state says."""

LABELS: Final[Mapping[Does, str]] = {
    Does.CONTINUE: message("Continue"),
    Does.ANOTHER_WAY: message("Pay another way"),
    Does.CHECK: message("Check again"),
    Does.BACK: message("Back to {payee}"),
    Does.RECEIPT: message("Receipt to print"),
    Does.PRINT: message("Print"),
    Does.SAVE: message("Save as PDF"),
    Does.WALLET: message("Open in wallet"),
    Does.NEW_PRICE: message("Get a new price"),
    Does.PAY_REST: message("Pay the rest"),
    Does.TRY_AGAIN: message("Try again"),
    Does.SHOW_OTHER: message("Show that payment"),
    Does.PAY_AGAIN: message("Pay again"),
}
"""What each button says; see also `label_of`."""

_LABELS_OF: Final[Mapping[tuple[PageState, Does], str]] = {
    (PageState.CAME_BACK, Does.CONTINUE): message("Continue at {processor}"),
    (PageState.CODE, Does.WALLET): message("Open in the app"),
}

NO_REASON: Final = message("it gave no reason")
_DETAILS: Final = message("some details did not match")
_NOT_CONFIRMED: Final = message("the payment was not confirmed")
_NO_DEBIT: Final = message("the account cannot be debited")

REASONS: Final[Mapping[DeclineCode, str]] = {
    DeclineCode.INSUFFICIENT_FUNDS: message("there is not enough money"),
    DeclineCode.LIMIT_EXCEEDED: message("the amount is above your limit"),
    DeclineCode.EXPIRED_METHOD: message("the card has expired"),
    DeclineCode.INVALID_METHOD: _DETAILS,
    DeclineCode.INVALID_SECURITY_CODE: _DETAILS,
    DeclineCode.INVALID_ADDRESS: _DETAILS,
    DeclineCode.AUTHENTICATION_REQUIRED: _NOT_CONFIRMED,
    DeclineCode.AUTHENTICATION_FAILED: _NOT_CONFIRMED,
    DeclineCode.ACCOUNT_CLOSED: _NO_DEBIT,
    DeclineCode.NO_ACCOUNT: _NO_DEBIT,
}
"""Why the bank said no, as far as a payer may know: a thief must not learn that we know."""


def label_of(state: PageState, does: Does) -> str:
    """Return the text of a button on a page of *state*."""
    return _LABELS_OF.get((state, does), LABELS[does])


def reason_of(code: str) -> str:
    """Return what a payer is shown about a decline; a processor's own text is never shown."""
    try:
        return REASONS.get(DeclineCode(code), NO_REASON)
    except ValueError:
        return NO_REASON
