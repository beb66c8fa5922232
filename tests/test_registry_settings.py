"""Settings from anywhere: who may name the environment, and what a refusal never shows."""

from __future__ import annotations

from typing import Any, Self

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from paygate import Cashier, Secret, registry
from paygate.errors import InvalidSettings
from paygate.plugins import revealed
from paygate.settings import Settings
from paygate.testing import FakeGateway
from paygate.variables import filled

SECRET = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
DRIVERS = (
    "stripe",
    "authorize_net",
    "paypal",
    "bitcoin",
    "windcave",
    "securehosting",
    "fake",
    "fake-loopback",
)


@pytest.fixture(autouse=True)
def _platform_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_KEY", SECRET)


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"driver": "stripe", "secret_key": {"env": "PLATFORM_KEY"}}, ["secret_key"]),
        ({"driver": "fake", "limits": {"USD": {"env": "PLATFORM_KEY"}}}, ["limits"]),
        ({"driver": "fake", "currencies": [{"env": "PLATFORM_KEY"}]}, ["currencies"]),
        ({"driver": {"env": "PLATFORM_KEY"}, "kind": {"env": "HOME"}}, ["driver", "kind"]),
    ],
)
def test_settings_of_a_stranger_do_not_read_the_environment(
    typed: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(InvalidSettings, match="environment variables") as refused:
        Cashier.in_memory(gateways={"shop": typed})

    assert refused.value.facts["fields"] == fields
    assert SECRET not in str(refused.value)


def test_the_environment_is_read_where_the_host_says_so() -> None:
    tables = {"card": {"driver": "fake", "signing_key": {"env": "SIGNS"}}}
    with pytest.raises(InvalidSettings) as refused:
        Cashier.in_memory(gateways=tables, environment={"OTHER": "x"})

    with Cashier.in_memory(gateways=tables, environment={"SIGNS": SECRET}) as cashier:
        gateway = cashier.gateways["card"].gateway

    assert refused.value.facts["missing"] == ["SIGNS"]
    assert isinstance(gateway, FakeGateway)
    assert gateway._signing_key.reveal() == SECRET


def test_what_a_file_takes_from_the_environment_is_a_secret() -> None:
    secrets: list[Secret[str]] = []

    done = filled({"a": [{"key": {"env": "K"}}], "n": 1}, {"K": SECRET}, secrets)

    assert SECRET not in f"{done} {secrets}"
    assert revealed(done) == {"a": [{"key": SECRET}], "n": 1}
    assert secrets == [Secret(SECRET)]


@pytest.mark.parametrize("name", DRIVERS)
def test_a_refusal_of_any_driver_holds_no_input(name: str) -> None:
    model = registry.load(name).settings_model
    fields = dict.fromkeys(model.model_fields, f"{SECRET} {{curly}}")
    nested = {field: {"USD": [SECRET], "x": {"x": SECRET}} for field in model.model_fields}

    for given in (fields, nested, {**fields, "colour": SECRET}):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(given)

        error = refused.value
        shown = f"{error} {error!r} {error.errors()} {error.json()}"
        assert error.error_count() >= 1
        assert SECRET not in shown
    with pytest.raises(ValidationError) as refused:
        model(**fields)
    assert SECRET not in f"{refused.value.errors()}{refused.value.json()}"


def test_what_is_wrong_is_still_said_with_its_place() -> None:
    class Shop(Settings):
        size: int = Field(le=9)
        names: dict[str, int] = Field(default_factory=dict[str, int])
        key: Secret[str] = Secret("k")

        @field_validator("key")
        @classmethod
        def _is_long(cls, key: Secret[str]) -> Secret[str]:
            if len(key.reveal()) < 8:
                raise ValueError("a key has {8} characters or more")
            return key

        @model_validator(mode="after")
        def _agree(self) -> Self:
            if self.size == 7:
                raise ValueError("seven is too many")
            return self

    with pytest.raises(ValidationError) as refused:
        Shop.model_validate({"size": 10, "names": {"a": "x"}, "key": "short", "colour": "red"})

    assert {(each["loc"], each["type"]) for each in refused.value.errors()} == {
        (("size",), "less_than_equal"),
        (("names", "a"), "int_parsing"),
        (("key",), "value_error"),
        (("colour",), "extra_forbidden"),
    }
    assert "a key has {8} characters or more" in str(refused.value)
    with pytest.raises(ValidationError, match="seven is too many") as refused:
        Shop(size=7, key=Secret("a long key"))
    assert "'size'" not in str(refused.value.errors())
    assert Shop.model_validate({"size": 3, "key": "long enough"}).size == 3


@pytest.mark.parametrize("name", ["sk_live_4eC39HqLyj", "AKIA7EXAMPLE" * 6, "has space", ""])
def test_a_secret_in_place_of_a_variables_name_is_not_shown(name: str) -> None:
    tables = {"card": {"driver": "fake", "signing_key": {"env": name}}}

    with pytest.raises(InvalidSettings) as refused:
        Cashier.in_memory(gateways=tables, environment={})

    told = f"{refused.value} {refused.value.facts}"
    assert "signing_key" in told
    assert not name or name not in told


def test_a_setting_that_is_misspelt_is_named_with_the_one_that_is_alike() -> None:
    with pytest.raises(InvalidSettings) as refused:
        registry.build({"driver": "stripe", "secret_kye": "sk_test_1", "colour": "red"})

    assert str(refused.value) == (
        "settings of driver 'stripe': secret_key: this setting is needed; "
        "secret_kye: there is no setting with this name; did you mean secret_key?; "
        "colour: there is no setting with this name"
    )


def test_what_is_wrong_with_settings_together_names_none_of_them() -> None:
    with pytest.raises(InvalidSettings) as refused:
        registry.build(
            {"driver": "stripe", "secret_key": "sk_test_1", "publishable_key": "pk_live_1"}
        )

    assert str(refused.value) == (
        "settings of driver 'stripe': one key is for test and the other for live payments"
    )
