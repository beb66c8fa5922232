"""A member pays by hand and automatically, at a simulated Authorize.Net on this machine.

    python -m examples.member_portal     # in a clone of the repository, which has the simulation

A member pays two invoices on Authorize.Net's form; the first card is declined there. Then they
store a bank account and allow automatic payment. The next invoice is debited, the bank returns the
debit, and the library presents it again. At the desk, a clerk reverses a check that bounced, with
a fee, and a manager approves a reversal above the limit. The last lines come from the ledger.
"""

import asyncio
import re
import sys
from html import unescape
from typing import Any

import httpx
from cryptography.fernet import Fernet

from examples.member_portal.site import ORIGIN, make_site
from paygate import AutopayPolicy, Cashier, Customer, Money, RetryPolicy
from paygate.testing import FakeClock
from tests.support.simulated_authorize_net import SimulatedAuthorizeNet, serving

MARIA = Customer("maria", name="Maria Lindqvist", email="maria@example.org")
CARD = {"cardNumber": "4111111111111111", "expirationDate": "2030-12", "cardCode": "900"}
OTHER_CARD = {**CARD, "cardNumber": "4012888818888", "cardCode": "901"}  # a wrong code
BANK = {
    "accountType": "checking",
    "routingNumber": "122000661",
    "accountNumber": "123456789",
    "nameOnAccount": "Maria Lindqvist",
}


class Browser:
    """A browser without a screen: it follows links, and sends forms with what is in them."""

    def __init__(self, site: Any) -> None:
        transport = httpx.ASGITransport(site)
        self.client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.url, self.html = "", ""

    async def open(self, url: str) -> None:
        await self._went(await self.client.get(url))

    async def send(self, **fields: str) -> None:
        """Send the form of the page that is sent by POST."""
        form = re.search(r'<form[^>]*method="post"([^>]*)>(.*?)</form>', self.html, re.DOTALL)
        assert form is not None, self.title
        action = re.search(r'action="([^"]*)"', form[1])
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form[2])
        sent = {name: unescape(value) for name, value in hidden} | fields
        to = unescape(action[1]) if action else self.url
        await self._went(
            await self.client.post(to, data=sent, headers={"origin": ORIGIN}),
        )

    async def _went(self, response: httpx.Response) -> None:
        while response.is_redirect:
            response = await self.client.get(response.headers["location"])
        self.url, self.html = str(response.url), response.text

    @property
    def title(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.html, re.DOTALL)
        return unescape(re.sub(r"<[^>]*>", "", found[1])) if found else ""

    @property
    def said(self) -> str:
        """The sentence at the top of a page of the desk."""
        found = re.search(r'<div class="note good"><p>(.*?)</p>', self.html)
        return unescape(re.sub(r"<[^>]*>", "", found[1])) if found else ""

    def form(self) -> tuple[str, dict[str, str]]:
        """The processor's form to which the page leads, with its token."""
        found = re.search(r'action="(http://127[^"]*)"', self.html)
        token = re.search(r'name="token" value="([^"]*)"', self.html)
        assert found is not None
        assert token is not None
        return unescape(found[1]), {"token": unescape(token[1])}


async def story(cashier: Cashier, clock: FakeClock, processor: Any, keys: list[str]) -> None:
    site = make_site(cashier, keys)
    maria, anna, boss = Browser(site), Browser(site), Browser(site)
    for who, name in ((maria, "maria"), (anna, "anna"), (boss, "boss")):
        await who.open("/sign-in")
        await who._went(await who.client.post("/sign-in", data={"name": name}))
    await pay_by_hand(cashier, maria)
    await pay_automatically(cashier, clock, processor, maria)
    await reverse_checks(cashier, anna, boss)


def bill(cashier: Cashier, number: str, total: str, due: Any) -> None:
    cashier.issue(number=number, customer=MARIA, total=Money.of("USD", total), due=due)


async def at_processor(url: str, *fields: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(url, data={name: each[name] for each in fields for name in each})


async def pay_by_hand(cashier: Cashier, maria: Browser) -> None:
    today = cashier.now().date()
    bill(cashier, "INV-1", "30.00", today)
    bill(cashier, "INV-2", "25.00", today)
    await maria.open("/billing/")
    print(f"Maria sees: {maria.title}")
    await maria.send(currency="USD", do="all")
    print(f"Maria sees: {maria.title}")
    await maria.send(via="net/redirect")
    print(f"Maria sees: {maria.title}")
    url, token = maria.form()
    # The form is the processor's: the browser opens it there, and sends the card there.
    await at_processor(url, token)
    wrong = await at_processor(f"{url}/send", token, OTHER_CARD)
    print(f"the processor's form: {'paid' if wrong.is_redirect else 'declined'}")
    right = await at_processor(f"{url}/send", token, CARD)
    await maria.open(right.headers["location"])
    print(f"Maria sees: {maria.title}")


async def pay_automatically(
    cashier: Cashier, clock: FakeClock, processor: Any, maria: Browser
) -> None:
    await maria.open("/billing/methods/new")
    await maria.send(kind="net/e_check", scope="future")
    print(f"Maria sees: {maria.title}")
    url, token = maria.form()
    stored = await at_processor(f"{url}/send", token, BANK)
    await maria.open(stored.headers["location"])
    print(f"Maria sees: {maria.title}")

    clock.advance(days=1)
    bill(cashier, "INV-3", "90.00", clock.now().date())
    run = cashier.run_autopay()
    print(
        f"the run of {run.on}: {', '.join(f'{each.amount} {each.status}' for each in run.charged)}"
    )
    processor.settle()
    news(cashier, clock)
    clock.advance(days=3)
    processor.return_e_check(cashier.payments(limit=1)[0].reference, "R01")
    news(cashier, clock)
    invoice = cashier.invoice("INV-3")
    print(f"the bank returned it: INV-3 is open again with {invoice.open}")
    bill(cashier, "FEE-3", "25.00", clock.now().date())
    while cashier.invoice("INV-3").open:
        clock.advance(days=1)
        cashier.run_autopay()
    print(
        f"on {clock.now().date()} it is presented again: INV-3 has {cashier.invoice('INV-3').open}"
    )
    await maria.open("/billing/")


async def reverse_checks(cashier: Cashier, anna: Browser, boss: Browser) -> None:
    today = cashier.now().date()
    for number, total in (("INV-4", "40.00"), ("INV-5", "400.00")):
        bill(cashier, number, total, today)
        cashier.record(number, amount=Money.of("USD", total), by="check", key=number)
    large, small = cashier.payments(limit=2)
    await anna.open(f"/desk/payments/{small.id}/reverse")
    await anna.send(on=today.isoformat(), reason="the check bounced", fee="25.00")
    print(f"the desk says: {anna.said}")
    await anna.open(f"/desk/payments/{large.id}/reverse")
    await anna.send(on=today.isoformat(), reason="the check bounced")
    print(f"Anna sees: {anna.title.partition(':')[0]}, and sends the address to the boss")
    await boss.open(anna.url)
    await boss.send()
    print(f"the desk says: {boss.said}")
    [actor] = [
        each.actor for each in cashier.history(large).events if each.type == "payment.reversed"
    ]
    print(f"the books say who did it: {actor}")


def news(cashier: Cashier, clock: FakeClock) -> None:
    """Do what a worker does: settlements and returns are in feeds, not in webhooks."""
    clock.advance(days=1)
    cashier.read_feeds()
    cashier.apply_callbacks()


def show_ledger(cashier: Cashier) -> None:
    for payment in cashier.payments(oldest_first=True):
        for receipt in cashier.receipts(payment):
            print(f"  {receipt.effective} {receipt.kind:<8} {receipt.amount} {payment.kind}")
    for invoice in cashier.open_invoices("maria"):
        print(f"open: {invoice.number} {invoice.open}")
    print("the books are sound" if not cashier.fsck() else "the books are wrong")


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
        keys = [Fernet.generate_key().decode()]
        with Cashier.in_memory(
            gateways={"net": account},
            clock=clock,
            token_keys=keys,
            page_keys=keys,
            autopay=AutopayPolicy(
                retry=RetryPolicy(represent=(3,)),
                # Nothing is announced beforehand: the bills of each month are alike.
                lead_days={},
            ),
        ) as cashier:
            asyncio.run(story(cashier, clock, processor, keys))
            show_ledger(cashier)
            return 1 if cashier.fsck() else 0


if __name__ == "__main__":
    sys.exit(main())
