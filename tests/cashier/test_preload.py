"""What a cashier imports when it is opened, so that no payer waits for it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import paygate

_A_DAY = """
import subprocess
import sys
from paygate import Cashier, Money
from paygate.drivers.stripe import Stripe, StripeSettings
from paygate.testing import FakeGateway

KEY = "b25lIGNhcmQgaXMgb25lIHN0b3JlZCBtZXRob2QgISE="
nobody = StripeSettings(
    secret_key="sk_test_0123456789abcdef", publishable_key="pk_test_1", api_base="http://127.0.0.1:1"
)
gateways = {"card": FakeGateway(), "page": FakeGateway("redirect"), "far": Stripe(nobody)}
cashier = Cashier.in_memory(gateways=gateways, token_keys=[KEY], preload=PRELOAD)
before = set(sys.modules)
for number in "ABC":
    cashier.issue(number=number, customer="C", total=Money.of("USD", "3"), due="2030-01-01")
paid = cashier.collect("A", via="card", method="tok_visa", key="a", save_method=True)
cashier.collect("B", via="far", method="pm_card_visa", key="b")
page = cashier.collect("C", via="page", key="c", return_url="https://shop.example/")
cashier.withdraw_page(cashier.complete(page).payment)
cashier.refund(paid, key="d")
cashier.record("C", by="check", key="e")
cashier.recover()
cashier.publish()
cashier.rotate_keys()
cashier.receipt_lines()
cashier.fsck()
print(len(set(sys.modules) - before))
"""


@pytest.mark.parametrize("preload", [True, False])
def test_no_verb_imports_anything_after_the_cashier_was_opened(preload: bool) -> None:
    code = _A_DAY.replace("PRELOAD", str(preload))

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (int(done.stdout) == 0) is preload


def imported_in_functions(file: Path) -> Iterator[str]:
    """Yield the modules that functions of *file* import when they are called."""
    tree = ast.parse(file.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            if getattr(find_spec(node.module), "submodule_search_locations", None):
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (name for name in names if find_spec(name) is not None)


ONLY_OPENING = {
    "paygate.documents",  # brings reportlab, which only drawing needs
    "paygate.registry",
    "paygate.plugins",
    "paygate.ledger.postgres.host",
    "paygate.ledger.postgres.store",
}


def test_whatever_a_verb_imports_was_imported_when_the_cashier_was_opened() -> None:
    code = "import sys; from paygate import Cashier; Cashier.in_memory(); print(*sys.modules)"
    source = Path(paygate.__file__).parent
    needed = {
        name
        for package in ("cashier", "service", "ledger")
        for file in (source / package).glob("**/*.py")
        if "copying" not in (file.stem, *file.parts)  # a command of its own, without a cashier
        for name in imported_in_functions(file)
    }

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert len(needed) > 50
    assert needed - set(done.stdout.split()) == ONLY_OPENING
