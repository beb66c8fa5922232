"""A host with a ledger and a terminal account, as a process that is killed: LEDGER FD."""

import socket
import sys

import uvicorn

from paygate import Cashier
from paygate.web.callbacks import callbacks

ACCOUNT = {
    "driver": "terminal",
    "dialect": "osmp",
    "merchant": "777",
    "currency": "USD",
    "allow": ["127.0.0.1"],
}


def main(ledger: str, descriptor: str) -> None:
    """Serve the callbacks at a socket that another process listens on."""
    cashier = Cashier.open(ledger, gateways={"kiosk": ACCOUNT})
    config = uvicorn.Config(callbacks(cashier), log_config=None, access_log=False, ws="none")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
