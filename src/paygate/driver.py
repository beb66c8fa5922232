"""Everything that the author of a gateway driver needs, in one module.

A driver is a class with a `name`, `traits` and a method for each operation that it
offers. A method is a dialogue: it yields a `Request`, is sent the `Response`, and returns an
`Outcome`. The names in this module change only with `PROTOCOL_VERSION`; other modules of
paygate may change at any time.

    from paygate.driver import Charge, Dialogue, Outcome

    class Acme:
        '''Acme Cards, JSON interface of 2026.'''

        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            response = yield wire.build_sale(self._settings, charge)
            return wire.parse_sale(response, charge)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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
from paygate.domain.advice import Advice, advice_of
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.charging import ChargeFact, ChargeLine, ChargeReason
from paygate.domain.currency import SCALES, scale_of
from paygate.domain.customer import Browser, Customer, PayerField, PostalAddress
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate, MandateChannel, MandateScope
from paygate.domain.method import BRANDS, MethodFacts, MethodNews, StoredMethod, brand_of
from paygate.domain.money import MINOR_MAX, Money
from paygate.domain.movement import Movement, MovementKind, Sighting
from paygate.domain.origin import origin_of
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
    Asks,
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
    Forgets,
    Forgetting,
    Gateway,
    HasPublicSettings,
    HasSandboxTriggers,
    Idempotency,
    Inquiry,
    InquiryBy,
    KeptNotice,
    Keyed,
    Limits,
    LooksUp,
    Method,
    Notice,
    NotIdempotent,
    PayerFacts,
    Prices,
    Question,
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
    WhyNot,
    Withdrawal,
    Withdraws,
    digest_key,
    step_key,
)

if TYPE_CHECKING:
    from paygate.driverkit.amounts import Amounts
    from paygate.driverkit.banks import routing_number
    from paygate.driverkit.cards import card_facts, check_of, expiry_of, last4_of
    from paygate.driverkit.certificates import Certificates
    from paygate.driverkit.fields import ID, TEXT_MAX, Fields
    from paygate.driverkit.form_fields import FormFields, read_form
    from paygate.driverkit.headers import time_of
    from paygate.driverkit.json_fields import read_json, read_json_value, read_jsonp
    from paygate.driverkit.paging import Listing, read_pages
    from paygate.driverkit.refusals import BUSY, CAUSES_BY_STATUS, Cause, refusal, unanswered
    from paygate.driverkit.settings import (
        AmountTable,
        Plain,
        Secrets,
        limits_of,
        matching,
        safe_url,
    )
    from paygate.driverkit.signatures import HmacKeys, alike, check_age, unix_stamp
    from paygate.driverkit.slip_numbers import is_slip_number, slip_number
    from paygate.driverkit.tables import by_word
    from paygate.driverkit.wallets import Wallet, WalletSettings, page_action, page_traits
    from paygate.driverkit.writing import (
        Form,
        Members,
        filled,
        form_body,
        form_request,
        json_body,
        json_request,
        listed,
        plain,
        short_key,
        xml_body,
    )
    from paygate.driverkit.xml_fields import XmlFields, read_xml
    from paygate.settings import Settings

__all__ = [
    "BODY_BYTES_MAX",
    "BRANDS",
    "BUSY",
    "CAPABILITIES",
    "CAUSES_BY_STATUS",
    "ID",
    "MINOR_MAX",
    "PROTOCOL_VERSION",
    "SCALES",
    "TEXT_MAX",
    "AccessToken",
    "AccountFacts",
    "Action",
    "ActionRequired",
    "AddressPer",
    "Advice",
    "AmountTable",
    "Amounts",
    "Applied",
    "ApproveElsewhere",
    "Approved",
    "Asks",
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
    "Cause",
    "Certificates",
    "Charge",
    "ChargeFact",
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
    "Fields",
    "Finding",
    "Forgets",
    "Forgetting",
    "Form",
    "FormFields",
    "Gateway",
    "GatewayError",
    "HasPublicSettings",
    "HasSandboxTriggers",
    "HmacKeys",
    "Idempotency",
    "Inquiry",
    "InquiryBy",
    "InvalidAmount",
    "InvalidCurrency",
    "InvalidSettings",
    "InvalidValue",
    "KeptNotice",
    "Keyed",
    "Kind",
    "Late",
    "LateRule",
    "Limits",
    "Listing",
    "LooksUp",
    "Mandate",
    "MandateChannel",
    "MandateScope",
    "Members",
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
    "PayerFacts",
    "PayerField",
    "PaygateError",
    "Pending",
    "Plain",
    "PostForm",
    "PostalAddress",
    "Price",
    "Prices",
    "Question",
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
    "Secrets",
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
    "Wallet",
    "WalletSettings",
    "Watches",
    "WhyNot",
    "Withdrawal",
    "Withdraws",
    "XmlFields",
    "advice_of",
    "alike",
    "at_once",
    "brand_of",
    "by_word",
    "card_facts",
    "check_age",
    "check_of",
    "digest_key",
    "expiry_of",
    "filled",
    "form_body",
    "form_request",
    "is_slip_number",
    "json_body",
    "json_request",
    "last4_of",
    "limits_of",
    "listed",
    "matching",
    "origin_of",
    "page_action",
    "page_traits",
    "plain",
    "read_form",
    "read_json",
    "read_json_value",
    "read_jsonp",
    "read_pages",
    "read_xml",
    "refusal",
    "routing_number",
    "safe_url",
    "scale_of",
    "short_key",
    "slip_number",
    "step_key",
    "time_of",
    "unanswered",
    "unix_stamp",
    "xml_body",
]

# What is loaded when it is first used, as not all drivers need it: pydantic is slow, and so are
# an XML parser and cryptography.
_KIT: Final = {
    "amounts": "Amounts",
    "banks": "routing_number",
    "cards": "card_facts check_of expiry_of last4_of",
    "certificates": "Certificates",
    "fields": "Fields ID TEXT_MAX",
    "form_fields": "FormFields read_form",
    "headers": "time_of",
    "json_fields": "read_json read_json_value read_jsonp",
    "paging": "Listing read_pages",
    "refusals": "BUSY CAUSES_BY_STATUS Cause refusal unanswered",
    "settings": "AmountTable Plain Secrets limits_of matching safe_url",
    "signatures": "HmacKeys alike check_age unix_stamp",
    "slip_numbers": "is_slip_number slip_number",
    "tables": "by_word",
    "wallets": "Wallet WalletSettings page_action page_traits",
    "writing": (
        "Form Members filled form_body form_request json_body json_request listed plain short_key "
        "xml_body"
    ),
    "xml_fields": "XmlFields read_xml",
}
_HOMES: Final = {
    "Settings": "settings",
    **{name: f"driverkit.{home}" for home, names in _KIT.items() for name in names.split()},
}

if not TYPE_CHECKING:
    # Hidden from type checkers, so that they still catch a wrong name.
    def __getattr__(name: str) -> Any:
        """Import a name of the driver kit, or `Settings`, when it is first used."""
        if name not in _HOMES:
            raise AttributeError(f"module 'paygate.driver' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"paygate.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
