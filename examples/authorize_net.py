"""Take money with a simulated Authorize.Net on this machine.

    python -m examples.authorize_net     # in a clone of the repository, which has the simulation

A customer pays three invoices on Authorize.Net's form. A card is declined, and
another one pays. A bank account is stored and debited without the payer; days
later the bank returns the debit, the invoice is open again, and a fee is billed.
The last lines come from the ledger. Nothing leaves this machine.
"""

import sys

import httpx
from cryptography.fernet import Fernet

from paygate import Cashier, Customer, Mandate, Money, OneTimeToken, Payment, PostForm
from paygate.testing import FakeClock
from tests.support.simulated_authorize_net import SimulatedAuthorizeNet, serving

ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org")
VISA = {"cardNumber": "4111111111111111", "expirationDate": "2030-12", "cardCode": "900"}
BANK = {
    "accountType": "checking",
    "routingNumber": "122000661",
    "accountNumber": "123456789",
    "nameOnAccount": "Ada Lovelace",
}


def main() -> int:
    clock = FakeClock()  # skips the days between a debit and its return
    processor = SimulatedAuthorizeNet(now=clock.now)
    with serving(processor) as url:
        account = {
            "driver": "authorize_net",
            "login": processor.login,
            "transaction_key": processor.transaction_key,
            "signature_keys": processor.signature_key,
            "api_base": url,  # leave these two out to use Authorize.Net itself
            "form_base": url,
        }
        keys = [Fernet.generate_key()]
        with Cashier.in_memory(gateways={"net": account}, clock=clock, token_keys=keys) as cashier:
            pay_on_the_form(cashier)
            retry_after_a_decline(cashier, processor)
            debit_a_bank_account(cashier, processor, clock)
            show_ledger(cashier)
            return 1 if cashier.fsck() else 0


def bill(cashier: Cashier, number: str, total: str) -> str:
    cashier.issue(number=number, customer=ADA, total=Money.of("USD", total), due="2026-12-01")
    return number


def pay_on_the_form(cashier: Cashier) -> None:
    invoices = [bill(cashier, f"INV-{each}", "20.00") for each in (1, 2, 3)]
    payment = cashier.collect(
        invoices,
        via="net",
        kind="redirect",
        payer=ADA,
        return_url="https://portal.example/payments/net/return?payment={payment}",
        key="form-1",
    )
    print(f"three invoices: {payment.status}")
    form = cashier.action_of(payment)
    assert isinstance(form, PostForm)
    assert form.token is not None
    # The payer's browser makes the next two requests: it opens the form, and submits it.
    token = {form.token_field: form.token.reveal()}
    httpx.post(form.url, data=token).raise_for_status()
    back = httpx.post(f"{form.url}/send", data={**token, **VISA})
    print(f"the form leads back to {back.headers['location'].replace(payment.id, '[its id]')}")
    # The browser's data proves nothing, so the cashier asks the processor.
    show_status("three invoices", cashier.complete(payment).payment)


def retry_after_a_decline(cashier: Cashier, processor: SimulatedAuthorizeNet) -> None:
    invoice = bill(cashier, "INV-4", "35.00")
    # Accept.js creates these tokens in the payer's browser; 901 is a wrong security code.
    wrong = processor.tokenize({"creditCard": VISA}, code="901")
    right = processor.tokenize({"creditCard": VISA}, code="900")
    for key, token in (("card-1", wrong), ("card-2", right)):
        method = OneTimeToken.of(token)
        payment = cashier.collect(
            invoice, via="net", kind="card", method=method, payer=ADA, key=key
        )
        show_status("a card", payment)


def debit_a_bank_account(
    cashier: Cashier, processor: SimulatedAuthorizeNet, clock: FakeClock
) -> None:
    token = processor.tokenize({"bankAccount": BANK})
    allowed = Mandate(text_version="2026-01", accepted_at=clock.now())
    stored = cashier.enroll(
        ADA,
        via="net",
        kind="e_check",
        method=OneTimeToken.of(token),
        mandate=allowed,
        key="store-1",
    ).method
    assert stored is not None
    print(f"stored: {stored.brand} account ending in {stored.last4}")
    invoice = bill(cashier, "INV-5", "90.00")
    payment = cashier.collect(invoice, via="net", method=stored, payer_present=False, key="dues-5")
    show_status("an e-check", payment)

    processor.settle()
    fetch_news(cashier, clock)
    print(f"an e-check settled: {cashier.payment(payment).settled}")

    clock.advance(days=3)
    processor.return_e_check(payment.reference, "R01")
    fetch_news(cashier, clock)
    after = cashier.payment(payment)
    print(f"an e-check returned: {after.returned}; {invoice} is open again")
    bill(cashier, f"{invoice}-FEE", "25.00")


def fetch_news(cashier: Cashier, clock: FakeClock) -> None:
    """Do what a worker does: settlements and returns are in feeds, not in webhooks."""
    clock.advance(days=1)
    cashier.read_feeds()
    cashier.apply_callbacks()


def show_status(what: str, payment: Payment) -> None:
    print(f"{what}: {payment.status} {payment.code}".rstrip())


def show_ledger(cashier: Cashier) -> None:
    for payment in cashier.payments(oldest_first=True):
        for receipt in cashier.receipts(payment):
            print(f"  {receipt.effective} {receipt.kind:<7} {receipt.amount} {payment.kind}")
    for invoice in cashier.open_invoices("C-1"):
        print(f"open: {invoice.number} {invoice.open}")
    print("the books are sound" if not cashier.fsck() else "the books are wrong")


if __name__ == "__main__":
    sys.exit(main())
