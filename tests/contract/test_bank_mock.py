"""Weeks of statements made by a bank in its own process: at the end both have the same balance."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from paygate import Cashier, Money, creditor_reference
from paygate.testing import FakeClock

ACCOUNT = "NL41MOCK0000000001"
PAYER = {"name": "Greta Vos", "iban": "NL14MOCK0000000002"}
PATIENCE_S = 20.0
TRANSFER = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn><GrpHdr>
<MsgId>{name}</MsgId><CreDtTm>{day}T09:00:00</CreDtTm><NbOfTxs>1</NbOfTxs><CtrlSum>{amount}</CtrlSum>
<InitgPty><Nm>ACME</Nm></InitgPty></GrpHdr><PmtInf><PmtInfId>{name}-1</PmtInfId><PmtMtd>TRF</PmtMtd>
<NbOfTxs>1</NbOfTxs><CtrlSum>{amount}</CtrlSum><ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt>
<Dbtr><Nm>ACME Corporation</Nm></Dbtr><DbtrAcct><Id><IBAN>NL41MOCK0000000001</IBAN></Id></DbtrAcct>
<DbtrAgt><FinInstnId><BICFI>MOCKNL2A</BICFI></FinInstnId></DbtrAgt><CdtTrfTxInf><PmtId>
<EndToEndId>{name}</EndToEndId></PmtId><Amt><InstdAmt Ccy="EUR">{amount}</InstdAmt></Amt>
<CdtrAgt><FinInstnId><BICFI>INGBNL2A</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Landlord</Nm></Cdtr>
<CdtrAcct><Id><IBAN>NL49INGB0004000000</IBAN></Id></CdtrAcct>
<RmtInf><Ustrd>Rent</Ustrd></RmtInf></CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"""


class Bank:
    """mock-bank, in a process of its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        command = Path(sys.executable).parent / "mock-bank"
        self._process = subprocess.Popen(
            [str(command), "--port", str(self.port), "--clock", "2026-03-02T09:00", "-q"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("mock-bank did not start")

    def ask(self, path: str, body: bytes | dict[str, Any] | None = None, method: str = "") -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {"Content-Type": "application/json" if isinstance(body, dict) else "text/xml"}
        request = Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=data,
            headers=headers,
            method=method or ("GET" if data is None else "POST"),
        )
        try:
            with urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310  (loopback)
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()!r}") from None

    def advance(self, to: str) -> None:
        self.ask(f"/_mock/advance?to={to}", b"")

    def credit(self, minor: int, note: str = "", reference: str = "") -> None:
        facts: dict[str, Any] = {"account": "ACME", "amount": minor, "debtor": PAYER}
        facts |= {"note": note} if note else {"reference": reference}
        self.ask("/_mock/credits", facts)

    def statements(self) -> list[bytes]:
        """Take the statements, reports and notifications of our account out of the mailbox."""
        return [
            each["body"].encode()
            for each in self.ask("/_mock/mailbox")
            if each["account"] == "ACME" and each["type"].startswith("camt.")
        ]

    def balance(self) -> Money:
        return Money("EUR", self.ask("/_mock/accounts/ACME")["balance"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)


@pytest.fixture
def bank() -> Iterator[Bank]:
    started = Bank()
    yield started
    started.stop()


def invoice(cashier: Cashier, number: str, minor: int) -> None:
    cashier.issue(
        number=number, customer=f"C-{number}", total=Money("EUR", minor), due="2026-03-20"
    )


def work(bank: Bank, cashier: Cashier, protocols: Path) -> list[bytes]:
    """Let a week go by at the bank; return what it wrote, in its order."""
    for number in range(7001, 7006):
        invoice(cashier, f"INV-{number}", 1_000_000)
    for name, minor in (("INV-8001", 20_000), ("INV-8002", 5_000), ("INV-8003", 7_000)):
        invoice(cashier, name, minor)
    written: list[bytes] = []
    debits = protocols / "bank/vectors/01-sepa-settled/0.pain.008.001.08.xml"
    bank.ask("/payments", debits.read_bytes())
    bank.credit(20_000, reference=creditor_reference("INV-8001"))
    bank.credit(5_000, note="your inv 8002")
    bank.ask("/_mock/accounts/ACME/report", b"")
    bank.advance("2026-03-03")
    written += bank.statements()
    bank.credit(6_000, note="INV-8003, the rest later")
    bank.credit(4_242, note="a gift")
    rent = TRANSFER.format(name="RENT-3", day="2026-03-03", amount="75.00")
    bank.ask("/payments", rent.encode())
    bank.advance("2026-03-06")
    written += bank.statements()
    bank.ask("/_mock/collections/PG-7003-1/refuse", {"reason": "MD06"})
    bank.credit(1_000, note="INV-8003")
    bank.advance("2026-03-09")
    bank.ask("/_mock/accounts/ACME/report", b"")
    bank.advance("2026-03-12")
    return written + bank.statements()


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_ledger_has_the_balance_of_the_bank_to_the_cent(
    bank: Bank, protocols: Path, seed: int | None
) -> None:
    clock = FakeClock(datetime(2026, 3, 12, 12, tzinfo=UTC))
    with Cashier.in_memory(clock=clock) as cashier:
        cashier.set_bank_account("main", number=ACCOUNT, currency="EUR")
        written = work(bank, cashier, protocols)
        if seed is not None:  # some twice, and in any order
            shuffled = [*written, *written[::2]]
            random.Random(seed).shuffle(shuffled)  # noqa: S311  (an order, not a secret)
            written = shuffled
        for content in written:
            cashier.import_statement(content, account="main")

        [account] = cashier.bank_accounts()
        assert account.balance == bank.balance()
        assert account.opening == Money("EUR", 12_500_000)
        assert cashier.fsck() == []
        assert [cashier.invoice(each).status for each in ("INV-8001", "INV-8002", "INV-8003")] == [
            *("paid", "paid", "paid"),
        ]
        still_open = cashier.bank_lines(state="open", limit=100)
        assert sorted(each.amount.minor for each in still_open) == [-8_999, -7_500, 4_242]
        assert not any(each.missing.minor for each in cashier.bank_statements(limit=100))
