"""What is shown of an error in the host's code: its kind and place, and no secret."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError

from paygate.cli.foreign import failure, trace_of

SECRET = "sk_live_PLANTED51Hxyz"
WORD = "horsebattery"


def _pydantic() -> ValidationError:
    class Conf(BaseModel):
        account: str = Field(pattern="^rk_")

    with pytest.raises(ValidationError) as refused:
        Conf(account=f"{WORD} {SECRET}")
    return refused.value


@pytest.mark.parametrize(
    "message",
    [
        f"stripe refused api_key={WORD}",
        f"stripe refused apiKey={WORD}",
        f"config: secret_key: {WORD}",
        {"api_key": WORD},
        {"STRIPE_SECRET": ["x", WORD]},
        f"Invalid API Key provided: {WORD}",
        f"cannot log in with Authorization: Bearer {WORD}",
        f"cannot log in with Bearer {WORD}",
        f"password: correct {WORD}",
        f"the password for shop was correct {WORD}",
        f"the passphrase:\n  {WORD}",
        f"https://{WORD}@sentry.example/1 rejected",
        f"postgres://u:p@ss{WORD}@db.example/shop",
        f"postgres://u:p/{WORD}@db.example/shop",
        f"cannot reach u:p@{WORD}@db.example",
        f"https://api.example/x?sig={WORD} is gone",
        f"input_value='{WORD}', input_type=str",
        f"{SECRET} is revoked",
        "whsec_abcdefghhorsebattery is revoked",
        "rk_test_horsebattery: no",
        "no account Aq7horsebatteryZx81",
        "no account ab+horsebattery/Zx81kLm0Q==",
        "-----BEGIN PRIVATE KEY-----\nhorsebattery\n-----END",
    ],
)
def test_no_secret_of_a_message_is_shown(message: object) -> None:
    shown = failure(ValueError(message))

    assert shown.startswith("ValueError")
    assert WORD not in shown
    assert "PLANTED" not in shown


def test_what_pydantic_was_given_is_not_shown() -> None:
    shown = failure(_pydantic())

    assert "1 validation error for Conf account String should match pattern" in shown
    assert WORD not in shown
    assert "PLANTED" not in shown


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'not_installed'",
        "shop() got an unexpected keyword argument 'currency'",
        "'STRIPE_SECRET_KEY'",
        "module 'shop' has no attribute 'token_keys'",
        "[Errno 2] No such file or directory: 'settings/shop.toml'",
        "cannot reach db.example:5432",
    ],
)
def test_what_helps_to_find_the_fault_is_shown(message: str) -> None:
    assert failure(ValueError(message)) == f"ValueError: {message}"


def test_a_trace_names_the_places_of_all_causes_without_their_secrets() -> None:
    def inner() -> None:
        raise ValueError(f"token={SECRET}")

    def outer() -> None:
        try:
            inner()
        except ValueError as cause:
            raise RuntimeError("no shop") from cause

    with pytest.raises(RuntimeError) as failed:
        outer()
    failed.value.add_note(f"with {SECRET}")

    shown = trace_of(failed.value)

    assert "PLANTED" not in shown
    assert "SECRET" not in shown
    assert shown.index("in inner") < shown.index("ValueError: token") < shown.index("RuntimeError")
    assert shown.rstrip().endswith("RuntimeError: no shop")
