"""What was checked beside the number of a card: address, security code, who the payer is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class CheckResult(StrEnum):
    """How one check of a card payment came out, in one vocabulary for all processors."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    """What the payer gave is what the card's bank has."""

    FAIL = "fail"
    """It is not what the bank has; the bank may have approved all the same."""

    UNAVAILABLE = "unavailable"
    """The bank cannot check it, or could not this time."""

    UNCHECKED = "unchecked"
    """Nothing was given to be checked, or nobody asked for it."""


@dataclass(frozen=True, slots=True)
class CardCheck:
    """The result of one check, with the processor's own code for it, word for word."""

    result: CheckResult = CheckResult.UNCHECKED
    raw_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChecks:
    """
    What a payer gave beside the card's number, compared with what the card's bank has.

    `address` is the street, `security_code` the three or four digits printed on the card,
    `authentication` the proof of 3-D Secure. A bank may approve although a check failed:
    whether that is good enough is for the merchant to say.
    """

    address: CardCheck = CardCheck()
    postal_code: CardCheck = CardCheck()
    security_code: CardCheck = CardCheck()
    authentication: CardCheck = CardCheck()

    @property
    def results(self) -> dict[str, CheckResult]:
        """The results of what was checked, by name."""
        named = {each.name: getattr(self, each.name).result for each in fields(self)}
        return {name: of for name, of in named.items() if of is not CheckResult.UNCHECKED}

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(name for name, of in self.results.items() if of is CheckResult.FAIL)
