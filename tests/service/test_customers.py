"""Customers: the zone and the contact facts that are remembered, replaced, kept and erased."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Money, PaymentStatus
from paygate.domain.customer import Customer, PayerField, PostalAddress
from paygate.errors import InvalidValue, MissingPayerField
from paygate.testing import FakeGateway

ADA = Customer(
    "C-1",
    name="Ada Example",
    email="ada@example.org",
    phone="+1 202 555 0143",
    address=PostalAddress(
        line1="1 Main Street",
        line2="Floor 2",
        city="Springfield",
        region="IL",
        postal_code="62701",
        country="US",
    ),
    zone="America/Chicago",
    language="en",
)


def test_what_is_remembered_is_read_again_by_another_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Cashier.open(url) as cashier:
        assert cashier.save_customer(ADA) == ADA

    with Cashier.open(url) as cashier:
        assert cashier.customer("C-1") == ADA


def test_facts_that_are_given_replace_all_that_were_there() -> None:
    moved = Customer("C-1", name="Ada Moved", address=PostalAddress(line1="9 Hill Road"))
    with Cashier.in_memory() as cashier:
        cashier.save_customer(ADA)

        saved = cashier.save_customer(moved)

        assert saved == replace(moved, zone="America/Chicago")
        assert cashier.customer("C-1") == saved


def test_the_zone_is_replaced_by_itself_and_the_facts_are_kept() -> None:
    with Cashier.in_memory() as cashier:
        cashier.save_customer(ADA)

        saved = cashier.save_customer(Customer("C-1", zone="Europe/Vienna"))

        assert saved == replace(ADA, zone="Europe/Vienna")


def test_whoever_names_only_the_id_keeps_what_is_there() -> None:
    with Cashier.in_memory() as cashier:
        cashier.save_customer(ADA)

        assert cashier.save_customer(Customer("C-1")) == ADA
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", 5), due="2026-02-01")

        assert cashier.customer("C-1") == ADA


def test_what_is_erased_is_gone_but_for_id_and_zone() -> None:
    grace = Customer("C-2", name="Grace Example")
    with Cashier.in_memory() as cashier:
        cashier.save_customer(ADA)
        cashier.save_customer(grace)

        cashier.erase_contact(ADA)

        assert cashier.customer("C-1") == Customer("C-1", zone="America/Chicago")
        assert cashier.customer("C-2") == grace
        assert cashier.save_customer(ADA) == ADA


def test_a_customer_of_another_tenant_is_another(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Cashier.open(url, tenant="north") as north, Cashier.open(url, tenant="south") as south:
        north.save_customer(ADA)
        assert south.customer("C-1") is None

        south.save_customer(Customer("C-1", name="Somebody else"))
        south.erase_contact("C-1")

        assert north.customer("C-1") == ADA


def test_remembered_facts_serve_the_gateway_that_needs_them() -> None:
    card = FakeGateway(payer_fields=frozenset({PayerField.EMAIL, PayerField.POSTAL_CODE}))
    with Cashier.in_memory(gateways={"card": card}) as cashier:
        cashier.issue(number="A", customer="C-1", total=Money.of("USD", 5), due="2026-02-01")
        with pytest.raises(MissingPayerField) as caught:
            cashier.collect("A", via="card", method="tok_visa", key="k")
        assert set(caught.value.fields) == {"email", "postal_code"}

        cashier.save_customer(ADA)

        paid = cashier.collect("A", via="card", method="tok_visa", key="k")
        assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, Money.of("USD", 5))


@pytest.mark.parametrize("wrong", [Customer(""), Customer(" \t"), "", None, 7, Customer(7)])  # type: ignore[arg-type]
def test_a_customer_without_an_id_is_refused_and_nothing_is_written(wrong: Any) -> None:
    with Cashier.in_memory() as cashier:
        cashier.save_customer(ADA)

        with pytest.raises(InvalidValue, match="customer must be "):
            cashier.save_customer(wrong)

        assert cashier.customer("") is None
        assert cashier.customer("C-1") == ADA


async def test_the_async_face_remembers_the_same() -> None:
    async with AsyncCashier.in_memory() as cashier:
        assert await cashier.save_customer(ADA) == ADA
        assert await cashier.save_customer(Customer("C-1", zone="Europe/Vienna")) == replace(
            ADA, zone="Europe/Vienna"
        )
        await cashier.erase_contact("C-1")
        assert await cashier.customer("C-1") == Customer("C-1", zone="Europe/Vienna")
        with pytest.raises(InvalidValue):
            await cashier.save_customer(Customer(" "))
