"""The output of each command with ``--json``, from a small ledger, for a page of the reference.

The commands run in this process on a ledger of their own. Its clock stands still and its ids
are counted, so the page is always the same. A kind of object is shown in full only once.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import chdir, contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from unittest.mock import patch

from paygate import Cashier, Delivery, Money, SinkTraits
from paygate.service.apply import RETRY_PLAN
from paygate.testing import FakeClock, FakeGateway

NOT_SHOWN = {
    "api-key add": "prints a secret",
    "api-key list": "prints how secrets begin",
    "api-key revoke": "prints how a secret begins",
    "copy": "prints digests that differ with each run",
    "drivers": "what is installed differs from machine to machine",
    "sink installed": "what is installed differs from machine to machine",
    "simulate": "prints how long it took",
    "sink log": "says how long each try took",
    "web inventory": "prints digests that differ with each version",
    "work": "counts what is due at that moment",
    "bitcoin check": "queries a node",
    "bitcoin watch": "reads the blocks of a node",
    "bitcoin rescan": "continues the reading of a node's blocks",
    "new-driver": "names the folder in which it works",
    "certify": "prints references that differ with each run",
}
"""Commands with ``--json`` that have no example on the page, with the reason."""

KEY = "b25seS1mb3ItdGhlLXBhZ2VzLW5vdC1hLXNlY3JldCE="
CUT = "..."
FIELDS_SHOWN_MAX = 4
"""An object with more fields than this is shown in full only once."""


class CountedIds:
    """Ids that count up, separately for each noun."""

    def __init__(self, first: int = 1) -> None:
        self._first = first
        self._next: dict[str, Iterator[int]] = {}

    def new(self, noun: str) -> str:
        """Return the next id of *noun*."""
        return f"{noun}_{next(self._next.setdefault(noun, count(self._first))):04}"


class Crm:
    """A sink that accepts every event about an invoice."""

    traits = SinkTraits(events=("invoice.*",))

    def send(self, delivery: Delivery) -> None:
        """Accept an event."""

    def check(self) -> None:
        """Accept the settings."""


class Play:
    """A ledger in a file and one terminal; `run` enters a command and reads its JSON."""

    def __init__(self) -> None:
        self.clock, self.ids = FakeClock(), CountedIds()
        self.card = FakeGateway(clock=self.clock)
        self.lines: list[tuple[str, str, Any]] = []

    def cashier(self) -> Cashier:
        """Open the ledger, as the function that ``--app`` names."""
        cashier = Cashier.open(
            "sqlite:///shop.db",
            gateways={"card": self.card},
            sinks={"crm": Crm()},
            clock=self.clock,
            ids=self.ids,
            token_keys=[KEY],
            page_keys=[KEY],
            preload=False,
        )
        cashier.subscribe("books", lambda _: None)
        return cashier

    def run(self, command: str, *arguments: str, method: str = "") -> Any:
        """Run *command* with *arguments* and keep what it wrote."""
        from typer.testing import CliRunner

        from paygate.cli.app import app

        words = [*command.split(), *arguments]
        environment = {"PAYGATE_METHOD": method} if method else {}
        done = CliRunner().invoke(app, [*words, "--app", "shop:cashier", "--json"], env=environment)
        if done.exit_code > 1 or not done.stdout:
            raise RuntimeError(
                f"{words} ended with {done.exit_code}: {done.output}"
            ) from done.exception
        shown = [f'"{word}"' if " " in word else word for word in words]
        self.lines.append((command, " ".join(shown), done.stdout))
        return (
            [json.loads(line) for line in done.stdout.splitlines()]
            if (command == "receipt export")
            else json.loads(done.stdout)
        )

    def receive_a_foreign_callback(self) -> None:
        """Receive a callback about a charge that another ledger made."""
        self.card.callbacks()
        with (
            self.cashier() as cashier,
            Cashier.in_memory(
                gateways={"card": self.card}, clock=self.clock, ids=CountedIds(9001)
            ) as other,
        ):
            other.top_up("C-9", Money.of("USD", "1.00"), via="card", method="tok_visa", key="k")
            [callback] = self.card.callbacks()
            cashier.receive("card", callback)

    def wait_for_its_payment(self) -> None:
        """Advance the clock until a callback that names no payment of ours is an orphan."""
        with self.cashier() as cashier:
            for _ in range(len(RETRY_PLAN) + 1):
                self.clock.advance(max(RETRY_PLAN))
                cashier.apply_callbacks()

    def remove_a_subscriber(self) -> None:
        """Publish to a subscriber that no later process has."""
        with self.cashier() as cashier:
            cashier.subscribe("mail", lambda _: None)
            cashier.publish()

    def disputed(self, reference: str) -> None:
        """Let the payer's bank take back the money of a payment."""
        with self.cashier() as cashier:
            self.card.open_dispute(reference, days=10)
            self.card.dispute(reference)
            for callback in self.card.callbacks():
                cashier.receive("card", callback)
            cashier.apply_callbacks()


def play(at: Play) -> None:
    """Enter each command once, in the order of a shop's working days."""
    run = at.run
    Path("invoices.csv").write_text(
        "number,customer,currency,total,due\n"
        + "".join(f"INV-{number},C-1,USD,{number}0.00,2026-12-01\n" for number in range(2, 10))
    )
    issue = ("INV-1", "--customer", "C-1", "--total", "30.00 USD", "--due", "2026-12-01")
    run("invoice issue", *issue)
    run("invoice import", "invoices.csv")
    Path("lines.json").write_text(
        '{"currency": "USD", "lines": [{"description": "Support", "quantity": "3", "unit": "h", '
        '"unit_price": "40.00", "tax_category": "S"}], '
        '"tax": [{"name": "VAT", "rate": "20", "category": "S"}]}'
    )
    lines = ("--lines", "lines.json")
    draft = run(
        "invoice draft", *("--customer", "C-1", "--due", "2026-12-01"), *lines, "--key", "draft-1"
    )
    run("invoice change-draft", draft["invoice"]["id"], "--due", "2026-12-15")
    run("invoice finalize", draft["invoice"]["id"], "--series", "S-{n:04}")
    Path("terms.txt").write_text("Thirty days net.")
    Path("orders.csv").write_text(
        "order,customer,currency,due,total\nO-1,C-7,USD,2026-12-01,10.00\n"
        "O-2,C-7,USD,2026-12-01,0.00\n"
    )
    run("invoice run", "orders.csv", "--series", "R-{n:04}", "--dry-run")
    run("invoice attach", "S-0001", "terms.txt")
    Path("letterhead.toml").write_text('name = "Acme"\naddress = ["1 Main Street", "Springfield"]')
    run("letterhead set", "letterhead.toml")
    run("letterhead show")
    run("invoice document", "S-0001", "--out", "invoice.html")
    ahead = ("--assignment-key", "ORDER-7", "--key", "entry-7", "--data", '{"basket": 7}')
    entry = run("prepayment create", "C-1", "20.00 USD", *ahead)
    run("prepayment show", entry["prepayment"]["id"])
    run("prepayment list")
    link = run("link create", entry["prepayment"]["id"], "--key", "link-1")
    run("link list")
    run("link show", link["link"]["id"])
    run("link reissue", link["link"]["id"])
    run("link revoke", link["link"]["id"], "--reason", "sent to the wrong person")
    run("prepayment close", entry["prepayment"]["id"], "--reason", "the order was canceled")
    run("check")
    paid = run("payment collect", "INV-1", "--via", "card", "--key", "order-1", method="tok_visa")
    held = run("payment authorize", "INV-2", "--via", "card", "--key", "order-2", method="tok_visa")
    run("payment capture", held["payment"]["id"], "--key", "capture-2")
    run("payment refund", held["payment"]["id"], "--key", "refund-2", "--amount", "5.00 USD")
    again = run("payment collect", "INV-3", "--via", "card", "--key", "order-3", method="tok_visa")
    run("payment cancel", again["payment"]["id"], "--key", "cancel-3")

    check = run(
        "payment record", "INV-4", "--by", "check", "--key", "check-4", "--reference", "No. 17"
    )
    back = ("--by", "cash", "--reference", "till 2", "--key", "back-4", "--amount", "3.00 USD")
    given = run("refund record", check["payment"]["id"], *back)
    run("refund undo", given["receipts"][0]["id"], "--reason", "not handed out")
    run("reversal record", check["payment"]["id"], "--reason", "check returned")
    run("reversal undo", check["payment"]["id"], "--reason", "it was another check")

    lost = run(
        "payment collect", "INV-5", "--via", "card", "--key", "order-5", method="tok_unknown_lost"
    )
    run("payment inquire", lost["payment"]["id"])
    evidence = ("--ended", "declined", "--evidence", "the processor's page")
    run("payment resolve", lost["payment"]["id"], *evidence)
    other = ("--via", "card", "--key", "order-6")
    euros = run("payment collect", "INV-6", *other, method="tok_other_currency")
    run("payment assign", euros["payment"]["id"], "--reason", "the customer meant it so")
    run("payment reviewed", euros["payment"]["id"], "--reason", "talked to the customer")
    written = run("write-off record", "INV-7", "--reason", "bankrupt", "--key", "write-off-7")
    run("write-off undo", written["write_off"]["id"])
    with at.cashier() as cashier:
        cashier.record([], by="cash", key="ahead", customer="C-1", amount=Money.of("USD", "70.00"))
    used = run("credit use", "INV-7", "--key", "credit-7")
    run("credit undo-use", used["payment"]["id"])
    run("credit list", "C-1", "--limit", "1")
    run("invoice void", "INV-8", "--reason", "wrong customer")

    run("method enroll", "C-1", "--via", "card", "--key", "card-1", method="tok_visa")
    gone = run(
        "method enroll", "C-1", "--via", "card", "--key", "card-2", method="tok_unknown_lost"
    )
    run("method inquire", gone["method_change"]["id"])
    run("method resolve", gone["method_change"]["id"], *evidence)
    run("method changes", "--limit", "1")
    [stored] = run("method list", "C-1")["methods"]
    run("method set-default", stored["id"])
    agreed = ("--text-version", "2026-01", "--channel", "paper")
    run("autopay start", stored["id"], *agreed)
    run("autopay pause", "C-1", "--reason", "on holiday")
    run("autopay resume", "C-1")
    run("autopay invoice", "INV-1", "--off")
    run("autopay run", "--dry-run")
    run("autopay run")
    run("autopay status", "C-1")
    run("autopay end", "C-1", "--reason", "moved away")
    with at.cashier() as cashier:
        cashier.issue(number="INV-20", customer="C-5", total=Money.of("USD", 30), due="2025-12-20")
    run("overdue run", "--dry-run")
    run("overdue run")
    run("overdue status")
    run("overdue promise", "C-5", "--until", "2026-01-10")
    run("overdue show", "C-5")
    run("overdue reinstate", "C-5", "--reason", "paid in cash")
    term = ("--start", "2026-01-31", "--months", "24", "--key", "fibre")
    agreed_to = run("commitment add", "C-5", "fibre", *term)
    run("commitment end", agreed_to["commitment"]["id"], "--reason", "moved away")
    run("commitment list", "C-5")
    second = run("method enroll", "C-1", "--via", "card", "--key", "card-3", method="tok_amex")
    newer = second["method_change"]["method"]["id"]
    run("method replace", stored["id"], newer, "--key", "replace-1")
    run("method forget", newer, "--key", "forget-1")
    run("method rotate-keys")

    Path("may.mt940").write_text(
        ":20:S-1\n:25:1234567890\n:28C:1/1\n:60F:C260101USD0,00\n"
        ":61:2601010101C10,00NTRFNONREF//B-1\n:86:INV-9 AND THANKS\n"
        ":61:2601010101C7,00NTRFNONREF//B-2\n:86:FROM THE OWNER\n"
        ":61:2601010101D1,00NCHGNONREF//B-3\n:86:FEE\n:62F:C260101USD16,00\n-\n"
    )
    run(
        "statement account",
        *("main", "--number", "1234567890", "--currency", "USD", "--hold-fees"),
    )
    run("statement import", "main", "may.mt940")
    run("statement accounts")
    run("statement list")
    run("reconcile run", "main")
    lines = run("reconcile lines", "--state", "open", "--oldest-first")["bank_lines"]
    gift, charge = (line["id"] for line in lines[-2:])
    run("reconcile show", charge)
    run("reconcile accept", charge)
    run("reconcile ignore", gift, "--reason", "the owner's capital")
    run("reconcile reopen", gift, "--reason", "it was a customer's")
    run("reconcile assign", gift, "--customer", "C-1", "--reason", "the owner called")
    run("reconcile missing", "main")
    run("payer-number assign", "V-1", "C-1", "--via", "card")
    run("payer-number list")
    run("payer-number release", "V-1", "--via", "card", "--reason", "moved")
    at.receive_a_foreign_callback()
    run("callback list")
    run("callback replay", "1")
    at.wait_for_its_payment()
    run("callback dismiss", "1", "--reason", "another shop's")
    at.disputed(paid["payment"]["reference"])
    run("chargeback list")

    run("invoice list", "--limit", "1")
    run("invoice show", "INV-2")
    run("payment list", "--limit", "1")
    run("payment show", paid["payment"]["id"])
    listed = run("receipt list", "--limit", "1")
    run("receipt number", listed["receipts"][0]["id"], "R-2026-1")
    run("receipt export")
    [first] = run("event list", "--limit", "1")["events"]
    run("event publish")
    run("dead-letter list")
    run("dead-letter replay", "books")
    run("sink list")
    run("sink check")
    run("sink resend", "books", first["id"])
    run("sink resume", "books")
    at.remove_a_subscriber()
    run("sink forget", "mail")
    run("payment recover")
    run("status")
    run("fsck")
    Path("till.toml").write_text('driver = "fake"\n')
    run("account add", "till", "--settings", "till.toml")
    Path("key.toml").write_text('signing_key = "another-key-of-the-till"\n')
    run("account rotate", "till", "--settings", "key.toml")
    run("account disable", "till", "--reason", "closed for the winter")
    run("account enable", "till")
    run("account list")
    run("account show", "till")
    run("ledger stop-sending", "--reason", "restored from a backup")
    run("ledger resume-sending", "--evidence", "compared with the processor's list", "--force")


@contextmanager
def a_terminal() -> Generator[None]:
    """Work in an empty folder, under a fixed login name, without settings of the machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYGATE_")}
    kept |= {"LOGNAME": "anna", "COLUMNS": "100"}
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        patch.dict(os.environ, kept, clear=True),
    ):
        yield


def shortened(value: Any, shown: set[tuple[str, ...]]) -> Any:
    """Return *value* with only the first element of each list, and each kind of object once."""
    match value:
        case dict():
            fields = cast("dict[str, Any]", value)
            names = tuple(fields)
            if names in shown and len(names) > FIELDS_SHOWN_MAX:
                first = names[0]
                return {first: fields[first], CUT: CUT}
            shown.add(names)
            return {name: shortened(each, shown) for name, each in fields.items()}
        case [first, *more]:
            return [shortened(first, shown)] + [CUT] * bool(more)
        case _:
            return value


AMOUNT = re.compile(r'\{\s+("currency": "\w+"),\s+("minor": -?\d+),\s+("text": "[^"]*")\s+\}')


def written(value: Any) -> str:
    """Return *value* as JSON, with three dots in place of omitted parts."""
    text = AMOUNT.sub(r"{\1, \2, \3}", json.dumps(value, indent=2, ensure_ascii=False))
    return re.sub(r'"\.\.\."(: "\.\.\.")?', CUT, text)


def played() -> list[tuple[str, str, str]]:
    """Return each command, once, with its line and its output."""
    at = Play()
    shop = sys.modules["shop"] = ModuleType("shop")
    vars(shop)["cashier"] = at.cashier
    try:
        with a_terminal():
            play(at)
    finally:
        del sys.modules["shop"]
    return list(
        {command: (command, line, out) for command, line, out in reversed(at.lines)}.values()
    )[::-1]


def page() -> Iterator[str]:
    """Yield the lines of the page: each command with its output."""
    shown: set[tuple[str, ...]] = set()
    for command, line, out in played():
        value = json.loads(out.splitlines()[0] if command == "receipt export" else out)
        yield from (f"**`paygate {command}`**", "", "```text", f"$ paygate {line} --json")
        yield from (written(shortened(value, shown)), "```", "")
