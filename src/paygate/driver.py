"""Everything that the author of a gateway driver needs, from one module.

A driver is a class with a `name` and `traits` and a method for each thing that it can
do. A method is a dialogue: it yields a `Request`, is sent the `Response`, and returns an
`Outcome`. What is here changes only with `PROTOCOL_VERSION`; other modules of paygate
may move at any time.

    from paygate.driver import Charge, Dialogue, Outcome

    class Acme:
        '''Acme Cards, JSON interface of 2026.'''

        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            response = yield wire.build_sale(self._settings, charge)
            return wire.parse_sale(response, charge)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.dialogue import BODY_BYTES_MAX, Dialogue, Note, Request, Response, at_once
from paygate.domain.action import (
    Action,
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.currency import SCALES, scale_of
from paygate.domain.customer import Browser, Customer, PayerField, PostalAddress
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import (
    BRANDS,
    Mandate,
    MandateScope,
    MethodFacts,
    MethodNews,
    StoredMethod,
    brand_of,
)
from paygate.domain.money import MINOR_MAX, Money
from paygate.domain.movement import Movement, MovementKind, Sighting
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Fault,
    Finding,
    NotFound,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.quoting import Late, LateRule, Price
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.errors import (
    BadResponse,
    CredentialsRejected,
    GatewayError,
    InvalidAmount,
    InvalidCurrency,
    InvalidSettings,
    InvalidValue,
    MissingExtra,
    NoResponse,
    NotAuthentic,
    NotSent,
    PaygateError,
    Unsupported,
    UsageError,
)
from paygate.gateway import (
    CAPABILITIES,
    PROTOCOL_VERSION,
    AccessToken,
    AccountFacts,
    AddressPer,
    Applied,
    AsksForRest,
    Authorizes,
    Callback,
    CallbackProof,
    CallbackStyle,
    Capture,
    Captures,
    CarriesProcessor,
    Charge,
    Charges,
    Checks,
    Completes,
    Completion,
    DedupWindow,
    Enrollment,
    Enrolls,
    FeedPage,
    Feeds,
    Forgetting,
    Gateway,
    HasPublicSettings,
    HasSandboxTriggers,
    Idempotency,
    Inquiry,
    InquiryBy,
    Keyed,
    Limits,
    LooksUp,
    Method,
    Notice,
    NotIdempotent,
    Prices,
    Rail,
    Refunding,
    Refunds,
    Remainder,
    Reply,
    Rescans,
    SandboxTrigger,
    SandboxTriggers,
    SignsIn,
    StoredToken,
    Traits,
    Verifies,
    Voiding,
    Voids,
    Watches,
    Withdrawal,
    Withdraws,
    digest_key,
    step_key,
)

if TYPE_CHECKING:
    from paygate.settings import Settings

__all__ = [
    "BODY_BYTES_MAX",
    "BRANDS",
    "CAPABILITIES",
    "MINOR_MAX",
    "PROTOCOL_VERSION",
    "SCALES",
    "AccessToken",
    "AccountFacts",
    "Action",
    "ActionRequired",
    "AddressPer",
    "Applied",
    "ApproveElsewhere",
    "Approved",
    "AsksForRest",
    "Authorized",
    "Authorizes",
    "BadResponse",
    "Browser",
    "Callback",
    "CallbackProof",
    "CallbackStyle",
    "Capture",
    "Captures",
    "CardCheck",
    "CardChecks",
    "CarriesProcessor",
    "Charge",
    "ChargeLine",
    "ChargeReason",
    "Charges",
    "CheckResult",
    "Checks",
    "Completes",
    "Completion",
    "CredentialsRejected",
    "Customer",
    "DeclineCode",
    "Declined",
    "DedupWindow",
    "Dialogue",
    "Dispute",
    "DisputeState",
    "Ended",
    "Ending",
    "Enrollment",
    "Enrolls",
    "Fault",
    "FeedPage",
    "Feeds",
    "Finding",
    "Forgetting",
    "Gateway",
    "GatewayError",
    "HasPublicSettings",
    "HasSandboxTriggers",
    "Idempotency",
    "Inquiry",
    "InquiryBy",
    "InvalidAmount",
    "InvalidCurrency",
    "InvalidSettings",
    "InvalidValue",
    "Keyed",
    "Kind",
    "Late",
    "LateRule",
    "Limits",
    "LooksUp",
    "Mandate",
    "MandateScope",
    "Method",
    "MethodFacts",
    "MethodNews",
    "MissingExtra",
    "Money",
    "Movement",
    "MovementKind",
    "NoResponse",
    "NotAuthentic",
    "NotFound",
    "NotIdempotent",
    "NotSent",
    "Note",
    "Notice",
    "OneTimeToken",
    "Operation",
    "Outcome",
    "PayToAddress",
    "PayerField",
    "PaygateError",
    "Pending",
    "PostForm",
    "PostalAddress",
    "Price",
    "Prices",
    "Rail",
    "RawBankAccount",
    "RawCard",
    "Redirect",
    "Refunding",
    "Refunds",
    "RejectCause",
    "Rejected",
    "Remainder",
    "Reply",
    "Request",
    "Rescans",
    "Response",
    "SandboxTrigger",
    "SandboxTriggers",
    "ScriptStep",
    "Secret",
    "Settings",
    "ShowCode",
    "ShowVoucher",
    "Sighting",
    "SignsIn",
    "StoredMethod",
    "StoredToken",
    "Traits",
    "Unknown",
    "Unsupported",
    "UsageError",
    "Verifies",
    "Voiding",
    "Voids",
    "Watches",
    "Withdrawal",
    "Withdraws",
    "at_once",
    "brand_of",
    "digest_key",
    "scale_of",
    "step_key",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, so that they still catch a wrong name.
    def __getattr__(name: str) -> Any:
        """Import `Settings` when it is first used: pydantic is slow, and not all need it."""
        if name != "Settings":
            raise AttributeError(f"module 'paygate.driver' has no attribute {name!r}")
        from paygate.settings import Settings

        globals()["Settings"] = Settings
        return Settings
