"""The pytest plug-in: fixtures that need no setup, and nothing imported until they are used."""

from __future__ import annotations

import re

import httpx
import pytest

from paygate import Cashier, Money, OneTimeToken
from paygate.testing import FakeClock, FakeGateway

pytest_plugins = ["pytester"]

HOST = """
import pytest
from paygate import Cashier, Money

@pytest.fixture
def invoice(paygate_cashier):
    return issued(paygate_cashier, "INV-7")

def issued(cashier, number):
    total = Money.of("USD", "30.00")
    return cashier.issue(number=number, customer="C-1", total=total, due="2026-12-01")

def test_a_cashier_takes_a_card_once(paygate_cashier, paygate_gateways, paygate_clock, invoice):
    for _ in range(2):
        payment = paygate_cashier.collect(invoice, via="card", method="tok_visa", key="click-7")
    assert payment.status == "succeeded"
    assert paygate_gateways["card"].moved("USD") == Money.of("USD", "30.00")
    assert paygate_gateways["card"].clock is paygate_clock

def test_a_stored_card_pays_again(paygate_cashier, invoice):
    paygate_cashier.collect(invoice, via="card", method="tok_visa", key="a", save_method=True)
    [stored] = paygate_cashier.methods("C-1")
    issued(paygate_cashier, "INV-8")
    again = paygate_cashier.collect("INV-8", via="card", method=stored, key="b")
    assert again.status == "succeeded"

def test_a_shop_of_its_own_has_the_same_parts(
    paygate_ledger, paygate_gateways, paygate_clock, paygate_token_keys
):
    parts = {"gateways": paygate_gateways, "clock": paygate_clock, "token_keys": paygate_token_keys}
    with Cashier.open(paygate_ledger, **parts) as cashier:
        change = cashier.enroll("C-1", via="card", method="tok_visa", key="e")
        assert change.method.last4 == "4242"

def test_a_payer_comes_back_from_a_page(paygate_cashier, paygate_gateways, paygate_client, invoice):
    shop = "https://shop.example/redirect/return?payment={payment}"
    payment = paygate_cashier.collect(invoice, via="redirect", key="k", return_url=shop)
    paygate_gateways["redirect"].pay(payment.reference)
    back = paygate_client.get(f"/redirect/return?payment={payment.id}")
    replies = [
        paygate_client.post("/redirect", content=each.body, headers=dict(each.headers)).status_code
        for each in paygate_gateways["redirect"].callbacks()
    ]
    assert back.text == "Thank you. Your payment has arrived."
    assert set(replies) == {200}

def test_bitcoin_counts_when_it_is_confirmed(
    paygate_cashier, paygate_gateways, paygate_clock, invoice
):
    payment = paygate_cashier.collect(invoice, via="bitcoin", key="k")
    paygate_gateways["bitcoin"].pay(payment.action.address)
    paygate_cashier.recover()
    assert paygate_cashier.payment(payment).received == Money.zero("USD")
    paygate_clock.advance(hours=2)
    paygate_cashier.recover()
    assert paygate_cashier.payment(payment).received == Money.of("USD", "30.00")

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


NOTHING = """
import sys

def test_nothing():
    ours = sorted(name for name in sys.modules if name.split(".")[0] == "paygate")
    assert ours == ["paygate", "paygate._version", "paygate.testing", "paygate.testing.plugin"]
    assert not {"httpx", "pydantic", "sqlite3"} & set(sys.modules)
"""


def ended(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


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


def test_a_host_needs_no_setup_and_keeps_its_own_names(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN)
    pytester.makepyfile(test_host=HOST)

    done = ended(pytester)

    done.assert_outcomes(passed=6)


def test_each_fixture_is_listed_with_what_it_gives(pytester: pytest.Pytester) -> None:
    done = ended(pytester, "--fixtures", "-q")

    listed = "\n".join(done.outlines)
    ours = re.findall(r"(?m)^(paygate_\w+) .*paygate/testing/plugin.py:\d+\n    (.+)", listed)
    assert {name for name, _ in ours} == {
        "paygate_cashier",
        "paygate_client",
        "paygate_clock",
        "paygate_gateways",
        "paygate_ledger",
        "paygate_token_keys",
    }
    assert all(says.startswith(("Return ", "Yield ")) for _, says in ours)
    for name in ("cashier", "clock", "ledger", "fake_gateway"):
        assert f"\n{name} " not in listed


def test_each_fixture_can_be_overridden(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OVERRIDDEN)
    pytester.makepyfile(test_host=OVERRIDING)

    done = ended(pytester)

    done.assert_outcomes(passed=1)


def test_a_case_that_does_not_apply_is_shown_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_driver=NOT_APPLICABLE)

    done = ended(pytester, "-v")

    done.stdout.fnmatch_lines(
        [
            "test_driver.py::test_a_case DOES NOT APPLY*",
            "*cases that do not apply*",
            "test_a_case: the traits say so",
            "*1 skipped, 1 does not apply*",
        ]
    )


def test_the_plug_in_imports_nothing_until_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_nothing=NOTHING)

    done = ended(pytester, "-p", "no:hypothesispytest", "-p", "no:randomly")

    done.assert_outcomes(passed=1)
