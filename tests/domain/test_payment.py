"""How a payment and the result of an operation print: on a short line, without the payer."""

from paygate import Cashier, Money
from paygate.testing import FakeGateway


def test_a_payment_and_a_result_print_what_matters_and_nothing_about_the_payer() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        total = Money.of("USD", "30.00")
        cashier.issue(number="A-1", customer="anna@example.com", total=total, due="2031-01-01")
        paid = cashier.collect("A-1", via="card", method="tok_visa", key="basket-of-anna")
        part = Money.of("USD", "5.00")
        result = cashier.refund(paid, key="r", amount=part)

    assert repr(paid) == f"<Payment {paid.id}: succeeded, 30.00 USD, received 30.00 USD>"
    after = f"<Payment {paid.id}: succeeded, 30.00 USD, received 30.00 USD, returned 5.00 USD>"
    assert repr(result) == (f"<OperationResult refund succeeded, 5.00 USD of 5.00 USD: {after}>")


def test_a_payment_that_needs_review_prints_that() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        total = Money.of("USD", "30.00")
        cashier.issue(number="A-1", customer="C-1", total=total, due="2031-01-01")
        paid = cashier.collect("A-1", via="card", method="tok_other_currency", key="k")

    assert paid.needs_review
    assert repr(paid).endswith(", needs review>")
