"""What all calls share: the address, the credentials, the reading of refusals.

Every call is a POST to one address, in XML in the order of the processor's schema: of its two
formats this is the one whose schema checks, byte for byte, what is sent and answered. The name of
the root element says which call it is. The status is 200 for business errors too, so anything else
is a fault on the way. Only a response code says what became of a transaction: declines come with
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
    Dialogue,
    Fields,
    Outcome,
    RejectCause,
    Rejected,
    Request,
    Response,
    Secret,
    Unknown,
    XmlFields,
    document,
    leaf,
    node,
    read_xml,
)
from paygate.drivers.authorize_net import codes
from paygate.drivers.authorize_net.settings import BY

if TYPE_CHECKING:
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

NAMESPACE: Final = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"
"""The namespace, which is a relative address, and meant so."""

HEADERS: Final = {"content-type": "text/xml; charset=utf-8", "accept": "text/xml"}

# The bank of a card may take long, and to hang up early makes an unknown of an approval.
TIMEOUT_S: Final = 60.0

_NOTHING: Final = XmlFields(None, BY)
_TOO_MANY_CALLS: Final = 429


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
        """Return the call *name*; the schema wants credentials and reference before the rest."""
        inner = (self._credentials.reveal(), leaf("refId", order), *children)
        return Request(
            method="POST",
            url=self._url,
            step=step,
            headers=HEADERS,
            body=document(f"{name}Request", *inner, namespace=NAMESPACE),
            moves_money=moves_money,
            repeatable=name.startswith("get"),
            timeout_s=TIMEOUT_S,
        )

    def answer(self, name: str, response: Response, *, order: str = "") -> XmlFields | CallRefusal:
        """Return the answer to the call *name*; raise `BadResponse` for what is not one."""
        if response.status != 200:
            raise BadResponse(
                f"{BY}: status {response.status} instead of an answer", status=response.status
            )
        root = read_xml(response, BY, namespace=NAMESPACE)
        if root.name not in (f"{name}Response", "ErrorResponse"):
            raise BadResponse(f"{BY}: the answer to {name} is another one")
        echoed = root.text("refId", "")
        if order and echoed and echoed != order:
            raise BadResponse(f"{BY}: the answer to another call")
        failed = root.choice("messages.resultCode", {"Ok": False, "Error": True})
        if root.name == "ErrorResponse":
            return CallRefusal(*message_of(root))
        return CallRefusal(*message_of(root), root) if failed else root

    def done(self, name: str, response: Response, *, order: str = "") -> XmlFields | CallRefusal:
        """Return the answer to an operation, which may have been turned away unread as well."""
        if response.status == _TOO_MANY_CALLS:
            return CallRefusal(str(_TOO_MANY_CALLS), f"{BY} asks for fewer calls", unread=True)
        return self.answer(name, response, order=order)

    def ask(
        self, name: str, *children: str, step: str, order: str = ""
    ) -> Dialogue[XmlFields | CallRefusal]:
        """Make the call *name* and return its answer."""
        response = yield self.call(name, *children, step=step, order=order)
        return self.answer(name, response, order=order)

    def do(
        self, name: str, *children: str, step: str, order: str = ""
    ) -> Dialogue[XmlFields | CallRefusal]:
        """Make the call *name* for an operation; its answer may be that it was turned away."""
        response = yield self.call(name, *children, step=step, order=order)
        return self.done(name, response, order=order)

    def listed(self, name: str, path: str, response: Response) -> list[Fields]:
        """Return the entries of a list; an empty one may be an error that says so."""
        root = self.answer(name, response)
        if isinstance(root, CallRefusal) and root.code in codes.EMPTY:
            return []
        return answered(root).each(path)


@dataclass(frozen=True, slots=True)
class CallRefusal:
    """A call that was refused, perhaps *unread*; `root` holds what else came with it."""

    code: str
    message: str
    root: XmlFields = _NOTHING
    unread: bool = False

    def outcome(self, *, money_may_move: bool = False, reference: str = "") -> Outcome:
        """Return what the refusal means for an operation.

        If money may have moved, only a code that is known to mean a refusal is one.
        """
        refused = codes.TURNED_AWAY if self.unread else codes.reject_of(self.code)
        if refused is None and money_may_move:
            return uncertain(self.code, self.message, reference)
        return rejected(
            refused or codes.before_money(self.code), self.code, self.message, reference
        )


def answered(told: XmlFields | CallRefusal) -> XmlFields:
    """Return the answer to an inquiry, or raise `BadResponse`: a refused one finds nothing out."""
    if isinstance(told, CallRefusal):
        raise unanswered(told)
    return told


def unanswered(told: CallRefusal) -> BadResponse:
    """Return the error of an inquiry that was refused."""
    refused, said = codes.reject_of(told.code), f"{told.code} {told.message}"
    if refused is not None and refused.cause is RejectCause.CREDENTIALS:
        return CredentialsRejected(f"{BY} does not accept the credentials: {said}")
    status = _TOO_MANY_CALLS if told.unread else None
    return BadResponse(f"{BY} did not answer the inquiry: {said}", status=status)


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
    why = codes.doubt_of(code)
    reason = f"{BY} answered {code or 'without a code'} ({why}): {message}"
    return Unknown(reason=reason, reference=reference)


def message_of(root: XmlFields) -> tuple[str, str]:
    """Return the first message of an answer: its code, and its text."""
    first = root.at("messages.message")
    return first.text("code", "no code"), first.text("text", "")


def now_of(response: Response) -> datetime | None:
    """Return the time at the processor: a driver has no clock, and its batches go by this one."""
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
