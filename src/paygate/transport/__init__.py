"""The only place that touches the network."""

from paygate.transport.courier import AsyncCourier, Courier
from paygate.transport.http import AsyncHttpTransport, HttpTransport

__all__ = ["AsyncCourier", "AsyncHttpTransport", "Courier", "HttpTransport"]
