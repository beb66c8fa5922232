"""A proxy on loopback that opens tunnels (CONNECT), or misbehaves on purpose."""

import contextlib
import socket
import threading

from tests.transport.conftest import PATIENCE_S, read_request

OPENS = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Answers every CONNECT with *says*; after an answer that opens it is a tunnel.

    After any other it closes the connection, or says nothing more if it *hangs*.
    """

    def __init__(self, says: bytes = OPENS, *, hangs: bool = False, cuts: bool = False) -> None:
        self.asked: list[bytes] = []
        self._says, self._hangs, self._cuts = says, hangs, cuts
        self._end = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(PATIENCE_S)
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        head = read_request(client)
        self.asked.append(head)
        client.sendall(self._says)
        if self._hangs:
            self._end.wait(PATIENCE_S)
        elif self._says == OPENS and not self._cuts:
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            self._join(client, "127.0.0.1" if host == "localhost" else host, int(port))

    @staticmethod
    def _join(client: socket.socket, host: str, port: int) -> None:
        with socket.create_connection((host, port)) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join(PATIENCE_S)

    def close(self) -> None:
        self._end.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up the thread that waits in accept
        self._listener.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
