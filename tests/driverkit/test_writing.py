"""What is sent: bodies, and what fits into the fields of a processor."""

import pytest

from paygate.driver import (
    digest_key,
    filled,
    form_body,
    form_request,
    json_body,
    json_request,
    listed,
    plain,
    short_key,
    xml_body,
)


def test_bodies_are_written_in_order() -> None:
    assert form_body([("b", "1 & 2"), ("a[0]", "é")]) == b"b=1+%26+2&a%5B0%5D=%C3%A9"
    assert json_body({"b": 1, "a": ["é"]}) == b'{"b":1,"a":["\\u00e9"]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_body({"a": float("nan")})


def test_empty_fields_of_a_form_are_left_out() -> None:
    assert filled({"b": "1", "a": "", "c": "0"}) == [("b", "1"), ("c", "0")]


def test_fields_within_others_are_named_by_their_path() -> None:
    cards: list[str | dict[str, str]] = [{"name": "Ada", "note": ""}, {"name": "Bo"}]

    assert filled({"types": ["card", "", "link"], "cards": cards, "none": {"a": {"b": ""}}}) == [
        ("types[0]", "card"),
        ("types[2]", "link"),
        ("cards[0][name]", "Ada"),
        ("cards[1][name]", "Bo"),
    ]


def test_elements_are_written_in_order_and_empty_ones_left_out() -> None:
    body = xml_body("a", {"d": ["1", "", "2"], "c": {"e": "3", "f": {"g": ""}}, "h": []})

    assert body.endswith(b"<a><d>1</d><d>2</d><c><e>3</e></c></a>")


def test_a_description_is_one_line_that_fits() -> None:
    assert plain("INV-7", 20) == "INV-7"
    assert plain("a\r\n\0b\u2028c", 20) == "a b c"
    assert plain("x" * 30, 20) == "x" * 20


def test_as_many_names_are_listed_as_fit() -> None:
    assert listed(["INV-1", "INV-2", "INV-3"], 100) == "INV-1, INV-2, INV-3"
    assert listed(["INV-1", "INV-2", "INV-3"], 17) == "INV-1, INV-2 +1"
    assert listed(["x" * 30], 20) == "x" * 20
    assert listed(["x" * 30, "INV-2"], 20) == "x" * 17 + " +1"
    assert listed([], 20) == ""


def test_a_key_that_is_too_long_is_a_digest() -> None:
    assert short_key("checkout-7", "confirm", 255) == "checkout-7-confirm"
    assert short_key("x" * 300, "confirm", 255) == digest_key("x" * 300, "confirm")
    assert len(short_key("x" * 300, "confirm", 20)) == 20


def test_a_request_that_moves_money_is_not_repeatable() -> None:
    asked = form_request("https://penny.example", "ask", [("a", "1"), ("b", "ä")])
    paid = json_request(
        "https://penny.example", "pay", {"a": 1}, moves_money=True, headers={"K": "v"}
    )

    assert (asked.method, asked.body, asked.repeatable) == ("POST", b"a=1&b=%C3%A4", True)
    assert asked.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert (paid.body, paid.moves_money, paid.repeatable) == (b'{"a":1}', True, False)
    assert paid.headers == {"Content-Type": "application/json", "K": "v"}
