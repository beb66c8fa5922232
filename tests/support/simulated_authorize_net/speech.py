"""XML in and out of the simulated processor, with their byte order mark; and JSON out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from tests.support.simulated_authorize_net.records import Told

NAMESPACE: Final = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"

TEXTS: Final = {
    "I00001": "Successful.",
    "I00004": "No records found.",
    "E00001": "An error occurred during processing. Please try again.",
    "E00003": "An error occurred while parsing the XML request.",
    "E00007": "User authentication failed due to invalid authentication values.",
    "E00013": "The field is invalid.",
    "E00027": "The transaction was unsuccessful.",
    "E00039": "A duplicate record already exists.",
    "E00040": "The record cannot be found.",
    "E00045": "The root node does not reference a valid XML namespace.",
    "E00099": "Customer profile creation failed. This transaction ID is invalid.",
    "E00114": "Invalid OTS Token.",
    "1": "This transaction has been approved.",
    "2": "This transaction has been declined.",
    "5": "A valid amount is required.",
    "6": "The credit card number is invalid.",
    "8": "The credit card has expired.",
    "9": "The ABA code is invalid",
    "11": "A duplicate transaction has been submitted.",
    "16": "The transaction cannot be found.",
    "39": "The supplied currency code is not supported.",
    "44": "This transaction has been declined.",
    "47": "The amount requested for settlement cannot be greater than the original amount.",
    "53": "The transaction type is invalid for ACH transactions.",
    "54": "The referenced transaction does not meet the criteria for issuing a credit.",
    "55": "The sum of credits would exceed the original debit amount.",
    "181": "An error occurred during processing.  Please try again.",
    "252": "Your order has been received. Thank you for your business!",
    "295": "The amount of this request was only partially approved.",
    "310": "This transaction has already been voided.",
    "311": "This transaction has already been captured.",
    "327": "The void request failed.",
}


class Unreadable(Exception):
    """A request that is no XML of this interface."""


def read(body: bytes) -> tuple[str, Told]:
    """Read a request: its name, and what is in it."""
    if b"<!" in body:
        raise Unreadable("a document type")
    try:
        root = ET.fromstring(body)  # noqa: S314  (without a document type there are no entities)
    except ET.ParseError as error:
        raise Unreadable(str(error)) from None
    name = root.tag.removeprefix(f"{{{NAMESPACE}}}")
    if name == root.tag:
        raise Unreadable("another namespace")
    inside = _inside(root)
    return name, cast("dict[str, Any]", inside) if isinstance(inside, dict) else {}


def _inside(element: ET.Element) -> Any:
    if len(element) == 0:
        return element.text or ""
    told: Told = {}
    for child in element:
        name = child.tag.removeprefix(f"{{{NAMESPACE}}}")
        value = _inside(child)
        if name in told:
            before: Any = told[name]
            told[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            told[name] = value
    return told


def part(told: Told, name: str) -> Told:
    """Read what is inside of an element that may be missing, or empty."""
    inside: Any = told.get(name)
    return cast("dict[str, Any]", inside) if isinstance(inside, dict) else {}


def listed(value: Any) -> list[Any]:
    """Read what may be there once, often or not at all."""
    if value in (None, ""):
        return []
    return _many(value)


def _many(value: Any) -> list[Any]:
    return cast("Any", value) if isinstance(value, list) else [value]


def write(name: str, told: Told) -> bytes:
    """Write an answer as theirs are, behind a byte order mark."""
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f'\ufeff{head}<{name} xmlns="{NAMESPACE}">{_written(told)}</{name}>'.encode()


def _written(told: Any) -> str:
    if not isinstance(told, dict):
        return escape(str(told))
    parts: list[str] = []
    for name, value in cast("dict[str, Any]", told).items():
        parts += (f"<{name}>{_written(one)}</{name}>" for one in _many(value))
    return "".join(parts)


def ok() -> Told:
    """Tell that a call was understood."""
    return {"resultCode": "Ok", "message": {"code": "I00001", "text": TEXTS["I00001"]}}


def failed(code: str, text: str = "") -> Told:
    """Tell that a call was refused."""
    message = {"code": code, "text": text or TEXTS.get(code, "It was refused.")}
    return {"resultCode": "Error", "message": message}


def write_json(value: Any) -> str:
    """Write JSON; an amount is a number with just its digits, since it never was a float."""
    match value:
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return (
                "{"
                + ", ".join(f"{json.dumps(key)}: {write_json(each)}" for key, each in pairs)
                + "}"
            )
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value)
