"""An HTTP server that returns a canned approval of Authorize.Net, in a separate process.

Connections are kept alive if the client wants that. It reads a request line, headers, and a body of
Content-Length bytes.
"""

from __future__ import annotations

import socket
import threading

NAMESPACE = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"
TRANSACTION = "60012345678"

_BODY = f"""\ufeff<?xml version="1.0" encoding="utf-8"?>\
<createTransactionResponse xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns="{NAMESPACE}">\
<messages><resultCode>Ok</resultCode><message><code>I00001</code><text>Successful.</text></message>\
</messages><transactionResponse><responseCode>1</responseCode><authCode>QWX20S</authCode>\
<avsResultCode>Y</avsResultCode><cvvResultCode>P</cvvResultCode><cavvResultCode>2</cavvResultCode>\
<transId>{TRANSACTION}</transId><refTransID /><transHash /><testRequest>0</testRequest>\
<accountNumber>XXXX1111</accountNumber><accountType>Visa</accountType><messages><message>\
<code>1</code><description>This transaction has been approved.</description></message></messages>\
<transHashSha2 /><networkTransId>0TN12ABCDEF34567</networkTransId></transactionResponse>\
</createTransactionResponse>""".encode()

ANSWER = (
    "HTTP/1.1 200 OK\r\n"
    "Cache-Control: private\r\n"
    "Content-Type: application/xml; charset=utf-8\r\n"
    "Server: nginx\r\n"
    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "X-OPNET-Transaction-Trace: benchmark\r\n"
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Allow-Methods: PUT,OPTIONS,POST,GET\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n"
    "Connection: keep-alive\r\n"
    f"Content-Length: {len(_BODY)}\r\n"
    "\r\n"
).encode() + _BODY


def _serve(line: socket.socket) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            part = line.recv(65536)
            if not part:
                return
            received += part
        head, _, rest = received.partition(b"\r\n\r\n")
        size = 0
        for header in head.split(b"\r\n")[1:]:
            name, _, text = header.partition(b":")
            if name.lower() == b"content-length":
                size = int(text)
        while len(rest) < size:
            rest += line.recv(65536)
        received = rest[size:]
        line.sendall(ANSWER)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            line, _ = listening.accept()
            threading.Thread(target=_serve, args=(line,), daemon=True).start()


if __name__ == "__main__":
    main()
