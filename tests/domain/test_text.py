"""Names in one spelling, and a stranger's text that moves no cursor."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.domain.text import identifier, note, optional, spelled_alike
from paygate.errors import InvalidValue
from paygate.printing import printable

STRANGE = {
    "a window title": "\x1b]0;OWNED\x07",
    "a colour": "\x1b[31m",
    "a one-byte CSI": "\x9b2J",
    "a line end": "a\r\nb",
    "a backspace": "a\x08b",
    "nothing visible": "\x00",
    "the other direction": "\u202egnp.exe",
    "a line separator": "a\u2028b",
    "half a letter": "\ud800",
    "a delete": "\x7f",
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_an_identifier_is_printable(strange: str) -> None:
    for text in (strange, f"INV-{strange}7"):
        with pytest.raises(
            InvalidValue, match="number must be 1 to 255 printable characters"
        ) as refused:
            identifier(text, "number")
        assert str(refused.value).isprintable()
        with pytest.raises(InvalidValue, match="reference must be 1 to"):
            optional(f"x{strange}x", "reference")


@pytest.mark.parametrize("strange", [name for name in STRANGE if name != "a line end"])
def test_a_reason_holds_no_control_characters_but_may_have_lines(strange: str) -> None:
    with pytest.raises(InvalidValue, match="reason can have at most") as refused:
        note(f"a{STRANGE[strange]}b", "reason")

    assert str(refused.value).isprintable()
    assert note("  the customer\r\n\tasked for it ", "reason") == "the customer\n\tasked for it"


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_shown_is_escaped_and_readable(strange: str) -> None:
    shown = printable(f"Zoë {strange} 100 €")

    assert shown.isprintable()
    assert shown.startswith("Zoë ")
    assert shown.endswith(" 100 €")


def test_other_scripts_are_shown_as_they_are() -> None:
    for text in ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "東京　三", "Zürich\xa07"):
        assert printable(text) == text


@pytest.mark.parametrize("wrong", [None, 7, b"A", ["A"]])
def test_what_is_no_text_is_refused_by_its_argument(wrong: object) -> None:
    with pytest.raises(InvalidValue, match="key must be text, not"):
        identifier(wrong, "key")  # type: ignore[arg-type]


def test_too_long_a_name_is_refused_and_not_repeated_whole() -> None:
    with pytest.raises(InvalidValue) as refused:
        identifier("7" * 5_000, "number", length_max=100)

    assert len(str(refused.value)) < 200


@given(st.text())
def test_one_name_has_one_spelling(text: str) -> None:
    spelled = spelled_alike(text)

    assert spelled == spelled_alike(spelled)
    assert spelled == spelled_alike(f" {unicodedata.normalize('NFD', text)}\n") or not text.strip()
