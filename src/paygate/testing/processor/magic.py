"""Magic values: tokens that decide the outcome of an operation at the fake processor.

They are one table, `MAGIC`, which the processor, the tests and the reference page use.
A token that is not in the table is rejected, so that a typo shows. Nothing is random.
A script (`FakeGateway.script`) uses the same names, and takes precedence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.advice import Advice
from paygate.domain.kind import Kind
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.errors import InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """What the processor decides."""

    APPROVE = "approve"
    """The operation succeeds."""
    DECLINE = "decline"
    """The bank declines."""
    REJECT = "reject"
    """The processor refuses the request."""
    WAIT = "wait"
    """The operation is pending, and ends later in `Plan.ends`."""
    WITHDRAW = "withdraw"
    """The processor withdraws a pending operation; only for `Plan.ends`."""
    ASK_PAYER = "ask_payer"
    """The payer must act first, such as pass 3-D Secure."""


class Wire(StrEnum):
    """What happens to the request and its response on the network."""

    FINE = "fine"
    """Both arrive."""
    UNSENT = "unsent"
    """The request is not sent, and the client knows it."""
    REQUEST_LOST = "request_lost"
    """The request is lost, and the client cannot know it."""
    REQUEST_LATE = "request_late"
    """The request arrives after the client has stopped waiting."""
    RESPONSE_LOST = "response_lost"
    """The request is executed, and its response is lost."""
    RESPONSE_LATE = "response_late"
    """The request is executed, and its response arrives too late."""
    ERROR_BEFORE = "error_before"
    """The server fails with status 500 before it executes the request."""
    ERROR_AFTER = "error_after"
    """The server fails with status 500 after it executed the request."""
    GARBAGE = "garbage"
    """The request is executed, and the response is not JSON."""
    TRUNCATED = "truncated"
    """The request is executed, and the response is cut off."""
    HUGE = "huge"
    """The request is executed, and the response is larger than a client should read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The planned outcome of one operation: what is decided, and what the network does to it.

    `code` is a `DeclineCode` or a `RejectCause`, and `advice` what the card's bank says about
    charging it again; `ends` is what a pending operation ends in
    (with `WITHDRAW` the processor withdraws it without a reason); `percent` is the part of
    the amount that moves; `other_currency` moves the money in another currency; `returns` is
    the ACH code with which a settled e-check is returned; `checks` is the result of comparing
    address, postal code and security code, in our vocabulary; `action` is what the payer
    must follow: a redirect, or a ``script`` or ``form``. `void` decides a void while the debit
    is pending: ``too_late`` refuses it, and ``loses`` accepts it but the debit settles first.
    """

    verdict: Verdict = Verdict.APPROVE
    ends: Verdict = Verdict.APPROVE
    code: str = ""
    raw_code: str = ""
    retryable: bool = False
    advice: str = ""
    percent: int = 100
    other_currency: bool = False
    returns: str = ""
    action: str = ""
    checks: str = ""
    void: str = ""
    wire: Wire = Wire.FINE

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Plan:
        """Return the plan that `as_json` wrote."""
        plan = cls(**plain)
        return replace(
            plan, verdict=Verdict(plan.verdict), ends=Verdict(plan.ends), wire=Wire(plan.wire)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Magic:
    """One row: a token, the kinds that accept it, its plan, and a description."""

    token: str
    kinds: frozenset[Kind]
    plan: Plan
    text: str
    brand: str = ""


DECLINES: Final[Mapping[DeclineCode, tuple[str, bool]]] = {
    DeclineCode.GENERIC: ("05", True),
    DeclineCode.INSUFFICIENT_FUNDS: ("51", True),
    DeclineCode.LIMIT_EXCEEDED: ("61", True),
    DeclineCode.EXPIRED_METHOD: ("54", False),
    DeclineCode.INVALID_METHOD: ("14", False),
    DeclineCode.INVALID_SECURITY_CODE: ("N7", False),
    DeclineCode.INVALID_ADDRESS: ("AV", False),
    DeclineCode.AUTHENTICATION_REQUIRED: ("1A", True),
    DeclineCode.AUTHENTICATION_FAILED: ("R0", True),
    DeclineCode.LOST_OR_STOLEN: ("43", False),
    DeclineCode.FRAUD_SUSPECTED: ("59", False),
    DeclineCode.NOT_PERMITTED: ("57", False),
    DeclineCode.DUPLICATE: ("94", True),
    DeclineCode.TRY_AGAIN_LATER: ("91", True),
    DeclineCode.ACCOUNT_CLOSED: ("R02", False),
    DeclineCode.NO_ACCOUNT: ("R03", False),
    DeclineCode.MANDATE_REVOKED: ("R07", False),
}
"""The fake's own code for each decline (mostly ISO 8583 field 39), and whether to retry."""

RETURNS: Final[Mapping[str, DeclineCode]] = {
    "R01": DeclineCode.INSUFFICIENT_FUNDS,
    "R02": DeclineCode.ACCOUNT_CLOSED,
    "R03": DeclineCode.NO_ACCOUNT,
    "R07": DeclineCode.MANDATE_REVOKED,
    "R10": DeclineCode.NOT_PERMITTED,
}
"""ACH return codes (Nacha Operating Rules, appendix four) of the fake, and our codes for them."""

REJECTS: Final[Mapping[RejectCause, bool]] = {
    RejectCause.CREDENTIALS: False,
    RejectCause.PERMISSION: False,
    RejectCause.RATE_LIMIT: True,
    RejectCause.VALIDATION: False,
    RejectCause.UNAVAILABLE: True,
    RejectCause.METHOD_GONE: False,
    RejectCause.KEY_IN_USE: True,
    RejectCause.KEY_MISMATCH: False,
    RejectCause.STATE: False,
}
"""Whether the same request may be sent again later, by the cause of its refusal."""


def declined(code: DeclineCode) -> Plan:
    """Return the plan of a decline, with the fake's own code for it."""
    raw_code, retryable = DECLINES[code]
    return Plan(verdict=Verdict.DECLINE, code=code, raw_code=raw_code, retryable=retryable)


def rejected(cause: RejectCause) -> Plan:
    """Return the plan of a refusal of the request itself."""
    return Plan(
        verdict=Verdict.REJECT, code=cause, raw_code=f"fake_{cause}", retryable=REJECTS[cause]
    )


def unpaid(return_code: str) -> Plan:
    """Return the plan of an e-check that is returned before it settles."""
    code = RETURNS[return_code]
    return Plan(ends=Verdict.DECLINE, code=code, raw_code=return_code)


_CARD = frozenset({Kind.CARD})
_BANK = frozenset({Kind.E_CHECK})
_BOTH = _CARD | _BANK


def _rows() -> list[Magic]:
    rows = [
        Magic(token=token, kinds=_CARD, plan=Plan(), brand=brand, text="approved")
        for token, brand in {
            "tok_visa": "visa",
            "tok_mastercard": "mastercard",
            "tok_amex": "amex",
        }.items()
    ]
    rows.append(
        Magic(
            token="tok_bank",  # noqa: S106
            kinds=_BANK,
            plan=Plan(),
            brand="bank",
            text="pending, settles after three days",
        )
    )
    for code in DeclineCode:
        name = "tok_declined" if code is DeclineCode.GENERIC else f"tok_declined_{code}"
        text = f"declined: {code}"
        rows.append(Magic(token=name, kinds=_BOTH, plan=declined(code), text=text))
    rows += (
        Magic(
            token=f"tok_advised_{advice}",
            kinds=_CARD,
            plan=replace(
                declined(DeclineCode.GENERIC), advice=advice.value, retryable=advice.retryable
            ),
            text=f"declined: generic, with the bank's advice {advice}",
        )
        for advice in Advice
    )
    expired = declined(DeclineCode.EXPIRED_METHOD)
    rows.append(
        Magic(token="tok_expired", kinds=_CARD, plan=expired, text="declined: expired_method")  # noqa: S106
    )
    for cause in RejectCause:
        text = f"the request is rejected: {cause}"
        rows.append(
            Magic(token=f"tok_rejected_{cause}", kinds=_BOTH, plan=rejected(cause), text=text)
        )
    for name, (plan, text) in _CARD_PLANS.items():
        rows.append(Magic(token=name, kinds=_CARD, plan=plan, text=text))
    for name, (plan, text) in _SHARED_PLANS.items():
        rows.append(Magic(token=name, kinds=_BOTH, plan=plan, text=text))
    for name, (plan, text) in _BANK_PLANS.items():
        rows.append(Magic(token=name, kinds=_BANK, plan=plan, text=text))
    for returned in RETURNS:
        rows += (
            Magic(
                token=f"tok_bank_returned_{returned.lower()}",
                kinds=_BANK,
                plan=Plan(returns=returned),
                text=f"settles, and is returned with {returned} two days later",
            ),
            Magic(
                token=f"tok_bank_unpaid_{returned.lower()}",
                kinds=_BANK,
                plan=unpaid(returned),
                text=f"pending, then declined with {returned} instead of settling",
            ),
        )
    return rows


_CARD_PLANS: Final[Mapping[str, tuple[Plan, str]]] = {
    "tok_pending": (Plan(verdict=Verdict.WAIT), "pending, approved after a day"),
    "tok_pending_declined": (
        replace(declined(DeclineCode.FRAUD_SUSPECTED), verdict=Verdict.WAIT, ends=Verdict.DECLINE),
        "pending, declined after a day (held for a fraud check)",
    ),
    "tok_checks_pass": (
        Plan(checks="pass"),
        "approved; address, postal code and security code match",
    ),
    "tok_checks_fail": (
        Plan(checks="fail"),
        "approved, although address, postal code and security code do not match",
    ),
    "tok_checks_unavailable": (
        Plan(checks="unavailable"),
        "approved; the bank could not check address, postal code and security code",
    ),
    "tok_action": (Plan(verdict=Verdict.ASK_PAYER), "the payer must pass 3-D Secure first"),
    "tok_action_script": (
        Plan(verdict=Verdict.ASK_PAYER, action="script"),
        "the same, in the processor's script (`ScriptStep`)",
    ),
    "tok_action_form": (
        Plan(verdict=Verdict.ASK_PAYER, action="form"),
        "the same, on a form that takes a token (`PostForm`)",
    ),
}

_BANK_PLANS: Final[Mapping[str, tuple[Plan, str]]] = {
    "tok_bank_voidable": (Plan(), "pending, and can be voided until it settles"),
    "tok_bank_void_too_late": (
        Plan(void="too_late"),
        "pending, but a void is refused because the bank has the debit; settles after three days",
    ),
    "tok_bank_void_loses": (
        Plan(void="loses"),
        "pending; a void is accepted as pending, and refused when the debit has settled",
    ),
}

_SHARED_PLANS: Final[Mapping[str, tuple[Plan, str]]] = {
    "tok_partial": (Plan(percent=50), "half of the amount is approved"),
    "tok_other_amount": (Plan(percent=200), "twice the requested amount moves"),
    "tok_other_currency": (
        Plan(other_currency=True),
        "the money moves in EUR (or in USD if EUR was requested)",
    ),
    "tok_unsent": (Plan(wire=Wire.UNSENT), "the request is never sent"),
    "tok_unknown_lost": (
        Plan(wire=Wire.REQUEST_LOST),
        "the request is lost: no response, and nothing moves; a repetition is executed",
    ),
    "tok_timeout_late": (
        Plan(wire=Wire.REQUEST_LATE),
        "no response; the request arrives a minute later and is executed then",
    ),
    "tok_unknown_executed": (Plan(wire=Wire.RESPONSE_LOST), "executed, but the response is lost"),
    "tok_response_late": (
        Plan(wire=Wire.RESPONSE_LATE),
        "executed, but the response arrives after the client has stopped waiting",
    ),
    "tok_500": (Plan(wire=Wire.ERROR_BEFORE), "status 500, and nothing moved"),
    "tok_500_executed": (Plan(wire=Wire.ERROR_AFTER), "status 500, although it was executed"),
    "tok_garbage": (Plan(wire=Wire.GARBAGE), "executed, but the response is not JSON"),
    "tok_truncated": (Plan(wire=Wire.TRUNCATED), "executed, but the response is truncated"),
    "tok_10mb": (Plan(wire=Wire.HUGE), "executed, but the response is ten megabytes long"),
}

MAGIC: Final[Mapping[str, Magic]] = {row.token: row for row in _rows()}
"""Every token that the fake knows."""

CARD_NUMBERS: Final[Mapping[str, str]] = {
    "4242424242424242": "tok_visa",
    "5555555555554444": "tok_mastercard",
    "378282246310005": "tok_amex",
    "4000000000000002": "tok_declined",
    "4000000000009995": "tok_declined_insufficient_funds",
    "4000000000000069": "tok_expired",
    "4000000000000127": "tok_declined_invalid_security_code",
    "4000000000003220": "tok_action",
}
"""Card numbers (only in the explicit type `RawCard`), and the token that each behaves like."""

ACCOUNT_NUMBERS: Final[Mapping[str, str]] = {
    "000123456789": "tok_bank",
    "000111111113": "tok_declined_account_closed",
    "000111111116": "tok_bank_returned_r01",
    "000222222227": "tok_bank_unpaid_r01",
}
"""Bank accounts (only in the explicit type `RawBankAccount`), and the token for each."""


LISTED: Final = "the page reference/fake of the documentation lists them"
"""Where messages about an unknown token refer the reader to."""


def plan_named(name: str) -> Plan:
    """Return the plan of a magic token, with or without ``tok_``, or raise `InvalidValue`."""
    row = MAGIC.get(name) or MAGIC.get(f"tok_{name}")
    if row is None:
        if name in {"approve", "approved"}:
            return Plan()
        raise InvalidValue(f"{shown(name)} is not a magic value of the fake; {LISTED}")
    return row.plan
