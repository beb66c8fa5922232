"""Terminals: kiosk networks that ask and report over HTTP, in three dialects."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import ValidationError

from paygate import Cashier, Customer, Money, Payment, PaymentStatus, ShowVoucher
from paygate.domain.callback import InboxState
from paygate.drivers.terminal import Terminal, TerminalSettings
from paygate.errors import NotAuthentic
from paygate.gateway import Callback, KeptNotice, Notice, PayerFacts, Question, Reply
from paygate.testing import FakeClock
from paygate.testing.conformance import NOW
from paygate.testing.mounted import Mounted
from paygate.web.callbacks import callbacks
from tests.service.world import assert_sound

KEY, SECRET, PATH = "cash-desk-key-1", "SECRET", "s3cret_path_of_20_letters"
OSMP: dict[str, Any] = {
    "dialect": "osmp",
    "merchant": "777",
    "currency": "USD",
    "allow": ["127.0.0.1"],
}
PAYME: dict[str, Any] = {
    "dialect": "payme",
    "merchant": "desk-1",
    "currency": "UZS",
    "login": "Paycom",
    "password": KEY,
}
CLICK: dict[str, Any] = {
    "dialect": "click",
    "merchant": "777",
    "currency": "UZS",
    "secret": SECRET,
    "service_id": "777",
}


def money(currency: str, amount: str) -> Money:
    return Money.of(currency, amount)


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as made:
        yield made


class Kiosk:
    """A portal's ledger and callbacks, and a network that sends HTTP requests to them."""

    def __init__(self, portal: BlockingPortal, settings: dict[str, Any], **more: Any) -> None:
        self.currency = settings["currency"]
        self.clock = FakeClock(NOW)
        account = {"driver": "terminal", **settings, **more}
        self.cashier = Cashier.in_memory(gateways={"kiosk": account}, clock=self.clock)
        ada = Customer("C-1", name="Ada Lovelace")
        for number, due in (("OLD", "2026-02-01"), ("NEW", "2026-05-01")):
            total = money(self.currency, "1000")
            self.cashier.issue(number=number, customer=ada, total=total, due=due)
        self.cashier.assign_payer_number("C-1", "ACC-1", via="kiosk")
        self.http = httpx.Client(
            transport=Mounted(callbacks(self.cashier), portal), base_url="http://portal"
        )

    def osmp(self, **query: str) -> str:
        """Return the reply to a query, without the XML declaration."""
        response = self.http.get("/kiosk", params=query)
        assert response.headers["content-type"] == "text/xml; charset=utf-8"
        return response.text.removeprefix('<?xml version="1.0" encoding="UTF-8"?>')

    def payme(self, method: str, key: str = KEY, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method, or its error code."""
        login = base64.b64encode(f"Paycom:{key}".encode()).decode()
        response = self.http.post(
            "/kiosk",
            json={"id": 7, "method": method, "params": parameters},
            headers={"authorization": f"Basic {login}"},
        )
        body: dict[str, Any] = response.json()
        assert response.status_code == 200
        return body["result"] if "result" in body else {"error": body["error"]["code"]}

    def click(self, secret: str = SECRET, **form: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.post("/kiosk", data=signed(form, secret)).json()
        return found

    def create(self, id_: str = "5f1", amount: int = 100_000, account: str = "ACC-1") -> Any:
        return self.payme(
            "CreateTransaction", id=id_, time=1, amount=amount, account={"number": account}
        )

    @property
    def payment(self) -> Payment:
        """The only payment."""
        [payment] = self.cashier.payments()
        return payment

    def slip(self) -> tuple[Payment, str]:
        payment = self.cashier.collect("OLD", via="kiosk", key="k-1")
        assert isinstance(payment.action, ShowVoucher)
        return payment, payment.action.reference


def signed(form: dict[str, str], secret: str) -> dict[str, str]:
    """Return a form of click with its signature, as the sheet describes it."""
    names = ["click_trans_id", "service_id", "", "merchant_trans_id"]
    names += ["merchant_prepare_id"] if form["action"] == "1" else []
    text = "".join(secret if not name else form[name] for name in names)
    text += form["amount"] + form["action"] + form["sign_time"]
    return {**form, "sign_string": hashlib.md5(text.encode()).hexdigest()}  # noqa: S324


PREPARE = {
    "click_trans_id": "100200300",
    "service_id": "777",
    "merchant_trans_id": "ACC-1",
    "amount": "1000.00",
    "action": "0",
    "error": "0",
    "sign_time": "2026-01-02 03:04:05",
}
COMPLETE = {**PREPARE, "action": "1", "merchant_prepare_id": "5001"}
PAY = {"command": "pay", "txn_id": "1234567", "account": "ACC-1", "sum": "100.00"}


# --- osmp -----------------------------------------------------------------------------------


def test_the_reply_of_the_sheet_is_written_byte_for_byte() -> None:
    terminal = Terminal(TerminalSettings(**OSMP))
    query = "command=pay&txn_id=1234567&txn_date=20260102030405&account=ACC-1&sum=100.00"
    asked = Callback(
        method="GET", path="/osmp", headers={}, body=b"", query=query, received_at=NOW,
        sender="127.0.0.1",
    )  # fmt: skip
    question = run(terminal, asked)
    assert isinstance(question, Question)
    notice = terminal.reply_to(question, PayerFacts(now=NOW))
    assert isinstance(notice, Notice)
    kept = KeptNotice(
        number=5001, event_id=notice.event_id, notice=notice, received_at=NOW, applied=True
    )
    reply = terminal.reply_to(question, PayerFacts(now=NOW, kept={notice.event_id: kept}))
    assert isinstance(reply, Reply)
    assert reply.body == (
        b'<?xml version="1.0" encoding="UTF-8"?><response><osmp_txn_id>1234567</osmp_txn_id>'
        b"<prv_txn>5001</prv_txn><sum>100.00</sum><result>0</result><comment>OK</comment>"
        b"</response>"
    )


def run(terminal: Terminal, callback: Callback) -> Question | Reply | None:
    dialogue = terminal.question(callback)
    with pytest.raises(StopIteration) as end:
        next(dialogue)
    found: Question | Reply | None = end.value.value
    return found


def test_a_check_is_strict_and_changes_nothing(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    found = kiosk.osmp(command="check", txn_id="0", account="ACC-1", sum="0.00")
    assert found == (
        "<response><osmp_txn_id>0</osmp_txn_id><result>0</result><comment>OK</comment><fields>"
        '<field1 name="name" type="disp">A*** L***</field1>'
        '<field2 name="due" type="disp">2000.00</field2></fields></response>'
    )
    nobody = kiosk.osmp(command="check", txn_id="0", account="ACC-2", sum="1.00")
    assert "<result>5</result>" in nobody
    assert "<result>4</result>" in kiosk.osmp(command="check", txn_id="0", account="A B", sum="1")
    assert kiosk.cashier.payments() == []


def test_cash_is_booked_once_and_its_answer_repeated(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    first = kiosk.osmp(**PAY, txn_date="20260102030405")
    kiosk.clock.advance(hours=1)
    assert kiosk.osmp(**PAY, txn_date="20260102030405") == first
    assert "<result>0</result>" in first
    assert (kiosk.payment.received, kiosk.payment.status) == (
        money("USD", "100"),
        PaymentStatus.SUCCEEDED,
    )
    assert kiosk.cashier.invoice("OLD").open == money("USD", "900")
    assert_sound(kiosk.cashier)


@pytest.mark.parametrize("other", [{"sum": "100.01"}, {"account": "ACC-2"}, {"ccy": "EUR"}])
def test_a_transaction_repeated_with_other_facts_is_refused_and_flagged(
    portal: BlockingPortal, other: dict[str, str]
) -> None:
    kiosk = Kiosk(portal, OSMP)
    first = kiosk.osmp(**PAY)
    assert "<result>300</result><comment>conflict</comment>" in kiosk.osmp(**{**PAY, **other})
    assert kiosk.osmp(**PAY) == first
    assert kiosk.payment.received == money("USD", "100")
    states = [each.state for each in kiosk.cashier.callbacks(oldest_first=True)]
    assert states == [InboxState.APPLIED, InboxState.CONFLICTED]


def test_cash_is_taken_whatever_the_number_is(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    for number, account in enumerate(("ACC-2", "an odd number!"), 1):
        found = kiosk.osmp(**{**PAY, "txn_id": str(number), "account": account})
        assert "<result>0</result>" in found
    flagged = kiosk.cashier.payments(needs_review=True)
    assert [each.unallocated for each in flagged] == [money("USD", "100")] * 2
    assert_sound(kiosk.cashier)


def test_more_and_less_than_is_due(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    kiosk.osmp(**{**PAY, "sum": "2500.00"})
    assert [kiosk.cashier.invoice(each).open.minor for each in ("OLD", "NEW")] == [0, 0]
    assert kiosk.cashier.balance("C-1")["USD"] == money("USD", "500")


def test_a_slip_that_is_withdrawn_or_paid_is_not_payable_and_its_cash_is_kept(
    portal: BlockingPortal,
) -> None:
    kiosk = Kiosk(portal, OSMP)
    payment, number = kiosk.slip()
    check = {"command": "check", "txn_id": "0", "account": number, "sum": "1.00"}
    assert "<result>0</result>" in kiosk.osmp(**check)
    kiosk.cashier.cancel(payment, key="k-2")
    assert "<result>79</result>" in kiosk.osmp(**check)
    assert "<result>0</result>" in kiosk.osmp(**{**PAY, "account": number, "sum": "1000.00"})
    assert kiosk.cashier.payment(payment).received == money("USD", "1000")
    again = kiosk.osmp(**{**PAY, "account": number, "sum": "1000.00"})
    assert "<result>0</result>" in again
    assert_sound(kiosk.cashier)


def test_two_payments_of_one_slip_are_both_kept(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    payment, number = kiosk.slip()
    for transaction in ("1", "2"):
        paid = {**PAY, "txn_id": transaction, "account": number, "sum": "1000.00"}
        assert "<result>0</result>" in kiosk.osmp(**paid)
    assert "<result>7</result>" in kiosk.osmp(
        command="check", txn_id="0", account=number, sum="1.00"
    )
    assert kiosk.cashier.payment(payment).received == money("USD", "2000")
    assert kiosk.cashier.invoice("OLD").open.minor == 0
    assert kiosk.cashier.balance("C-1")["USD"] == money("USD", "1000")
    assert_sound(kiosk.cashier)


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ({}, 300),
        ({"command": "cancel", "txn_id": "1"}, 300),
        ({**PAY, "txn_id": "one"}, 300),
        ({**PAY, "txn_id": "1" * 21}, 300),
        ({**PAY, "sum": "-1.00"}, 300),
        ({**PAY, "sum": "1.001"}, 300),
        ({**PAY, "sum": "1e3"}, 300),
        ({**PAY, "sum": "0.00"}, 241),
        ({**PAY, "account": ""}, 4),
        ({**PAY, "ccy": "XXY"}, 300),
    ],
)
def test_what_osmp_cannot_mean_has_its_own_error(
    portal: BlockingPortal, query: dict[str, str], result: int
) -> None:
    kiosk = Kiosk(portal, OSMP)
    assert f"<result>{result}</result>" in kiosk.osmp(**query)
    assert kiosk.cashier.payments() == []


def test_a_form_is_read_like_a_query_and_xml_is_not(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, OSMP)
    form = kiosk.http.post("/kiosk", data=PAY)
    assert "<result>0</result>" in form.text
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    assert "<result>300</result>" in kiosk.http.post("/kiosk", content=bomb).text
    assert kiosk.http.post("/kiosk", content=b"<a>" * 4_000_000).status_code == 413


# --- payme ----------------------------------------------------------------------------------


def test_a_transaction_of_payme_is_created_performed_and_repeated(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    asked: dict[str, Any] = {"amount": 100_000, "account": {"number": "ACC-1"}}
    assert kiosk.payme("CheckPerformTransaction", **asked) == {
        "allow": True,
        "additional": {"name": "A*** L***"},
    }
    created = kiosk.create()
    assert created["state"] == 1
    assert kiosk.payment.status is PaymentStatus.REQUIRES_ACTION
    assert kiosk.cashier.invoice("OLD").claimed.minor == 0
    kiosk.clock.advance(minutes=5)
    assert kiosk.create() == created
    performed = kiosk.payme("PerformTransaction", id="5f1")
    kiosk.clock.advance(minutes=5)
    assert kiosk.payme("PerformTransaction", id="5f1") == performed
    assert performed["state"] == 2
    assert performed["perform_time"] - created["create_time"] == 300_000
    assert kiosk.payment.received == money("UZS", "1000")
    assert kiosk.cashier.invoice("OLD").open.minor == 0
    assert kiosk.payme("CancelTransaction", id="5f1", reason=5) == {"error": -31007}
    assert kiosk.payme("CheckTransaction", id="5f1") == {
        "create_time": created["create_time"],
        "perform_time": performed["perform_time"],
        "cancel_time": 0,
        "transaction": created["transaction"],
        "state": 2,
        "reason": None,
    }
    assert_sound(kiosk.cashier)


def test_a_canceled_transaction_is_not_performed(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    kiosk.create()
    canceled = kiosk.payme("CancelTransaction", id="5f1", reason=3)
    assert canceled["state"] == -1
    assert kiosk.payme("CancelTransaction", id="5f1", reason=3) == canceled
    assert kiosk.payme("PerformTransaction", id="5f1") == {"error": -31008}
    assert kiosk.create() == {"error": -31008}
    found = kiosk.payme("CheckTransaction", id="5f1")
    assert (found["state"], found["reason"]) == (-1, 3)
    assert kiosk.payment.status is PaymentStatus.CANCELED
    assert_sound(kiosk.cashier)


def test_a_transaction_of_twelve_hours_is_dead(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    kiosk.create()
    kiosk.clock.advance(milliseconds=43_200_001)
    assert kiosk.payme("PerformTransaction", id="5f1") == {"error": -31008}
    found = kiosk.payme("CheckTransaction", id="5f1")
    assert (found["state"], found["reason"]) == (-1, 4)
    assert kiosk.payment.status is PaymentStatus.EXPIRED


def test_money_of_a_transaction_whose_invoice_is_paid_otherwise_is_credit(
    portal: BlockingPortal,
) -> None:
    kiosk = Kiosk(portal, PAYME)
    kiosk.create()
    kiosk.cashier.record("OLD", by="cash", key="till-1")
    assert kiosk.payme("PerformTransaction", id="5f1")["state"] == 2
    assert kiosk.cashier.balance("C-1")["UZS"] == money("UZS", "1000")
    assert_sound(kiosk.cashier)


def test_a_slip_is_reserved_and_paid_as_itself(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    payment, number = kiosk.slip()
    assert kiosk.create(amount=99_999, account=number) == {"error": -31001}
    assert kiosk.create(account=number)["state"] == 1
    assert kiosk.create("5f2", account=number)["state"] == 1
    assert kiosk.payme("CancelTransaction", id="5f2", reason=3)["state"] == -1
    assert kiosk.payment.status is PaymentStatus.REQUIRES_ACTION
    assert isinstance(kiosk.payment.action, ShowVoucher)
    assert kiosk.payme("PerformTransaction", id="5f1")["state"] == 2
    assert kiosk.cashier.payment(payment).received == money("UZS", "1000")
    assert kiosk.create("5f3", account=number) == {"error": -31053}
    assert_sound(kiosk.cashier)


def test_a_created_transaction_repeated_with_other_facts_is_refused(
    portal: BlockingPortal,
) -> None:
    kiosk = Kiosk(portal, PAYME)
    created = kiosk.create()
    assert kiosk.create(amount=99_999) == {"error": -31008}
    assert kiosk.create() == created
    assert len(kiosk.cashier.payments()) == 1


def test_a_statement_has_the_transactions_of_its_time(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    kiosk.create()
    kiosk.payme("PerformTransaction", id="5f1")
    kiosk.clock.advance(days=1)
    kiosk.create("5f2")
    at = int(NOW.timestamp() * 1000)
    span: dict[str, Any] = {"from": at, "to": at + 1000}
    found = kiosk.payme("GetStatement", **span)["transactions"]
    assert [(each["id"], each["amount"], each["state"]) for each in found] == [("5f1", 100_000, 2)]
    span = {"from": at, "to": at + 86_400_000}
    later = kiosk.payme("GetStatement", **span)["transactions"]
    assert [each["id"] for each in later] == ["5f1", "5f2"]


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("Perform", {}, -32601),
        ("PerformTransaction", {}, -32600),
        ("PerformTransaction", {"id": "x" * 65}, -32600),
        ("PerformTransaction", {"id": "5f9"}, -31003),
        ("CancelTransaction", {"id": "5f9", "reason": 1}, -31003),
        ("CheckTransaction", {"id": "5f9"}, -31003),
        ("CheckPerformTransaction", {"amount": 1.5, "account": {"a": "ACC-1"}}, -31001),
        ("CheckPerformTransaction", {"amount": 0, "account": {"a": "ACC-1"}}, -31001),
        ("CheckPerformTransaction", {"amount": 10**30, "account": {"a": "ACC-1"}}, -31001),
        ("CheckPerformTransaction", {"amount": 5, "account": {"a": "ACC-2"}}, -31050),
        ("CheckPerformTransaction", {"amount": 5, "account": {"a": "A B"}}, -31051),
        ("CheckPerformTransaction", {"amount": 5, "account": {"a": "1", "b": "2"}}, -31051),
        ("CheckPerformTransaction", {"amount": 5, "account": "ACC-1"}, -32600),
        ("GetStatement", {"from": -1, "to": 10**30}, -32600),
    ],
)
def test_what_payme_cannot_mean_has_its_own_error(
    portal: BlockingPortal, method: str, parameters: dict[str, Any], code: int
) -> None:
    kiosk = Kiosk(portal, PAYME)
    assert kiosk.payme(method, **parameters) == {"error": code}
    assert kiosk.cashier.payments() == []


@pytest.mark.parametrize(
    ("body", "code"), [(b"", -32700), (b"{", -32700), (b"[]", -32700), (b"{}", -32600)]
)
def test_what_is_not_a_request_of_payme_has_its_own_error(
    portal: BlockingPortal, body: bytes, code: int
) -> None:
    kiosk = Kiosk(portal, PAYME)
    login = base64.b64encode(f"Paycom:{KEY}".encode()).decode()
    response = kiosk.http.post("/kiosk", content=body, headers={"authorization": f"Basic {login}"})
    found = response.json()
    assert (response.status_code, found["id"], found["error"]["code"]) == (200, None, code)
    assert set(found["error"]["message"]) == {"ru", "uz", "en"}


def test_another_key_of_payme_is_refused_in_its_words(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, PAYME)
    asked: dict[str, Any] = {"amount": 100_000, "account": {"number": "ACC-1"}}
    assert kiosk.payme("CheckPerformTransaction", "another key", **asked) == {"error": -32504}
    assert kiosk.http.post("/kiosk", json={}).json()["error"]["code"] == -32504


# --- click ----------------------------------------------------------------------------------


def test_the_signatures_of_the_sheet() -> None:
    assert signed(PREPARE, SECRET)["sign_string"] == "be6e80bb39126e5990f2edd426cffd7f"
    assert signed(COMPLETE, SECRET)["sign_string"] == "889d67b64e4461f45aab388f3b316940"


def test_click_prepares_and_completes(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, CLICK)
    prepared = kiosk.click(**PREPARE)
    names = {"click_trans_id": "100200300", "merchant_trans_id": "ACC-1"}
    fine = {"error": 0, "error_note": "Success"}
    assert prepared == {**names, "merchant_prepare_id": 1, **fine}
    assert kiosk.click(**PREPARE) == prepared
    done = kiosk.click(**COMPLETE)
    assert done == {**names, "merchant_confirm_id": 2, **fine}
    assert kiosk.click(**COMPLETE) == done
    assert kiosk.payment.received == money("UZS", "1000")
    assert kiosk.cashier.invoice("OLD").open.minor == 0
    assert_sound(kiosk.cashier)


def test_a_negative_error_of_click_cancels(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, CLICK)
    kiosk.click(**PREPARE)
    assert kiosk.click(**{**COMPLETE, "error": "-5017"})["error"] == -9
    assert kiosk.click(**COMPLETE)["error"] == -9
    assert kiosk.payment.status is PaymentStatus.CANCELED


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({**PREPARE, "action": "2"}, -3),
        ({**PREPARE, "merchant_trans_id": "ACC-2"}, -5),
        ({**PREPARE, "merchant_trans_id": "A B"}, -5),
        ({**PREPARE, "amount": "many"}, -2),
        ({**PREPARE, "amount": "0.00"}, -2),
        ({**PREPARE, "click_trans_id": "one"}, -8),
        ({**PREPARE, "service_id": "778"}, -1),
        (COMPLETE, -6),
    ],
)
def test_what_click_cannot_mean_has_its_own_error(
    portal: BlockingPortal, form: dict[str, str], code: int
) -> None:
    kiosk = Kiosk(portal, CLICK)
    assert kiosk.click(**form)["error"] == code
    assert kiosk.cashier.payments() == []


def test_click_is_believed_only_with_its_signature(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, CLICK)
    assert kiosk.click("another secret", **PREPARE)["error"] == -1
    changed = {**signed(PREPARE, SECRET), "amount": "9000.00"}
    assert kiosk.http.post("/kiosk", data=changed).json()["error"] == -1
    assert kiosk.http.post("/kiosk", content=b"\xff").json()["error"] == -8
    assert kiosk.cashier.payments() == []


def test_complete_with_another_amount_is_not_booked(portal: BlockingPortal) -> None:
    kiosk = Kiosk(portal, CLICK)
    kiosk.click(**PREPARE)
    assert kiosk.click(**{**COMPLETE, "amount": "1001.00"})["error"] == -2
    assert kiosk.payment.received.minor == 0


# --- Who is believed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({**OSMP, "allow": []}, "osmp has no signature"),
        ({**OSMP, "allow": ["0.0.0.0/0"]}, "allows everybody"),
        ({**OSMP, "allow": ["the network"]}, "79.142.16.0/20"),
        ({**PAYME, "login": "", "password": None}, "payme sends HTTP Basic"),
        ({**PAYME, "password": None}, "belong together"),
        ({**CLICK, "secret": None}, "give its secret"),
        ({**OSMP, "currency": "XXY"}, "ISO 4217"),
        ({**OSMP, "account_pattern": "("}, "regular expression"),
        ({**OSMP, "certificate": "ab"}, "belong together"),
        ({**OSMP, "path_secret": "short"}, "20 to 200"),
    ],
)
def test_an_account_that_anybody_could_use_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TerminalSettings(**settings)


@pytest.mark.parametrize(
    ("more", "path", "headers"),
    [
        ({"login": "net", "password": "pw"}, "/kiosk", {"authorization": "Basic bmV0OnB3"}),
        ({"path_secret": PATH}, f"/kiosk/secret/{PATH}", {}),
        (
            {"certificate_header": "x-client-cert", "certificate": "AB:CD"},
            "/kiosk",
            {"x-client-cert": "AB:CD"},
        ),
    ],
)
def test_each_proof_that_the_settings_name_is_required(
    portal: BlockingPortal, more: dict[str, str], path: str, headers: dict[str, str]
) -> None:
    kiosk = Kiosk(portal, {**OSMP, "allow": []}, **more)
    for wrong in ({}, {name: f"{text}x" for name, text in headers.items()}):
        refused = kiosk.http.get("/kiosk/secret/other", params=PAY, headers=wrong)
        assert (refused.status_code, "<result>300</result>" in refused.text) == (403, True)
    assert kiosk.cashier.payments() == []
    fine = kiosk.http.get(path, params=PAY, headers=headers)
    assert "<result>0</result>" in fine.text
    assert PATH not in str(kiosk.cashier.callbacks())
    both = Kiosk(portal, {**OSMP, "allow": ["203.0.113.0/24"]}, **more)
    assert both.http.get(path, params=PAY, headers=headers).status_code == 403


@pytest.mark.parametrize("settings", [OSMP, PAYME, CLICK], ids=lambda each: each["dialect"])
def test_of_many_forged_requests_none_is_accepted(settings: dict[str, Any]) -> None:
    terminal = Terminal(TerminalSettings(**settings))
    form = urlencode({**COMPLETE, "sign_string": "0" * 32})
    query = urlencode(PAY)
    accepted = 0
    for number in range(2_000):
        login = base64.b64encode(f"Paycom:{number}".encode()).decode()
        forged = Callback(
            method="POST" if settings is not OSMP else "GET",
            path="/kiosk",
            headers={"authorization": f"Basic {login}"},
            body=f"{form}&n={number}".encode() if settings is CLICK else b"",
            query=query if settings is OSMP else "",
            received_at=NOW + timedelta(seconds=number),
            sender=f"198.51.{number % 256}.{number // 256}",
        )
        try:
            next(terminal.question(forged))
        except NotAuthentic:
            continue
        except StopIteration:
            accepted += 1
    assert accepted == 0
