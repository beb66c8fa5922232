"""Forms and query strings, in which each name stands once."""

import pytest

from paygate.driver import BadResponse, Money, read_form


def test_fields_are_read_as_what_they_must_be() -> None:
    told = read_form(b"merchant_id=4637827&mb_amount=9.9&status=-2&note=&a.b=%C3%A9", "Skrill")

    assert told.id("merchant_id") == "4637827"
    assert told.money("mb_amount", "EUR") == Money("EUR", 990)
    assert told.value("mb_amount") == "9.9"  # what was signed is how it was written
    assert told.whole("status") == -2
    assert told.text("a.b") == "é"
    assert ("note" in told, told.text("note", "none"), "other" in told) == (True, "none", False)


def test_a_query_string_is_a_form() -> None:
    assert read_form("token=5O1&PayerID=QY", "PayPal").id("token") == "5O1"


def test_a_field_that_is_given_twice_is_refused() -> None:
    with pytest.raises(BadResponse, match="Skrill: 'status' is given twice"):
        read_form(b"status=2&a=1&status=0", "Skrill")


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff=1", b"&".join([b"a=1"] * 1001)])
def test_what_is_no_form_is_refused_and_not_quoted(body: bytes) -> None:
    with pytest.raises(BadResponse, match=f"expected a form, got {len(body)} other bytes"):
        read_form(body, "Skrill")


def test_in_latin_1_each_byte_is_a_character() -> None:
    told = read_form(b"name=Jos%E9&city=M\xfcnchen", "Skrill", encoding="latin-1")

    assert (told.value("name"), told.value("city")) == ("José", "München")
