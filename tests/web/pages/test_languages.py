"""The pages speak five languages: every message is translated, and every value is written well."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from docs.catalogs import catalog, forms, messages, places, renewed, written
from paygate import Money
from paygate.errors import InvalidValue
from paygate.web.languages import LANGUAGES, accepted, language
from paygate.web.texts import Text, TimeOfDay, several, text

TRANSLATED = [code for code in LANGUAGES if code != "en"]
AT = datetime(2026, 11, 29, 22, 42, tzinfo=UTC)


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_message_is_untranslated(code: str) -> None:
    found = catalog(code)

    missing = [
        english
        for _, english in messages()
        if (known := found.get(english if isinstance(english, str) else english[0])) is None
        or not all(forms(known))
        or known.fuzzy
    ]
    assert missing == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_values_of_its_message(code: str) -> None:
    for known in catalog(code):
        if known.id:
            english = known.id if isinstance(known.id, str) else known.id[1]
            # A form for one or two may say the number in words.
            assert all(places(each) <= places(english) for each in forms(known)), known.id
            assert places(english) in map(places, forms(known)), known.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalog_has_the_messages_of_the_pages_and_no_others(code: str) -> None:
    assert [str(each.id) for each in catalog(code)] == [str(each.id) for each in renewed(code)]
    assert catalog(code).num_plurals == renewed(code).num_plurals
    assert b"POT-Creation-Date" not in written(renewed(code))


@pytest.mark.parametrize(
    ("code", "amount", "day", "at", "days"),
    [
        ("en", "$67.50", "Nov 29, 2026", "10:42\u202fPM (UTC)", "3 working days"),
        ("es", "67,50\xa0US$", "29 nov 2026", "22:42 (UTC)", "3 días hábiles"),
        ("de", "67,50\xa0$", "29.11.2026", "22:42 (UTC)", "3 Werktage"),
        ("fr", "67,50\xa0$US", "29 nov. 2026", "22:42 (UTC)", "3 jours ouvrés"),
        ("ar", "\u200f67.50\xa0\u200eUS$\u200e", "29 نوفمبر 2026", "10:42 م (UTC)", "3 أيام عمل"),
    ],
)
def test_values_are_written_as_readers_expect(
    code: str, amount: str, day: str, at: str, days: str
) -> None:
    reader = language(code)

    assert reader.value(Money.of("USD", "67.50")) == amount
    assert reader.value(date(2026, 11, 29)) == day
    assert reader.value(TimeOfDay(AT)) == at
    assert reader.value(AT) == f"{day}, {at}"
    assert reader.value(several("{n} working day", "{n} working days", 3)) == days


@pytest.mark.parametrize(
    ("count", "written_as"), [(1, "يوم عمل واحد"), (2, "يوما عمل"), (11, "11 يوم عمل")]
)
def test_arabic_has_a_form_for_each_number(count: int, written_as: str) -> None:
    days = several("{n} working day", "{n} working days", count)

    assert language("ar").plain(days) == written_as


def test_a_time_is_shown_in_the_zone_of_the_pages() -> None:
    berlin = language("de", "Europe/Berlin")

    assert berlin.value(TimeOfDay(AT)) == "23:42 (CET)"
    assert berlin.local_date(AT + timedelta(hours=2)) == date(2026, 11, 30)
    with pytest.raises(InvalidValue):
        language("de", "Atlantis")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, fr;q=0.8", "de"),
        ("nl, fr;q=0.8, de;q=0.9", "de"),
        ("fr;q=0, es", "es"),
        ("es;q=0.5, fr;q=0.5", "es"),
        ("*, ar-EG;q=0.1", "ar"),
        ("zh", "en"),
        ("fr;q=many, de;q=0.1", "de"),
        ("," * 5_000, "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str, code: str) -> None:
    assert accepted(header) == code


def test_a_merchant_can_offer_fewer_languages() -> None:
    assert accepted("de", ("fr", "es")) == "fr"


def test_foreign_text_is_escaped_and_isolated_and_keeps_its_own_direction() -> None:
    name = "<script>alert(1)</script> \u202eevil\u2066 \x07شركة 👩‍👩‍👧 & Co\n"

    html = language("en").html(text("Back to {payee}", payee=name))

    assert html == (
        "Back to <bdi>&lt;script&gt;alert(1)&lt;/script&gt; evil شركة 👩‍👩‍👧 &amp; Co</bdi>"
    )


@pytest.mark.parametrize("place", ["{payee}", "{0}", "%s", "{payee.__class__}", "{{payee}}"])
def test_a_value_is_never_read_as_a_message(place: str) -> None:
    assert language("en").plain(text("Back to {payee}", payee=place)) == f"Back to {place}"


def test_a_text_within_a_text_is_translated() -> None:
    reason = Text("there is not enough money")

    shown = language("de").html(text("Your bank said no: {reason}.", reason=reason))

    assert shown == "Ihre Bank hat abgelehnt: es ist nicht genug Geld vorhanden."
