"""What an answer says is read as what it must be, or not at all."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.driver import BadResponse, Fields, Money, read_json

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


def sale(**members: Any) -> Fields:
    return Fields(members, "Penny")


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(BadResponse) as raised:
        read()
    return raised.value.message


def test_a_missing_member_is_named_by_its_path() -> None:
    told = sale(links=[{"href": None}])

    assert refused(lambda: told.id("id")) == "Penny gives no id"
    assert refused(lambda: told.at("card").text("brand")) == "Penny gives no card.brand"
    assert refused(lambda: told.url("links.0.href")) == "Penny gives no links.0.href"
    assert refused(lambda: told.each("links")[0].whole("n")) == "Penny gives no links.0.n"


def test_a_member_of_another_type_is_never_taken_for_one() -> None:
    told = sale(text="5", whole=5, flag=True, some=1.5, list=[1], object={})

    assert refused(lambda: told.whole("text")) == "Penny gives '5' as text, not a whole number"
    assert refused(lambda: told.text("whole")) == "Penny gives a number as whole, not text"
    assert refused(lambda: told.whole("flag")) == "Penny gives true as flag, not a whole number"
    assert "a number with a fraction as some, not a" in refused(lambda: told.whole("some"))
    assert refused(lambda: told.flag("whole")) == "Penny gives a number as whole, not a flag"
    assert (
        refused(lambda: told.each("object"))
        == "Penny gives an object as object, not a list of objects"
    )
    assert refused(lambda: told.each("list")) == "Penny gives a list as list, not a list of objects"
    assert refused(lambda: told.texts("list")) == "Penny gives a list as list, not a list of texts"


def test_with_a_default_nothing_makes_an_answer_unreadable() -> None:
    told = sale(text=5, whole="five", at="noon", each=5)

    assert told.text("text", "") == ""
    assert told.whole("whole", None) is None
    assert told.instant("at", None) is None
    assert told.each("each", ()) == []
    assert told.money("whole", "USD", None) is None
    assert told.choice("text", {"a": 1}, 2) == 2


def test_with_a_default_a_list_has_those_entries_that_have_members() -> None:
    told = sale(lines=[{"n": 1}, None, 5, {"n": 2}], numbers=[1])

    assert [each.whole("n") for each in told.each("lines", ())] == [1, 2]
    assert told.each("numbers", ()) == []
    assert "a list of objects" in refused(lambda: told.each("lines"))
    assert [each.whole("n", None) for each in told.entries("lines")] == [1, None, None, 2]
    assert refused(lambda: told.entries("n")) == "Penny gives no n"


def test_a_member_that_is_null_is_there_and_is_missing() -> None:
    told = sale(card=None, total={"fee": None})

    assert ("card" in told, "total.fee" in told) == (True, True)
    assert ("holder" in told, "total.tax" in told, "card.last4" in told) == (False,) * 3
    assert refused(lambda: told.whole("total.fee")) == "Penny gives no total.fee"
    assert (bool(told.at("card")), bool(told.at("total"))) == (False, True)


@pytest.mark.parametrize(
    ("month", "year", "read"),
    [(8, 2027, (8, 2027)), (13, 2027, None), (8, 27, None), (None, 2027, None), (8, "2027", None)],
)
def test_a_card_expires_in_a_month_that_can_be(
    month: object, year: object, read: tuple[int, int] | None
) -> None:
    assert sale(exp_month=month, exp_year=year).expiry() == (read or (None, None))


def test_an_error_repeats_eighty_characters_and_no_secret() -> None:
    long = refused(lambda: sale(state="x" * 500).choice("state", {"paid": 1}))
    secret = refused(lambda: sale(client_secret="seti_1_secret é").id("client_secret"))
    card = refused(lambda: sale(at="4242424242424242 x").instant("at"))

    assert "x" * 80 in long
    assert "x" * 81 not in long
    assert secret == "Penny gives a text as client_secret, not an id"
    assert "4242424242424242" not in card


def test_a_text_is_one_that_any_store_takes() -> None:
    told = sale(long="x" * 1000, nul="a\0b", half="\ud800", empty="")

    assert told.text("long") == "x" * 500
    assert told.text("long", longest=20) == "x" * 20
    assert told.text("nul") == "ab"
    assert told.text("half").encode() == b"?"
    assert refused(lambda: told.text("empty")) == "Penny gives no empty"


@pytest.mark.parametrize("id_", ["", " x", "a b", "é", "x" * 256, "a\n"])
def test_an_id_is_whole_or_refused(id_: str) -> None:
    assert refused(lambda: sale(id=id_).id("id")).startswith("Penny gives ")
    assert sale(id="re_1").id("id") == "re_1"


@pytest.mark.parametrize(
    "url",
    ["http://x/", "//x/", "https://", "https://u@x/", "javascript:x", "https://x/\n", "https://é/"],
)
def test_a_payer_is_sent_to_https_alone(url: str) -> None:
    assert "not an https address" in refused(lambda: sale(to=url).url("to"))
    assert sale(to="https://x/?a=1#b").url("to") == "https://x/?a=1#b"


def test_a_payer_is_sent_to_an_address_that_is_allowed_and_to_none_that_looks_like_it() -> None:
    near = "http://127.0.0.1:8420"

    assert sale(to=f"{near}/page").url("to", also=[near]) == f"{near}/page"
    assert sale(to=f"{near}.evil.example/").url("to", "", also=[near]) == ""


def test_a_whole_number_has_64_bits() -> None:
    assert sale(n=2**63 - 1).whole("n") == 2**63 - 1
    assert (
        refused(lambda: sale(n=2**63).whole("n")) == "Penny gives a number as n, not a whole number"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [("12.50", "12.50"), ("7", "7"), (12, "12"), (12.5, "12.5"), ("-0.01", "-0.01"), (1e22, None)],
)
def test_a_decimal_is_exact(written: object, read: str | None) -> None:
    found = sale(n=written).decimal("n", None)

    assert found == (None if read is None else Decimal(read))


@pytest.mark.parametrize(
    "written",
    ["1_000", "1,000", " 1", "1e3", "NaN", "٣", "1.", ".5", "", 0.1234567890123456, 1e999, True],
)
def test_what_only_looks_like_a_number_is_none(written: object) -> None:
    assert sale(n=written).decimal("n", None) is None


def test_an_amount_is_never_rounded_and_never_negative() -> None:
    assert sale(n="12.5").money("n", "USD") == Money("USD", 1250)
    assert sale(n=21000).money("n", "NGN") == Money("NGN", 2_100_000)
    assert sale(n="5.5").money("n", "JPY", None) is None
    assert sale(n="12.505").money("n", "USD", None) is None
    assert sale(n="-1").money("n", "USD", None) is None
    assert sale(n="1").money("n", "Penny's", None) is None
    assert (
        refused(lambda: sale(n="5.5").money("n", "JPY"))
        == "Penny gives '5.5' as n, not an amount of 'JPY'"
    )


@pytest.mark.parametrize(
    "written",
    [1785758400, 1785758400.75, "2026-08-03T12:00:00Z", "2026-08-03T14:00:00.000+02:00"],
)
def test_an_instant_is_in_utc(written: object) -> None:
    assert sale(at=written).instant("at") == NOON
    assert sale(at=str(written)).instant("at") == NOON


def test_a_time_without_a_zone_is_no_instant_unless_its_zone_is_known() -> None:
    told = sale(at="2026-08-03 13:00:00")

    assert told.instant("at", None) is None
    assert told.instant("at", zone=timezone(timedelta(hours=1))) == NOON


@pytest.mark.parametrize("written", [0, -1, 2**32, "", "noon", "9" * 400, 1.5, "2026.08", True])
def test_what_is_no_time_of_our_era_is_no_instant(written: object) -> None:
    assert sale(at=written).instant("at", None) is None


def test_an_answer_to_something_else_is_refused() -> None:
    told = sale(object="charge", live=False, amount=500)

    told.expect(object="charge")
    told.expect(live=False)
    told.expect(amount=500)
    assert (
        refused(lambda: told.expect(object="refund")) == "Penny gives another object than 'refund'"
    )
    assert refused(lambda: told.expect(live=True)) == "Penny gives another live than True"
    assert refused(lambda: told.expect(amount=501)) == "Penny gives another amount than 501"
    assert refused(lambda: told.expect(live=0)) == "Penny gives another live than 0"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=json_values, path=st.sampled_from(["a", "a.b", "0", "0.a", "", "."]))
def test_whatever_was_answered_is_read_or_is_a_bad_response(value: Any, path: str) -> None:
    told = Fields({"a": value}, "Penny")
    readers: list[Callable[[str], object]] = [
        told.text,
        told.id,
        told.url,
        told.whole,
        told.decimal,
        told.instant,
        told.flag,
        told.each,
        told.texts,
        lambda path: told.money(path, "USD"),
        lambda path: told.at(path).text("x", ""),
    ]
    for read in readers:
        with suppress(BadResponse):
            str(read(path)).encode()


@given(value=json_values)
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    try:
        body = json.dumps({"a": value}, allow_nan=False).encode()
    except ValueError:
        return

    assert read_json(body, "Penny").value() == json.loads(body)
