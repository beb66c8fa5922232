"""Harbour Pay's codes, and ours."""

from typing import Final

from paygate.driver import Amounts, DeclineCode, DisputeState, Ending, MovementKind, RejectCause

BY: Final = "Harbour Pay"
"""What the processor is called in errors."""

AMOUNTS: Final = Amounts(BY, {"EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3, "USD": 2})

DECLINES: Final = {
    "nsf": (DeclineCode.INSUFFICIENT_FUNDS, True),
    "limit": (DeclineCode.LIMIT_EXCEEDED, True),
    "expired": (DeclineCode.EXPIRED_METHOD, False),
    "lost": (DeclineCode.LOST_OR_STOLEN, False),
    "fraud": (DeclineCode.FRAUD_SUSPECTED, False),
}

REFUSALS: Final = {
    "bad_login": (RejectCause.CREDENTIALS, False),
    "bad_field": (RejectCause.VALIDATION, False),
    "no_card": (RejectCause.METHOD_GONE, False),
    "too_late": (RejectCause.STATE, False),
    "slow_down": (RejectCause.RATE_LIMIT, True),
}

MOVED: Final = {
    "sale": MovementKind.CHARGE,
    "took": MovementKind.CAPTURE,
    "back": MovementKind.REFUND,
    "bounced": MovementKind.REFUND_FAILED,
    "returned": MovementKind.RETURN,
    "disputed": MovementKind.CHARGEBACK,
    "won": MovementKind.CHARGEBACK_WON,
}

DISPUTED: Final = {
    "open": DisputeState.OPENED,
    "lost": DisputeState.LOST,
    "won": DisputeState.WON,
}

SHUT: Final = {"late": Ending.EXPIRED, "shop": Ending.CANCELED}

RAILS: Final = {"card": "card", "e_check": "debit"}
