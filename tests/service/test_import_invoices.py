"""A file of invoices: what is read, what is refused and with which words, and that it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier, Customer, Money, PostalAddress
from paygate.errors import ImportRejected, InvalidValue
from paygate.service.import_invoices import read_sheet

HEAD = "number,customer,currency,total,due"
GOOD = f"{HEAD}\nA-1,C-1,USD,30.00,2026-12-01\nA-2,C-2,JPY,1200,2026-12-02\n"


@pytest.fixture
def cashier() -> Iterator[Cashier]:
    with Cashier.in_memory() as cashier:
        yield cashier


def numbers(cashier: Cashier) -> list[str]:
    return [invoice.number for invoice in cashier.invoices(oldest_first=True)]


def reasons(content: bytes | str) -> dict[int, str]:
    return {problem.line: problem.reason for problem in read_sheet(content).problems}


def test_each_row_becomes_an_invoice(cashier: Cashier) -> None:
    done = cashier.import_invoices(GOOD.encode())

    assert [one.number for one in done.issued] == ["A-1", "A-2"]
    assert cashier.invoice("A-2").total == Money.of("JPY", 1200)
    assert not cashier.fsck()


def test_the_same_file_twice_is_imported_once(cashier: Cashier) -> None:
    cashier.import_invoices(GOOD)

    again = cashier.import_invoices(GOOD)

    assert (again.issued, [one.number for one in again.known]) == ((), ["A-1", "A-2"])
    assert numbers(cashier) == ["A-1", "A-2"]


@pytest.mark.parametrize(
    ("currency", "total"),
    [("EUR", "2.000"), ("JPY", "35.000"), ("KWD", "1.0000"), ("EUR", "2.750")],
)
def test_an_amount_with_more_digits_than_its_currency_is_refused_with_its_line(
    cashier: Cashier, currency: str, total: str
) -> None:
    """Where a point marks thousands, it is a thousand times as much; zeros do not tell."""
    with pytest.raises(ImportRejected) as rejected:
        cashier.import_invoices(f"{HEAD}\nN-471,K-9,{currency},{total},2031-03-01\n")

    [(line, reason)] = rejected.value.problems
    assert line == 2
    assert total in reason
    assert "more digits" in reason
    assert numbers(cashier) == []


def test_one_bad_row_and_nothing_is_imported(cashier: Cashier) -> None:
    with pytest.raises(ImportRejected) as rejected:
        cashier.import_invoices(GOOD + "A-3,C-3,USD,x,2026-12-01\n")

    assert [line for line, _ in rejected.value.problems] == [4]
    assert numbers(cashier) == []
    assert cashier.customer("C-1") is None


def test_the_good_rows_are_imported_where_that_is_wanted(cashier: Cashier) -> None:
    done = cashier.import_invoices(GOOD + "A-3,C-3,USD,x,2026-12-01\n", skip_bad=True)

    assert numbers(cashier) == ["A-1", "A-2"]
    assert [problem.line for problem in done.problems] == [4]


def test_what_only_the_ledger_knows_is_told_by_line_as_well(cashier: Cashier) -> None:
    cashier.issue(number="A-2", customer="C-2", total=Money.of("JPY", 9), due="2026-12-02")

    with pytest.raises(ImportRejected, match="A-2 exists with total 9 JPY") as rejected:
        cashier.import_invoices(GOOD + "A-3,,USD,1,2026-12-01\n")

    assert [line for line, _ in rejected.value.problems] == [3, 4]
    assert numbers(cashier) == ["A-2"]


def test_a_refused_row_does_not_touch_its_customer(cashier: Cashier) -> None:
    cashier.issue(
        number="A-1",
        customer=Customer("C-1", name="Ann"),
        total=Money.of("USD", 9),
        due="2026-12-01",
    )

    cashier.import_invoices(f"{HEAD},name\nA-1,C-1,USD,8,2026-12-01,Mallory\n", skip_bad=True)

    found = cashier.customer("C-1")
    assert found is not None
    assert found.name == "Ann"


def test_contact_facts_are_kept(cashier: Cashier) -> None:
    cashier.import_invoices(f"email,name,{HEAD}\na@mail.example,Ann,A-1,C-1,USD,1,2026-12-01\n")

    assert cashier.customer("C-1") == Customer("C-1", name="Ann", email="a@mail.example")


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("\n", "\n\n"),
        GOOD.replace(",", " , "),
        GOOD.replace("number", "NUMBER").rstrip("\n"),
        GOOD.replace("C-1", '"C-1"'),
    ],
    ids=["bom", "crlf", "cr", "blank lines", "spaces", "capitals", "quoted"],
)
def test_the_same_rows_are_read_however_they_are_written(content: bytes | str) -> None:
    sheet = read_sheet(content)

    assert [row.bill.number for row in sheet.rows] == ["A-1", "A-2"]
    assert sheet.problems == ()


def test_quoted_fields_may_hold_commas_and_quotes() -> None:
    [row] = read_sheet(f'{HEAD},name\nA-1,C-1,USD,1,2026-12-01,"Doe, ""Jane"""\n').rows

    assert (row.bill.customer, row.contact) == ("C-1", {"name": 'Doe, "Jane"'})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,C,USD,0,2026-12-01", "must be more than zero"),
        ("A,C,USD,-5,2026-12-01", "must be more than zero"),
        ("A,C,USD,1e3,2026-12-01", "not a plain decimal number"),
        ("A,C,USD,NaN,2026-12-01", "not an amount"),
        ("A,C,JPY,1.5,2026-12-01", "more digits than JPY allows"),
        ("A,C,KWD,1.2345,2026-12-01", "more digits than KWD allows"),
        ("A,C,XXX,1,2026-12-01", "not an ISO 4217"),
        ("A,C,usd,1,2026-12-01", "not an ISO 4217"),
        ("A,C,USD,1,01.12.2026", "due is a date such as"),
        ("A,C,USD,1,2026-13-01", "due is a date such as"),
        ("A,C,USD,1,20261201", "due is a date such as"),
        ("A,,USD,1,2026-12-01", "customer is empty"),
        (",C,USD,,2026-12-01", "number is empty; total is empty"),
        ("A,C,USD,1", "4 fields, the first line names 5"),
        ("A,C,USD,1,2026-12-01,x", "6 fields, the first line names 5"),
        (f"{'A' * 101},C,USD,1,2026-12-01", "1 to 100 printable characters"),
        (f"A,{'C' * 256},USD,1,2026-12-01", "customer must be 1 to 255 printable characters"),
        ("A\x00,C,USD,1,2026-12-01", "printable"),
        ('A,"C"x,USD,1,2026-12-01', "the row is not CSV"),
        ("A,C,USD,99999999999999999999,2026-12-01", "64 bits"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_reason(row: str, reason: str) -> None:
    told = reasons(f"{HEAD}\nA-0,C-0,USD,1,2026-12-01\n{row}\nA-9,C-9,USD,1,2026-12-01\n")

    assert list(told) == [3]
    assert reason in told[3]


def test_everything_that_is_wrong_with_a_row_is_told_at_once() -> None:
    told = reasons(f"{HEAD}\nA,C,JPY,1.5,soon\n")

    assert "JPY" in told[2]
    assert "due is a date" in told[2]


def test_a_number_may_stand_on_one_line_only() -> None:
    told = reasons(GOOD + "A-1,C-1,USD,30.00,2026-12-01\n")

    assert told == {4: "invoice A-1 is on line 2 already"}


def test_a_row_of_several_lines_is_told_by_its_first() -> None:
    told = reasons(f'{HEAD},name\nA,C,USD,1,2026-12-01,"two\nlines"\nB,C,USD,x,2026-12-01,\n')

    assert list(told) == [2, 4]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "the file is empty"),
        (b"number,customer,total,due\n", "does not name currency"),
        (HEAD.encode() + b",colour\n", "there is no column 'colour'"),
        (HEAD.encode() + b",due\n", "names a column twice"),
        (HEAD.replace(",", ";").encode(), "looks like delimiter=';'"),
        (b'"number\n', "the row is not CSV"),
        (GOOD.encode() + b"A-3,Caf\xe9,USD,1,2026-12-01\n", "line 4: this is not UTF-8"),
        (GOOD.encode("utf-16"), "line 1: this is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(content: bytes, reason: str) -> None:
    with pytest.raises(ImportRejected, match=reason):
        read_sheet(content)


def test_a_file_without_rows_imports_nothing(cashier: Cashier) -> None:
    assert cashier.import_invoices(HEAD).issued == ()


def test_a_long_field_is_cut_in_the_message() -> None:
    assert len(reasons(f"{HEAD}\nA,C,USD,1,{'9' * 10_000}\n")[2]) < 200


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_reading_raises_nothing_but_its_own_error(content: bytes | str) -> None:
    for start in (content, HEAD.encode() + b"\n" + content if isinstance(content, bytes) else ""):
        with suppress(ImportRejected):
            read_sheet(start)


def test_a_column_that_is_not_in_the_file_changes_nothing(cashier: Cashier) -> None:
    known = Customer("C-1", name="Bo", email="b@mail.example", phone="+15550111", zone="Asia/Tokyo")
    cashier.save_customer(known)

    cashier.import_invoices(f"{HEAD},name\nA-1,C-1,USD,1,2026-12-01,Bo Nilsen\n")

    assert cashier.customer("C-1") == replace(known, name="Bo Nilsen")


def test_an_empty_cell_clears_the_fact_of_its_column(cashier: Cashier) -> None:
    cashier.save_customer(Customer("C-1", name="Bo", email="b@mail.example"))

    cashier.import_invoices(f"{HEAD},email\nA-1,C-1,USD,1,2026-12-01,\n")

    assert cashier.customer("C-1") == Customer("C-1", name="Bo")


def test_a_corrected_address_arrives_with_an_invoice_that_is_known(cashier: Cashier) -> None:
    rows = f"{HEAD},name,email\nK-1,C-4,USD,5,2026-12-01,Una,{{}}\n"
    cashier.import_invoices(rows.format("unna@mail.example"))

    done = cashier.import_invoices(rows.format("una@mail.example"))

    assert (len(done.issued), len(done.known)) == (0, 1)
    assert cashier.customer("C-4") == Customer("C-4", name="Una", email="una@mail.example")


def test_the_last_good_row_of_a_customer_says_what_is_known_of_them(cashier: Cashier) -> None:
    head = f"{HEAD},email\n"
    cashier.import_invoices(f"{head}K-2,C-4,USD,5,2026-12-01,old@mail.example\n")

    cashier.import_invoices(
        f"{head}K-1,C-4,USD,5,2026-12-01,first@mail.example\n"
        "K-2,C-4,USD,5,2026-12-01,last@mail.example\n"
        "K-2,C-4,USD,5,2026-12-01,twice@mail.example\n"
        "K-3,C-4,USD,0,2026-12-01,bad@mail.example\n",
        skip_bad=True,
    )

    assert cashier.customer("C-4") == Customer("C-4", email="last@mail.example")


def test_facts_in_a_file_that_is_refused_change_nothing(cashier: Cashier) -> None:
    row = f"{HEAD},email\nK-1,C-4,USD,5,2026-12-01,"
    cashier.import_invoices(f"{row}old@mail.example\n")

    with pytest.raises(ImportRejected):
        cashier.import_invoices(f"{row}new@mail.example\nK-2,C-4,USD,0,2026-12-01,\n")

    assert cashier.customer("C-4") == Customer("C-4", email="old@mail.example")


# --- Files of other programs --------------------------------------------------------------

GERMAN = """\
number;customer;currency;total;due;name;phone;line1;postal_code;city;country
A-1;C-1;EUR;2,50;2026-12-01;Jörg;+49 30 123456;Hauptstraße 5;10115;Berlin;DE
A-2;C-1;EUR;1234,5;2026-12-01;Jörg;;Hauptstraße 7;10115;Berlin;DE
"""


def test_a_file_of_another_delimiter_encoding_and_decimal_mark_is_read(cashier: Cashier) -> None:
    content = GERMAN.encode("latin-1")

    done = cashier.import_invoices(content, delimiter=";", encoding="latin-1", decimal=",")

    assert [one.total for one in done.issued] == [
        Money.of("EUR", "2.50"),
        Money.of("EUR", "1234.50"),
    ]
    assert cashier.customer("C-1") == Customer(
        "C-1",
        name="Jörg",
        address=PostalAddress(
            line1="Hauptstraße 7", postal_code="10115", city="Berlin", country="DE"
        ),
    )


def test_a_column_of_an_address_leaves_the_rest_of_it(cashier: Cashier) -> None:
    address = PostalAddress(line1="Old Road 1", line2="Rear", city="York", country="GB")
    cashier.save_customer(Customer("C-1", phone="+15550111", address=address))

    cashier.import_invoices(f"{HEAD},line1,line2\nA-1,C-1,USD,1,2026-12-01,New Road 2,\n")

    assert cashier.customer("C-1") == Customer(
        "C-1", phone="+15550111", address=replace(address, line1="New Road 2", line2="")
    )


@pytest.mark.parametrize("total", ["1.234,56", "1.234", "1,234.56", "1,234"])
def test_a_mark_of_thousands_is_refused_whatever_marks_decimals(total: str) -> None:
    row = f'{HEAD}\nA,C,EUR,"{total}",2026-12-01\n'

    for decimal in ".,":
        sheet = read_sheet(row, decimal=decimal)

        assert not sheet.rows
        assert sheet.problems[0].reason.startswith("total: ")


def test_a_file_in_another_encoding_is_refused_with_what_to_say() -> None:
    with pytest.raises(ImportRejected, match=r"not UTF-8 text; .* encoding="):
        read_sheet(GERMAN.encode("latin-1"), delimiter=";")
    with pytest.raises(ImportRejected, match="delimiter=';'"):
        read_sheet(GERMAN)


@pytest.mark.parametrize(
    "dialect",
    [
        {"delimiter": ""},
        {"delimiter": ";;"},
        {"delimiter": "\n"},
        {"delimiter": '"'},
        {"encoding": "nothing"},
        {"encoding": "base64"},
        {"encoding": "idna"},
        {"encoding": "undefined"},
        {"decimal": ";"},
    ],
)
def test_a_dialect_that_there_is_not_is_a_wrong_argument(
    cashier: Cashier, dialect: dict[str, str]
) -> None:
    with pytest.raises(InvalidValue) as refused:
        cashier.import_invoices(GOOD, **dialect)  # type: ignore[arg-type]

    assert refused.value.argument in dialect


def test_a_rehearsal_says_what_would_be_issued_and_issues_nothing(cashier: Cashier) -> None:
    cashier.issue(number="A-1", customer="C-1", total=Money.of("USD", 30), due="2026-12-01")

    rehearsed = cashier.import_invoices(
        GOOD + "A-3,C-3,USD,x,2026-12-01\n", dry_run=True, skip_bad=True
    )

    assert [bill.number for bill in rehearsed.would_issue] == ["A-2"]
    assert [invoice.number for invoice in rehearsed.known] == ["A-1"]
    assert [problem.line for problem in rehearsed.problems] == [4]
    assert (rehearsed.issued, numbers(cashier)) == ((), ["A-1"])
    assert cashier.customer("C-2") is None


def test_a_rehearsal_refuses_what_the_import_would_refuse(cashier: Cashier) -> None:
    with pytest.raises(ImportRejected) as rejected:
        cashier.import_invoices(GOOD + "A-3,C-3,USD,x,2026-12-01\n", dry_run=True)

    assert [line for line, _ in rejected.value.problems] == [4]


def test_a_bad_currency_is_told_as_the_currency() -> None:
    told = reasons(f"{HEAD}\nA,C,cad,1,2026-12-01\n")

    assert told[2].startswith("currency: 'cad' is not an ISO 4217 currency code")


def test_rows_that_a_quote_swallows_are_counted_and_nothing_is_imported(cashier: Cashier) -> None:
    rows = GOOD + '"A-7,C-1,USD,1,2026-12-01\n' + "A-8,C-1,USD,1,2026-12-01\n" * 2

    with pytest.raises(ImportRejected, match=r"line 4: .* 2 lines after it, to the end") as refused:
        cashier.import_invoices(rows, skip_bad=True)

    assert refused.value.problems[0][0] == 4
    assert cashier.invoices() == []


def test_rows_that_a_quote_swallows_up_to_the_next_one_are_counted() -> None:
    rows = f'{HEAD}\n"A-1,C,USD,1,2026-12-01\nA-2,C,USD,1,2026-12-01\n"A-3",C,USD,1,2026-12-01\n'
    sheet = read_sheet(rows + "A-4,C,USD,1,2026-12-01\n")

    [problem] = sheet.problems
    assert (problem.line, [row.bill.number for row in sheet.rows]) == (2, ["A-4"])
    assert "joins lines 2 to 4" in problem.reason


@pytest.mark.parametrize("given", [bytearray(b"x"), memoryview(b"x"), None])
def test_what_is_no_content_of_a_file_is_named_by_its_type(cashier: Cashier, given: object) -> None:
    with pytest.raises(InvalidValue, match=f"bytes or text, not {type(given).__name__}"):
        cashier.import_invoices(given)  # type: ignore[arg-type]
