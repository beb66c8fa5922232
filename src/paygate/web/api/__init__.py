"""The API: prepayments, invoices, links, payments, events and refunds by JSON."""

from paygate.web.api.application import api

__all__ = ["api"]
