"""What an Authorize.Net account may be told, and proving its credentials."""

from typing import Any

import pytest
from pydantic import ValidationError

from paygate import registry
from paygate.domain.kind import Kind
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.errors import BadResponse, CredentialsRejected, InvalidSettings
from paygate.gateway import AccountFacts
from paygate.testing.play import play
from tests.drivers.authorize_net.conftest import OK, answers, refuses, settings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"login": ""}, "API login id"),
        ({"login": "x" * 26}, "API login id"),
        ({"login": "a b"}, "API login id"),
        ({"transaction_key": "AB" * 64}, "signature key, which is longer"),
        ({"transaction_key": ""}, "transaction key"),
        ({"signature_keys": "AB"}, "128 hexadecimal digits"),
        ({"currency": "JPY"}, "two digits"),
        ({"currency": "XXX"}, "two digits"),
        ({"api_base": "http://apitest.authorize.net"}, "over https only"),
        ({"api_base": "https://user@x.example"}, "without user"),
        ({"api_base": "http://127.0.0.1:1", "live": True}, "leave the addresses out"),
        ({"communicator_url": "http://shop.example/c"}, "over https only"),
        ({"duplicate_window_s": 28801}, "28800"),
        ({"duplicate_window_s": 0}, "60"),
        ({"minimum": "0.001"}, "more digits"),
        ({"e_check_type": "TEL"}, "WEB"),
        ({"minimum": "5", "maximum": "1"}, "so no amount is allowed"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        settings(**given)

    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize("missing", ["login", "transaction_key"])
def test_missing_credentials_are_named(missing: str) -> None:
    given = {"driver": "authorize_net", "login": "login12345", "transaction_key": "0123"}
    del given[missing]

    with pytest.raises(InvalidSettings, match=missing):
        registry.build(given)


def test_it_is_built_by_its_name() -> None:
    net = registry.build(
        {"driver": "authorize_net", "login": "login12345", "transaction_key": "0123"}
    )

    assert isinstance(net, AuthorizeNet)
    assert (net.traits.live, net.traits.merchant_account) == (False, ACCOUNT)
    assert set(net.traits.rails) == {Kind.CARD, Kind.E_CHECK, Kind.REDIRECT}


ACCOUNT = settings().account


def test_the_login_id_is_not_shown(net: AuthorizeNet) -> None:
    shown = f"{net!r} {net.traits!r} {settings()!r} {settings()}"

    assert "login12345" not in shown
    assert ACCOUNT in repr(net)


def test_an_account_keeps_its_name_and_another_has_another() -> None:
    assert settings(transaction_key="0000").account == ACCOUNT
    assert settings(login="login54321").account != ACCOUNT


def merchant(*currencies: str, test_mode: str = "false") -> Any:
    return answers(
        "getMerchantDetailsResponse",
        {
            "messages": OK,
            "isTestMode": test_mode,
            "processors": {},
            "merchantName": "The Club",
            "gatewayId": "565697",
            "marketTypes": {},
            "productCodes": {},
            "paymentMethods": {},
            "currencies": {"currency": list(currencies)},
        },
    )


def test_good_credentials_tell_whose_account_it_is(net: AuthorizeNet) -> None:
    facts = play(net.check(), merchant("USD")).outcome

    assert facts == AccountFacts(
        merchant_account=ACCOUNT, live=False, name="The Club", currencies=("USD",)
    )


def test_wrong_credentials_are_a_reason_of_their_own(net: AuthorizeNet) -> None:
    reply = refuses("E00007", "User authentication failed.")

    with pytest.raises(CredentialsRejected, match="does not accept the credentials: E00007"):
        play(net.check(), reply)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (refuses("E00007", "User authentication failed."), "E00007"),
        (merchant("CAD"), "takes CAD, and not USD"),
        (merchant("USD", test_mode="true"), "Test Mode"),
    ],
)
def test_what_is_wrong_with_an_account_is_said(net: AuthorizeNet, reply: Any, says: str) -> None:
    with pytest.raises(BadResponse, match=says):
        play(net.check(), reply)
