"""A number of the host's is never taken for the id of another invoice, nor the other way round."""

from __future__ import annotations

import pytest

from paygate import Cashier, Money, NumberSeries
from paygate.errors import ImportRejected, InvalidValue
from paygate.testing import FakeGateway

USD = Money.of("USD", "100.00")


@pytest.mark.parametrize("number", ["inv_066190e8431e64ca9e7d24ca69aa8c", "ppy_1"])
def test_a_number_cannot_look_like_an_id(number: str) -> None:
    with Cashier.in_memory() as cashier:
        with pytest.raises(InvalidValue, match="does not begin with inv_ or ppy_"):
            cashier.issue(number=number, customer="V", total=USD, due="2031-01-01")
        with pytest.raises(ImportRejected, match="number begins with inv_ or ppy_"):
            cashier.import_invoices(
                f"number,customer,currency,total,due\n{number},V,USD,5.00,2031-01-01\n"
            )

        assert cashier.invoices() == []


def test_a_series_cannot_give_numbers_that_look_like_ids() -> None:
    with pytest.raises(InvalidValue, match="cannot begin with inv_ or ppy_"):
        NumberSeries("S", "inv_{n}")


def test_an_invoice_that_is_named_by_its_id_is_that_invoice() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        first = cashier.issue(number="A", customer="V", total=USD, due="2031-01-01")

        assert cashier.invoice(first.id).number == "A"
        assert cashier.collect(first.id, via="card", method="tok_visa", key="k").amount == USD
