"""The names a host may import from paygate, and what importing it costs."""

import ast
import builtins
import collections.abc
import inspect
import subprocess
import sys
import typing

import pytest

import paygate
import paygate.driver
import paygate.testing
from paygate.cashier.verbs import each_verb

PUBLIC = [
    "AccountFacts",
    "AccountStatus",
    "Action",
    "Address",
    "Allocation",
    "ApproveElsewhere",
    "Approved",
    "AsyncCashier",
    "Attempt",
    "AttemptState",
    "Authorized",
    "Balance",
    "Bill",
    "Browser",
    "Callback",
    "CardCheck",
    "CardChecks",
    "Cashier",
    "ChargeReason",
    "Chargeback",
    "CheckResult",
    "Closed",
    "Closing",
    "Concern",
    "Credit",
    "CreditOn",
    "CreditReason",
    "Customer",
    "DeadLetter",
    "DeclineCode",
    "Declined",
    "DisputeState",
    "Event",
    "FeedsRead",
    "ForeignMoney",
    "GatewayAccount",
    "History",
    "Imported",
    "InboxState",
    "Invoice",
    "InvoiceStatus",
    "Kind",
    "LedgerStatus",
    "Mandate",
    "MandateScope",
    "MethodChange",
    "MethodFacts",
    "Money",
    "Movement",
    "MovementKind",
    "Network",
    "OneTimeToken",
    "Operation",
    "OperationResult",
    "OperationState",
    "PayToAddress",
    "PayerNumber",
    "Pays",
    "KindWord",
    "RecordedBy",
    "SentBackBy",
    "ChargeReasonWord",
    "RefundToWord",
    "PaysWord",
    "PaymentStatusWord",
    "InvoiceStatusWord",
    "InboxStateWord",
    "DisputeStateWord",
    "KeyedVerb",
    "PaygateError",
    "Payment",
    "PaymentItem",
    "PaymentMethod",
    "PaymentStatus",
    "PlaceCounts",
    "PostForm",
    "Published",
    "RawBankAccount",
    "RawCard",
    "Receipt",
    "ReceiptLine",
    "Redirect",
    "RefundTo",
    "Refused",
    "RejectCause",
    "Reply",
    "Resolution",
    "Rescan",
    "Reversal",
    "Review",
    "ReviewCause",
    "Rotated",
    "ScriptStep",
    "Secret",
    "Share",
    "ShowCode",
    "ShowVoucher",
    "Sink",
    "SinkStatus",
    "Stopped",
    "StoreError",
    "StoredCallback",
    "StoredMethod",
    "Timing",
    "Traits",
    "Unattended",
    "UsageError",
    "Violation",
    "Within",
    "WriteOff",
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


OFFERED = {*dir(builtins), *dir(typing), *dir(collections.abc), *PUBLIC, *paygate.driver.__all__}
"""What a host has without a module of ours that may move."""


@pytest.mark.parametrize("name", sorted(each_verb(paygate.Cashier)))
def test_what_a_verb_takes_and_returns_can_be_imported(name: str) -> None:
    signature = inspect.signature(getattr(paygate.Cashier, name))
    written = [signature.return_annotation, *(p.annotation for p in signature.parameters.values())]
    tree = [
        ast.parse(str(each), mode="eval") for each in written if each is not inspect.Parameter.empty
    ]
    names = {node.id for each in tree for node in ast.walk(each) if isinstance(node, ast.Name)}
    names |= {n.attr for each in tree for n in ast.walk(each) if isinstance(n, ast.Attribute)}

    assert names - {"date", "datetime", "timedelta", "Decimal"} <= OFFERED


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
