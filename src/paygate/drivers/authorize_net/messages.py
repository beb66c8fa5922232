"""What all calls share: the address, the credentials, the reading of refusals.

Every call is a POST to one address; the name of the root element says which.
The status is 200 for business errors too, so anything else is a fault on the
way. Only a response code says what became of a transaction: declines come with
and without an error in the messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    BadResponse,
    CredentialsRejected,
    InvalidAmount,
    Money,
    RejectCause,
    Rejected,
    Request,
    Secret,
    Unknown,
)
from paygate.drivers.authorize_net import codes
from paygate.drivers.authorize_net.markup import (
    document,
    find,
    leaf,
    name_of,
    node,
    read,
    text,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from paygate.driver import Outcome, Response
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

HEADERS: Final = {"content-type": "text/xml; charset=utf-8", "accept": "text/xml"}

# The bank of a card may take long, and to hang up early makes an unknown of an approval.
TIMEOUT_S: Final = 60.0


class Channel:
    """One account's credentials and address: it writes calls and reads their answers."""

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        self.settings = settings
        self._url = settings.api_url
        self._credentials = Secret(
            node(
                "merchantAuthentication",
                leaf("name", settings.login),
                leaf("transactionKey", settings.transaction_key.reveal()),
            )
        )

    def call(
        self, name: str, *children: str, step: str, order: str = "", moves_money: bool = False
    ) -> Request:
        """Build the call *name*; the schema wants credentials and reference before the rest."""
        root = f"{name}Request"
        return Request(
            method="POST",
            url=self._url,
            step=step,
            headers=HEADERS,
            body=document(root, self._credentials.reveal(), leaf("refId", order), *children),
            moves_money=moves_money,
            repeatable=name.startswith("get"),
            timeout_s=TIMEOUT_S,
        )

    def answer(self, name: str, response: Response, *, order: str = "") -> Element | CallRefusal:
        """Read the answer to the call *name*; `BadResponse` for what is none."""
        if response.status != 200:
            raise BadResponse(
                f"status {response.status} instead of an answer", status=response.status
            )
        root = read(response.body)
        told = name_of(root)
        if told not in (f"{name}Response", "ErrorResponse"):
            raise BadResponse(f"the answer to {name} is another one")
        result = text(root, "messages/resultCode")
        if result not in ("Ok", "Error"):
            raise BadResponse("an answer that does not say whether it is one")
        echoed = text(root, "refId")
        if order and echoed and echoed != order:
            raise BadResponse("the answer to another call")
        if told == "ErrorResponse" or result == "Error":
            code, message = message_of(root)
            return CallRefusal(code, message, None if told == "ErrorResponse" else root)
        return root

    def expect(self, name: str, response: Response, *, order: str = "") -> Element:
        """Read the answer to an inquiry, which finds nothing out where it is refused."""
        told = self.answer(name, response, order=order)
        if isinstance(told, CallRefusal):
            raise unanswered(told)
        return told

    def money(self, amount: str) -> Money:
        """Read an amount in the account's currency, or raise `BadResponse`."""
        try:
            return Money.of(self.settings.currency, amount)
        except InvalidAmount:
            raise BadResponse("an amount that is none in the account's currency") from None


def unanswered(told: CallRefusal) -> BadResponse:
    """Return the error of an inquiry that was refused: nothing was found out by it."""
    refused = codes.reject_of(told.code)
    said = f"{told.code} {told.message}"
    if refused is not None and refused.cause is RejectCause.CREDENTIALS:
        return CredentialsRejected(f"Authorize.Net does not accept the credentials: {said}")
    return BadResponse(f"Authorize.Net did not answer the inquiry: {said}")


@dataclass(frozen=True, slots=True)
class CallRefusal:
    """A call that was answered with an error; `root` holds what else came with it."""

    code: str
    message: str
    root: Element | None = None

    def outcome(self, *, money_may_move: bool = False, reference: str = "") -> Outcome:
        """
        Return what the refusal means for an operation.

        If money may have moved, only a code that is known to mean a refusal is one.
        """
        refused = codes.reject_of(self.code)
        if refused is None and money_may_move:
            return uncertain(self.code, self.message, reference)
        if refused is None:
            unsettled = self.code in codes.UNKNOWN
            cause = RejectCause.UNAVAILABLE if unsettled else RejectCause.VALIDATION
            refused = codes.RefusedCode(
                cause=cause, retryable=unsettled, why=codes.doubt_of(self.code)
            )
        return rejected(refused, self.code, self.message, reference)


def rejected(refused: codes.RefusedCode, code: str, message: str, reference: str) -> Rejected:
    """Return the outcome of a refusal."""
    alert = codes.alert_of(code, reference)
    return Rejected(
        cause=refused.cause,
        retryable=refused.retryable,
        raw_code=code,
        message=f"{message} {alert}".strip(),
        reference=reference,
        alert=alert,
    )


def uncertain(code: str, message: str, reference: str) -> Unknown:
    """Return the outcome of an error that does not say whether money moved."""
    return Unknown(
        reason=f"Authorize.Net answered {code or 'without a code'} "
        f"({codes.doubt_of(code)}): {message}",
        reference=reference,
    )


def message_of(root: Element | None) -> tuple[str, str]:
    """Read the first message of an answer: its code, and its text."""
    first = find(root, "messages/message")
    return text(first, "code") or "no code", text(first, "text")


def busy(response: Response) -> Rejected | None:
    """Tell that they turned us away at the door, before anything was looked at."""
    if response.status != 429:
        return None
    return Rejected(
        cause=RejectCause.RATE_LIMIT,
        retryable=True,
        raw_code="429",
        message="Authorize.Net asks for fewer calls",
    )


def instant(found: str) -> datetime | None:
    """Read an instant, which they tell in UTC with or without saying so."""
    try:
        read_ = datetime.fromisoformat(_six_digits(found))
    except ValueError:
        return None
    return read_.replace(tzinfo=UTC) if read_.tzinfo is None else read_.astimezone(UTC)


def _six_digits(found: str) -> str:
    """Cut fractions of a second that Python does not count (it takes six digits)."""
    head, dot, rest = found.partition(".")
    digits = rest.rstrip("Z")
    if not dot or not digits.isdigit():
        return found
    return f"{head}.{digits[:6]}{rest[len(digits) :]}"


def wire_time(moment: datetime) -> str:
    """Write an instant as the schema wants it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def now_of(response: Response) -> datetime | None:
    """Tell the time at the processor: a driver has no clock, and their batches go by theirs."""
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
