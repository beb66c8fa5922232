"""Playing the payer, the bank and the clock of a fake processor in another process."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from paygate.driver import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 10.0


def play_over_http(base: str, verb: str, what: Mapping[str, Any]) -> dict[str, Any]:
    """Make the processor at *base* play *verb*, and return its result."""
    if what.get("matching") is not None:
        raise InvalidValue("a function cannot be sent to another process; match by our_ref instead")
    address = urlsplit(base)
    body = json.dumps({name: value for name, value in what.items() if value is not None})
    connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"{address.path}/v1/play/{verb}", body)
        response = connection.getresponse()
        told = cast("dict[str, Any]", json.loads(response.read()))
    finally:
        connection.close()
    if response.status != 200:
        raise InvalidValue(told["error"]["message"])
    return told
