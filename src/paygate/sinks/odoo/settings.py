"""Settings of the sink ``odoo``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from paygate.domain.event import EVENT_TYPES
from paygate.driver import Secret, Settings, matching, safe_url
from paygate.sinks.filling import FACTS, hint, names_in
from paygate.sinks.odoo.mapping import BUILT_IN, CONTACT, Effect

PARTNER = {
    "name": "{customer_name}",
    "ref": "{customer}",
    "email": "{customer_email}",
    "phone": "{customer_phone}",
}


class OdooSettings(Settings):
    """Settings of the sink ``odoo``."""

    api_url: Annotated[str, safe_url("private")]
    """The address of the Odoo server, such as `https://acme.odoo.example`."""
    api_access_key: Annotated[Secret[str], matching(r"\S+", "it is empty, or has a space in it")]
    """The API key of a user of its own, with the rights to write contacts."""
    database: str = ""
    """The database; JSON-2 needs it only if the server has several."""
    login: str = ""
    """The login of the user; only JSON-RPC needs it."""
    dialect: Literal["auto", "json2", "jsonrpc"] = "auto"
    """How the server is spoken to: `auto` asks for its version, and takes JSON-2 from 19 on."""
    namespace: Annotated[str, matching("[a-z][a-z0-9_]*", "small letters, digits and _")] = (
        "paygate"
    )
    """What external ids and subjects begin with; each ledger that writes to one Odoo needs its
    own."""
    partner: dict[str, str] = Field(default_factory=PARTNER.copy)
    """The fields of a partner, as texts with places. One that would be empty is left as it is."""
    effects: dict[str, Effect] = Field(default_factory=dict[str, Effect])
    """What each event type does; with any, the built-in ones are not used."""
    merchant: str = ""
    """What texts show as `{merchant}`."""
    timeout_s: float = Field(default=90.0, ge=5, le=200)
    """How long one call may take; Odoo itself retries for up to a minute."""

    @field_validator("effects")
    @classmethod
    def _fit(cls, value: dict[str, Effect]) -> dict[str, Effect]:
        for type_, effect in value.items():
            effect.check(type_)
        return value

    @field_validator("partner")
    @classmethod
    def _has_a_name(cls, value: dict[str, str]) -> dict[str, str]:
        known = FACTS | CONTACT | {"customer"}
        for name in sorted(names_in(*value.values()) - known):
            raise ValueError(f"no partner has {{{name[:80]}}}{hint(name, known)}")
        if not value.get("name"):
            raise ValueError("a partner needs a name")
        return value

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.dialect == "jsonrpc" and not (self.database and self.login):
            raise ValueError("jsonrpc needs the database and the login")
        return self

    def all_effects(self) -> dict[str, Effect]:
        """Return the effects by event type."""
        return self.effects or dict(BUILT_IN)

    def events(self) -> tuple[str, ...]:
        """Return the event types that have an effect and exist in this version."""
        return tuple(each for each in self.all_effects() if each in EVENT_TYPES)
