"""Settings of a terminal network's account, and what proves that a request comes from it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from paygate.driver import SCALES, AmountTable, Secret, Settings, limits_of, matching
from paygate.drivers.terminal.networks import networks_of

_PATH: str = r"[A-Za-z0-9_-]{20,200}"


class TerminalSettings(Settings):
    """Settings of one contract with a network of terminals."""

    dialect: Literal["osmp", "payme", "click"]
    """The dialect that the network speaks."""
    merchant: Annotated[str, matching(r"[\x21-\x7e]{1,100}", "it has no spaces")]
    """The network's name of your contract: a service, point or cash-desk number."""
    currency: Annotated[str, matching("[A-Z]{3}", "write it as in ISO 4217, such as UZS")]
    """The currency of the contract; amounts of its requests are in it."""
    live: bool = False
    """Whether the terminals take real money."""
    allow: tuple[str, ...] = ()
    """The addresses of the network, such as 79.142.16.0/20; requests from others are refused."""
    login: Annotated[str, matching("[^:\x00-\x1f]{0,100}", "it has no colon")] = ""
    """The user name of HTTP Basic that the network sends."""
    password: Secret[str] | None = None
    """The password of that user; with payme the key of the cash desk."""
    path_secret: (
        Annotated[Secret[str], matching(_PATH, "it has 20 to 200 letters, digits, _ and -")] | None
    ) = None
    """A secret at the end of the callback address: /{account}/secret/{secret}."""
    certificate_header: Annotated[
        str, matching("[a-z0-9-]{1,100}", "write the name in lower case", optional=True)
    ] = ""
    """The header in which your TLS proxy passes on the checked client certificate. The proxy must
    remove this header from what it receives."""
    certificate: str = Field(default="", max_length=500)
    """What that header must contain, such as the fingerprint of the network's certificate."""
    secret: Secret[str] | None = None
    """The secret with which click signs its requests."""
    service_id: str = Field(default="", max_length=40)
    """The number of the service at click; requests of another one are refused."""
    account_field: str = Field(default="", max_length=100)
    """The name of the account number in payme's requests; empty for the only field."""
    account_pattern: str = Field(default="[0-9A-Za-z_-]{1,64}", max_length=200)
    """The form of account numbers, as agreed with the network: a regular expression."""
    instructions: str = Field(default="", max_length=500)
    """What a slip says to the payer: where the terminals are, and which service to choose."""
    minimum: AmountTable = Field(default_factory=dict)
    """The smallest amount by currency."""
    maximum: AmountTable = Field(default_factory=dict)
    """The largest amount by currency."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.currency not in SCALES:
            raise ValueError("it is not a currency of ISO 4217")
        limits_of(self.minimum, self.maximum, (self.currency,), "the contract")
        networks_of(self.allow)
        try:
            re.compile(self.account_pattern)
        except re.error:
            raise ValueError("account_pattern is not a regular expression") from None
        if bool(self.login) is not bool(self.password):
            raise ValueError("login and password belong together")
        if bool(self.certificate_header) is not bool(self.certificate):
            raise ValueError("certificate_header and certificate belong together")
        if self.dialect == "click" and not self.secret:
            raise ValueError("click signs its requests: give its secret")
        if self.dialect == "payme" and not self.login:
            raise ValueError("payme sends HTTP Basic: give login and password")
        if self.dialect == "osmp" and not (
            self.allow or self.login or self.path_secret or self.certificate
        ):
            raise ValueError(
                "osmp has no signature: give allow, login and password, certificate_header and "
                "certificate, or path_secret; otherwise anybody could say that a bill is paid"
            )
        return self

    def is_account(self, number: str) -> bool:
        """Return whether *number* has the form of an account number."""
        return re.fullmatch(self.account_pattern, number) is not None
