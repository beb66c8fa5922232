"""The invoice run: every order gets one invoice, whatever ends a run, and however often it runs."""

from __future__ import annotations

import io
import json
import threading
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import (
    AsyncCashier,
    Cashier,
    InvoiceOrder,
    InvoiceRun,
    Money,
    OrderRefusal,
    read_orders,
)
from paygate.errors import ImportRejected, InvalidValue, OrderSourceFailed
from paygate.service.order_files import read_csv, read_json
from paygate.testing import FakeClock
from tests.service.world import Doomed, PowerCut

SERIES = "INV-{year}-{n:05}"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def order(place: int, **more: Any) -> InvoiceOrder:
    made = InvoiceOrder(
        id=f"O-{place}", customer=f"C-{place % 7}", total=usd("30.00"), due=date(2031, 3, 1)
    )
    return replace(made, **more)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def till(url: str) -> Iterator[Cashier]:
    with Cashier.open(url, clock=FakeClock()) as cashier:
        yield cashier
        assert cashier.fsck() == []


def reasons(report: InvoiceRun) -> list[tuple[str, str]]:
    return [(each.source, each.order) for each in report.refusals]


# --- Once each ------------------------------------------------------------------------------------


def test_a_run_issues_one_invoice_for_each_order_and_again_none(till: Cashier) -> None:
    orders = [order(number) for number in range(25)]

    first = till.invoice_run(orders, series=SERIES, group=10)
    again = till.invoice_run(orders, series=SERIES, group=7)

    assert (first.read, first.issued, first.known, first.refused) == (25, 25, 0, 0)
    assert first.totals == {"USD": usd("750.00")}
    assert (again.issued, again.known, again.totals) == (0, 25, {})
    year = till.now().year
    assert {each.number for each in till.invoices()} == {f"INV-{year}-{n:05}" for n in range(1, 26)}


def test_an_invoice_takes_the_money_that_was_prepaid_for_its_order(till: Cashier) -> None:
    entry = till.prepay("C-1", usd("30.00"), assignment_key="O-1", key="p")
    till.record(entry, by="cash", key="r")

    till.invoice_run([order(1)], series=SERIES)

    [invoice] = till.invoices()
    assert (invoice.status, invoice.assignment_key) == ("paid", "o-1")
    assert till.prepayment(entry).status == "balanced"


def test_the_same_order_with_other_facts_is_refused(till: Cashier) -> None:
    till.invoice_run([order(1)], series=SERIES)

    report = till.invoice_run([order(1, total=usd("31.00")), order(2)], series=SERIES)

    assert (report.issued, report.refused) == (1, 1)
    assert reasons(report) == [("order 1", "O-1")]
    assert "invoiced with other facts" in report.refusals[0].reason
    assert len(till.invoices()) == 2


def test_orders_of_one_group_see_each_other(till: Cashier) -> None:
    orders = [
        order(1),
        order(1),
        order(1, total=usd("31.00")),
        order(2, assignment_key="o-1"),
        order(3, number="N-1"),
        order(4, number="N-1"),
    ]

    report = till.invoice_run(orders, series=SERIES)

    assert (report.issued, report.known, report.refused) == (2, 1, 3)
    assert reasons(report) == [("order 3", "O-1"), ("order 4", "O-2"), ("order 6", "O-4")]
    assert [each.type for each in till.events() if each.type.startswith("assignment")] == [
        "assignment.conflict"
    ]


def test_an_order_without_a_number_needs_a_series(till: Cashier) -> None:
    report = till.invoice_run([order(1), order(2, number="N-2")])

    assert (report.issued, report.refused) == (1, 1)
    assert report.refusals[0].reason == "it has no number, and the run has no series"


def test_a_dry_run_writes_nothing_and_says_what_a_run_does(till: Cashier) -> None:
    till.invoice_run([order(9)], series=SERIES)
    orders: list[InvoiceOrder | Mapping[str, Any]] = [
        *(order(9), order(9, total=usd("1.00")), order(1), order(1), order(2, number="N-1")),
        *(order(3, number="N-1"), order(4, assignment_key="o-1"), {"order": "O-5"}),
        order(6),
    ]
    before = till.events()

    rehearsals = [
        till.invoice_run(orders, series=SERIES, dry_run=True, group=group) for group in (1, 2, 100)
    ]
    assert till.events() == before
    done = till.invoice_run(orders, series=SERIES)

    assert [replace(each, dry_run=False) for each in rehearsals] == [done] * 3
    assert (done.issued, done.known, done.refused) == (3, 2, 4)


def test_async_runs_do_the_same(url: str) -> None:
    import asyncio

    async def main() -> InvoiceRun:
        async with AsyncCashier.open(url) as cashier:
            return await cashier.invoice_run([order(1), order(2)], series=SERIES)

    assert asyncio.run(main()).issued == 2


# --- What can end a run ---------------------------------------------------------------------------


def failing(count: int, error: Exception) -> Iterator[InvoiceOrder]:
    for number in range(count):
        yield order(number)
    raise error


def test_a_source_that_fails_leaves_what_was_before_done_and_says_where_to_go_on(
    till: Cashier,
) -> None:
    broken = ConnectionError("the billing database is gone")

    with pytest.raises(OrderSourceFailed, match="after 13 of them") as failed:
        till.invoice_run(failing(13, broken), series=SERIES, group=5)

    error = failed.value
    assert error.__cause__ is broken
    assert (error.read, error.report.issued) == (13, 13)
    assert len(till.invoices()) == 13

    rest = till.invoice_run((order(number) for number in range(20)), series=SERIES, skip=error.read)

    assert (rest.read, rest.issued, rest.known) == (20, 7, 0)
    assert {each.assignment_key for each in till.invoices()} == {f"o-{n}" for n in range(20)}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
def test_a_run_that_dies_at_any_step_is_run_again(url: str, dies_at: int, lost: bool) -> None:
    orders = [order(number) for number in range(12)]
    doomed = Doomed.open(url)
    doomed.steps, doomed.dies_at, doomed.lost = [], dies_at, lost
    try:
        doomed.invoice_run(orders, series=SERIES, group=4)
    except PowerCut:
        pass
    finally:
        doomed.dies_at = 0
        doomed.close()

    with Cashier.open(url) as till:
        done = till.invoice_run(orders, series=SERIES, group=4)
        year = till.now().year

        assert done.issued + done.known == 12
        assert {each.number for each in till.invoices()} == {
            f"INV-{year}-{n:05}" for n in range(1, 13)
        }
        assert till.fsck() == []


def test_runs_at_once_issue_every_order_once(url: str) -> None:
    orders = [order(number) for number in range(60)]
    tills = [Cashier.open(url) for _ in range(3)]
    start = threading.Barrier(len(tills))
    done: list[InvoiceRun] = []

    def run(place: int) -> None:
        start.wait()
        mine = orders[place * 20 :] + orders[: place * 20]
        done.append(tills[place].invoice_run(mine, series=SERIES, group=7))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tills))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(each.issued for each in done) == 60
    assert sum(each.known for each in done) == 120
    assert len(tills[0].invoices()) == 60
    assert tills[0].fsck() == []
    for each in tills:
        each.close()


def test_the_memory_of_a_run_does_not_grow_with_its_source(till: Cashier) -> None:
    def peak(count: int, first: int) -> int:
        tracemalloc.start()
        till.invoice_run(
            (order(first + number) for number in range(count)), series=SERIES, group=50
        )
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100, 0)
    small, large = peak(300, 1_000), peak(3_000, 10_000)

    assert large < small + 600_000  # 200 bytes for each order more


def test_progress_and_refusals_are_reported_while_it_runs(till: Cashier) -> None:
    told: list[int] = []
    refused: list[OrderRefusal] = []
    orders: list[InvoiceOrder | Mapping[str, Any]] = [
        order(number) if number % 2 else {} for number in range(2_200)
    ]

    report = till.invoice_run(
        orders,
        series=SERIES,
        group=500,
        progress=lambda each: told.append(each.read),
        on_refusal=refused.append,
    )

    assert told == [500, 1_000, 1_500, 2_000, 2_200]
    assert (report.issued, report.refused) == (1_100, 1_100)
    assert (len(report.refusals), len(refused)) == (1_000, 1_100)


# --- Orders and files -----------------------------------------------------------------------------

ORDER: dict[str, Any] = {"order": "O-1", "customer": "C-1", "currency": "USD", "due": "2031-03-01"}
LINE = {"description": "Support", "quantity": "3", "unit_price": "40.00", "tax_category": "S"}
VAT = {"name": "VAT", "rate": "20", "category": "S"}


def test_an_order_with_lines_becomes_an_invoice_with_lines(till: Cashier) -> None:
    facts = {
        **ORDER,
        "lines": [{**LINE, "from": "2031-02-01", "until": "2031-02-28"}],
        "tax": [VAT],
    }

    report = till.invoice_run([facts], series=SERIES)

    assert report.totals == {"USD": usd("144.00")}
    [invoice] = till.invoices()
    [found] = till.invoice_text(invoice).lines
    assert (found.amount, found.period) == (usd("120.00"), (date(2031, 2, 1), date(2031, 2, 28)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer": ""}, "customer is missing"),
        ({"customer": 7}, "customer must be text"),
        ({"order": "O" * 201}, "order must be"),
        ({"order": None}, "order is missing"),
        ({"currency": "XXX9"}, "currency: "),
        ({"due": "1.3.2031"}, "due must be a date"),
        ({"due": 20310301}, "due must be a date"),
        ({"total": 1.5}, "total must be text"),
        ({"total": "30,00"}, "total: "),
        ({"total": "0.00"}, "more than zero"),
        ({"total": "-1.00"}, "more than zero"),
        ({"total": None}, "total is missing, and so are lines"),
        ({"total": "144.01", "lines": [LINE], "tax": [VAT]}, "0.01 USD too much"),
        ({"total": None, "lines": [{**LINE, "amount": "120.01"}]}, "line 1 is 120.01 USD"),
        ({"total": None, "lines": [{"description": "x"}]}, "line 1: amount is missing"),
        ({"total": None, "lines": [{**LINE, "quantity": "x"}]}, "line 1: quantity"),
        ({"total": None, "lines": ["x"]}, "line 1: a line must be an object"),
        ({"total": None, "lines": "x"}, "lines must be a list"),
        (
            {"total": None, "lines": [LINE], "tax": [{**VAT, "amount": "24.01"}]},
            "0.01 USD too much",
        ),
        ({"total": None, "lines": [LINE], "tax": [{**VAT, "category": "R"}]}, "no line has"),
        ({"assignment_key": "k" * 65}, "assignment_key"),
        ({"rounding": "up"}, "rounding must be one of"),
        ({"comment": "x"}, "an order has no field 'comment'"),
    ],
)
def test_an_order_that_cannot_be_invoiced_says_why(
    till: Cashier, change: dict[str, Any], reason: str
) -> None:
    report = till.invoice_run([{**ORDER, "total": "30.00", **change}], series=SERIES)

    assert (report.issued, report.refused) == (0, 1)
    assert reason in report.refusals[0].reason
    assert till.invoices() == []


CSV = """\
order,customer,currency,due,total,description,quantity,unit_price,tax_category,tax_name,tax_rate
O-1,C-1,USD,2031-03-01,,Support,3,40.00,S,VAT,20
O-1,,,,,Travel,1,10.00,,,
O-2,C-2,USD,2031-03-01,30.00,,,,,,

O-3,C-3,USD,2031-03-01,,Support
O-4,C-4,USD,,30.00,,,,,,
O-5,C-5,USD,2031-03-01,,,,,,,
,,,,,Books,2,10.00,R,VAT,7
"""


def test_rows_of_csv_with_the_same_order_are_its_lines(till: Cashier, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(CSV, "utf-8-sig")

    report = till.invoice_run(read_orders(file), series=SERIES)

    assert report.totals == {"USD": usd("205.40")}  # 154.00 + 30.00 + 21.40
    assert reasons(report) == [("line 6", ""), ("line 7", "O-4")]
    first = next(each for each in till.invoices() if each.assignment_key == "o-1")
    assert [line.description for line in till.invoice_text(first).lines] == ["Support", "Travel"]
    assert first.total == usd("154.00")


def test_children_that_contradict_their_parent_are_refused(till: Cashier) -> None:
    text = "order,customer,currency,due,total\nO-1,C-1,USD,2031-03-01,5.00\nO-1,C-2,USD,,\n"

    report = till.invoice_run(read_csv(io.StringIO(text)), series=SERIES)

    assert "line 3 has another customer than line 2" in report.refusals[0].reason
    assert till.invoices() == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "does not name order, customer"),
        ("order,customer,currency,due,colour\n", "no column 'colour'"),
        ("order,customer,currency,due,due\n", "names a column twice"),
    ],
)
def test_a_file_without_the_columns_is_refused(till: Cashier, text: str, match: str) -> None:
    with pytest.raises(OrderSourceFailed, match=match) as failed:
        till.invoice_run(read_csv(io.StringIO(text)), series=SERIES)
    assert isinstance(failed.value.__cause__, ImportRejected)


@pytest.mark.parametrize("listed", [True, False])
def test_json_is_read_one_order_at_a_time_with_its_line(
    till: Cashier, tmp_path: Path, listed: bool
) -> None:
    first = {**ORDER, "children": [LINE, {"lines": [{"description": "x", "amount": "5.00"}]}]}
    orders = [first, {**ORDER, "order": "O-2", "total": 1.5}, {**ORDER, "order": "O-3", "total": 7}]
    between = ",\n" if listed else "\n"
    text = between.join(json.dumps(each) for each in orders)
    file = tmp_path / ("orders.json" if listed else "orders.jsonl")
    file.write_text(f"[\n{text}\n]\n" if listed else f"\n{text}\n")

    report = till.invoice_run(read_orders(file), series=SERIES)

    assert (report.issued, reasons(report)) == (2, [("line 3", "O-2")])
    assert report.totals == {"USD": usd("132.00")}


@pytest.mark.parametrize(
    "text", ['[{"order": "O-1"', '{"order": ', "[1, 2", "nonsense", '{"a": 1]']
)
def test_json_that_ends_in_the_middle_fails_after_what_could_be_read(text: str) -> None:
    with pytest.raises(ImportRejected, match=r"line \d+: "):
        list(read_json(io.StringIO(text)))


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9)), max_size=9))
@settings(max_examples=40)
def test_json_is_read_in_whatever_pieces_it_comes(drawn: list[dict[str, str]]) -> None:
    class Slow(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            del size
            return super().read(1)

    text = json.dumps(drawn, indent=1)
    drawn = [{k: v for k, v in each.items() if k != "children"} for each in drawn]

    found = [dict(each.facts) for each in read_json(Slow(text))]

    expected = [{k: v for k, v in each.items() if k != "children"} for each in drawn]
    assert [{k: v for k, v in each.items() if k != "children"} for each in found] == expected


def test_a_file_whose_name_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="kind='csv'"):
        list(read_orders(tmp_path / "orders.xlsx"))


@pytest.mark.parametrize("source", ["orders.csv", b"x", {"order": "O-1"}, 7, None])
def test_a_source_is_something_to_iterate(till: Cashier, source: Any) -> None:
    with pytest.raises(InvalidValue, match="read_orders") as refused:
        till.invoice_run(source, series=SERIES)
    assert refused.value.argument == "source"
