"""The pytest plug-in: fixtures that need no setup, and nothing imported until they are used."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from paygate import Cashier, Money, OneTimeToken
from paygate.testing import FakeClock, FakeGateway

HOST = """
from paygate import Money

def test_the_checkout_charges_once(paygate_cashier, paygate_gateways, paygate_clock):
    invoice = paygate_cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
    )
    for _ in range(2):
        payment = paygate_cashier.collect(invoice, via="card", method="tok_visa", key="click-7")
    assert payment.status == "succeeded"
    assert paygate_gateways["card"].moved("USD") == Money.of("USD", "30.00")
    assert paygate_gateways["card"].clock is paygate_clock

def test_its_own_names_are_free(clock, ledger, cashier, fake_gateway):
    pass
"""

OWN = """
import pytest

@pytest.fixture(params=["mine"])
def cashier(request):
    return request.param

clock = ledger = fake_gateway = cashier
"""

OVERRIDDEN = """
import pytest
from paygate.testing import FakeClock, FakeGateway
from paygate.testing.mounted import Mounted

@pytest.fixture
def paygate_clock():
    clock = FakeClock()
    clock.advance(days=365)
    return clock

@pytest.fixture
def paygate_gateways(paygate_gateways, paygate_clock):
    return {**paygate_gateways, "second": FakeGateway(clock=paygate_clock)}

@pytest.fixture
def paygate_token_keys():
    return None

@pytest.fixture
def paygate_ledger(tmp_path):
    return f"sqlite:///{tmp_path}/books.db"

@pytest.fixture
def paygate_cashier(paygate_cashier):
    return paygate_cashier.acting_as("clerk:7")

@pytest.fixture
def paygate_client(paygate_cashier):
    import httpx
    from anyio.from_thread import start_blocking_portal
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from paygate.web import callbacks

    app = Starlette(routes=[Mount("/payments", callbacks(paygate_cashier))])
    with start_blocking_portal() as portal:
        with httpx.Client(transport=Mounted(app, portal), base_url="http://mine") as client:
            yield client
"""

OVERRIDING = """
import pytest
from paygate import Money
from paygate.errors import TokenKeysMissing

def test_everything_is_the_hosts_own(paygate_cashier, paygate_clock, paygate_client, tmp_path):
    paygate_cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2099-12-01"
    )
    payment = paygate_cashier.collect("INV-7", via="second", method="tok_visa", key="k")
    assert payment.created_at == paygate_clock.now()
    assert paygate_clock.now().year == 2027
    assert (tmp_path / "books.db").exists()
    assert paygate_client.get("/payments/nobody").text == "not found"
    with pytest.raises(TokenKeysMissing):
        paygate_cashier.enroll("C-1", via="card", method="tok_visa", key="e")
"""

NOT_APPLICABLE = """
import pytest

def test_a_case():
    pytest.skip("does not apply: the traits say so")

def test_another():
    pytest.skip("no server here")
"""


def ended(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def owed(cashier: Cashier) -> str:
    cashier.issue(number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01")
    return "INV-7"


def test_the_fixtures_fit_together(
    paygate_cashier: Cashier, paygate_gateways: dict[str, FakeGateway], paygate_clock: FakeClock
) -> None:
    number = owed(paygate_cashier)
    paygate_clock.advance(days=3)

    payment = paygate_cashier.collect(number, via="card", method="tok_visa", key="k")

    assert paygate_cashier.invoice(number).open == Money.zero("USD")
    assert paygate_gateways["card"].journal[0].at == paygate_clock.now()
    assert payment.created_at == paygate_clock.now()


@pytest.mark.parametrize("via", ["card", "e_check", "redirect", "voucher", "bitcoin", "qr", "push"])
def test_every_kind_of_payment_has_an_account(
    via: str,
    paygate_cashier: Cashier,
    paygate_gateways: dict[str, FakeGateway],
    paygate_clock: FakeClock,
) -> None:
    token = {"card": "tok_visa", "e_check": "tok_bank"}.get(via)

    payment = paygate_cashier.collect(
        owed(paygate_cashier),
        via=via,
        method=None if token is None else OneTimeToken.of(token),
        key="k",
        return_url="https://shop.example/redirect/return?payment={payment}",
    )
    if token is None:
        paygate_gateways[via].pay(payment.reference)
    paygate_clock.advance(days=4)
    paygate_cashier.recover()

    assert paygate_cashier.payment(payment).status == "succeeded"
    assert paygate_cashier.fsck() == []


def test_a_card_can_be_stored_while_it_pays(paygate_cashier: Cashier) -> None:
    payment = paygate_cashier.collect(
        owed(paygate_cashier), via="card", method="tok_visa", key="k", save_method=True
    )

    [stored] = paygate_cashier.methods("C-1")
    assert payment.status == "succeeded"
    assert stored.account == "card"


def test_callbacks_and_payers_reach_the_cashier(
    paygate_cashier: Cashier,
    paygate_gateways: dict[str, FakeGateway],
    paygate_client: httpx.Client,
) -> None:
    page = paygate_gateways["redirect"]
    payment = paygate_cashier.collect(
        owed(paygate_cashier),
        via="redirect",
        key="k",
        return_url="https://shop.example/redirect/return?payment={payment}",
    )
    back = f"/redirect/return?payment={payment.id}"

    early = paygate_client.get(back)
    page.pay(payment.reference)
    late = paygate_client.get(back)
    replies = [
        paygate_client.post("/redirect", content=each.body, headers=dict(each.headers))
        for each in page.callbacks()
    ]

    assert early.text == "Your payment is not finished yet."
    assert late.text == "Thank you. Your payment has arrived."
    assert {reply.status_code for reply in replies} == {200}


def test_a_host_needs_no_setup_and_keeps_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OWN)
    (tmp_path / "test_host.py").write_text(HOST)

    done = ended(tmp_path, "-q")

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_short_names_of_others_are_not_taken(tmp_path: Path) -> None:
    done = ended(tmp_path, "--fixtures", "-q")

    listed = done.stdout.partition("paygate.testing.plugin")[2]
    assert "paygate_cashier" in listed
    for name in ("cashier", "clock", "ledger", "fake_gateway"):
        assert f"\n{name} " not in done.stdout


def test_each_fixture_can_be_overridden(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OVERRIDDEN)
    (tmp_path / "test_host.py").write_text(OVERRIDING)

    done = ended(tmp_path, "-q")

    assert done.returncode == 0, done.stdout


def test_a_case_that_does_not_apply_is_shown_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "test_driver.py").write_text(NOT_APPLICABLE)

    done = ended(tmp_path, "-v")

    assert "test_driver.py::test_a_case DOES NOT APPLY" in done.stdout
    assert "cases that do not apply" in done.stdout
    assert "test_a_case: the traits say so" in done.stdout
    assert "1 skipped, 1 does not apply" in done.stdout


def test_the_plug_in_imports_nothing_until_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\n\ndef test_nothing():\n"
        "    ours = sorted(n for n in sys.modules if n.split('.')[0] == 'paygate')\n"
        "    assert ours == ['paygate', 'paygate.testing', 'paygate.testing.plugin']\n"
        "    assert not {'httpx', 'pydantic', 'sqlite3'} & set(sys.modules)\n"
    )

    done = ended(tmp_path, "-q", "-p", "no:hypothesispytest", "-p", "no:randomly")

    assert done.returncode == 0, done.stdout
