"""The names a host may import from paygate, and what importing it costs."""

import inspect
import subprocess
import sys

import pytest

import paygate
import paygate.driver
import paygate.testing
from paygate.domain.quoting import Valuation
from paygate.sink import Checkable, LooksAhead
from tests.support import reach

PUBLIC = [
    "AccountFacts",
    "AccountsOf",
    "AccountStatus",
    "Action",
    "PostalAddress",
    "Advice",
    "Allocation",
    "ApproveElsewhere",
    "Approved",
    "AsyncCashier",
    "AsyncTransport",
    "Attempt",
    "AttemptState",
    "Authorized",
    "Balance",
    "BankCalendar",
    "BankAccount",
    "BankPolicy",
    "StatementFormat",
    "StatementFormatWord",
    "StatementImport",
    "ColumnMap",
    "BankStatement",
    "BankLine",
    "EntryMeaning",
    "LineState",
    "LineStateWord",
    "LineClass",
    "BankMatch",
    "MatchKind",
    "MatchRule",
    "MatchedBy",
    "Reconciled",
    "Proposal",
    "Certainty",
    "creditor_reference",
    "Bill",
    "Browser",
    "Callback",
    "CallbackProof",
    "CallbackStyle",
    "Campaign",
    "CardCheck",
    "CardChecks",
    "Cashier",
    "ChargeFact",
    "ChargeReason",
    "ChargeReasonWord",
    "Chargeback",
    "CheckResult",
    "Clock",
    "Commitment",
    "CommitmentStatus",
    "CustomerState",
    "Ended",
    "Ending",
    "Concern",
    "CopiedLedger",
    "CopiedTable",
    "Credit",
    "CreditOn",
    "CreditReason",
    "Customer",
    "DeadLetter",
    "DeclineCode",
    "Declined",
    "DedupWindow",
    "DeliveryOutcome",
    "DeliveryTry",
    "Dispute",
    "Document",
    "DisputeState",
    "DisputeStateWord",
    "Event",
    "FeedsRead",
    "FlaggedPayments",
    "ForeignMoney",
    "Gateway",
    "GatewayAccount",
    "History",
    "Hold",
    "Ids",
    "ImportProblem",
    "Imported",
    "InboxState",
    "InboxStateWord",
    "InquiryBy",
    "Invoice",
    "InvoiceLine",
    "InvoiceOrder",
    "InvoiceRun",
    "OnDefault",
    "OrderRefusal",
    "OverdueDebt",
    "OverdueRun",
    "PlannedStage",
    "Promise",
    "PromiseStatus",
    "SourcedOrder",
    "read_orders",
    "InvoiceText",
    "Letterhead",
    "NumberSeries",
    "Rounding",
    "RoundingWord",
    "Stage",
    "Standing",
    "StoredDocument",
    "TaxLine",
    "InvoiceStatus",
    "InvoiceStatusWord",
    "InvoiceTotals",
    "Keyed",
    "KeyedVerb",
    "Job",
    "JobKind",
    "JobResult",
    "Kind",
    "KindWord",
    "Late",
    "LateRule",
    "LedgerStatus",
    "Limits",
    "LinkFor",
    "LinkItem",
    "LinkStatus",
    "LinkStatusWord",
    "LinkTry",
    "Mandate",
    "MandateScope",
    "Merchants",
    "MethodRequest",
    "MethodFacts",
    "Money",
    "Movement",
    "MovementKind",
    "Network",
    "NotIdempotent",
    "OneTimeToken",
    "OnRest",
    "OnRestWord",
    "Payable",
    "Prepayment",
    "PrepaymentStatus",
    "PrepaymentStatusWord",
    "Operation",
    "OperationResult",
    "OperationState",
    "PausedSink",
    "PayToAddress",
    "PayerField",
    "AccountStatement",
    "ApiKey",
    "StatementKind",
    "StatementLine",
    "ApiScope",
    "ApiScopeWord",
    "NewApiKey",
    "PayerNumber",
    "PaygateError",
    "Payment",
    "PaymentItem",
    "PaymentLink",
    "PaymentMethod",
    "PaymentPage",
    "PaymentStatus",
    "PaymentStatusWord",
    "PaymentTotals",
    "PrepaymentTotals",
    "Pays",
    "PaysWord",
    "AddressCounts",
    "AddressPer",
    "PostForm",
    "Published",
    "Rail",
    "RawBankAccount",
    "RawCard",
    "Receipt",
    "ReceiptLine",
    "RecordedBy",
    "Redirect",
    "RefundTo",
    "RefundToWord",
    "Refusal",
    "Refused",
    "RefusedCallbacks",
    "RejectCause",
    "Reply",
    "Rescan",
    "Resolution",
    "Request",
    "Response",
    "Reversal",
    "Review",
    "ReviewCause",
    "Rotated",
    "ScriptStep",
    "Secret",
    "SentBackBy",
    "Share",
    "ShowCode",
    "ShowVoucher",
    "Sighting",
    "Sink",
    "SinkStatus",
    "SinkTraits",
    "BlockingSink",
    "ConfiguredSink",
    "Delivery",
    "Stopped",
    "StoreError",
    "StoredAccount",
    "StoredCallback",
    "StoredMethod",
    "StoredToken",
    "Timing",
    "Traits",
    "Transport",
    "Unattended",
    "UnknownOutcomes",
    "UsageError",
    "Violation",
    "WaitingJobs",
    "WayToPay",
    "Within",
    "WriteOff",
    "copy_ledger",
    "AutopayCount",
    "Announced",
    "AutopayItem",
    "AutopayMethod",
    "AutopayPlan",
    "AutopayPolicy",
    "AutopayRun",
    "ChargeOn",
    "MandateChannel",
    "MethodProblem",
    "NetworkLimits",
    "PageState",
    "PastTry",
    "PlannedCharge",
    "PlannedItem",
    "PlannedAnnouncement",
    "PlannedSkip",
    "RetryPolicy",
    "SkipReason",
    "Subscription",
    "SubscriptionStatus",
]

# Each takes longer to import than a portal should wait for a name it may not use.
HEAVY = ["asyncio", "babel", "cryptography", "httpx", "pydantic", "tenacity", "typer"]


def in_a_new_interpreter(program: str) -> str:
    """Run *program* where nothing has been imported yet, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_the_public_names_are_these() -> None:
    assert sorted(paygate.__all__) == sorted(PUBLIC)


CAPABILITIES = {
    each
    for each in (getattr(paygate.driver, name) for name in paygate.driver.__all__)
    if reach.is_protocol(each)
}
"""What a driver has. A host hands the driver over whole; its author's door is `paygate.driver`."""

OF_THE_ENGINE = {
    # `GatewayAccount` holds them for the verbs; a host neither reads nor sets them.
    "Hidden",
    "Refusals",
    "Terms",
    # At which price money is counted: `Movement` carries it from one use case to the next.
    "Valuation",
    "Checkable",
    "LooksAhead",
}


def verbs_that_name(face: type) -> dict[str, set[str]]:
    """Return each class of ours that a host meets at *face*, with the verbs that lead to it."""
    met: dict[str, set[str]] = {}
    # What a sink does is for its author, and for HTTP it is a dialogue, as in a driver.
    stop = {*CAPABILITIES, paygate.Sink, paygate.BlockingSink, Checkable, LooksAhead, Valuation}
    for name, function in reach.public_functions_of(face):
        for annotation in reach.written(function):
            for each in reach.classes_in(annotation, function.__module__, stop=stop):
                if each not in CAPABILITIES - {paygate.driver.Gateway}:
                    met.setdefault(each.__name__, set()).add(name)
    return met


@pytest.mark.parametrize("face", [paygate.Cashier, paygate.AsyncCashier, paygate.Within])
def test_every_class_that_a_verb_takes_or_returns_is_a_public_name(face: type) -> None:
    met = verbs_that_name(face)

    assert {"Payment", "Invoice", "Money"} <= met.keys()
    unnamed = met.keys() - {*paygate.__all__} - OF_THE_ENGINE
    assert {name: sorted(met[name]) for name in unnamed} == {}


def test_what_is_left_to_the_engine_is_met_and_not_public() -> None:
    assert verbs_that_name(paygate.Cashier).keys() >= OF_THE_ENGINE
    assert not OF_THE_ENGINE & {*paygate.__all__}


def test_dir_offers_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(paygate))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_what_it_is(name: str) -> None:
    thing = getattr(paygate, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        pytest.skip("a type alias or a constant carries no docstring of its own")

    said = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__

    assert said, f"{name} has no docstring"
    assert not said.startswith(f"{name}("), f"{name} has only the docstring that dataclass made"


def test_no_public_name_is_loaded_before_it_is_asked_for() -> None:
    program = "import paygate; print(*(n for n in paygate.__all__ if n in vars(paygate)))"

    assert in_a_new_interpreter(program) == ""


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_loads_once(name: str) -> None:
    assert getattr(paygate, name) is getattr(paygate, name)


def test_a_wrong_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Cashbox"):
        getattr(paygate, "Cashbox")  # noqa: B009 - the type checkers know that it is wrong


def test_importing_paygate_imports_nothing_heavy() -> None:
    program = f"import sys, paygate; print(*(n for n in {HEAVY} if n in sys.modules))"

    assert in_a_new_interpreter(program) == ""


def test_the_cashier_brings_nothing_heavy_and_no_use_case() -> None:
    program = (
        "import sys; from paygate import Cashier, Money; "
        f"print(*(n for n in {HEAVY} if n in sys.modules), "
        "*(n for n in sys.modules if n.startswith(('paygate.ledger.', 'paygate.service.'))))"
    )

    assert in_a_new_interpreter(program) == "paygate.service.flow"


@pytest.mark.parametrize("name", sorted(paygate.testing.__all__))
def test_each_name_for_tests_can_be_the_first_that_is_imported(name: str) -> None:
    assert in_a_new_interpreter(f"from paygate.testing import {name}") == ""
