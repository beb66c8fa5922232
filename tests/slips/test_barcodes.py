"""Barcodes are drawn, or refused if a counter could not read them."""

from __future__ import annotations

import re

import pytest

from paygate import Money
from paygate.errors import InvalidValue
from paygate.slips import code128_svg, epc_svg, itf_svg, pdf417_svg, qr_svg

IBAN = "DE89 3704 0044 0532 0130 00"


def modules(svg: str) -> str:
    """The first line of a code, one digit for each module."""
    path = re.search(r' d="M\d+ [\d.]+([^"M]*)', svg)
    assert path is not None
    steps = re.findall(r"([hm])(\d+)", path[1])
    return "".join(("1" if kind == "h" else "0") * int(length) for kind, length in steps)


def test_code_128_begins_and_ends_as_the_standard_says() -> None:
    drawn = modules(code128_svg("PAY-7KQ2"))

    assert drawn.startswith("11010010000")  # start in code set B
    assert drawn.endswith("1100011101011")


def test_digits_are_drawn_in_pairs() -> None:
    assert len(modules(code128_svg("84100742931651"))) < len(modules(code128_svg("PAY-84100742")))


def test_itf_draws_five_bars_for_each_pair_of_digits() -> None:
    drawn = modules(itf_svg("84100742931651"))

    assert drawn.count("01") + 1 == 2 + 7 * 5 + 2


def test_every_row_of_a_pdf417_code_begins_and_ends_alike() -> None:
    svg = pdf417_svg("Alder Telecom, INV-1041")

    rows = re.findall(r"M2 [\d.]+([^M\"]*)", svg)
    assert len(rows) >= 3
    assert all(row.startswith("h8m1 0h1m1 0h1m1 0h1") for row in rows)
    assert all(row.endswith("h1m2 0h1") for row in rows)


def test_a_code_fills_its_container() -> None:
    for svg in (code128_svg("1"), itf_svg("12"), pdf417_svg("1"), qr_svg("1", scale=None)):
        assert re.match(r'<svg viewBox="0 0 \d+ \d+"', svg)
        assert " width=" not in svg


@pytest.mark.parametrize("text", ["", "x" * 49, "größer", "a\nb"])
def test_what_code_128_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        code128_svg(text)


@pytest.mark.parametrize("digits", ["", "123", "12a4", "١٢", "1" * 46])
def test_what_itf_cannot_show_is_refused(digits: str) -> None:
    with pytest.raises(InvalidValue):
        itf_svg(digits)


@pytest.mark.parametrize("text", ["", "x" * 1001, "ü" * 501])
def test_what_pdf417_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        pdf417_svg(text)


@pytest.mark.parametrize(
    ("currency", "amount", "iban", "name"),
    [
        ("USD", "67.50", IBAN, "Alder Telecom"),
        ("EUR", "0.00", IBAN, "Alder Telecom"),
        ("EUR", "67.50", "DE89 3704 0044 0532 0130 01", "Alder Telecom"),
        ("EUR", "67.50", "not an IBAN", "Alder Telecom"),
        ("EUR", "67.50", IBAN, ""),
        ("EUR", "67.50", IBAN, "x" * 71),
    ],
)
def test_a_transfer_that_no_bank_would_take_is_refused(
    currency: str, amount: str, iban: str, name: str
) -> None:
    with pytest.raises(InvalidValue):
        epc_svg(name=name, iban=iban, amount=Money.of(currency, amount), remittance="7KQ2M4TD")
