"""Every page, in every state and language: what it says, what it weighs, and what it never does."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest

from paygate import Money
from paygate.web.languages import LANGUAGES, cleaned, language
from paygate.web.pages.render import PageScript, Renderer
from paygate.web.pages.samples import RECEIPT, SAMPLES
from paygate.web.pages.scripts import page_script
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Fact, Link
from paygate.web.pages.wording import LABELS, REASONS, TEXTS, reason_of
from paygate.web.settings import LOGO_BYTES_MAX, WebSettings, logo_source
from paygate.web.texts import Text, Value, text
from tests.web.pages.reading import Element, read, without_codes

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">' + b" " * 2_400 + b"</svg>"
WEB = WebSettings(
    payee="Alder Telecom",
    base_url="https://alder.example/pay",
    support_phone="+1 555 0100",
    support_email="billing@alder.example",
    legal_lines=("400 Mill Street, Portland, OR 97204", "Tax number 93-1234567"),
    logo=LOGO,
)
SCRIPT = PageScript("https://alder.example/pay/page.js", page_script().integrity)
RENDERER = Renderer(WEB, scripts=[SCRIPT])
ODD = "<script>alert('x')</script>&\"' \u202e\u2066شركة\u200f 👩‍👩‍👧 {amount} {{ 7*7 }} %s"

each_sample = pytest.mark.parametrize("name", [*SAMPLES, "receipt"])
each_language = pytest.mark.parametrize("code", LANGUAGES)


@cache
def page(name: str, code: str = "en") -> str:
    reader = language(code)
    if name == "receipt":
        return RENDERER.receipt(RECEIPT, reader)
    return RENDERER.page(SAMPLES[name], reader)


def test_there_is_a_sample_of_every_state() -> None:
    assert {view.state for view in SAMPLES.values()} == set(PageState)
    assert TEXTS.keys() == set(PageState)
    assert LABELS.keys() == set(Does)


@each_language
@each_sample
def test_a_page_is_well_formed_and_names_its_language(name: str, code: str) -> None:
    root = read(page(name, code))

    html = root.one("html")
    assert html.attributes == {"lang": code, "dir": "rtl" if code == "ar" else "ltr"}
    assert [each.tag for each in root.one("body").children if isinstance(each, Element)] == [
        "header",
        "main",
        "p",
        "footer",
    ]
    ids = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))


@each_language
@each_sample
def test_the_title_begins_with_the_heading(name: str, code: str) -> None:
    root = read(page(name, code))

    heading, title = root.one("h1").text, cleaned(root.one("title").text)
    problem = any(root.all(id="problem"))
    assert title.startswith(cleaned(heading)) is not problem
    assert cleaned(heading) in title
    assert "Alder Telecom" in title


@each_language
@each_sample
def test_a_page_and_its_style_have_at_most_14_kb(name: str, code: str) -> None:
    html = page(name, code)

    assert len(without_codes(html).encode()) <= 14_000
    assert len(html.encode()) - len(without_codes(html).encode()) <= 2 * 6_000


@each_sample
def test_a_page_loads_one_script_and_nothing_else(name: str) -> None:
    root = read(page(name))

    loaded = [
        each.attributes[place]
        for each in root.all()
        for place in ("src", "srcset", "data", "poster", "background")
        if each.attributes.get(place)
    ]
    assert [each for each in loaded if not str(each).startswith("data:")] == [SCRIPT.url]
    [script] = root.all("script")
    assert script.attributes["integrity"] == page_script().integrity
    assert [each.attributes["href"] for each in root.all("link")] == ["data:,"]


@each_language
@each_sample
def test_a_page_has_no_inline_style_or_handler(name: str, code: str) -> None:
    for each in read(page(name, code)).all():
        assert "style" not in each.attributes
        assert not any(attribute.startswith("on") for attribute in each.attributes)


@each_sample
def test_a_page_has_one_main_button_at_most(name: str) -> None:
    root = read(page(name))

    main = [each for each in root.all() if "main" in (each.attributes.get("class") or "").split()]
    assert len(main) <= 1


@each_sample
def test_a_page_names_payee_support_amount_and_reference(name: str) -> None:
    root = read(page(name))

    assert root.one("header").text == "Alder Telecom"
    assert root.one("footer").text == "Questions? +1 555 0100 or billing@alder.example"
    if name not in ("not_found", "try_later", "nothing_due"):
        assert re.search(r"\$\d+\.\d\d", root.one("main").text)
        assert "7KQ2-M4TD" in root.one("main").text


@pytest.mark.parametrize("code", [each for each in LANGUAGES if each != "en"])
@each_sample
def test_no_english_is_left_on_a_page_in_another_language(name: str, code: str) -> None:
    html = read(page(name, code)).text
    view = SAMPLES.get(name)
    texts = TEXTS[view.state] if view else TEXTS[PageState.PAID]

    for english in (texts.title, *(each.message for each in texts.sentences), *LABELS.values()):
        if "{" not in english and len(english) > 6:
            assert not re.search(rf"\b{re.escape(english)}(?!\w)", html)


@pytest.mark.parametrize(
    ("state", "title", "sentences"),
    [
        (
            PageState.UNKNOWN,
            "We do not know yet whether this payment went through",
            (
                "Please do not pay again. If the money was taken, it is counted once. We keep "
                "asking the payment processor. You can close this page and come back."
            ),
        ),
        (PageState.BUSY, "This is already being paid", "Please do not pay again."),
        (
            PageState.PENDING,
            "Your payment is on its way",
            "Please do not pay again. It usually takes 3 working days. You can close this page.",
        ),
        (
            PageState.CHANGED,
            "The amount has changed",
            "It was $67.50; it is now $57.50. Nothing was charged.",
        ),
    ],
)
def test_the_fixed_texts_are_word_for_word(state: PageState, title: str, sentences: str) -> None:
    root = read(page(str(state)))

    assert root.one("h1").text == title
    said = " ".join(each.text for each in root.one("main").all("p"))
    assert said.startswith(sentences)
    assert TEXTS[state].fixed


@pytest.mark.parametrize("state", [each for each in PageState if each not in ("paid", "choose")])
def test_a_page_that_warns_of_paying_twice_has_no_way_to_pay(state: PageState) -> None:
    root = read(page(str(state)))

    if "Please do not pay again." in root.one("main").text:
        assert not list(root.all("input", name="via"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("insufficient_funds", "there is not enough money"),
        ("limit_exceeded", "the amount is above your limit"),
        ("expired_method", "the card has expired"),
        ("invalid_method", "some details did not match"),
        ("invalid_security_code", "some details did not match"),
        ("invalid_address", "some details did not match"),
        ("authentication_required", "the payment was not confirmed"),
        ("authentication_failed", "the payment was not confirmed"),
        ("account_closed", "the account cannot be debited"),
        ("no_account", "the account cannot be debited"),
        ("lost_or_stolen", "it gave no reason"),
        ("fraud_suspected", "it gave no reason"),
        ("generic", "it gave no reason"),
        ("<b>51</b>", "it gave no reason"),
        ("", "it gave no reason"),
    ],
)
def test_a_payer_learns_why_the_bank_said_no_but_a_thief_does_not(code: str, reason: str) -> None:
    assert reason_of(code) == reason
    assert reason in {*REASONS.values(), "it gave no reason"}


def test_errors_are_in_the_title_in_a_summary_and_at_their_fields() -> None:
    root = read(page("choose-wrong"))

    assert root.one("title").text.startswith("Error: ")
    summary = root.one(role="alert")
    assert summary.one("h2").text == "There is a problem"
    links = [(each.attributes["href"], each.text) for each in summary.all("a")]
    assert links == [
        ("#f-amount", "Enter an amount between $5.00 and $30.00"),
        ("#f-via", "Choose how you want to pay"),
    ]
    amount, ways = root.one(id="f-amount"), root.one("fieldset")
    assert amount.attributes["aria-invalid"] == ways.attributes["aria-invalid"] == "true"
    assert amount.attributes["value"] == "2.00"
    assert root.one(id="e-amount").text == "Enter an amount between $5.00 and $30.00"
    assert amount.attributes["aria-describedby"] == "h-amount e-amount"
    assert ways.attributes["aria-describedby"] == "e-via"
    assert root.one(id="e-via").text == "Choose how you want to pay"
    assert root.one(id="f-via").attributes["type"] == "radio"


def test_no_way_to_pay_is_chosen_for_the_payer() -> None:
    root = read(page("choose"))

    ways = list(root.all("input", type="radio"))
    assert [each.attributes["value"] for each in ways] == [
        "card",
        "bank",
        "paypal",
        "bitcoin",
        "cash",
    ]
    assert not any("checked" in each.attributes for each in ways)
    [chosen] = [
        each
        for each in read(page("choose-payer")).all("input", type="radio")
        if "checked" in each.attributes
    ]
    assert chosen.attributes["value"] == "bank"


def test_the_button_names_the_only_way_to_pay() -> None:
    root = read(page("choose-one"))

    assert root.one("button").text == "Pay $67.50 by card"
    assert root.one("input", name="via").attributes["type"] == "hidden"


@each_language
def test_whatever_a_merchant_or_processor_wrote_is_text(code: str) -> None:
    web = replace(WEB, payee="<b>Alder</b> {amount} 👩‍👩‍👧", legal_lines=(ODD,))
    renderer = Renderer(web)
    odd: dict[str, Value] = {
        name: ODD if isinstance(value, str) else value for name, value in _values().items()
    }
    for view in SAMPLES.values():
        changed = replace(
            view, values=odd, reference=ODD, facts=(Fact(text("For"), ODD), *view.facts)
        )
        root = read(renderer.page(changed, language(code)))
        assert not list(root.all("script"))
        assert not list(root.all("b", class_="x"))
        assert ODD.split("\u202e", maxsplit=1)[0].strip() in root.one("main").text
        assert not re.search("[\u202a-\u202e\u2066\u2067]", root.one("body").text)
    receipt = replace(RECEIPT, number=ODD, payer=(ODD,))
    assert not list(read(renderer.receipt(receipt, language(code))).all("script"))


def _values() -> dict[str, Value]:
    return {name: value for view in SAMPLES.values() for name, value in view.values.items()}


def test_an_address_with_quotes_stays_in_its_attribute() -> None:
    odd = "/p/x\"'><script>"
    view = replace(SAMPLES["pending"], targets={Does.CHECK: Link(odd)}, poll=odd, refresh=odd)

    root = read(RENDERER.page(view, language("en")))

    assert root.one("a", class_="button main").attributes["href"] == odd
    assert root.one("body").attributes["data-poll"] == odd
    assert len(list(root.all("script"))) == 1


def test_a_button_without_a_target_is_not_shown() -> None:
    view = replace(SAMPLES["paid"], targets={Does.RECEIPT: Link("/r")})

    root = read(RENDERER.page(view, language("en")))

    assert [each.text for each in root.one("main").all("a")] == ["Receipt to print"]


def test_only_a_page_that_goes_on_refreshes_itself_and_then_at_once() -> None:
    going = replace(SAMPLES["go"], refresh="https://processor.example/pay?a=1&b=2")

    meta = read(RENDERER.page(going, language("en"))).one("meta", **{"http-equiv": "refresh"})

    assert meta.attributes["content"] == "0; url=https://processor.example/pay?a=1&b=2"
    assert 'http-equiv="refresh"' not in page("pending-seen") + page("unknown")


def test_the_largest_logo_fits() -> None:
    assert len(LOGO) <= LOGO_BYTES_MAX
    assert logo_source(LOGO) in page("choose").replace("&#39;", "'")


def test_a_receipt_shows_what_the_money_was_used_for() -> None:
    table = read(page("receipt")).one("table")

    rows = [
        [cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in table.all("tr")
    ]
    assert rows == [
        ["Invoice", "Due", "Total", "Paid now", "Still open"],
        ["INV-1041", "Nov 12, 2026", "$25.00", "$25.00", "$0.00"],
        ["INV-1052", "Dec 1, 2026", "$30.00", "$30.00", "$0.00"],
        ["INV-1053", "Dec 1, 2026", "$12.50", "$12.50", "$0.00"],
        ["Kept as credit for your next invoice", "$2.50", ""],
        ["Total", "$70.00", ""],
    ]


def test_a_receipt_of_a_link_does_not_name_the_payer() -> None:
    assert "Received from" not in page("receipt")
    named = replace(RECEIPT, payer=("Maria Lindqvist",))
    assert "Maria Lindqvist" in RENDERER.receipt(named, language("en"))


def test_a_large_amount_is_never_cut() -> None:
    view = replace(
        SAMPLES["paid"], values={**SAMPLES["paid"].values, "amount": Money("USD", 10**15)}
    )

    assert "$10,000,000,000,000.00" in RENDERER.page(view, language("en"))


def test_a_text_can_be_used_as_a_key() -> None:
    assert len({Text("a"), Text("a"), Text("b")}) == 2


def test_the_script_learns_who_shows_the_page_in_a_frame_and_what_to_tell_them() -> None:
    origins = ("https://shop.example", "https://desk.example")
    renderer = Renderer(replace(WEB, embed_origins=origins))
    view = replace(SAMPLES["paid"], result="a.b.c", poll="/pay/p/x/state", version="7")

    body = read(renderer.page(view, language("en"))).one("body").attributes

    assert body["data-embed"] == "https://shop.example https://desk.example"
    assert body["data-result"] == "a.b.c"
    assert (body["data-poll"], body["data-version"]) == ("/pay/p/x/state", "7")
    assert read(page("paid")).one("body").attributes == {"class": "narrow"}
