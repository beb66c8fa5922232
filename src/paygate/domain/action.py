"""Actions: what the payer must do next, one type for each way of doing it.

A page that renders each type once can render every gateway. What only the payer's browser may see
is a `Secret` in the action: the ledger keeps it apart, and a payment that is read lacks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.money import Money
    from paygate.domain.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Send the payer to *url*, by GET, or by a form POST of *fields*."""

    url: str
    method: str = "GET"
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class PostForm:
    """Open the processor's own form: let the payer's browser POST *token* to *url*.

    The token goes in the field *token_field*, beside *fields*. It is for the payer's
    browser alone: a driver always gives it, a payment that is read does not hold it,
    and `Cashier.action_of` returns it to the page that renders the form.
    """

    url: str
    token_field: str
    token: Secret[str] | None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """Go on in the page, in the processor's own script, which is loaded from *script_url*.

    The script takes *publishable_key*, which may be public, and *client_secret*, which
    is for the payer's browser alone: a driver always gives it, a payment that is read
    does not hold it, and `Cashier.action_of` returns it to the page that goes on. A key
    that the driver leaves empty is the account's public setting of that name.
    """

    script_url: str
    publishable_key: str
    client_secret: Secret[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowVoucher:
    """Give the payer a slip to pay at a counter; *reference* is what the counter scans or types."""

    reference: str
    url: str = ""
    barcode: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCode:
    """Show a QR code of *payload* to be scanned by the payer's bank or wallet (Pix, UPI, PayNow).

    The payload goes into the code as it is; most wallets also take it pasted as text, and
    *url* opens them on the phone that shows the page. *instructions* are for the payer.
    """

    payload: str
    url: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveElsewhere:
    """Let the payer approve in an app or on a phone that the processor has asked (M-Pesa, Swish).

    *where* names it for the payer, such as "your phone" or the app; *code* is what the
    payer compares or types there, if the processor gives one. The page waits meanwhile:
    it sends the payer nowhere, and asks for the payment until that has ended.
    """

    where: str
    code: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayToAddress:
    """Ask the payer to send *amount* to *address*; *uri* is for wallets and QR codes (BIP 21).

    Where that is another currency than the payment's, it is a quote, made at *rate*
    of *rate_source*: what is seen before it expires is worth what it was worth in the quote,
    however the rate moves; what comes later, see `Rail.late`. From *enough* on the payment
    counts as made in full.
    """

    address: str
    amount: Money
    uri: str
    enough: Money | None = None
    rate: str = ""
    rate_source: str = ""


Action: TypeAlias = (
    Redirect | PostForm | ScriptStep | ShowVoucher | ShowCode | PayToAddress | ApproveElsewhere
)


def secret_of(action: Action) -> Secret[str] | None:
    """Return the secret that *action* holds; None if it holds none, or it was taken out."""
    match action:
        case PostForm():
            return action.token
        case ScriptStep():
            return action.client_secret
        case _:
            return None


def with_secret(action: Action, secret: Secret[str] | None) -> Action:
    """Return *action* with *secret* in its place; None takes it out."""
    match action:
        case PostForm():
            return replace(action, token=secret)
        case ScriptStep():
            return replace(action, client_secret=secret)
        case _:
            return action


def lacks_secret(action: Action) -> bool:
    """Return whether *action* can be followed only with a secret that it does not hold."""
    return isinstance(action, PostForm | ScriptStep) and not secret_of(action)
