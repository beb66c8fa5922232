"""JSON is read without surprises: one reading, and none of what other readers read otherwise."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from paygate.driver import BadResponse, Response, read_json, read_json_value, read_jsonp


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": ":", "b": ":"}}',
        b'{"a" :1, "b": "\\u003a", "a":2}',
        b'{"a": 1, "a": 2, "b": "\\ud800"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"[" * 100_000,
        "{'a': 1}".encode("utf-16"),
    ],
)
def test_what_has_no_one_reading_is_refused_and_not_quoted(body: bytes) -> None:
    with pytest.raises(BadResponse) as refused:
        read_json(Response(status=502, body=body), "Penny")

    assert refused.value.message == (
        f"Penny: status 502: expected JSON, got {len(body)} other bytes"
    )
    assert refused.value.facts == {"status": 502}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "x:y", "b": {"a": ":"}}',
        b'\xef\xbb\xbf{"a": "x:y"}',
        b'{"a": "x\\u003ay"}',
        b'{"a": "x:y", "b": "\\ud800"}',
        b'{"b": "\\"a\\": 1", "a" : "x:y"}',
    ],
)
def test_colons_in_texts_and_odd_characters_are_read(body: bytes) -> None:
    assert read_json(body, "Penny").text("a") == "x:y"


def test_a_list_at_the_top_is_read_by_who_expects_one() -> None:
    assert [each.id("id") for each in read_json_value(b'[{"id": "a"}]', "Penny").each()] == ["a"]
    assert read_json_value(b'["a", "b"]', "Penny").texts() == ["a", "b"]
    assert read_json_value(b"7", "Penny").value() == 7


def test_of_a_signed_body_the_last_of_two_members_counts_and_the_rest_is_checked() -> None:
    assert read_json_value(b'{"a": 1, "a": 2}', "Penny", signed=True).whole("a") == 2
    for body in (b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 100_000):
        with pytest.raises(BadResponse, match="expected JSON"):
            read_json_value(body, "Penny", signed=True)


def test_more_bytes_than_are_expected_are_not_read() -> None:
    body = b'{"a": "' + b"x" * 100 + b'"}'

    with pytest.raises(BadResponse, match="expected JSON, got 109 other bytes"):
        read_json(body, "Penny", bytes_max=100)
    assert read_json(body, "Penny", bytes_max=109)


def test_numbers_are_exact_if_that_is_asked_for() -> None:
    body = b'{"price": 65432.123456789012345678, "large": 1e99, "at": 1785758400.123456}'
    told = read_json_value(body, "Penny", exact=True)

    assert told.decimal("price") == Decimal("65432.123456789012345678")
    assert told.decimal("large", None) is None
    assert told.instant("at") == datetime(2026, 8, 3, 12, tzinfo=UTC)
    assert read_json_value(body, "Penny").decimal("price", None) is None


@pytest.mark.parametrize("body", [b"1.5e400000000000000000000", b"NaN", b'{"a": 1, "a": 2}'])
def test_exact_numbers_are_read_without_surprises_too(body: bytes) -> None:
    with pytest.raises(BadResponse):
        read_json_value(body, "Penny", exact=True)


@pytest.mark.parametrize(
    "body", [b'{"a": "b"}', b'jsonp ({"a": "b"})', b' ({"a": "b"});\n', b'f({"a": "b"} ) ;']
)
def test_an_object_for_a_script_is_read(body: bytes) -> None:
    assert read_jsonp(body, "Penny").text("a") == "b"


def test_an_object_for_a_script_may_be_in_latin_1() -> None:
    assert read_jsonp(b'jsonp({"a": "\xe9"})', "Penny").text("a") == "é"


@pytest.mark.parametrize(
    "body", [b"", b"()", b"({)", b"(1)", b"jsonp", b'({"a": 1}) ({"a": 2})', b")({}", b"({},{})"]
)
def test_what_is_no_object_for_a_script_is_refused(body: bytes) -> None:
    with pytest.raises(BadResponse, match="JSON object"):
        read_jsonp(body, "Penny")
