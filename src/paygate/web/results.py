"""Results: what a payer brings home from a payment page, signed so that nobody can make one up.

The address to which a payer is sent home has a place for it. It is a JSON Web Token (RFC 7519,
HS256), which `read_result` reads, and any other library with `result_key`. It is for the screen:
it says what the page knew when it was shown, and the payer may never come home. Deliver on an event
of the ledger, or after reading the payment.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import InvalidValue, MissingExtra, NotAuthentic
from paygate.ledger.page_keys import PageKeys

if TYPE_CHECKING:
    from types import ModuleType

    from paygate.domain.payment import Payment
    from paygate.domain.secret import Secret
    from paygate.web.settings import WebSettings

RESULT_LIFE: Final = timedelta(minutes=5)
"""How long a result is valid after its page was shown."""

_ALGORITHM: Final = "HS256"
_CLAIMS: Final = ("iss", "aud", "iat", "exp", "jti", "payment", "status", "amount", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResult:
    """What a payer brought home: how the payment stood when its page was shown.

    Compare `link` and `amount` with what you expect, because a payer may bring the result of
    another payment. `assignment_key` is that of the prepayment it is for, if any. `id` is different
    for each page that was shown.
    """

    id: str
    link: str
    payment: str
    status: PaymentStatus
    amount: Money
    assignment_key: str
    issued_at: datetime


def result_key(web: WebSettings, *, origin: str, tenant: str = "main") -> Secret[bytes]:
    """
    Return the key that signs the results for *origin*, for a service that reads them by itself.

    It comes from the first of `WebSettings.keys`, and is different for each origin and tenant.
    Raises `InvalidValue` without keys.
    """
    page_keys = _keys(web)
    return page_keys.key(_purpose(origin), tenant, page_keys.first)


def read_result(
    token: str,
    web: WebSettings,
    *,
    origin: str,
    tenant: str = "main",
    now: datetime | None = None,
) -> PageResult:
    """
    Return what the *token* in a return address says.

    *origin* is that of the site that reads it. Raises `NotAuthentic` for a text that is not a
    result for this origin and tenant, or is older than five minutes.
    """
    jwt = _library()
    page_keys = _keys(web)
    try:
        key_id = str(jwt.get_unverified_header(token).get("kid", ""))
        if not page_keys.has(key_id):
            raise _refused()
        claims: dict[str, Any] = jwt.decode(
            token,
            page_keys.key(_purpose(origin), tenant, key_id).reveal(),
            algorithms=[_ALGORITHM],
            audience=origin,
            issuer=web.root,
            # Time is compared below, by the clock that the caller may have given.
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
        )
        return _read(claims, now or datetime.now(UTC))
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise _refused() from None


def write_result(
    web: WebSettings,
    payment: Payment,
    *,
    origin: str,
    tenant: str,
    now: datetime,
    assignment_key: str = "",
) -> str:
    """Return the result of *payment* for *origin*, or an empty text without keys."""
    if not web.keys:
        return ""
    page_keys = _keys(web)
    issued = int(now.timestamp())
    claims = {
        "iss": web.root,
        "aud": origin,
        "iat": issued,
        "exp": issued + int(RESULT_LIFE.total_seconds()),
        "jti": secrets.token_hex(8),
        "link": payment.link,
        "payment": payment.id,
        "status": payment.status.value,
        "amount": str(payment.amount.decimal),
        "currency": payment.amount.currency,
        "key": assignment_key,
    }
    key = page_keys.key(_purpose(origin), tenant, page_keys.first)
    signed: str = _library().encode(
        claims, key.reveal(), algorithm=_ALGORITHM, headers={"kid": page_keys.first}
    )
    return signed


def _read(claims: dict[str, Any], now: datetime) -> PageResult:
    issued, expires = (datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp"))
    if now >= expires:
        raise _refused()
    return PageResult(
        id=str(claims["jti"]),
        link=str(claims.get("link", "")),
        payment=str(claims["payment"]),
        status=PaymentStatus(claims["status"]),
        amount=Money.of(str(claims["currency"]), str(claims["amount"])),
        assignment_key=str(claims.get("key", "")),
        issued_at=issued,
    )


def _purpose(origin: str) -> str:
    return f"result for {origin}"


def _keys(web: WebSettings) -> PageKeys:
    if not web.keys:
        raise InvalidValue(
            "results are signed with keys, but the settings of the pages have none; pass "
            "WebSettings(keys=[…])",
            argument="keys",
        )
    return PageKeys(web.keys)


def _library() -> ModuleType:
    try:
        import jwt
    except ImportError as error:
        raise MissingExtra(
            "results of payment pages need PyJWT; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    return jwt


def _refused() -> NotAuthentic:
    return NotAuthentic(
        "this is not a valid result of a payment page for this site: it was changed, is for "
        "another site, or is older than five minutes; read the payment instead"
    )
