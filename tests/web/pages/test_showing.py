"""The page of a payment from what a processor wrote, some of which is meant to do harm."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from paygate import Cashier, Kind, Money, PaymentStatus, Secret
from paygate.domain.action import (
    Action,
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.service.account import GatewayAccount
from paygate.testing import FakeGateway
from paygate.web.languages import LANGUAGES, language
from paygate.web.pages.render import Renderer
from paygate.web.pages.showing import Shown, view_of
from paygate.web.pages.standing import Situation, state_of
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Link, PageView, Post
from paygate.web.settings import WebSettings
from tests.web.pages.reading import read
from tests.web.pages.test_standing import IN_FULL, NOW, PLAIN

ODD = "<script>alert(1)</script>\u202e\u2066&\"'>שלום 👩‍👩‍👧 {amount} {{ 7*7 }} %s"
WEB = WebSettings(payee="Alder", base_url="https://pay.example")
RENDERER = Renderer(WEB)
GOOD = "https://processor.example"
PAGE = "https://pay.example/p/x"


def account(*, framable: bool = False) -> GatewayAccount:
    gateway = FakeGateway(Kind.REDIRECT, page_origins=frozenset({GOOD}), framable=framable)
    with Cashier.in_memory(gateways={"card": gateway}) as cashier:
        return cashier.gateways["card"]


ACCOUNT, FRAMABLE = account(), account(framable=True)


def shown(action: Action | None, **more: Any) -> Shown:
    of_page = ("came_back_at", "answered")
    payment = replace(PLAIN, status=PaymentStatus.REQUIRES_ACTION, action=action)
    payment = replace(payment, **more.pop("payment", {}))
    situation = Situation(now=NOW, **{name: more.pop(name) for name in of_page if name in more})
    given: dict[str, Any] = {"account": ACCOUNT, "page": PAGE, "web": WEB} | more
    return Shown(payment=payment, state=state_of(payment, situation), action=action, **given)


def view(action: Action | None, **more: Any) -> PageView:
    return view_of(shown(action, **more))


ODD_ACTIONS: list[Action] = [
    ShowVoucher(reference=ODD, barcode=ODD, instructions=ODD),
    ShowCode(payload=ODD, url=f"javascript:{ODD}", instructions=ODD),
    ApproveElsewhere(where=ODD, code=ODD, instructions=ODD),
    PayToAddress(address=ODD, amount=Money.of("BTC", "0.1"), uri=f"javascript:{ODD}"),
    Redirect(url=f"{GOOD}/?{ODD}"),
    PostForm(url=GOOD, token_field=ODD, token=Secret(ODD), fields={ODD: ODD}),
    ScriptStep(script_url=f"{GOOD}/x.js", publishable_key=ODD, client_secret=Secret(ODD)),
]


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("action", ODD_ACTIONS, ids=lambda each: type(each).__name__)
def test_nothing_that_a_processor_wrote_becomes_code(action: Action, code: str) -> None:
    html = RENDERER.page(view(action), language(code))

    root = read(html)
    inline = [each for each in root.all("script") if "src" not in each.attributes]
    assert inline == []
    assert "javascript:" not in "".join(
        str(each.attributes.get(name)) for each in root.all() for name in ("href", "src", "action")
    )
    assert not any(name.startswith("on") for each in root.all() for name in each.attributes)
    assert "49" not in root.one("main").text
    # In a text a mark of direction could turn around the words next to it.
    assert not re.search("[\u202a-\u202e]", root.one("title").text)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        f"{GOOD}.evil.example/",
        "http://processor.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "//processor.example/",
        "https://user@processor.example/",
        "https://processor.example:444/",
        "",
    ],
)
def test_a_page_leads_only_to_origins_of_the_account(url: str) -> None:
    for action in (
        Redirect(url=url),
        Redirect(url=url, method="POST"),
        PostForm(url=url, token_field="t", token=Secret("s")),
    ):
        found = view(action)
        assert found.refresh == ""
        assert Does.CONTINUE not in found.targets
    script = ScriptStep(script_url=url, publishable_key="k", client_secret=Secret("s"))
    assert view(script).script is None


def test_a_redirect_goes_on_at_once_and_after_a_return_only_if_it_is_pressed() -> None:
    action = Redirect(url=f"{GOOD}/pay")

    first, back = view(action), view(action, came_back_at=NOW)

    assert first.refresh == f"{GOOD}/pay"
    assert (back.state, back.refresh) == (PageState.CAME_BACK, "")
    assert back.targets[Does.CONTINUE] == Link(f"{GOOD}/pay", top=True)


def test_a_form_is_posted_with_its_token_by_the_browser() -> None:
    action = PostForm(url=f"{GOOD}/f", token_field="t", token=Secret("s"), fields={"a": "b"})

    assert view(action).targets[Does.CONTINUE] == Post(
        f"{GOOD}/f", {"a": "b", "t": "s"}, at_once=True, external=True
    )
    lacking = view(replace(action, token=None))
    assert Does.CONTINUE not in lacking.targets


@pytest.mark.parametrize(
    ("of", "in_frame", "at_once"),
    [(ACCOUNT, False, True), (ACCOUNT, True, False), (FRAMABLE, True, True)],
)
def test_a_page_that_refuses_frames_replaces_the_merchants_page_when_it_is_pressed(
    of: GatewayAccount, in_frame: bool, at_once: bool
) -> None:
    found = view(Redirect(url=f"{GOOD}/pay"), account=of, in_frame=in_frame)

    assert bool(found.refresh) is at_once
    assert found.targets[Does.CONTINUE] == Link(f"{GOOD}/pay", top=of is ACCOUNT)


def test_a_script_is_loaded_from_its_processor_only_while_it_is_needed() -> None:
    action = ScriptStep(script_url=f"{GOOD}/v3", publishable_key="pk", client_secret=Secret("cs"))

    html = RENDERER.page(view(action), language("en"))

    [script] = read(html).all("script")
    assert script.attributes["src"] == f"{GOOD}/v3"
    place = read(html).one("div", id="processor").attributes
    assert (place["data-key"], place["data-secret"]) == ("pk", "cs")
    assert place["data-back"] == f"{PAGE}/back"
    assert view(action, came_back_at=NOW).script is None


def test_a_wallet_is_opened_by_its_own_scheme() -> None:
    action = PayToAddress(
        address="bc1", amount=Money.of("BTC", "0.1"), uri="bitcoin:bc1?amount=0.1"
    )

    found = view(action)

    assert found.targets[Does.WALLET] == Link("bitcoin:bc1?amount=0.1")
    assert found.values["btc"] == "0.10000000"


def test_what_the_processor_says_about_a_decline_is_not_shown() -> None:
    facts = {"status": PaymentStatus.DECLINED, "code": "fraud_suspected", "reason": "stolen!"}

    html = RENDERER.page(view(None, payment=facts), language("en"))

    assert "stolen" not in html
    assert "fraud" not in html
    assert "it gave no reason" in html


def test_money_over_is_told_as_credit() -> None:
    more = {**IN_FULL, "received": Money.of("USD", "35"), "credited": Money.of("USD", "5")}

    html = read(RENDERER.page(view(None, payment=more), language("en"))).text

    assert "$5.00 more than was due is kept as your credit with Alder." in html
