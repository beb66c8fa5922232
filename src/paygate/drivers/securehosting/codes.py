"""Secure Hosting's words and ours."""

from __future__ import annotations

import re
from typing import Final

from paygate import driver
from paygate.driver import RejectCause

NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
"""The number of a transaction; -1 stands for none."""

OK: Final = "OK"
DECLINED: Final = "TRANSACTION_ERROR"
"""The one error that says that the bank was asked and said no; its reason is a free text."""

REFUSED: Final = {
    "INVALID_LOGIN": RejectCause.CREDENTIALS,
    "NO_XML_PASSED": RejectCause.VALIDATION,
    "BAD_XML_PASSED": RejectCause.VALIDATION,
    "DATA_ERROR": RejectCause.VALIDATION,
}
"""Errors about the request itself, before anything is done."""

UNKNOWN: Final = frozenset({"DATABASE_ERROR", "CREDIT_ERROR", "UPG_ERROR"})
"""Errors of which no source says whether something was done before, and so is any other word."""


def token_of(number: str) -> driver.StoredMethod:
    """Return the card of a transaction: its number is the token of later charges."""
    return driver.StoredMethod(token=driver.Secret(number), kind=driver.Kind.CARD)
