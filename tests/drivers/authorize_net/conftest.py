"""An Authorize.Net account, a charge, and Authorize.Net's answers to it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.authorize_net import AuthorizeNet, AuthorizeNetSettings
from paygate.gateway import Charge, Inquiry, StoredToken

NS = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"
SENT_AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DATE = "Mon, 02 Nov 2026 13:00:00 GMT"
T = "60012345678"
PAYER = Customer(
    id="C-1",
    name="Ada King Lovelace",
    email="ada@example.org",
    phone="+1 206 555 0100",
    address=PostalAddress(
        line1="12 St James's Sq",
        line2="Flat 3",
        city="Bellevue",
        region="WA",
        postal_code="98004",
        country="US",
    ),
)


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def settings(**given: Any) -> AuthorizeNetSettings:
    return AuthorizeNetSettings(
        **{"login": "login12345", "transaction_key": "0123456789abcdef", **given}
    )


@pytest.fixture
def net() -> AuthorizeNet:
    return AuthorizeNet(settings())


def charge(**given: Any) -> Charge:
    return Charge(
        **{
            "key": "k7",
            "our_ref": "att_1",
            "payment": "pay_1",
            "amount": usd("12.50"),
            "kind": Kind.CARD,
            "method": OneTimeToken.of("eyJjb2RlIjoiNTBfMl8wNjAwMDUy"),
            **given,
        }
    )


STORED = StoredToken(Secret("123/456"))


def inquiry(**given: Any) -> Inquiry:
    return Inquiry(
        **{
            "operation": Operation.CHARGE,
            "key": "k7",
            "our_ref": "att_1",
            "payment": "pay_1",
            "reference": "",
            "amount": usd("12.50"),
            "sent_at": SENT_AT,
            **given,
        }
    )


# --- XML -----------------------------------------------------------------------------------


def sent(request: Request) -> dict[str, Any]:
    """Read what was sent; what repeats becomes a list."""
    root = ET.fromstring(request.body)  # noqa: S314  (we wrote it)
    return {_name(root): _read(root)}


def body_of(request: Request) -> dict[str, Any]:
    """Read the transaction that was sent."""
    (found,) = sent(request).values()
    told: dict[str, Any] = found["transactionRequest"]
    return told


def _name(element: ET.Element) -> str:
    return element.tag.removeprefix(f"{{{NS}}}")


def _read(element: ET.Element) -> Any:
    if not len(element):
        return element.text or ""
    told: dict[str, Any] = {}
    for child in element:
        name, value = _name(child), _read(child)
        if name not in told:
            told[name] = value
        elif isinstance(told[name], list):
            told[name].append(value)
        else:
            told[name] = [told[name], value]
    return told


def written(told: Any) -> str:
    if not isinstance(told, Mapping):
        return escape(str(told))
    return "".join(
        f"<{name}>{written(one)}</{name}>"
        for name, value in told.items()
        for one in (value if isinstance(value, list) else [value])
    )


BOM = b"\xef\xbb\xbf"


def answers(name: str, told: Any = None, status: int = 200, date: str = DATE) -> Response:
    """Answer as Authorize.Net does: behind a byte order mark."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><{name} xmlns="{NS}">{written(told or {})}</{name}>'
    )
    return Response(status=status, headers={"date": date}, body=BOM + body.encode())


OK = {"resultCode": "Ok", "message": {"code": "I00001", "text": "Successful."}}


def error(code: str, text: str = "No.") -> dict[str, Any]:
    return {"resultCode": "Error", "message": {"code": code, "text": text}}


def refuses(code: str, text: str = "No.") -> Response:
    return answers("ErrorResponse", {"messages": error(code, text)})


def transaction(code: str = "1", reason: str = "1", **given: Any) -> dict[str, Any]:
    """Tell of a transaction, as the answer to it does."""
    told: dict[str, Any] = {
        "responseCode": code,
        "authCode": "QWX20S",
        "avsResultCode": "Y",
        "cvvResultCode": "P",
        "cavvResultCode": "2",
        "transId": T,
        "refTransID": "",
        "testRequest": "0",
        "accountNumber": "XXXX1111",
        "accountType": "Visa",
    }
    order = ["splitTenderId", "prePaidCard"]
    told |= {name: given.pop(name) for name in order if name in given}
    told |= {name: value for name, value in given.items() if name != "networkTransId"}
    if code in ("1", "4"):
        told["messages"] = {"message": {"code": reason, "description": "Told."}}
    else:
        told["errors"] = {"error": {"errorCode": reason, "errorText": "Refused."}}
    if "networkTransId" in given:
        told["networkTransId"] = given["networkTransId"]
    return told


def made(code: str = "1", reason: str = "1", *, ref: str = "", **given: Any) -> Response:
    """Answer to a transaction."""
    told = {"refId": ref} if ref else {}
    return answers(
        "createTransactionResponse",
        {**told, "messages": OK, "transactionResponse": transaction(code, reason, **given)},
    )


CARD = {"creditCard": {"cardNumber": "XXXX1111", "expirationDate": "XXXX", "cardType": "Visa"}}
BANK = {
    "bankAccount": {
        "accountType": "checking",
        "routingNumber": "XXXX0661",
        "accountNumber": "XXXX6789",
        "nameOnAccount": "Ada Lovelace",
        "echeckType": "WEB",
    }
}


def details(status: str, *, order: str = "", ref: str = "", **given: Any) -> Response:
    """Tell the details of a transaction, in the order of the schema."""
    told: dict[str, Any] = {"transId": given.pop("transId", T)}
    if "refTransId" in given:
        told["refTransId"] = given.pop("refTransId")
    told |= {
        "submitTimeUTC": "2026-11-02T12:00:01.39Z",
        "submitTimeLocal": "2026-11-02T05:00:01.39",
        "transactionType": given.pop("kind", "authCaptureTransaction"),
        "transactionStatus": status,
        "responseCode": given.pop("code", "1"),
        "responseReasonCode": given.pop("reason", "1"),
        "responseReasonDescription": "Approval",
        "AVSResponse": "Y",
    }
    if "batch" in given:
        told["batch"] = given.pop("batch")
    if order:
        told["order"] = {"invoiceNumber": order}
    told |= {
        "authAmount": given.pop("authAmount", "12.50"),
        "settleAmount": given.pop("settleAmount", "12.50"),
        "payment": given.pop("payment", CARD),
    }
    for name in ("returnedItems", "profile", "networkTransId"):
        if name in given:
            told[name] = given.pop(name)
    assert not given, f"not placed: {given}"
    more = {"transrefId": ref} if ref else {}
    return answers("getTransactionDetailsResponse", {"messages": OK, "transaction": told, **more})


def entry(status: str, **given: Any) -> dict[str, Any]:
    """Tell of a transaction as a list does."""
    more = (
        {"hasReturnedItems": given.pop("hasReturnedItems")} if "hasReturnedItems" in given else {}
    )
    return {
        "transId": T,
        "submitTimeUTC": "2026-11-02T12:00:01Z",
        "submitTimeLocal": "2026-11-02T05:00:01",
        "transactionStatus": status,
        "invoiceNumber": "",
        "accountType": "Visa",
        "accountNumber": "XXXX1111",
        "settleAmount": "12.50",
        **given,
        **more,
    }


def listing(name: str, *entries: dict[str, Any], date: str = DATE) -> Response:
    told = {"transactions": {"transaction": list(entries)}} if entries else {}
    return answers(f"{name}Response", {"messages": OK, **told}, date=date)


def unsettled(*entries: dict[str, Any]) -> Response:
    return listing("getUnsettledTransactionList", *entries)


def in_batch(*entries: dict[str, Any]) -> Response:
    return listing("getTransactionList", *entries)


def batches(*found: dict[str, Any], date: str = DATE) -> Response:
    told = {"batchList": {"batch": list(found)}} if found else {}
    return answers("getSettledBatchListResponse", {"messages": OK, **told}, date=date)


def batch(id_: str, at: str = "2026-11-02T08:40:29Z", **given: Any) -> dict[str, Any]:
    return {
        "batchId": id_,
        "settlementTimeUTC": at,
        "settlementTimeLocal": at.rstrip("Z"),
        "settlementState": "settledSuccessfully",
        "paymentMethod": "eCheck",
        **given,
    }
