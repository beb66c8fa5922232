"""The payer's next action, as rows of output, and the text of its QR code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cli import show
from paygate.domain.action import (
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.action import Action


def rows(of: Action) -> dict[str, object]:
    """Return what is shown of an action, by name; what is to be copied has a row of its own."""
    match of:
        case Redirect():
            return {"Next": "the payer follows the link", "Link": of.url}
        case PostForm():
            return {"Next": "the payer's browser posts the form of your page", "To": of.url}
        case ScriptStep():
            return {
                "Next": "the payer continues in your page, in the script",
                "Script": of.script_url,
            }
        case ShowVoucher():
            return {
                "Next": "the payer pays at a counter, with the number",
                "Number": of.reference,
                "Barcode": of.barcode or None,
                "Link": of.url or None,
                "Instructions": of.instructions or None,
            }
        case ShowCode():
            return {
                "Next": "the payer scans the code, or pastes its text into a wallet",
                "Text": of.payload,
                "Link": of.url or None,
                "Instructions": of.instructions or None,
            }
        case ApproveElsewhere():
            return {
                "Next": f"the payer approves on {of.where}",
                "Code": of.code or None,
                "Instructions": of.instructions or None,
            }
        case PayToAddress():
            rate = f"{of.rate} ({of.rate_source})" if of.rate_source else of.rate
            return {
                "Next": f"the payer sends {of.amount} to the address",
                "Address": of.address,
                "Link": of.uri,
                "Enough": of.enough,
                "Rate": rate or None,
            }


def qr(of: Action | None) -> str:
    """Return the text of an action's QR code; raise `InvalidValue` if it has none."""
    match of:
        case Redirect(method="GET", url=text) | ShowCode(payload=text) | PayToAddress(uri=text):
            pass
        case ShowVoucher(url=text) if text:
            pass
        case _:
            raise InvalidValue("no action is required of the payer that has a QR code")
    from paygate.slips import qr_text

    return qr_text(text)


def show_qr(of: Action | None) -> None:
    """Draw the QR code of an action on the terminal."""
    show.console().print(qr(of))
