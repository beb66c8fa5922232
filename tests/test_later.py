"""What a stand-in for a module does when somebody looks at it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paygate.later import later, load


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "shop_for_later"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "prices.py").write_text("VAT = 19\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_a_module_is_imported_at_the_first_look_and_then_stands_there_itself(package: str) -> None:
    user: dict[str, Any] = {}
    later(user, package, "prices")
    before = f"{package}.prices" in sys.modules

    vat = user["prices"].VAT

    assert (before, vat) == (False, 19)
    assert user["prices"] is sys.modules[f"{package}.prices"]


def test_a_name_that_the_module_does_not_have_is_an_attribute_error(package: str) -> None:
    user: dict[str, Any] = {}
    later(user, package, "prices")

    with pytest.raises(AttributeError, match="discount"):
        _ = user["prices"].discount


def test_what_stands_for_later_can_be_imported_at_once(package: str) -> None:
    user: dict[str, Any] = {"price": 3}
    later(user, package, "prices")

    load(user)

    assert user == {"price": 3, "prices": sys.modules[f"{package}.prices"]}


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
cashier.close_page(cashier.complete(page).payment)
cashier.refund(paid, key="d")
cashier.record("C", by="check", key="e")
cashier.recover()
cashier.publish()
cashier.rotate_keys()
cashier.fsck()
print(len(set(sys.modules) - before))
"""


@pytest.mark.parametrize("preload", [True, False])
def test_no_verb_imports_anything_after_the_cashier_was_opened(preload: bool) -> None:
    code = _A_DAY.replace("PRELOAD", str(preload))

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (int(done.stdout) == 0) is preload
