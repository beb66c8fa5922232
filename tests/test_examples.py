"""The examples do what they say."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from cryptography.fernet import Fernet
from httpx import ASGITransport, AsyncClient, Client, Response

from examples import stripe_fastapi
from examples.checkout_fastapi import payments, shop
from examples.webhooks_fastapi import make_app, served
from paygate import AsyncCashier, Cashier, Money
from paygate.testing import FakeClock, FakeGateway
from paygate.web.results import write_result
from tests.support.simulated_stripe import SimulatedStripe, serving
from tests.web.serving import asgi_served

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def not_ignored(folder: Path) -> list[str]:
    """Return the files that an example left in *folder* and that Git would offer to add."""
    patterns = (EXAMPLES.parent / ".gitignore").read_text("utf-8").split()
    left = [each.name for each in folder.iterdir()]
    return [name for name in left if not any(fnmatch(name, each) for each in patterns)]


def test_the_bank_statement_tells_of_a_check_that_bounced(tmp_path: Path) -> None:
    done = run("bank_statement.py", tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "May 16: INV-1001 is paid",
        "May 18: 4 lines are new",
        "    100.00 USD  explained  matched",
        "   -100.00 USD  open       returned",
        "    -25.00 USD  open       fee",
        "     80.00 USD  explained  missing_in_ledger",
        "proposed: reversal because check 1047 was recorded",
        "INV-1001 is open",
        "INV-2002 is paid",
        "REV-1-FEE bills 25.00 USD",
        "imported again: 0 new lines",
        "the bank has 1055.00 USD",
    ]
    assert not_ignored(tmp_path) == []


def test_the_first_payment_does_the_same_once(tmp_path: Path) -> None:
    first, second = run("first_payment.py", tmp_path), run("first_payment.py", tmp_path)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert first.stdout.splitlines() == [
        "succeeded: received 30.00 USD",
        first.stdout.splitlines()[1],
        "open: INV-8 40.00 USD",
        "open: REV-1-FEE 25.00 USD",
        "the books are sound",
    ]


def test_a_year_of_automatic_payment(tmp_path: Path) -> None:
    year = run("automatic_payment.py", tmp_path)

    assert (year.returncode, year.stderr) == (0, "")
    lines = year.stdout.splitlines()
    assert lines[-1] == "charged: 240.00 USD, still open: nothing"
    paid = [line.split()[-1] for line in lines if "invoice.paid" in line]
    assert (len(paid), len(set(paid))) == (13, 12), "one was paid again after its return"
    assert [line for line in lines if "announced" in line] == [
        "2027-11-05 autopay.announced 2027-11 on 2027-11-15",
        "2027-12-05 autopay.announced 2027-12 on 2027-12-15",
    ]
    assert [line.split()[0] for line in lines if "reopened" in line] == ["2027-11-20"]
    assert [line.split()[0] for line in lines if "given_up" in line] == ["2027-06-30"]
    assert not_ignored(tmp_path) == []


def test_a_crm_sees_a_customer_who_stops_paying(tmp_path: Path) -> None:
    done = run("crm_events.py", tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "01 Jan  commitment.created",
        "01 Jan  invoice.generated      30.00 USD",
        "01 Jan  invoice.paid            0.00 USD",
        "06 Jan  invoice.generated      30.00 USD",
        "10 Jan  payment.declined       30.00 USD: insufficient_funds",
        "11 Jan  invoice.overdue        30.00 USD",
        "11 Jan  customer.warned        30.00 USD",
        "16 Jan  invoice.partially_paid 17.50 USD  (came on 21 Jan)",
        "21 Jan  payment.reversed       12.50 USD: check returned",
        "21 Jan  invoice.reopened       30.00 USD",
        "24 Jan  customer.limited       30.00 USD",
        "31 Jan  customer.suspended     30.00 USD",
        "05 Feb  invoice.paid            0.00 USD",
        "05 Feb  customer.restored",
    ]


def test_a_customer_who_does_not_pay_as_a_calendar(tmp_path: Path) -> None:
    done = run("dunning.py", tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    days = [line for line in done.stdout.splitlines() if line[:1].strip()]
    assert [" ".join(line.split()[:4]) for line in days] == [
        "Mon 01 Mar clear",
        "Tue 16 Mar warned",
        "Mon 22 Mar warned",
        "Wed 24 Mar warned",
        "Sat 03 Apr limited",
        "Thu 08 Apr suspended",
        "Fri 14 May terminated",
        "Mon 07 Jun terminated",
        "Tue 08 Jun clear",
        "Tue 15 Jun warned",
        "Fri 18 Jun warned",
        "Wed 23 Jun limited",
        "Mon 28 Jun suspended",
    ]
    assert not_ignored(tmp_path) == []


def test_money_that_comes_first_is_found_by_its_invoice(tmp_path: Path) -> None:
    done = run("payment_first.py", tmp_path, TMPDIR=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1. entry: 144.00 GBP for reg-4711, open",
        "2. link: https://pay.example.com/l/…, active",
        "3. paid: 144.00 GBP by card, succeeded",
        "4. receipt: number 1, found by its reference of 8 characters",
        "5. waiting: 144.00 GBP wait for an invoice, the entry is paid",
        "6. dry run: 1 invoice over 144.00 GBP",
        "7. run: INV-00001, 1 order was there already",
        "8. found: the invoice is paid, the entry is balanced",
        "9. sent: INV-00001.pdf (application/pdf) to ada@example.org",
    ]
    [document] = tmp_path.glob("*/INV-00001.pdf")
    [page] = pypdfium2.PdfDocument(document)
    text = page.get_textpage().get_text_range()
    assert "Workshop on engines" in text
    assert "To be paid £0.00" in text


def test_what_is_authorized_is_captured_in_parts_once(tmp_path: Path) -> None:
    first = run("authorize_capture.py", tmp_path)
    second = run("authorize_capture.py", tmp_path)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert first.stdout.splitlines() == [
        "80.00 USD held",
        "80.00 USD captured, parcel by parcel: succeeded",
        "15.00 USD sent back, 0.00 USD open: succeeded",
        "the books are sound",
    ]
    assert not_ignored(tmp_path) == []


def test_authorize_net_from_the_form_to_the_returned_e_check() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.authorize_net"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "three invoices: requires_action",
        "the form leads back to https://portal.example/payments/net/return?payment=[its id]",
        "three invoices: succeeded",
        "a card: declined invalid_security_code",
        "a card: succeeded",
        "stored: checking account ending in 6789",
        "an e-check: succeeded",
        "an e-check settled: True",
        "an e-check returned: 90.00 USD; INV-5 is open again",
        "  2026-01-01 charge  60.00 USD redirect",
        "  2026-01-01 charge  35.00 USD card",
        "  2026-01-01 charge  90.00 USD e_check",
        "  2026-01-05 return  90.00 USD e_check",
        "open: INV-5 90.00 USD",
        "open: INV-5-FEE 25.00 USD",
        "the books are sound",
    ]


def test_billing_by_token_at_four_processors() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.token_billing"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    declined = {"Windcave": "insufficient_funds"}
    assert done.stdout.splitlines() == [
        line
        for name, currency in (
            ("Stripe", "USD"),
            ("Authorize.Net", "USD"),
            ("Windcave", "NZD"),
            ("Secure Hosting", "GBP"),
        )
        for line in (
            f"{name}:",
            "  on the page: succeeded",
            "  a month later: succeeded",
            "  then an answer is lost: unknown",
            "  it is not charged again",
            "  and found: succeeded",
            f"  at last the bank says no: declined {declined.get(name, 'generic')}",
            f"  ledger and processor agree: 90.00 {currency}",
        )
    ]


def test_a_member_pays_by_hand_and_automatically_and_clerks_reverse_checks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.member_portal"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Maria sees: Invoices and payments",
        "Maria sees: Pay $55.00 to Alder Telecom",
        "Maria sees: Continue at Authorize.Net",
        "the processor's form: declined",
        "Maria sees: Paid. Thank you.",
        "Maria sees: Continue at Authorize.Net",
        "Maria sees: Your payment method is stored",
        "the run of 2026-01-02: 90.00 USD succeeded",
        "the bank returned it: INV-3 is open again with 90.00 USD",
        "on 2026-01-12 it is presented again: INV-3 has 0.00 USD",
        "the desk says: REV-2 was created, and REV-2-FEE for the fee.",
        "Anna sees: Approve, and sends the address to the boss",
        "the desk says: REV-3 was created.",
        "the books say who did it: anna, approved by boss",
        "  2026-01-01 charge   55.00 USD redirect",
        "  2026-01-02 charge   90.00 USD e_check",
        "  2026-01-06 return   90.00 USD e_check",
        "  2026-01-08 charge   25.00 USD e_check",
        "  2026-01-12 charge   90.00 USD e_check",
        "  2026-01-12 charge   40.00 USD check",
        "  2026-01-12 reversal 40.00 USD check",
        "  2026-01-12 charge   400.00 USD check",
        "  2026-01-12 reversal 400.00 USD check",
        "open: INV-4 40.00 USD",
        "open: INV-5 400.00 USD",
        "open: REV-2-FEE 25.00 USD",
        "the books are sound",
    ]


def test_four_wallets_whose_payers_come_back_or_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.wallets"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    said = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert said == ["payment.late_success", "payment.alert"] * 2
    assert done.stdout.splitlines() == [
        "paypal: came back: succeeded 30.00 USD",
        "paypal: never came back, reported: succeeded 30.00 USD",
        "paypal: never paid: expired 0.00 USD",
        "paypal: too late: expired 0.00 USD",
        "skrill: came back: succeeded 30.00 EUR",
        "skrill: never came back, reported: succeeded 30.00 EUR",
        "skrill: never paid: expired 0.00 EUR",
        "skrill: paid late, after expired: succeeded 30.00 EUR",
        "remita: came back: succeeded 21000.00 NGN",
        "remita: never came back, reported: succeeded 21000.00 NGN",
        "remita: never paid: canceled 0.00 NGN",
        "remita: paid late, after requires_action: succeeded 21000.00 NGN",
        "payarena: came back: succeeded 21000.00 NGN",
        "payarena: never came back, polled: succeeded 21000.00 NGN",
        "payarena: never paid: expired 0.00 NGN",
        "payarena: paid late, after expired: succeeded 21000.00 NGN",
        "  charge         30.00 USD",
        "  charge         30.00 USD",
        "  charge         30.00 EUR",
        "  charge         30.00 EUR",
        "  charge         30.00 EUR",
        "  charge      21000.00 NGN",
        "  charge      21000.00 NGN",
        "  charge      21000.00 NGN",
        "  charge      21000.00 NGN",
        "  charge      21000.00 NGN",
        "  charge      21000.00 NGN",
        "open: paypal-never 30.00 USD",
        "open: paypal-late 30.00 USD",
        "open: skrill-never 30.00 EUR",
        "open: remita-never 21000.00 NGN",
        "open: payarena-never 21000.00 NGN",
        "the books are sound",
    ]


def test_paypal_from_the_page_to_the_dispute() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.paypal"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    [warning] = done.stderr.splitlines()
    assert warning.startswith("payment.charged_back: ")
    assert done.stdout.splitlines() == [
        "to the page: requires_action 0.00 USD",
        "came back: succeeded 30.00 USD",
        "only the webhook came: succeeded 20.00 USD",
        "nothing came: succeeded 45.00 USD",
        "nobody approved: expired 0.00 USD",
        "disputed: 60.00 USD, 60.00 USD is open",
        "won: 60.00 USD, 0.00 USD is open",
        "  2026-01-01 charge         30.00 USD",
        "  2026-01-01 charge         20.00 USD",
        "  2026-01-01 charge         45.00 USD",
        "  2026-01-05 charge         60.00 USD",
        "  2026-01-05 chargeback     60.00 USD",
        "  2026-01-14 chargeback_won 60.00 USD",
        "open: INV-4 15.00 USD",
        "the books are sound",
    ]


def test_a_shop_on_fastapi_is_called_back_and_books_once(tmp_path: Path) -> None:
    first, second = run("webhooks_fastapi.py", tmp_path), run("webhooks_fastapi.py", tmp_path)

    assert first.returncode == 0
    [warning] = first.stderr.splitlines()
    assert warning.startswith("callback.refused: ")
    assert first.stdout == second.stdout
    assert first.stdout.splitlines() == [
        "webhook: 200 received",
        "once more: 200 received",
        "forged: 400 refused",
        "{'status': 'paid', 'open': '0.00 USD', 'tries': '0'}",
        "received 80.00 USD",
        "the books are sound",
    ]
    assert not_ignored(tmp_path) == []


def test_a_payer_who_left_the_shop_on_fastapi_pays_a_week_later() -> None:
    clock = FakeClock()
    page = FakeGateway("redirect", clock=clock)
    with Cashier.in_memory(gateways={"page": page}, clock=clock) as cashier:
        total = Money.of("USD", "80.00")
        cashier.issue(number="ORDER-12", customer="C-1", total=total, due="2026-12-01")
        with served(make_app(cashier)) as url, Client(base_url=url) as payer:
            left = payer.post("/orders/ORDER-12/checkout/0").json()

            clock.advance(days=7)
            cashier.recover()
            ended = payer.post("/orders/ORDER-12/checkout/0").json()
            tries = payer.get("/orders/ORDER-12").json()["tries"]
            begun = payer.post(f"/orders/ORDER-12/checkout/{tries}").json()
        page.pay(cashier.payment(begun["payment"]).reference)
        cashier.inquire(begun["payment"])

        assert left["go to"] != ""
        assert ended == {"payment": left["payment"], "status": "expired", "go to": ""}
        assert begun["go to"] not in ("", left["go to"])
        assert cashier.invoice("ORDER-12").open == Money("USD", 0)
        assert page.moved("USD") == total


@pytest.mark.parametrize(
    ("environment", "says"),
    [({}, "Set STRIPE_SECRET_KEY"), ({"STRIPE_SECRET_KEY": "sk_live_1"}, "a test key")],
)
@pytest.mark.parametrize("example", ["stripe_charge.py", "stripe_fastapi.py"])
def test_the_stripe_examples_want_a_test_key(
    tmp_path: Path, example: str, environment: dict[str, str], says: str
) -> None:
    done = run(example, tmp_path, **environment)

    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_stripe_example_charges_and_is_declined_at_the_simulated_stripe(tmp_path: Path) -> None:
    stripe = SimulatedStripe()
    with serving(stripe) as address:
        done = run(
            "stripe_charge.py",
            tmp_path,
            STRIPE_SECRET_KEY=stripe.secret_key,
            STRIPE_API_BASE=address,
        )

    assert (done.returncode, done.stderr) == (0, "")
    paid, left, declined, open_ = done.stdout.splitlines()
    assert paid.startswith("a card that works: succeeded")
    assert left.endswith(": 0.00 USD is open")
    assert declined.startswith("a card that is declined: declined generic")
    assert open_.endswith(": 30.00 USD is open")


@asynccontextmanager
async def shop_with_stripe(folder: Path) -> AsyncGenerator[tuple[SimulatedStripe, AsyncClient]]:
    """Serve the shop that takes cards, without its worker; its ledger is in *folder*."""
    stripe = SimulatedStripe()
    with serving(stripe) as api_base:
        account = {
            "driver": "stripe",
            "secret_key": stripe.secret_key,
            "publishable_key": stripe.publishable_key,
            "webhook_secrets": [stripe.signing_secret],
            "api_base": api_base,
        }
        cashier = AsyncCashier.open(f"sqlite:///{folder}/shop.db", gateways={"card": account})
        address = "http://shop.test"
        transport = ASGITransport(stripe_fastapi.make_app(cashier, address=address))
        async with AsyncClient(transport=transport, base_url=address) as payer:
            yield stripe, payer
        await cashier.aclose()


def form(page: Response) -> dict[str, str]:
    """Return the hidden fields that have a value."""
    return dict(re.findall(r"type=hidden name=(\w+) value=(\w+)", page.text))


def taken(stripe: SimulatedStripe) -> list[int]:
    """Return the amounts of the charges that took money."""
    return [each["amount_captured"] for each in stripe.all("charge")]


async def test_a_card_is_declined_authenticated_and_charged_once_on_the_shops_page(
    tmp_path: Path,
) -> None:
    async with shop_with_stripe(tmp_path) as (stripe, payer):
        first = await payer.get("/")
        card = stripe.tokenize("pm_card_chargeCustomerFail")
        declined = await payer.post("/pay", data={**form(first), "token": card})
        second = form(await payer.get("/"))
        card = stripe.tokenize("pm_card_authenticationRequired")
        sent = await payer.post("/pay", data={**second, "token": card})
        clicked_twice = await payer.post("/pay", data={**second, "token": card})
        async with AsyncClient() as browser:
            bank = await browser.post(sent.headers["location"], data={"answer": "yes"})
        returned = await payer.get(bank.headers["location"], follow_redirects=True)
        headers, body = stripe.webhooks[-1]
        webhook = await payer.post("/payments/card", content=body, headers=headers)
        late = {**second, "tries": "9", "token": stripe.tokenize()}
        refused = await payer.post("/pay", data=late)

    assert f'Stripe("{stripe.publishable_key}")' in first.text
    assert declined.text.startswith("Your card was not charged. You can pay again.")
    assert clicked_twice.headers["location"] == sent.headers["location"]
    assert returned.text.startswith("ORDER-12 is paid.")
    assert webhook.status_code == 200
    assert (refused.status_code, refused.text.partition(".")[0]) == (409, "Nothing was charged")
    assert taken(stripe) == [3000]
    with Cashier.open(f"sqlite:///{tmp_path}/shop.db", gateways={}) as cashier:
        paid, unpaid = cashier.payments()
        assert (unpaid.status, unpaid.received) == ("declined", Money("USD", 0))
        assert (paid.status, paid.received) == ("succeeded", Money.of("USD", "30.00"))
        assert cashier.fsck() == []


async def test_a_payer_who_left_the_banks_page_pays_with_another_card(tmp_path: Path) -> None:
    async with shop_with_stripe(tmp_path) as (stripe, payer):
        card = stripe.tokenize("pm_card_authenticationRequired")
        left = await payer.post("/pay", data={**form(await payer.get("/")), "token": card})
        again = {**form(await payer.get("/")), "token": stripe.tokenize()}
        paid = await payer.post("/pay", data=again)
        [_, withdrawn] = stripe.all("payment_intent")

    assert left.status_code == 303
    assert paid.text.startswith("Thank you. Your payment has arrived.")
    assert withdrawn["status"] == "canceled"
    assert taken(stripe) == [3000]


async def test_a_payer_whose_outcome_is_unknown_is_asked_to_wait(tmp_path: Path) -> None:
    async with shop_with_stripe(tmp_path) as (stripe, payer):
        shown = form(await payer.get("/"))
        stripe.breaks = ["fine", "lost answer"]
        unknown = await payer.post("/pay", data={**shown, "token": stripe.tokenize()})
        again = await payer.get("/")

    assert unknown.text.startswith("We do not know yet whether you have paid.")
    assert again.text == unknown.text
    assert taken(stripe) == [3000]


def test_the_driver_of_a_stranger_passes_the_kit_outside_of_this_tree(tmp_path: Path) -> None:
    folder = tmp_path / "paygate-harbour"
    shutil.copytree(EXAMPLES / "new_driver", folder)
    facts = folder / "src" / "paygate_harbour-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: paygate-harbour\nVersion: 0.1.0\n"
    )
    (facts / "entry_points.txt").write_text(
        "[paygate.gateways]\nharbour = paygate_harbour:Harbour\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed, " in done.stdout


def test_a_portal_goes_through_an_order_by_http(tmp_path: Path) -> None:
    done = run("payment_link.py", tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1. entry: 49.00 USD for order-7",
        "2. the same request again: the same entry is True",
        "3. link: the payer is sent to /pay/l/… is True",
        "4. the payer chooses the wallet, and pays on its page",
        "5. the payer comes home: succeeded, 49.00 USD, for the screen only",
        "6. the portal reads: succeeded, 49.00 came",
        "7. or the events say so: prepayment.paid is True",
        "8. the invoice with the key is paid, the entry balanced",
        "9. receipt and statement: True; 9.00 go back: succeeded",
        "the books are sound",
    ]
    assert not_ignored(tmp_path) == []


async def test_a_shop_in_fastapi_delivers_after_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    key, home = Fernet.generate_key(), "https://shop.example"
    with Cashier.in_memory(gateways={"card": FakeGateway()}, page_keys=[key]) as cashier:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await made[-1](scope, receive, send)

        made: list[Any] = []
        with asgi_served(app, lifespan="off") as origin:
            web = payments.web_of(origin, home, key)
            made.append(payments.make_app(cashier, web))
            for name, value in payments.settings(cashier, web, home).items():
                monkeypatch.setenv(name, value)
            async with AsyncClient(transport=ASGITransport(shop.app), base_url=home) as buyer:
                new = (await buyer.get("/orders/1001")).json()
                sent = [await buyer.post("/orders/1001/checkout") for _ in range(2)]
                assert (await buyer.post("/orders/7/checkout")).status_code == 404
                to = {each.headers["location"] for each in sent}
                assert len(to) == 1
                link = cashier.link_of(to.pop().rpartition("/")[2])
                assert link.token is not None
                payment = cashier.pay_link(
                    link.token, given=cashier.begin_try(link), via="card", method="tok_visa"
                )
                result = write_result(
                    web, payment, origin=home, tenant="main", now=datetime.now(UTC)
                )
                greeted = (await buyer.get("/thanks", params={"result": result})).json()
                forged = (await buyer.get("/thanks", params={"result": f"{result}x"})).json()
                paid = (await buyer.get("/orders/1001")).json()
        assert cashier.fsck() == []

    assert (new["payment"], new["deliver"]) == ("new", "False")
    assert greeted == {"said": "49.00 USD: succeeded"}
    assert forged == {"said": "Thank you. We will write to you."}
    assert (paid["payment"], paid["deliver"]) == ("paid", "True")
