"""The names of PayPal's OpenAPI files, apart from what reads them."""

from typing import Final

FILES: Final = (
    "checkout_orders_v2",
    "payments_payment_v2",
    "vault_payment_tokens_v3",
    "notifications_webhooks_v1",
)
