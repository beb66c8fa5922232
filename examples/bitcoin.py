"""Request bitcoin on a test chain, wait until it arrives, and print the outcome.

    BITCOIN_URL=http://127.0.0.1:18443 BITCOIN_USER=... BITCOIN_PASSWORD=... \
        BITCOIN_WALLET='wpkh(tpub.../0/*)' python examples/bitcoin.py

It accepts only a wallet of regtest. The QR code is invoice.png in the working
directory; pay it from a wallet of the node, and let the node mine two blocks.
"""

import os
import sys
import time
from pathlib import Path
from uuid import uuid4

from paygate import Cashier, Money, PaygateError, PayToAddress
from paygate.slips import qr_png

PATIENCE_S = 120


def main() -> int:
    try:
        settings = {
            "driver": "bitcoin",
            "network": "regtest",
            "wallet": os.environ["BITCOIN_WALLET"],
            "url": os.environ["BITCOIN_URL"],
            "user": os.environ["BITCOIN_USER"],
            "password": os.environ["BITCOIN_PASSWORD"],
            "rates": {"USD": "50000"},
            "confirmations": 2,
        }
    except KeyError as missing:
        print(f"Set {missing.args[0]}; see the top of this file.", file=sys.stderr)
        return 2
    try:
        with Cashier.open("sqlite:///bitcoin.db", gateways={"bitcoin": settings}) as cashier:
            print(f"compare with your wallet: {cashier.check('bitcoin').name}", flush=True)
            return take_payment(cashier, f"INV-{uuid4().hex[:8]}")
    except PaygateError as error:
        print(error, file=sys.stderr)
        return 1


def take_payment(cashier: Cashier, number: str) -> int:
    cashier.read_feeds()
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01")
    payment = cashier.collect(number, via="bitcoin", key=f"{number}-1")
    asked = payment.action
    if not isinstance(asked, PayToAddress):
        print(f"{payment.status}: {payment.reason}", file=sys.stderr)
        return 1
    Path("invoice.png").write_bytes(qr_png(asked.uri))
    print(f"pay: {asked.uri}", flush=True)
    deadline = time.monotonic() + PATIENCE_S
    before = payment.status
    while cashier.invoice(number).open.minor and time.monotonic() < deadline:
        failed = cashier.read_feeds().failed
        for reason in failed.values():
            print(reason, file=sys.stderr)
        cashier.apply_callbacks()
        payment = cashier.payment(payment.id)
        if payment.status is not before:
            before = payment.status
            print(f"now: {before}", flush=True)
        time.sleep(0.2)
    print(f"{payment.status}: received {payment.received}, {cashier.invoice(number).open} is open")
    print("the books are sound" if not cashier.fsck() else "the books are wrong")
    return 0 if not cashier.invoice(number).open.minor else 1


if __name__ == "__main__":
    sys.exit(main())
