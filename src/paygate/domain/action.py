"""Actions: what the payer must do next, one type for each way of doing it.

A page that can render each type once can render every gateway. Data that only the payer's browser
may see is a `Secret` in the action: the ledger stores it separately, so a payment read from the
ledger lacks it.
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

    The token goes in the field *token_field*, together with *fields*. It is for the payer's
    browser alone: a driver always sets it, a payment read from the ledger does not contain it,
    and `Cashier.action_of` returns it to the page that renders the form.
    """

    url: str
    token_field: str
    token: Secret[str] | None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """Continue in the page with the processor's own script, which is loaded from *script_url*.

    The script takes *publishable_key*, which may be public, and *client_secret*, which
    is for the payer's browser alone: a driver always sets it, a payment read from the ledger
    does not contain it, and `Cashier.action_of` returns it to the page that runs the script. If
    the driver leaves *publishable_key* empty, the account's public setting with that name is used.
    """

    script_url: str
    publishable_key: str
    client_secret: Secret[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowVoucher:
    """Give the payer a slip to pay at a counter; the counter scans or types *reference*."""

    reference: str
    url: str = ""
    barcode: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCode:
    """Show a QR code of *payload* for the payer's bank or wallet to scan (Pix, UPI, PayNow).

    The payload is encoded as it is; most wallets also accept it pasted as text, and
    *url* opens them on the phone that shows the page. *instructions* are for the payer.
    """

    payload: str
    url: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveElsewhere:
    """Let the payer approve in an app or on a phone that the processor has asked (M-Pesa, Swish).

    *where* names that place for the payer, such as "your phone" or the app; *code* is what the
    payer compares or types there, if the processor issued one. The page waits in the meantime:
    it does not send the payer anywhere, and polls the payment until it has ended.
    """

    where: str
    code: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayToAddress:
    """Ask the payer to send *amount* to *address*; *uri* is for wallets and QR codes (BIP 21).

    If the currency is not that of the payment, this is a quote, made at *rate* from
    *rate_source*: money seen before the quote expires is counted at the quoted rate,
    however the rate moves; for money that comes later, see `Rail.late`. From *enough* on the
    payment counts as made in full.
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
"""What the payer must do before the payment can continue."""


def secret_of(action: Action) -> Secret[str] | None:
    """Return the secret in *action*; None if it has none, or if it was removed."""
    match action:
        case PostForm():
            return action.token
        case ScriptStep():
            return action.client_secret
        case _:
            return None


def with_secret(action: Action, secret: Secret[str] | None) -> Action:
    """Return *action* with *secret* put in; None removes it."""
    match action:
        case PostForm():
            return replace(action, token=secret)
        case ScriptStep():
            return replace(action, client_secret=secret)
        case _:
            return action


def lacks_secret(action: Action) -> bool:
    """Return whether *action* needs a secret that it does not contain."""
    return isinstance(action, PostForm | ScriptStep) and not secret_of(action)
