"""The two scripts of ours, and what the browser's Back button does, on sites of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from paygate.web.pages.samples import SAMPLES
from paygate.web.pages.views import Does, Post
from tests.browser.conftest import Shown
from tests.browser.sites import Sites
from tests.browser.tools import until

Browse = Callable[..., Shown]

PENDING = replace(SAMPLES["pending-seen"], poll="/pay/p/one/state", version="1")
PAID = replace(SAMPLES["paid"], version="2")
STATE = "GET /pay/p/one/state"


COUNT_TIMERS = """
const set = window.setTimeout;
window.waiting = 0;
window.setTimeout = (act, ms) => { waiting++; return set(() => { waiting--; act(); }, ms); };
"""


def pending(sites: Sites, browse: Browse) -> Any:
    """Return the page of a payment that is on its way, with a clock that the test moves."""
    sites.state("/p/one", "1")
    url = sites.put("/p/one", PENDING)
    page = browse().page
    page.clock.install()
    page.add_init_script(COUNT_TIMERS)
    page.goto(url)
    return page


def poll(page: Any, seconds: int) -> None:
    """Let time pass until the script has asked for the state."""
    until(page, "waiting === 1")
    with page.expect_response("**/state"):
        page.clock.fast_forward(seconds * 1_000)


def test_a_change_replaces_the_page_and_is_announced(sites: Sites, browse: Browse) -> None:
    page = pending(sites, browse)
    sites.put("/p/one", PAID)
    sites.state("/p/one", "2")

    poll(page, 2)
    page.get_by_role("heading", name="Paid. Thank you.").wait_for()

    assert page.title() == "Paid. Thank you. - Alder Telecom"
    assert page.get_by_role("status").inner_text() == "Paid. Thank you."
    assert page.locator("main").count() == 1
    assert page.get_by_role("link", name="Receipt to print").is_visible()
    # Nobody was reading the part that was replaced, so the focus stays where it was.
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    # The new page has nothing to ask for.
    page.clock.fast_forward(60_000)
    assert sites.pages.count(STATE) == 1


def test_the_focus_moves_to_the_title_if_it_was_on_what_is_replaced(
    sites: Sites, browse: Browse
) -> None:
    page = pending(sites, browse)
    page.get_by_role("link", name="Check again").focus()
    sites.put("/p/one", PAID)
    sites.state("/p/one", "2")

    poll(page, 2)
    page.get_by_role("heading", name="Paid. Thank you.").wait_for()

    assert page.evaluate("document.activeElement.id") == "title"


def test_a_page_is_not_asked_for_while_its_version_stays(sites: Sites, browse: Browse) -> None:
    page = pending(sites, browse)

    for seconds in (2, 5, 10, 30, 30):
        poll(page, seconds)

    until(page, "waiting === 1")
    assert sites.pages.count(STATE) == 5
    assert sites.pages.count("GET /pay/p/one") == 1
    assert page.get_by_role("status").inner_text() == ""


def test_the_script_stops_asking_after_half_an_hour(sites: Sites, browse: Browse) -> None:
    page = pending(sites, browse)

    poll(page, 2)
    poll(page, 30 * 60)
    page.evaluate("fetch('/pay/p/one/state?last').then((got) => got.text())")

    assert page.evaluate("waiting") == 0
    assert sites.pages.count(STATE) == 3


def test_a_server_that_fails_is_asked_again(sites: Sites, browse: Browse) -> None:
    page = pending(sites, browse)
    del sites.pages.answers[STATE]
    poll(page, 2)
    sites.put("/p/one", PAID)
    sites.state("/p/one", "2")

    poll(page, 5)

    page.get_by_role("heading", name="Paid. Thank you.").wait_for()


def test_a_page_that_leads_on_is_loaded_as_a_whole(sites: Sites, browse: Browse) -> None:
    page = pending(sites, browse)
    checkout = f"{sites.processor.origin}/checkout"
    sites.put("/p/one", replace(SAMPLES["go"], refresh=checkout))
    sites.state("/p/one", "2")

    poll(page, 2)

    page.wait_for_url(checkout)


def go_by_post(sites: Sites, *, at_once: bool) -> str:
    target = Post(
        f"{sites.processor.origin}/checkout", {"token": "t"}, at_once=at_once, external=True
    )
    view = SAMPLES["go"]
    view = replace(view, targets={**view.targets, Does.CONTINUE: target})
    return sites.put("/p/one", view, posts_to_processor=True)


def test_the_script_posts_the_form_of_a_processor(sites: Sites, browse: Browse) -> None:
    shown = browse()

    shown.page.goto(go_by_post(sites, at_once=True))
    shown.page.wait_for_url(f"{sites.processor.origin}/checkout")

    assert sites.processor.posted == [{"token": "t"}]
    assert not [each for each in shown.complaints if "Content Security" in each]


@pytest.mark.parametrize("script", [True, False])
def test_the_button_posts_the_form_of_a_processor(
    sites: Sites, browse: Browse, script: bool
) -> None:
    page = browse(java_script_enabled=script).page

    page.goto(go_by_post(sites, at_once=False))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{sites.processor.origin}/checkout")

    assert sites.processor.posted == [{"token": "t"}]


# Without the script, the payer presses the button of a posted form, and Back leads to that button.
@pytest.mark.parametrize(("how", "script"), [("refresh", True), ("refresh", False), ("post", True)])
def test_back_leads_from_the_processor_to_the_form_and_not_in_a_circle(
    sites: Sites, browse: Browse, how: str, script: bool
) -> None:
    checkout = f"{sites.processor.origin}/checkout"
    form = SAMPLES["choose"].form
    assert form is not None
    link = sites.put("/l/one", replace(SAMPLES["choose"], form=replace(form, action="/pay/l/one")))
    if how == "refresh":
        payment = sites.put("/p/one", replace(SAMPLES["go"], refresh=checkout))
    else:
        payment = go_by_post(sites, at_once=True)
    sites.see_other("/l/one", payment)
    shown = browse(java_script_enabled=script)
    page = shown.page

    page.goto(link)
    page.get_by_text("Card", exact=True).click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(checkout)
    page.go_back()

    assert page.url == link
    # The form is fetched again, so that it cannot be one that was used.
    assert sites.pages.count("GET /pay/l/one") == 2
    assert not [each for each in shown.complaints if "Content Security" in each]


RESULT = "window.results = []; addEventListener('paygate:result', (e) => results.push(e.detail))"
OPENED = "document.querySelector('dialog')?.open ?? false"


def shop(sites: Sites, browse: Browse, view: Any, more: str = "") -> Any:
    """Return the page of the shop whose link leads to a page of ours with *view*."""
    page = browse().page
    page.goto(sites.embed(sites.put("/p/one", view), more))
    page.evaluate(RESULT)
    return page


def test_the_popup_opens_the_page_in_a_dialog(sites: Sites, browse: Browse) -> None:
    page = shop(sites, browse, replace(SAMPLES["paid"], result="signed"))

    page.get_by_role("link", name="Pay now").click()

    dialog = page.get_by_role("dialog", name="Pay now")
    inside = dialog.frame_locator("iframe")
    inside.get_by_role("heading", name="Paid. Thank you.").wait_for()
    assert page.url == f"{sites.shop.origin}/"
    until(page, "results.length")
    assert page.evaluate("results") == ["signed"]
    # The frame is as high as the page in it.
    until(page, "document.querySelector('iframe').style.height.startsWith('min(')")


def test_the_close_button_closes_the_popup_and_the_focus_returns(
    sites: Sites, browse: Browse
) -> None:
    page = shop(sites, browse, PAID)
    page.get_by_role("link", name="Pay now").click()

    page.get_by_role("button", name="Close").click()

    # The browser may say that it pressed the button before the page has heard of it.
    until(page, f"!({OPENED})")
    assert page.evaluate("document.activeElement.id") == "pay"
    until(page, "!document.querySelector('iframe').hasAttribute('src')")


@pytest.mark.parametrize("where", ["dialog", "page"])
def test_escape_closes_the_popup_and_the_focus_returns(
    sites: Sites, browse: Browse, where: str
) -> None:
    page = shop(sites, browse, PAID)
    page.get_by_role("link", name="Pay now").press("Enter")
    inside = page.frame_locator("iframe")
    inside.get_by_role("heading").first.wait_for()
    if where == "page":
        inside.get_by_role("link", name="Receipt to print").focus()

    page.keyboard.press("Escape")

    until(page, f"!({OPENED})")
    assert page.evaluate("document.activeElement.id") == "pay"


def test_the_focus_stays_in_the_popup(sites: Sites, browse: Browse) -> None:
    page = shop(sites, browse, PAID)
    page.get_by_role("link", name="Pay now").click()
    page.frame_locator("iframe").get_by_role("heading").first.wait_for()

    reached = set[str]()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))

    assert "A" not in reached
    assert {"BUTTON", "IFRAME"} <= reached


def test_forged_messages_are_ignored(sites: Sites, browse: Browse) -> None:
    page = shop(sites, browse, replace(PAID, result="signed"), '<iframe id="other"></iframe>')
    page.evaluate("window.arrived = 0; addEventListener('message', () => arrived++)")
    page.get_by_role("link", name="Pay now").click()
    until(page, "results.length")
    forged = "{paygate: 1, kind: 'result', value: 'forged'}"
    before = page.evaluate("arrived")

    # From the shop's own window, from another frame of the pages, and in another form.
    page.evaluate(f"postMessage({forged}, '*')")
    page.evaluate(
        "(url) => { document.getElementById('other').src = url }", f"{sites.web.root}/p/one"
    )
    until(page, f"arrived > {before} + 1")
    genuine = page.locator("dialog iframe").element_handle().content_frame()
    for odd in ("null", "'result'", "{paygate: 2, kind: 'result', value: 'forged'}"):
        genuine.evaluate(f"parent.postMessage({odd}, '*')")
    genuine.evaluate("parent.postMessage({paygate: 1, kind: 'result', value: 'last'}, '*')")
    until(page, "results.includes('last')")

    assert page.evaluate("results") == ["signed", "last"]


def test_a_frame_that_left_our_pages_is_not_believed(sites: Sites, browse: Browse) -> None:
    page = shop(sites, browse, PAID)
    page.evaluate("window.arrived = []; addEventListener('message', (e) => arrived.push(e.data))")
    page.get_by_role("link", name="Pay now").click()
    frame = page.locator("dialog iframe").element_handle().content_frame()
    frame.goto(f"{sites.processor.origin}/checkout")

    frame.evaluate("parent.postMessage({paygate: 1, kind: 'result', value: 'forged'}, '*')")
    until(page, "arrived.some((each) => each.value === 'forged')")

    assert page.evaluate("results") == []


def test_without_scripts_the_popup_is_a_link(sites: Sites, browse: Browse) -> None:
    url = sites.put("/p/one", PAID)
    page = browse(java_script_enabled=False).page
    page.goto(sites.embed(url))

    page.get_by_role("link", name="Pay now").click()

    page.wait_for_url(url)


@pytest.mark.parametrize("how", ["Control", "Shift"])
def test_a_link_opened_in_another_tab_or_window_stays_a_link(
    sites: Sites, browse: Browse, how: Any
) -> None:
    page = shop(sites, browse, PAID)

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Pay now").click(modifiers=[how])

    opened.value.wait_for_url(f"{sites.web.root}/p/one")
    assert page.evaluate(OPENED) is False


def test_other_links_and_other_sites_frames_are_left_alone(sites: Sites, browse: Browse) -> None:
    elsewhere = f"{sites.processor.origin}/checkout"
    page = browse().page
    page.goto(sites.embed(elsewhere))

    page.get_by_role("link", name="Pay now").click()

    page.wait_for_url(elsewhere)


def test_a_page_is_shown_in_a_frame_of_the_named_origins_only(sites: Sites, browse: Browse) -> None:
    from starlette.responses import HTMLResponse

    url = sites.put("/p/one", PAID)
    sites.processor.answers["GET /thief"] = HTMLResponse(f'<iframe src="{url}"></iframe>')
    shown = browse()

    shown.page.goto(f"{sites.processor.origin}/thief")

    shown.page.wait_for_load_state("networkidle")
    assert shown.page.frame_locator("iframe").get_by_role("heading").count() == 0
    assert any("frame-ancestors" in each for each in shown.complaints)
