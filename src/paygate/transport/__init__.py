"""The only place that touches the network."""

from paygate.transport.http import AsyncHttpTransport, HttpTransport

__all__ = ["AsyncHttpTransport", "HttpTransport"]
