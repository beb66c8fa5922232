"""A network of kiosks, as a process without paygate: PORT KIOSKS COINS.

Each kiosk repeats a payment until it is answered with result 0, and says so in a line.
"""

import http.client
import re
import sys
import threading


def put_in(port: int, transaction: int, number: str) -> str:
    """Return our number of the payment, once it is answered."""
    path = f"/kiosk?command=pay&txn_id={transaction}&account={number}&sum=1.00"
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
        if response.status == 200:
            found = re.search(rb"<prv_txn>([0-9]+)</prv_txn>.*<result>0</result>", body)
            if found:
                return found[1].decode()


def main(port: int, kiosks: int, coins: int) -> None:
    """Put in the coins of all kiosks at the same time."""
    lock = threading.Lock()

    def run(kiosk: int) -> None:
        for coin in range(coins):
            transaction = 1 + kiosk * coins + coin
            ours = put_in(port, transaction, f"ACC-{kiosk}")
            with lock:
                sys.stdout.write(f"{transaction} {ours}\n")
                sys.stdout.flush()

    threads = [threading.Thread(target=run, args=(kiosk,)) for kiosk in range(kiosks)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
