"""Magic values: tokens that decide how the fake processor treats an operation.

One table, `MAGIC`, which the processor, the tests and the reference page read.
A token that is not in it is rejected, so that a typo shows. Nothing is random.
A script (`FakeGateway.script`) uses the same names and goes before them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.errors import InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """What the processor decides."""

    APPROVE = "approve"
    DECLINE = "decline"
    REJECT = "reject"
    WAIT = "wait"
    WITHDRAW = "withdraw"
    ASK_PAYER = "ask_payer"


class Wire(StrEnum):
    """What happens to the request and its answer on the way."""

    FINE = "fine"
    UNSENT = "unsent"
    REQUEST_LOST = "request_lost"
    REQUEST_LATE = "request_late"
    ANSWER_LOST = "answer_lost"
    ANSWER_LATE = "answer_late"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    HUGE = "huge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one operation goes: what is decided, and what the wire does to it.

    `code` is a `DeclineCode` or a `RejectCause`; `ends` what waiting ends in (one that
    ends in `WITHDRAW` is withdrawn by the processor, without a word why);
    `percent` the part of the amount that moves; `other_currency` moves the money
    in another one; `returns` is the ACH code with which a settled e-check comes back;
    `checks` is how address, postal code and security code compare, in our words; `action` is
    what a payer who is asked must follow: a redirect, or a ``script`` or ``form``. `void` is
    what becomes of a void while the debit is pending: ``too_late`` refuses it, and ``loses``
    accepts it and lets the money come first.
    """

    verdict: Verdict = Verdict.APPROVE
    ends: Verdict = Verdict.APPROVE
    code: str = ""
    raw_code: str = ""
    retryable: bool = False
    percent: int = 100
    other_currency: bool = False
    returns: str = ""
    action: str = ""
    checks: str = ""
    void: str = ""
    wire: Wire = Wire.FINE

    def as_json(self) -> dict[str, Any]:
        """Write the plan as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Plan:
        """Read what `as_json` wrote."""
        plan = cls(**plain)
        return replace(
            plan, verdict=Verdict(plan.verdict), ends=Verdict(plan.ends), wire=Wire(plan.wire)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Magic:
    """One row: a token, the kinds that take it, what it does, and how that reads."""

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
"""The fake's own code for each decline (mostly ISO 8583 field 39), and whether to try again."""

RETURNS: Final[Mapping[str, DeclineCode]] = {
    "R01": DeclineCode.INSUFFICIENT_FUNDS,
    "R02": DeclineCode.ACCOUNT_CLOSED,
    "R03": DeclineCode.NO_ACCOUNT,
    "R07": DeclineCode.MANDATE_REVOKED,
    "R10": DeclineCode.NOT_PERMITTED,
}
"""ACH return codes (Nacha Operating Rules, appendix four) that the fake uses, in our words."""

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
"""Whether the same request may be made again later, by why it was refused."""


def declined(code: DeclineCode) -> Plan:
    """Plan a decline with the fake's own code for it."""
    raw_code, retryable = DECLINES[code]
    return Plan(verdict=Verdict.DECLINE, code=code, raw_code=raw_code, retryable=retryable)


def rejected(cause: RejectCause) -> Plan:
    """Plan that the request itself is refused."""
    return Plan(
        verdict=Verdict.REJECT, code=cause, raw_code=f"fake_{cause}", retryable=REJECTS[cause]
    )


def unpaid(return_code: str) -> Plan:
    """Plan an e-check that bounces before it settles."""
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
                text=f"settles, and comes back with {returned} two days later",
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
        "approved; address, postal code and security code are right",
    ),
    "tok_checks_fail": (
        Plan(checks="fail"),
        "approved, though address, postal code and security code are wrong",
    ),
    "tok_checks_unavailable": (
        Plan(checks="unavailable"),
        "approved, and the bank could not check them",
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
        "pending, but a void is refused: the bank has the debit; settles after three days",
    ),
    "tok_bank_void_loses": (
        Plan(void="loses"),
        "pending; a void is accepted and waits, and is refused when the debit has settled",
    ),
}

_SHARED_PLANS: Final[Mapping[str, tuple[Plan, str]]] = {
    "tok_partial": (Plan(percent=50), "half of the amount is approved"),
    "tok_other_amount": (Plan(percent=200), "twice the amount moves, which nobody asked for"),
    "tok_other_currency": (
        Plan(other_currency=True),
        "the money moves in EUR (in USD where EUR was asked)",
    ),
    "tok_unsent": (Plan(wire=Wire.UNSENT), "the request never leaves"),
    "tok_unknown_lost": (
        Plan(wire=Wire.REQUEST_LOST),
        "the request is lost on its way: no answer, nothing moves; sent again it goes through",
    ),
    "tok_timeout_late": (
        Plan(wire=Wire.REQUEST_LATE),
        "no answer; the request arrives a minute later and is executed then",
    ),
    "tok_unknown_executed": (Plan(wire=Wire.ANSWER_LOST), "executed, and the answer is lost"),
    "tok_answer_late": (
        Plan(wire=Wire.ANSWER_LATE),
        "executed, and the answer comes when nobody waits for it any more",
    ),
    "tok_500": (Plan(wire=Wire.ERROR_BEFORE), "status 500, and nothing moved"),
    "tok_500_executed": (Plan(wire=Wire.ERROR_AFTER), "status 500, though it was executed"),
    "tok_garbage": (Plan(wire=Wire.GARBAGE), "executed, and the answer is not JSON"),
    "tok_truncated": (Plan(wire=Wire.TRUNCATED), "executed, and the answer breaks off"),
    "tok_10mb": (Plan(wire=Wire.HUGE), "executed, and the answer has ten megabytes"),
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
"""Card numbers (by the explicit type `RawCard` only), and the token that each behaves like."""

ACCOUNT_NUMBERS: Final[Mapping[str, str]] = {
    "000123456789": "tok_bank",
    "000111111113": "tok_declined_account_closed",
    "000111111116": "tok_bank_returned_r01",
    "000222222227": "tok_bank_unpaid_r01",
}
"""Bank accounts (by the explicit type `RawBankAccount` only), and the token for each."""


LISTED: Final = "the page reference/fake of the documentation lists them"
"""Where a message sends who has used a token that is none."""


def plan_named(name: str) -> Plan:
    """Find the plan of a magic token, with or without its ``tok_``, or raise `InvalidValue`."""
    row = MAGIC.get(name) or MAGIC.get(f"tok_{name}")
    if row is None:
        if name in {"approve", "approved"}:
            return Plan()
        raise InvalidValue(f"{shown(name)} is not a magic value of the fake; {LISTED}")
    return row.plan
