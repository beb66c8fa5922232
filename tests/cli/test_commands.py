"""What each command does, how it ends, and what a program reads."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paygate import Cashier, Money
from paygate.dialogue import Dialogue
from paygate.domain.money import AMOUNT_MAX
from paygate.domain.outcome import Finding
from paygate.errors import InvalidAmount, NoResponse
from paygate.gateway import Inquiry
from paygate.testing import FakeGateway
from tests.cli.conftest import CSV, Run

COLLECT = ("--gateways", "gateways.toml", "--via", "card")
TOKEN = "tok_visa"


def ledger() -> Cashier:
    return Cashier.open("sqlite:///paygate.db")


def test_import_issues_the_invoices_of_a_file(run: Run) -> None:
    done = run("invoice", "import", "invoices.csv", "--json")

    assert done.json["imported"] == {
        "issued": ["A-1", "A-2"],
        "would_issue": [],
        "known": [],
        "problems": [],
    }
    with ledger() as cashier:
        assert cashier.invoice("A-2").total == Money("JPY", 1200)


def test_import_reads_standard_input(run: Run) -> None:
    assert run("invoice", "import", "-", "--json", stdin=CSV.encode()).json["imported"][
        "issued"
    ] == [
        "A-1",
        "A-2",
    ]


def test_import_twice_issues_once(imported: Run) -> None:
    done = imported("invoice", "import", "invoices.csv")

    assert "0 issued, 2 were there already" in done.out


def test_import_tells_every_bad_row_and_issues_nothing(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text(CSV + "A-3,C,JPY,1.5,2026-12-01\nA-4,,USD,1,2026-12-01\n")

    done = run("invoice", "import", "bad.csv")
    as_json = run("invoice", "import", "bad.csv", "--json")

    assert done.code == as_json.code == 2
    assert "more digits than JPY allows" in done.err
    assert "customer is empty" in done.err
    assert as_json.error["type"] == "ImportRejected"
    assert [row["line"] for row in as_json.error["facts"]["problems"]] == [4, 5]
    assert run("invoice", "list", "--json").json["invoices"] == []


def test_import_can_skip_bad_rows(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text(CSV + "A-3,C,JPY,1.5,2026-12-01\n")

    done = run("invoice", "import", "bad.csv", "--skip-bad", "--json")

    assert (done.code, done.json["imported"]["issued"]) == (0, ["A-1", "A-2"])
    assert [problem["line"] for problem in done.json["imported"]["problems"]] == [4]


def test_a_missing_file_is_a_usage_error(run: Run) -> None:
    done = run("invoice", "import", "nothing.csv")

    assert done.code == 2
    assert "InvalidValue: the file nothing.csv cannot be read" in done.err


def test_invoices_are_listed_a_page_at_a_time(imported: Run) -> None:
    first = imported("invoice", "list", "--limit", "1", "--json").json
    second = imported("invoice", "list", "--limit", "1", "--after", first["next"], "--json").json

    listed = [*first["invoices"], *second["invoices"]]
    assert {one["number"] for one in listed} == {"A-1", "A-2"}
    assert second["next"] is None
    totals = [one["total"] for one in listed]
    assert {"currency": "USD", "minor": 3000, "text": "30.00 USD"} in totals


def test_only_open_invoices_are_listed_where_that_is_asked(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "cash", "--key", "k")

    page = imported("invoice", "list", "--open", "--json").json

    assert [one["number"] for one in page["invoices"]] == ["A-2"]


def test_an_invoice_is_shown_with_what_was_put_on_it(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "cash", "--key", "k", "--amount", "10")

    shown = imported("invoice", "show", "A-1", "--json").json

    assert shown["invoice"]["status"] == "partially_paid"
    assert shown["invoice"]["open"]["minor"] == 2000
    assert [each["amount"]["minor"] for each in shown["allocations"]] == [1000]
    assert "20.00 USD" in imported("invoice", "show", "A-1").out


def test_collect_charges_once_per_key(imported: Run) -> None:
    command = ("payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", TOKEN, "--json")

    first, second = imported(*command), imported(*command)

    assert first.code == second.code == 0
    made, again = first.json["payment"], second.json["payment"]
    assert (made.pop("repeated"), again.pop("repeated")) == (False, True)
    assert made == again
    assert made["status"] == "succeeded"
    with ledger() as cashier:
        assert cashier.invoice("A-1").open == Money("USD", 0)


def test_a_part_is_collected_in_the_invoices_currency(imported: Run) -> None:
    done = imported(
        "payment",
        "collect",
        "A-1",
        *COLLECT,
        "--key",
        "k",
        "--method",
        TOKEN,
        "--amount",
        "10",
        "--json",
    )

    assert done.json["payment"]["received"]["text"] == "10.00 USD"


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("tok_declined_insufficient_funds", "declined"),
        ("tok_unsent", "failed"),
        ("tok_unknown_executed", "unknown"),
    ],
)
def test_a_script_stops_where_nothing_was_collected(imported: Run, token: str, status: str) -> None:
    done = imported(
        "payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", token, "--json"
    )

    assert (done.code, done.json["payment"]["status"]) == (1, status)


def test_the_payer_gets_an_action(imported: Run) -> None:
    done = imported(
        "payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", "tok_action", "--json"
    )

    assert (done.code, done.json["payment"]["status"]) == (0, "requires_action")
    assert done.json["payment"]["action"]["type"] == "Redirect"
    shown = imported("payment", "show", done.json["payment"]["id"]).out
    assert re.search(r"Link +https://fake\.invalid/pay/", shown)


def test_an_unknown_outcome_is_asked_about(imported: Run) -> None:
    made = imported(
        "payment",
        "collect",
        "A-1",
        *COLLECT,
        "--key",
        "k",
        "--method",
        "tok_unknown_executed",
        "--json",
    ).json["payment"]

    found = imported(
        "payment", "inquire", made["id"], "--gateways", "gateways.toml", "--json"
    ).json["payment"]

    assert (found["status"], found["received"]["minor"]) == ("succeeded", 3000)
    shown = imported("payment", "show", made["id"], "--json").json
    assert [attempt["state"] for attempt in shown["attempts"]] == ["succeeded"]
    assert [receipt["amount"]["minor"] for receipt in shown["receipts"]] == [3000]


def test_an_inquiry_without_an_answer_stops_a_script(
    imported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(self: FakeGateway, inquiry: Inquiry) -> Dialogue[Finding]:
        raise NoResponse("nothing within 30 s")

    made = imported(
        "payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", "tok_pending", "--json"
    )
    monkeypatch.setattr(FakeGateway, "look_up", look_up)

    asked = imported(
        "payment", "inquire", made.json["payment"]["id"], "--gateways", "gateways.toml"
    )

    assert asked.code == 1
    assert "Not answered" in asked.out
    assert "nothing within 30 s" in " ".join(asked.out.split())


def test_recover_asks_about_nothing_where_nothing_is_due(imported: Run) -> None:
    assert imported("payment", "recover", "--json").json == {"payments": [], "unanswered": 0}
    assert "Nothing is due" in imported("payment", "recover").out


def test_a_recorded_check_is_reversed_with_a_fee(imported: Run) -> None:
    made = imported(
        "payment", "record", "A-1", "--by", "check", "--reference", "1042", "--key", "k", "--json"
    )
    payment = made.json["payment"]["id"]

    done = imported(
        "reversal", "record", payment, "--reason", "bounced", "--fee", "25.00 USD", "--json"
    ).json

    assert done["reversal"]["amount"]["minor"] == 3000
    with ledger() as cashier:
        assert cashier.invoice("A-1").open == Money("USD", 3000)
        assert cashier.invoice(done["reversal"]["fee_invoice"]).total == Money("USD", 2500)


def test_payments_are_listed_a_page_at_a_time(imported: Run) -> None:
    for number in ("A-1", "A-2"):
        imported("payment", "record", number, "--by", "cash", "--key", number)

    first = imported("payment", "list", "--limit", "1", "--json").json
    second = imported("payment", "list", "--after", first["next"], "--json").json

    amounts = [page["payments"][0]["amount"]["text"] for page in (first, second)]
    assert amounts == ["1200 JPY", "30.00 USD"]
    assert second["next"] is None


def test_payments_are_found_by_what_a_clerk_knows_of_them(imported: Run) -> None:
    imported("payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", TOKEN)
    imported("payment", "record", "A-2", "--by", "cash", "--key", "c")
    day = str(datetime.now(UTC).date() - timedelta(days=1))

    def found(*filters: str) -> list[str]:
        page = imported("payment", "list", *filters, "--json").json["payments"]
        return [one["items"][0]["invoice"] for one in page]

    assert found("--since", day, "--oldest-first") == ["A-1", "A-2"]
    assert found("--until", day) == []
    assert found("--invoice", "A-2") == found("--via", "recorded") == ["A-2"]
    assert found("--customer", "C-1", "--status", "succeeded", "--via", "card") == ["A-1"]
    assert imported("payment", "list", "--status", "paid").code == 2
    shown = imported("payment", "show", "--key", "k").out
    assert "A-1: 30.00 USD paid" in shown


def test_a_list_in_eighty_columns_breaks_no_id(
    imported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    imported("payment", "collect", "A-1", *COLLECT, "--key", "k", "--method", TOKEN)
    [payment] = imported("payment", "list", "--json").json["payments"]

    listed = imported("payment", "list").out
    events = imported("event", "list", "--about", payment["id"]).out

    assert payment["id"] in listed
    assert payment["id"] in events
    assert "A-1" in listed
    assert max(map(len, [*listed.splitlines(), *events.splitlines()])) <= 80


def test_many_invoices_leave_the_other_columns_their_width(
    imported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    numbers = [f"B-{number:04}" for number in range(12)]
    with ledger() as cashier:
        for number in numbers:
            cashier.issue(
                number=number, customer="C-1", total=Money.of("USD", "1.00"), due="2026-12-01"
            )
        cashier.record(numbers, by="cash", key="k")

    for kind in ("payment", "receipt"):
        [row] = [line for line in imported(kind, "list").out.splitlines() if "USD" in line]

        assert ("succeeded" in row) or ("charge" in row), row
        assert f"{datetime.now(UTC):%Y-%m-%d}" in row
        listed = imported(kind, "list").out
        assert all(number in listed for number in numbers)
        assert max(map(len, listed.splitlines())) <= 80


def test_status_shows_every_figure_though_one_sum_is_too_large(
    imported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = Money("CAD", AMOUNT_MAX)
    monkeypatch.setattr("paygate.domain.money.MINOR_MAX", 2 * AMOUNT_MAX - 1)
    with ledger() as cashier:
        for number in ("B-1", "B-2"):
            cashier.issue(number=number, customer="C", total=most, due="2026-12-01")

    told = imported("status")

    assert told.code == 0
    assert "too large to add up" in " ".join(told.out.split())
    assert "1,200 JPY" in told.out
    found = imported("status", "--json").json["status"]
    rows = {row["currency"]: row for row in found["invoices"]}
    assert (rows["CAD"]["open"], rows["CAD"]["still_open"]) == (2, None)


@pytest.mark.usefixtures("run")
def test_an_invoice_of_an_absurd_amount_is_refused() -> None:
    with ledger() as cashier:
        for minor in (AMOUNT_MAX + 1, 2**63 - 1):
            with pytest.raises(InvalidAmount, match="at most"):
                cashier.issue(
                    number="B-1", customer="C", total=Money("CAD", minor), due="2026-12-01"
                )
        assert cashier.invoices() == []


def test_status_names_an_account_that_nobody_sees_to(imported: Run) -> None:
    imported(
        "payment", "collect", "A-1", *COLLECT, "--method", "tok_unknown_executed", "--key", "k"
    )
    with closing(sqlite3.connect("paygate.db")) as opened, opened:
        opened.execute("UPDATE paygate_attempt SET next_check_at = '2020-03-04T05:06:07+00:00'")

    told = imported("status")

    assert told.code == 1
    says = "recovery-overdue card: 1 inquiry and 0 callbacks are overdue; no process recovers them"
    assert f"{says} (since 2020-03-04 05:06 UTC)" in " ".join(told.out.split())
    [one] = imported("status", "--json").json["status"]["accounts"]
    assert (one["name"], one["overdue_inquiries"], one["overdue_callbacks"]) == ("card", 1, 0)


def test_status_tells_how_things_stand(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "cash", "--key", "k")

    done = imported("status", "--json")
    told = done.json["status"]

    assert (done.code, told["concerns"]) == (0, [])
    [paid] = told["payments"]
    assert (paid["status"], paid["count"], paid["amount"]["text"]) == (
        "succeeded",
        1,
        "30.00 USD",
    )
    assert [(row["currency"], row["paid"], row["open"]) for row in told["invoices"]] == [
        ("JPY", 0, 1),
        ("USD", 1, 0),
    ]
    assert "1,200 JPY" in imported("status").out


def test_fsck_of_a_sound_ledger_finds_nothing(imported: Run) -> None:
    done = imported("fsck", "--json")

    assert done.code == 0
    assert done.json["violations"] == []
    assert done.json["rules"] > 10


def test_fsck_exits_with_1_where_a_balance_differs(imported: Run, folder: Path) -> None:
    import sqlite3

    with sqlite3.connect(folder / "paygate.db") as connection:
        connection.execute("UPDATE paygate_item SET allocated_minor = 5 WHERE number = 'A-1'")
    connection.close()

    done = imported("fsck", "--json")

    assert done.code == 1
    assert {violation["subject"] for violation in done.json["violations"]} >= {"A-1"}
    assert "A-1" in imported("fsck").out


def test_a_check_for_a_paid_invoice_is_credit_and_says_so(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "cash", "--key", "till")
    check = ("payment", "record", "A-1", "--by", "check", "--key", "c", "--amount", "12.50")

    as_json, done = imported(*check, "--json"), imported(*check)

    assert as_json.code == done.code == 0
    assert as_json.json["payment"]["credited"] == as_json.json["payment"]["received"]
    assert "invoice A-1 is paid; 12.50" in as_json.json["payment"]["warnings"][0]
    assert "Became credit" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("invoice", "show", "nope"), 2, "InvoiceNotFound"),
        (("payment", "show", "nope"), 2, "PaymentNotFound"),
        (("payment", "record", "A-1", "--by", "gold", "--key", "k"), 2, "InvalidValue"),
        (
            ("payment", "record", "A-1", "--by", "cash", "--key", "k", "--amount", "1.234"),
            2,
            "InvalidAmount",
        ),
        (
            ("payment", "record", "A-1", "--by", "cash", "--key", "k", "--on", "soon"),
            2,
            "InvalidValue",
        ),
        (("payment", "record", "--by", "cash", "--key", "k", "--amount", "1"), 2, "InvalidValue"),
        (("payment", "collect", "A-1", "--via", "nope", "--key", "k"), 2, "GatewayNotFound"),
        (
            ("payment", "collect", "A-9", *COLLECT, "--key", "k", "--method", TOKEN),
            2,
            "InvoiceNotFound",
        ),
        (
            (
                "event",
                "publish",
            ),
            2,
            "InvalidValue",
        ),
        (("fsck", "--ledger", "sqlite:///nowhere.db"), 2, "InvalidValue"),
        (("fsck", "--ledger", "oracle://x"), 2, "InvalidValue"),
        (("fsck", "--ledger", "sqlite:///gateways.toml"), 4, "LedgerCorrupt"),
        (("payment", "record", "A-1", "--by", "cash", "--key", "new"), 3, "AlreadyPaid"),
        (
            ("reversal", "record", "{payment}", "--reason", "x", "--on", "2001-01-01"),
            3,
            "BadReversalDate",
        ),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    imported: Run, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    payment = ""
    if code == 3:
        made = imported("payment", "record", "A-1", "--by", "cash", "--key", "paid", "--json")
        payment = made.json["payment"]["id"]
    command = [argument.format(payment=payment) for argument in arguments]

    done, as_json = imported(*command), imported(*command, "--json")

    assert done.code == as_json.code == code
    assert done.err.startswith(f"{kind}: ")
    assert done.err.count("\n") == 1
    assert done.out == as_json.out == ""
    assert as_json.error["type"] == kind
    assert f"{kind}: {as_json.error['message']}\n" == done.err
    assert not Path("nowhere.db").exists()


SPREADSHEET = "number;customer;currency;total;due;name\nA-9;C-9;EUR;2,50;2030-01-01;J\xf6rg\n"
DIALECT = ("--delimiter", ";", "--encoding", "latin-1", "--decimal", ",")


def test_a_rehearsed_import_makes_no_ledger_and_issues_nothing(run: Run, folder: Path) -> None:
    (folder / "s.csv").write_bytes(SPREADSHEET.encode("latin-1"))

    rehearsed = run("invoice", "import", "s.csv", *DIALECT, "--dry-run")
    made = (folder / "paygate.db").exists()
    issued = run("invoice", "import", "s.csv", *DIALECT, "--json")
    again = run("invoice", "import", "s.csv", *DIALECT, "--dry-run", "--json")

    assert (rehearsed.code, made) == (0, False)
    assert "1 would be issued, 0 were there already" in rehearsed.out
    assert "2.50 EUR" in rehearsed.out
    assert issued.json["imported"]["issued"] == ["A-9"]
    assert (again.json["imported"]["would_issue"], again.json["imported"]["known"]) == ([], ["A-9"])


@pytest.mark.parametrize(
    ("dialect", "says"),
    [
        (DIALECT[:2], "--encoding"),
        (DIALECT[2:], "--delimiter ';'"),
        (DIALECT[:4], "--decimal ','"),
        (("--delimiter", ";;"), "--delimiter must be one character"),
    ],
)
def test_a_wrong_dialect_is_refused_with_the_option_to_use(
    run: Run, folder: Path, dialect: tuple[str, ...], says: str
) -> None:
    (folder / "s.csv").write_bytes(SPREADSHEET.encode("latin-1"))

    done = run("invoice", "import", "s.csv", *dialect)

    assert done.code == 2
    assert says in " ".join(done.err.split())
