"""Transport: the only package that touches the network."""

from paygate.transport.courier import AsyncCourier, Courier
from paygate.transport.host import AsyncTransport, Transport
from paygate.transport.http import AsyncHttpTransport, HttpTransport
from paygate.transport.network import Network

__all__ = [
    "AsyncCourier",
    "AsyncHttpTransport",
    "AsyncTransport",
    "Courier",
    "HttpTransport",
    "Network",
    "Transport",
]
