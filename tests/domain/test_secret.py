"""A secret shows as dots everywhere, and card data is never shown at all."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from paygate import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.errors import InvalidValue

KEY = "sk_live_do_not_show_me"
PAN = "4242424242424242"


@given(st.text(min_size=4, alphabet=st.characters(exclude_characters="•Secrt()'\"")))
def test_text_made_of_a_secret_does_not_hold_it(value: str) -> None:
    secret = Secret(value)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret]  # noqa: UP031

    assert all(value not in text for text in shown)
    assert secret.reveal() == value


def test_a_secret_does_not_leave_the_process() -> None:
    secret = Secret(KEY)

    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    with pytest.raises(TypeError):
        hash(secret)
    assert copy.deepcopy(secret) is secret
    assert copy.copy(secret) is secret


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")


def test_settings_read_a_secret_and_do_not_write_it() -> None:
    class Settings(BaseModel):
        key: Secret[str]

    settings = Settings.model_validate({"key": KEY})

    assert settings.key.reveal() == KEY
    assert KEY not in repr(settings)
    assert KEY not in str(settings.model_dump())
    with pytest.raises(PydanticSerializationError):
        settings.model_dump_json()
    assert Settings.model_json_schema()["properties"]["key"]["format"] == "password"


def test_card_and_account_numbers_appear_nowhere() -> None:
    card = RawCard(Secret(PAN), 12, 2030, Secret("987"), "A Payer")
    account = RawBankAccount(Secret("110000000"), Secret("000123456789"))
    log = io.StringIO()
    logger = logging.getLogger("test.secret")
    logger.addHandler(logging.StreamHandler(log))

    logger.warning("%s %r %s", card, account, dataclasses.asdict(card))
    try:
        raise ValueError(card, account)  # noqa: TRY301
    except ValueError:
        log.write(traceback.format_exc())

    for hidden in (PAN, "987", "110000000", "000123456789"):
        assert hidden not in log.getvalue()
    assert card.last4 == "4242"
    assert account.last4 == "6789"
    for method in (card, account, OneTimeToken.of("tok_x")):
        with pytest.raises(TypeError):
            pickle.dumps(method)


@pytest.mark.parametrize(
    "number", ["", "4242", "4242-4242-4242-4242", "4242424242424241", "x" * 16]
)
def test_a_mistyped_card_number_is_refused_and_not_repeated(number: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        RawCard(Secret(number), 1, 2030)

    assert not number or number not in str(caught.value)


@pytest.mark.parametrize(("month", "year"), [(0, 2030), (13, 2030), (1, 30), (1, 20300)])
def test_an_impossible_expiry_is_refused(month: int, year: int) -> None:
    with pytest.raises(InvalidValue):
        RawCard(Secret(PAN), month, year)
