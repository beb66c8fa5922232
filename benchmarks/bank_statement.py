"""A bank statement of 100,000 entries, against a bare parse of its file.

The floor parses the camt.053 file with the standard library and drops each entry. The import
checks the whole file, stores each entry as a line with its identity, and posts it. The notes say
how many lines are matched a second, of which a fifth name one of 2,000 open invoices, and what the
peak of memory of a process of its own was, for a tenth of the entries and for all of them. Times
are those of the processor.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree.ElementTree import iterparse

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier

ENTRIES = 100_000
INVOICES = 2_000
ROUNDS_MAX = 3
NUMBER = "NL41MOCK0000000001"
HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr>
<MsgId>M-1</MsgId><CreDtTm>2026-05-18T20:00:00</CreDtTm></GrpHdr><Stmt><Id>S-1</Id>
<CreDtTm>2026-05-18T20:00:00</CreDtTm><Acct><Id><IBAN>{NUMBER}</IBAN></Id><Ccy>EUR</Ccy></Acct>
"""
ENTRY = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-05-18</Dt></BookgDt><ValDt><Dt>2026-05-18</Dt></ValDt>
<AcctSvcrRef>B-{number:07}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>
<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>
<EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<RltdPties><Dbtr><Pty><Nm>Payer number {number}</Nm></Pty></Dbtr><DbtrAcct><Id>
<IBAN>NL49INGB{number:010}</IBAN></Id></DbtrAcct></RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf>
</TxDtls></NtryDtls></Ntry>
"""


def write(path: Path, count: int) -> None:
    """Write a statement with *count* entries."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        for number in range(count):
            text = f"thank you for everything {number}"
            amount = f"{1000 + number % 977}.{number % 100:02d}"
            if number % 5 == 0:
                text, amount = f"Invoice INV-{number // 5 % INVOICES:06}", "50.00"
            elif number % 5 == 1:
                amount = "50.00"
            file.write(ENTRY.format(number=number, amount=amount, text=text))
        file.write("</Stmt></BkToCstmrStmt></Document>")


def parse(path: Path, count: int) -> float:
    """Parse a file with the standard library, and return how many entries a second."""
    begun = time.process_time()
    for _, element in iterparse(path):  # noqa: S314  (it is ours)
        if element.tag.endswith("}Ntry"):
            element.clear()
    return count / (time.process_time() - begun)


def opened(ledger: Path) -> Cashier:
    """Open a new ledger with the bank account."""
    cashier = Cashier.open(f"sqlite:///{ledger}")
    cashier.set_bank_account("main", number=NUMBER, currency="EUR")
    return cashier


def run(path: Path, ledger: Path, count: int) -> float:
    """Import a file into a new ledger, and return how many entries a second."""
    with opened(ledger) as cashier:
        begun = time.process_time()
        done = cashier.import_statement(path, account="main", reconcile=False)
        took = time.process_time() - begun
    assert (done.entries, done.new) == (count, count)
    return count / took


def matched(path: Path, ledger: Path, count: int) -> float:
    """Match the lines of a file, and return how many a second."""
    rows = (f"INV-{n:06},C-{n % 5_000},EUR,50.00,2026-05-18\n" for n in range(INVOICES))
    with opened(ledger) as cashier:
        cashier.import_invoices(f"number,customer,currency,total,due\n{''.join(rows)}")
        cashier.import_statement(path, account="main", reconcile=False)
        begun = time.process_time()
        found = cashier.reconcile("main")
        took = time.process_time() - begun
    assert found.lines == count
    return count / took


def peak_mb(folder: Path, count: int) -> float:
    """Return the peak of memory of a process that imports *count* entries."""
    path = folder / f"{count}.xml"
    write(path, count)
    program = (
        "import sys; from pathlib import Path; from benchmarks.bank_statement import run; "
        "run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])); "
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, str(path), str(folder / f"{count}.db"), str(count)]
    said = subprocess.run(command, capture_output=True, check=True, text=True)
    return int(said.stdout) / 1024


def measure(rounds: int, count: int = ENTRIES) -> list[Measured]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "statement.xml"
        write(path, count)

        def fresh() -> Path:
            for old in folder.glob("sample.db*"):
                old.unlink()
            return folder / "sample.db"

        bare, ours = take_turns(
            min(rounds, ROUNDS_MAX), lambda: parse(path, count), lambda: run(path, fresh(), count)
        )
        notes = {"lines matched a second": matched(path, fresh(), count)} | {
            f"peak of memory with {each:,} entries, MB": peak_mb(folder, each)
            for each in (count // 10, count)
        }
    return [
        Measured(
            name="bank-statement",
            floor_name="a bare parse of the file",
            unit="entries/s",
            ours=ours,
            floor=bare,
            target=Target(bound=1 / 6, at_least=True),
            notes=notes,
        )
    ]
