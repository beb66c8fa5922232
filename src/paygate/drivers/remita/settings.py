"""Settings of a Remita account."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field
from typing_extensions import override

from paygate.driver import Amounts, AmountTable, Secret, Secrets, WalletSettings, matching, safe_url
from paygate.drivers.remita.codes import AMOUNTS

DEMO, LIVE = "https://demo.remita.net", "https://login.remita.net"


class RemitaSettings(WalletSettings):
    """Settings of one merchant and fee type at Remita; demo and live are two accounts."""

    amounts: ClassVar[Amounts] = AMOUNTS
    page_base: ClassVar[str] = DEMO

    merchant_id: Annotated[
        str, matching("[0-9A-Za-z]{1,40}", "copy the merchant id from the profile")
    ] = Field(description="Remita's id of the merchant")
    service_type_id: Annotated[
        str, matching("[0-9A-Za-z]{1,40}", "copy the service type id of the fee")
    ] = Field(description="Remita's id of the fee that is collected")
    api_key: Annotated[
        Secret[str], matching(r"[\x21-\x7e]+", "copy the API key from the profile")
    ] = Field(description="The API key, which is part of each hash")
    host: Annotated[str, safe_url("never", optional=True)] = Field(
        default="",
        description="The address of Remita's interface and pages, if it is not the one that "
        "Remita's samples use",
    )
    callback_tokens: Annotated[
        Secrets,
        matching("[0-9A-Za-z_-]{20,100}", "make up 20 to 100 letters and digits", optional=True),
    ] = Field(
        default=(),
        description="A long random text, or several while one is replaced. Register your callback "
        "URL with ?token= and this text, since Remita signs nothing; without it no notification is "
        "read",
    )
    minimum: AmountTable = Field(
        default_factory=lambda: {"NGN": Decimal("50.00")},
        description="The smallest amount; Remita's is said to be 50 NGN",
    )

    @property
    @override
    def pages(self) -> str:
        return self.api_base or self.host or (LIVE if self.live else DEMO)
