"""What is checked besides a card's number: address, security code, and who the payer is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class CheckResult(StrEnum):
    """The result of one check of a card payment, in one vocabulary for all processors."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    """What the payer entered matches the records of the card's bank."""

    FAIL = "fail"
    """It does not match; the bank may have approved the payment nevertheless."""

    UNAVAILABLE = "unavailable"
    """The bank cannot check it, or could not this time."""

    UNCHECKED = "unchecked"
    """There was nothing to check, or no check was requested."""


@dataclass(frozen=True, slots=True)
class CardCheck:
    """The result of one check, with the processor's own code for it, word for word."""

    result: CheckResult = CheckResult.UNCHECKED
    raw_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChecks:
    """
    What a payer entered besides the card's number, compared with the records of the card's bank.

    `address` is the street, `security_code` the three or four digits printed on the card,
    `authentication` the proof of 3-D Secure. A bank may approve although a check failed:
    the merchant decides whether that is good enough.
    """

    address: CardCheck = CardCheck()
    postal_code: CardCheck = CardCheck()
    security_code: CardCheck = CardCheck()
    authentication: CardCheck = CardCheck()

    @property
    def results(self) -> dict[str, CheckResult]:
        """The results of the checks that were made, by name."""
        named = {each.name: getattr(self, each.name).result for each in fields(self)}
        return {name: of for name, of in named.items() if of is not CheckResult.UNCHECKED}

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(name for name, of in self.results.items() if of is CheckResult.FAIL)
