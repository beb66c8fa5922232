"""What all calls share: the address, the credentials, and the reading of refusals.

Every call is a POST to one address, in XML in the order of the processor's schema: of its two
formats this is the one whose schema checks what is sent and answered byte for byte. The root
element names the call. The status is 200 for business errors too, so any other is a fault on the
way. Only a response code says what became of a transaction: a decline may come with or without an
error in the messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate import driver
from paygate.driver import BadResponse, XmlFields, read_xml, xml_body
from paygate.drivers.authorize_net import codes
from paygate.drivers.authorize_net.settings import BY

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Members, Outcome, Request, Response
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

NAMESPACE: Final = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"
"""The namespace, which is a relative address by intent."""

HEADERS: Final = {"content-type": "text/xml; charset=utf-8", "accept": "text/xml"}

# A card's bank may take long, and giving up early makes an unknown of an approval.
TIMEOUT_S: Final = 60.0

_NOTHING: Final = XmlFields(None, BY)
_TOO_MANY_CALLS: Final = 429


class Channel:
    """One account's credentials and address: it writes calls and reads their answers."""

    def __init__(self, settings: AuthorizeNetSettings) -> None:
        self.settings = settings

    def call(
        self, name: str, members: Members, *, step: str, order: str = "", moves_money: bool = False
    ) -> Request:
        """Return the call *name*; in the schema, credentials and reference precede the rest."""
        credentials = {
            "name": self.settings.login,
            "transactionKey": self.settings.transaction_key.reveal(),
        }
        whole: Members = {"merchantAuthentication": credentials, "refId": order, **members}
        return driver.Request(
            method="POST",
            url=self.settings.api_url,
            step=step,
            headers=HEADERS,
            body=xml_body(f"{name}Request", whole, namespace=NAMESPACE),
            moves_money=moves_money,
            repeatable=name.startswith("get"),
            timeout_s=TIMEOUT_S,
        )

    def answer(self, name: str, response: Response, *, order: str = "") -> Answer:
        """Return the answer to the call *name*; raise `BadResponse` for anything else."""
        if response.status == _TOO_MANY_CALLS:
            return CallRefusal(str(_TOO_MANY_CALLS), f"{BY} asks for fewer calls", unread=True)
        if response.status != 200:
            raise BadResponse(
                f"{BY}: status {response.status} instead of an answer", status=response.status
            )
        root = read_xml(response, BY, namespace=NAMESPACE)
        if root.name not in (f"{name}Response", "ErrorResponse"):
            raise BadResponse(f"{BY}: the answer is not to {name}")
        echoed = root.text("refId", "")
        if order and echoed and echoed != order:
            raise BadResponse(f"{BY}: the answer to another call")
        failed = root.choice("messages.resultCode", {"Ok": False, "Error": True})
        is_error, first = root.name == "ErrorResponse", root.at("messages.message")
        if not (failed or is_error):
            return root
        code, text = first.text("code", "no code"), first.text("text", "")
        return CallRefusal(code, text, _NOTHING if is_error else root)

    def ask(self, name: str, members: Members, *, step: str, order: str = "") -> Dialogue[Answer]:
        """Make the call *name* and return its answer."""
        response = yield self.call(name, members, step=step, order=order)
        return self.answer(name, response, order=order)

    def listed(self, name: str, path: str, response: Response) -> list[Fields]:
        """Return the entries of a list; an empty one may be an error that says so."""
        root = self.answer(name, response)
        if isinstance(root, CallRefusal) and root.code in codes.NOTHING_LISTED:
            return []
        return answered(root).each(path)


@dataclass(frozen=True, slots=True)
class CallRefusal:
    """A call that was refused, perhaps *unread* (429); `root` holds what else came with it."""

    code: str
    message: str
    root: XmlFields = _NOTHING
    unread: bool = False

    def outcome(self, *, money_may_move: bool = False, reference: str = "") -> Outcome:
        """Return what the refusal means for an operation.

        Once money may have moved, only a code that is known to mean a refusal is one.
        """
        refused = codes.TURNED_AWAY if self.unread else codes.REJECTS.get(self.code)
        if refused is None and money_may_move:
            return uncertain(self.code, self.message, reference)
        refused = refused or codes.before_money(self.code)
        return rejected(refused, self.code, self.message, reference)

    def error(self) -> BadResponse:
        """Return the error of an inquiry that was refused, which finds nothing out."""
        refused, said = codes.REJECTS.get(self.code), f"{self.code} {self.message}"
        if refused is not None and refused.cause is driver.RejectCause.CREDENTIALS:
            return driver.CredentialsRejected(f"{BY} does not accept the credentials: {said}")
        status = _TOO_MANY_CALLS if self.unread else None
        return BadResponse(f"{BY} did not answer the inquiry: {said}", status=status)


Answer: TypeAlias = XmlFields | CallRefusal


def answered(answer: Answer) -> XmlFields:
    """Return the answer to an inquiry, or raise `BadResponse` if it was refused."""
    if isinstance(answer, CallRefusal):
        raise answer.error()
    return answer


def rejected(
    refused: codes.RefusedCode, code: str, message: str, reference: str
) -> driver.Rejected:
    """Return the outcome of a refusal."""
    alert = codes.alert_of(code, reference)
    return driver.Rejected(
        cause=refused.cause,
        retryable=refused.retryable,
        raw_code=code,
        message=f"{message} {alert}".strip(),
        reference=reference,
        alert=alert,
    )


def uncertain(code: str, message: str, reference: str) -> driver.Unknown:
    """Return the outcome of an error that does not say whether money moved."""
    why = codes.UNKNOWN.get(code, codes.NOT_CLASSIFIED)
    reason = f"{BY} answered {code or 'without a code'} ({why}): {message}"
    return driver.Unknown(reason=reason, reference=reference)
