"""Checks of settings: what cannot be right is refused, in words for whoever copied it."""

from decimal import Decimal
from typing import Annotated, Any, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from paygate.driver import (
    AmountTable,
    Limits,
    Secret,
    Secrets,
    Settings,
    limits_of,
    matching,
    safe_url,
)


class PennySettings(Settings):
    api_key: Annotated[Secret[str], matching("key_[a-z0-9]+", "a key begins with key_")]
    signing: Annotated[Secrets, matching("sig_[a-z]+", "a signing key begins with sig_")] = ()
    account: Annotated[str, matching("acct_[0-9]+", "an account is acct_…", optional=True)] = ""
    api: Annotated[str, safe_url("loopback")] = "https://api.penny.example"
    node: Annotated[str, safe_url("private", optional=True)] = ""
    page: Annotated[str, safe_url()] = "https://penny.example"
    thanks: Annotated[str, safe_url(optional=True, page=True)] = ""
    minimum: AmountTable = Field(default_factory=dict)
    maximum: AmountTable = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        limits_of(self.minimum, self.maximum, {"USD", "JPY"}, "Penny")
        return self


def settings(**given: Any) -> PennySettings:
    return PennySettings(**{"api_key": "key_1", **given})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"api_key": "1"}, "a key begins with key_"),
        ({"api_key": ""}, "a key begins with key_"),
        ({"api_key": "key_1\n"}, "space or line break"),
        ({"signing": "x"}, "a signing key begins with sig_"),
        ({"signing": ["sig_a", " sig_b"]}, "space or line break"),
        ({"account": "Lamps & Sons"}, "an account is acct_…"),
        ({"api": ""}, "https"),
        ({"thanks": "https://shop.example/#top"}, "without user or fragment"),
        ({"api": "http://192.168.1.1"}, "over https only"),
        ({"api": "http://127.0.0.1.evil.example"}, "over https only"),
        ({"api": "https://"}, "without user, query or fragment"),
        ({"api": "https://@x"}, "without user, query or fragment"),
        ({"api": "https://u:p@x"}, "without user, query or fragment"),
        ({"api": "https://x?a"}, "without user, query or fragment"),
        ({"api": "https://x#a"}, "without user, query or fragment"),
        ({"node": "http://8.8.8.8"}, "a private network; else https"),
        ({"node": "ftp://x"}, "a private network; else https"),
        ({"page": "http://localhost"}, "begins with https://"),
        ({"node": "127.0.0.1:8332"}, "begins with http:// or https://"),
        ({"minimum": {"USD": "0.505"}}, "more digits"),
        ({"minimum": {"usd": "1"}}, "usd"),
        ({"maximum": {"EUR": "1"}}, "Penny does not take EUR"),
        ({"minimum": {"USD": 5}, "maximum": {"USD": 1}}, "so no amount is allowed"),
    ],
)
def test_what_cannot_be_right_is_refused_and_not_shown(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        settings(**given)

    assert all(str(each) not in refused.value.json() for each in given.values() if "_" in str(each))


def test_what_is_right_passes() -> None:
    given = settings(
        signing="sig_a", api="http://[::1]:8420/", node="http://10.0.0.1:8332/", account="acct_1"
    )

    assert [each.reveal() for each in given.signing] == ["sig_a"]
    assert (given.api, given.node) == ("http://[::1]:8420", "http://10.0.0.1:8332")
    assert len(settings(signing=("sig_a", "sig_b")).signing) == 2
    assert settings(node="", account="").node == ""


def test_two_tables_make_the_limits() -> None:
    tables = {"USD": Decimal("0.50"), "JPY": Decimal(50)}

    assert limits_of(tables, {"USD": Decimal(100)}, {"USD", "JPY"}, "Penny") == {
        "USD": Limits(50, 10_000),
        "JPY": Limits(50, None),
    }


def test_a_page_keeps_its_slash_and_its_query() -> None:
    page = "https://shop.example/thanks/?shop=1/"

    assert settings(thanks=page).thanks == page
