"""The sink ``standard_webhooks``: events as signed requests, after the Standard Webhooks scheme."""

from __future__ import annotations

from paygate.sinks.standard_webhooks.settings import StandardWebhooksSettings
from paygate.sinks.standard_webhooks.sink import StandardWebhooks

__all__ = ["StandardWebhooks", "StandardWebhooksSettings"]
