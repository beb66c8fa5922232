"""Transcripts: what is read, and how a mistake names its file, its line and its mend."""

from pathlib import Path

import pytest

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.gateway import Rail
from paygate.testing.conformance.amounts import FRAGILE, AmountRow, read_amounts, stands_in
from paygate.testing.conformance.transcripts import (
    Transcript,
    TranscriptError,
    parse_transcript,
    read_transcript,
)

TEXT = """\
# Acme's answers to a sale.
money = sale

=== approve
# Every sale has a number.
movement = tx_81

--- 200 token
{"token": "t"}

--- 200 sale
Content-Type: application/json
x-ref: ${our_ref}

{"id": "${movement}",

 "cents": ${minor}}

=== error

--- 503
down
"""


def parsed(text: str) -> Transcript:
    return parse_transcript(text, Path("charge.txt"))


def test_a_case_has_facts_and_answers() -> None:
    case = parsed(TEXT).case("approve")

    assert dict(case.facts) == {"money": "sale", "movement": "tx_81"}
    assert [each.step for each in case.messages] == ["token", "sale"]
    assert case.responses({"our_ref": "att-1", "minor": "1099"}) == [
        Response(status=200, body=b'{"token": "t"}'),
        Response(
            status=200,
            headers={"content-type": "application/json", "x-ref": "att-1"},
            body=b'{"id": "tx_81",\n\n "cents": 1099}',
        ),
    ]


def test_the_file_has_facts_of_its_own() -> None:
    transcript = parsed(TEXT)

    assert transcript.fact("money", "which request") == "sale"
    assert "error" in transcript
    assert transcript.case("approve").mentions("minor")
    assert not transcript.case("error").mentions("minor")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--- 200\nx", "line 1: a response must belong to a case"),
        ("=== approve\nnonsense\n", "line 2: expected 'name = value', '=== case' or"),
        ("=== approve\n\n--- soon\n", "line 3: expected '--- status step'"),
        ("=== approve\n\n--- 200\na: b\nbody\n", "line 5: expected a header or an empty line"),
        ("=== a\n\n--- 200\nx\n=== a\n", "line 5: the case 'a' is defined twice"),
    ],
)
def test_a_mistake_names_its_line(text: str, said: str) -> None:
    with pytest.raises(TranscriptError, match=said) as caught:
        parsed(text)

    assert caught.value.file == "charge.txt"


def test_a_missing_case_is_named_with_its_meaning() -> None:
    with pytest.raises(TranscriptError) as caught:
        parsed(TEXT).case("decline", "the payer's bank declines")

    assert caught.value.lacks == "decline"
    assert caught.value.message == (
        "charge.txt: the case 'decline' is missing (the payer's bank declines); add '=== decline' "
        "with what the processor sends in that case (the file has: approve, error)"
    )


def test_a_case_without_answers_is_told() -> None:
    with pytest.raises(TranscriptError, match="the case 'approve' has no response; add '--- 200'"):
        parsed("=== approve\nmovement = x\n").case("approve")


def test_a_missing_fact_is_named() -> None:
    transcript = parsed(TEXT)

    with pytest.raises(TranscriptError, match="the case 'error' has no fact 'raw_code'"):
        transcript.case("error").fact("raw_code")
    with pytest.raises(TranscriptError, match="the file has no fact 'about'"):
        transcript.fact("about", "what it follows")


def test_a_placeholder_that_stands_for_nothing_is_named() -> None:
    case = parsed("=== approve\n\n--- 200\n${nmae}\n").case("approve")

    with pytest.raises(TranscriptError, match=r"the unknown placeholder \$\{nmae\}; known are"):
        case.responses({"name": "x"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"refund\.txt: this transcript does not exist"):
        read_transcript(tmp_path / "refund.txt")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "charge.txt"
    path.write_text("=== approve\n")
    first = read_transcript(path)
    path.write_text("=== approve\n\n=== decline\n")

    assert list(first.cases) == ["approve"]
    assert list(read_transcript(path).cases) == ["approve", "decline"]


# --- Amounts ------------------------------------------------------------------------------

DOLLARS_AND_YEN = Rail(operations=frozenset(), currencies=frozenset({"USD", "JPY"}))


def test_amounts_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "amounts.txt"
    path.write_text(
        '# cents\nUSD 19.99   "cents": 1999\nUSD 1.15  115\nJPY 500  500\nJPY 501  refused\n'
    )

    rows = read_amounts(path, DOLLARS_AND_YEN)

    assert [(row.money, row.written, row.refused) for row in rows] == [
        (Money("USD", 1999), '"cents": 1999', False),
        (Money("USD", 115), "115", False),
        (Money("JPY", 500), "500", False),
        (Money("JPY", 501), "", True),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("USD 10.99 1099\n", "no amount with 0 decimal places"),
        ("USD ten 1000\n", "line 1: expected 'USD 19.99"),
        ("JPY 5.5 5\n", "line 1: '5.5' has more digits than JPY allows"),
        ("XQQ 5 5\n", "line 1: .*XQQ"),
    ],
)
def test_a_mistake_in_an_amount_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "amounts.txt"
    path.write_text(text)

    with pytest.raises(TranscriptError, match=said):
        read_amounts(path, DOLLARS_AND_YEN)


def test_amounts_that_floats_write_rightly_are_not_enough(tmp_path: Path) -> None:
    path = tmp_path / "amounts.txt"
    path.write_text("USD 10.99  1099\nUSD 19.99  1999\nJPY 500  500\n")

    with pytest.raises(
        TranscriptError, match=r"add at least 2 rows of 19\.99, 1\.15, 0\.29, 4\.35"
    ):
        read_amounts(path, DOLLARS_AND_YEN)


def test_the_fragile_amounts_are_those_that_floats_lose_a_part_of() -> None:
    for currency, amounts in (("USD", FRAGILE[2]), ("KWD", FRAGILE[3])):
        assert all(AmountRow(Money.of(currency, each), "x").fragile for each in amounts)
    assert not AmountRow(Money.of("USD", "10.99"), "x").fragile


@pytest.mark.parametrize(
    ("written", "text", "there"),
    [
        ("1099", '{"cents": 1099}', True),
        ("1099", '{"cents": 10990}', False),
        ("1099", '{"cents": 21099}', False),
        ("10.9", '{"amount": "10.99"}', False),
        ("amount=1099", "x&amount=1099&y", True),
        ("amount=1099", "x&total_amount=1099", False),
    ],
)
def test_an_amount_is_no_part_of_a_longer_number(written: str, text: str, *, there: bool) -> None:
    assert stands_in(written, text) is there


# --- Where a case asks for something ---------------------------------------------------------


def test_a_case_says_which_line_asks() -> None:
    case = parsed("money = sale\n\n=== approve\nmovement = mv_1\n\n--- 200\n{}\n").case("approve")

    assert case.asks("movement") == "charge.txt, line 4: movement = mv_1"
    assert case.asks("money") == "charge.txt, line 1: money = sale"
    assert case.asks("events") == "charge.txt, line 3: === approve, which has no 'events'"
    assert case.asks() == "charge.txt, line 3: === approve"


def test_what_is_never_said_is_named() -> None:
    transcript = parsed("unreported = won, batch\n")

    assert transcript.leaves_out("batch")
    assert not transcript.leaves_out("lost")
