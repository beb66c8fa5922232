"""What strangers wrote into a ledger is shown, and nothing of it acts on the terminal."""

from __future__ import annotations

import io
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Money
from paygate.cli import show, timeline
from paygate.cli.exits import tell
from paygate.errors import InvoiceNotFound
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

TITLE, COLOUR, CSI = "\x1b]0;OWNED\x07", "\x1b[31m", "\x9b2J"
STRANGE = f"K{TITLE}{COLOUR}{CSI}\x08\u202e[link=http://evil]x"
ACTING = ("\x1b", "\x9b", "\x07", "\x08", "\u202e")
# What others can write: processors, and whoever wrote the ledger before names were checked.
COLUMNS = {
    "paygate_item": ("number", "customer"),
    "paygate_payment": ("customer", "payer", "reference"),
    "paygate_attempt": ("reference", "code", "raw_code", "reason", "driver", "merchant_account"),
    "paygate_inbox": ("type", "error"),
    "paygate_credit": ("customer",),
    "paygate_write_off": ("reason",),
    "paygate_method": ("brand", "last4", "holder", "customer"),
    "paygate_chargeback": ("reason", "reference"),
    "paygate_delivery": ("error",),
    "paygate_mandate": ("reference", "user_agent"),
}
LISTS = [
    ("invoice", "list"),
    ("invoice", "show", "NUMBER"),
    ("payment", "list"),
    ("payment", "show", "PAYMENT"),
    (
        "event",
        "list",
    ),
    ("callback", "list"),
    (
        "chargeback",
        "list",
    ),
    ("credit", "list", "CUSTOMER"),
    ("method", "list", "CUSTOMER"),
    ("status",),
    ("fsck",),
]


SHOWING = {"invoice", "events", "callbacks", "methods", "chargebacks", "fsck"}


@pytest.fixture(name="spoiled")
def spoiled_(imported: Run, folder: Path) -> Run:
    """A ledger whose every text of a stranger would act on a terminal."""
    gateway, usd = FakeGateway(), Money.of("USD", "45.00")
    keys = [Fernet.generate_key()]
    url = f"sqlite:///{folder / 'paygate.db'}"
    with Cashier.open(url, gateways={"card": gateway}, token_keys=keys) as till:
        paid = till.collect("A-1", via="card", method="tok_visa", amount=usd, key="k-1")
        till.collect("A-2", via="card", method="tok_declined", key="k-2")
        till.enroll("C-1", via="card", method="tok_visa", key="k-3")
        gateway.open_dispute(paid.reference)
        for each in gateway.callbacks():
            till.receive("card", each)
        till.apply_callbacks()
    connection = sqlite3.connect(folder / "paygate.db")
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for table, columns in COLUMNS.items():
        for column in columns:
            spelled = "? || substr(id, -4)" if column == "number" else "?"
            connection.execute(f"UPDATE {table} SET {column} = {spelled}", (STRANGE,))  # noqa: S608
    told = json.dumps({"payment": STRANGE, "reason": STRANGE, STRANGE: STRANGE})
    connection.execute("UPDATE paygate_outbox SET data = ?, actor = ?", (told, STRANGE))
    connection.commit()
    connection.close()
    return imported


def _named(folder: Path, words: tuple[str, ...]) -> list[str]:
    connection = sqlite3.connect(folder / "paygate.db")
    [number] = connection.execute("SELECT number FROM paygate_item LIMIT 1").fetchone()
    [payment] = connection.execute("SELECT id FROM paygate_payment LIMIT 1").fetchone()
    connection.close()
    names = {"NUMBER": number, "PAYMENT": payment, "CUSTOMER": STRANGE}
    return [names.get(word, word) for word in words]


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_no_list_acts_on_the_terminal(
    spoiled: Run, folder: Path, words: tuple[str, ...], as_json: tuple[str, ...]
) -> None:
    done = spoiled(*_named(folder, words), *as_json)

    assert done.code in (0, 1)
    assert [each for each in ACTING if each in done.all] == []
    assert "OWNED" in done.out or words[0] not in SHOWING
    if as_json:
        assert json.loads(done.out)


def test_what_is_asked_for_in_vain_is_not_repeated_raw(imported: Run) -> None:
    for command in (("invoice", "show"), ("payment", "show"), ("callback", "replay")):
        for as_json in ((), ("--json",)):
            done = imported(*command, STRANGE, *as_json)

            assert done.code == 2
            assert [each for each in ACTING if each in done.err] == []


def test_markup_of_a_stranger_is_text() -> None:
    out = io.StringIO()
    console = show.console()
    console.file = out

    console.print("[bold red]sale[/] [link=http://evil]x[/link]", f"two\nlines {TITLE}")

    assert out.getvalue() == (
        "[bold red]sale[/] [link=http://evil]x[/link] two\nlines \\x1b]0;OWNED\n"
    )


def test_an_error_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    error = InvoiceNotFound(f"there is no {STRANGE}", invoice=STRANGE)

    tell(error, as_json=False, hidden=[])
    tell(error, as_json=True, hidden=[])

    text, _, written = capsys.readouterr().err.partition("\n")
    assert [each for each in ACTING if each in text + written] == []
    assert json.loads(written[written.index("{") :])["error"]["facts"]["invoice"] == STRANGE


def test_no_word_of_a_timeline_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    word, at = "f" * 66, datetime(2026, 12, 1, tzinfo=UTC)

    timeline.write([timeline.Moment(at=at, sort="receipt", text=f"+1.00 USD by charge · {word}")])

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "2026-12-01 00:00:00  receipt     +1.00 USD by charge ·"
    assert lines[2].strip() == word
