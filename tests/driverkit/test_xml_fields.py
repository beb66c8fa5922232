"""XML is read like JSON, and nothing in it expands or is fetched."""

from datetime import UTC, datetime

import pytest

from paygate.driver import BadResponse, Money, Response, read_xml, xml_body

ANSWER = b"""<?xml version="1.0" encoding="utf-8"?>
<Txn success="1"><Transaction reco="00">
  <Amount>12.50</Amount><Count> 7 </Count><Test>0</Test><At>2026-08-03T12:00:00Z</At><Empty/>
  <Item><Id>a</Id></Item><Item><Id>b</Id></Item>
</Transaction></Txn>"""


def test_elements_and_attributes_are_read_as_what_they_must_be() -> None:
    told = read_xml(ANSWER, "Penny")
    inner = told.at("Transaction")

    assert told.name == "Txn"
    assert told.whole("@success") == 1
    assert told.text("Transaction.@reco") == "00"
    assert inner.money("Amount", "USD") == Money("USD", 1250)
    assert inner.whole("Count") == 7
    assert inner.flag("Test") is False
    assert inner.instant("At") == datetime(2026, 8, 3, 12, tzinfo=UTC)
    assert [each.id("Id") for each in inner.each("Item")] == ["a", "b"]
    assert inner.texts("Item.Id") == ["a", "b"]
    assert inner.each("Nothing") == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("Transaction.Empty", "Penny gives no Transaction.Empty"),
        ("Transaction.Nothing", "Penny gives no Transaction.Nothing"),
        ("Transaction.Item", "Penny gives something else as Transaction.Item, not an id"),
        ("Nothing.@reco", "Penny gives no Nothing.@reco"),
    ],
)
def test_what_is_missing_is_named_by_its_path(path: str, says: str) -> None:
    with pytest.raises(BadResponse) as refused:
        read_xml(ANSWER, "Penny").id(path)

    assert refused.value.message == says


def test_elements_of_another_namespace_are_not_seen() -> None:
    body = b'<a xmlns="urn:ours"><b>1</b><b xmlns="urn:other">2</b></a>'

    told = read_xml(body, "Penny", namespace="urn:ours")
    assert (told.name, told.texts("b")) == ("a", ["1"])
    assert (read_xml(body, "Penny").name, read_xml(body, "Penny").texts("b")) == ("", [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<a>",
        b"<a>\xff</a>",
        b"<a>&b;</a>",
        b"<a>&#0;</a>",
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
    ],
)
def test_what_is_not_xml_in_utf_8_is_refused_and_not_quoted(body: bytes) -> None:
    with pytest.raises(BadResponse) as refused:
        read_xml(Response(status=200, body=body), "Penny")

    assert refused.value.message == (
        f"Penny: status 200: expected XML, got {len(body)} other bytes"
    )


def test_no_document_type_is_read() -> None:
    laughs = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'

    with pytest.raises(BadResponse, match="a response with a document type is not accepted"):
        read_xml(laughs, "Penny")


def test_elements_do_not_lie_within_each_other_without_end() -> None:
    def nested(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    assert read_xml(nested(100), "Penny").name == "a"
    with pytest.raises(BadResponse, match="elements are nested more than 100 deep"):
        read_xml(nested(101), "Penny")


def test_what_is_written_is_read_back() -> None:
    body = xml_body("a", {"b": {"c": "1 < 2 & 3 > 2", "d": ""}, "e": {}})

    assert body == (
        b'<?xml version="1.0" encoding="utf-8"?><a><b><c>1 &lt; 2 &amp; 3 &gt; 2</c></b></a>'
    )
    assert read_xml(body, "Penny").text("b.c") == "1 < 2 & 3 > 2"
