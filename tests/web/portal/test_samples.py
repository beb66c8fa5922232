"""Samples of portal and desk: small, valid pages in every language, with nothing inline."""

from __future__ import annotations

import pytest

from paygate.web.desk.samples import DESK_SAMPLES
from paygate.web.languages import LANGUAGES
from paygate.web.portal.samples import PORTAL_SAMPLES
from tests.browser.conftest import html_of
from tests.web.pages.reading import read

PAGES = [
    *((name, code) for name in PORTAL_SAMPLES for code in LANGUAGES),
    *((name, "en") for name in DESK_SAMPLES),
]
each_page = pytest.mark.parametrize(("name", "code"), PAGES)


@each_page
def test_a_page_and_its_style_have_at_most_14_kb(name: str, code: str) -> None:
    assert len(html_of(name, code).encode()) <= 14_000


@each_page
def test_a_page_has_nothing_inline_and_each_id_once(name: str, code: str) -> None:
    root = read(html_of(name, code))

    ids = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in root.all():
        assert "style" not in each.attributes
        assert not any(attribute.startswith("on") for attribute in each.attributes)


@each_page
def test_a_page_has_one_main_button_at_most(name: str, code: str) -> None:
    root = read(html_of(name, code))

    main = [each for each in root.all() if "main" in (each.attributes.get("class") or "").split()]
    assert len(main) <= 1


@each_page
def test_a_title_begins_with_the_heading_or_says_that_there_is_an_error(
    name: str, code: str
) -> None:
    root = read(html_of(name, code))

    wrong = any(root.all(id="problem"))
    title = root.one("title").text
    plain = "".join(each for each in title if each.isprintable())
    marks = str.maketrans("", "", "\u2066\u2067\u2068\u2069\u200e\u200f")
    heading = root.one("h1").text.translate(marks)
    assert plain.translate(marks).startswith(heading) is not wrong


@each_page
def test_every_link_of_a_problem_leads_to_its_field(name: str, code: str) -> None:
    root = read(html_of(name, code))

    ids = {each.attributes.get("id") for each in root.all()}
    for summary in root.all(id="problem"):
        for link in summary.all("a"):
            assert str(link.attributes["href"]).removeprefix("#") in ids
