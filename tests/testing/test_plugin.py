"""The pytest plug-in: fixtures that need no setup, and nothing imported until they are used."""

import subprocess
import sys
from pathlib import Path

from paygate import Cashier, Money
from paygate.testing import FakeClock, FakeGateway

HOST = """
from paygate import Money

def test_the_checkout_charges_once(cashier, fake_gateway, clock, ledger):
    invoice = cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
    )
    for _ in range(2):
        payment = cashier.collect([invoice], via="card", method="tok_visa", key="checkout-7")
    assert payment.status == "succeeded"
    assert fake_gateway.moved("USD") == Money.of("USD", "30.00")
    assert fake_gateway.clock is clock
    assert ledger == "sqlite://"
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


def test_the_fixtures_fit_together(
    cashier: Cashier, fake_gateway: FakeGateway, clock: FakeClock
) -> None:
    invoice = cashier.issue(
        number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
    )
    clock.advance(days=3)

    payment = cashier.collect([invoice], via="card", method="tok_visa", key="k")

    assert cashier.invoice("INV-7").open == Money.zero("USD")
    assert fake_gateway.journal[0].at == clock.now()
    assert payment.created_at == clock.now()


def test_a_host_needs_no_setup(tmp_path: Path) -> None:
    (tmp_path / "test_host.py").write_text(HOST)

    done = ended(tmp_path, "-q")

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_host_may_keep_the_books_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef ledger(tmp_path):\n"
        "    return f'sqlite:///{tmp_path}/books.db'\n"
    )
    (tmp_path / "test_host.py").write_text(
        "def test_books(cashier, tmp_path):\n    assert (tmp_path / 'books.db').exists()\n"
    )

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
