"""A proxy before a PostgreSQL server that loses connections on purpose.

It reads the messages of the protocol in both directions, so that a connection is lost exactly
before or after the server has read one, and no test depends on time.
"""

import shutil
import socket
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Final

_NAME: Final = ".s.PGSQL.5432"
_BEGINS_TO_WRITE: Final = b"READ WRITE"
_READY: Final = b"Z"


class Loss(Enum):
    """How the connection of a client is lost, at the message that was chosen."""

    ANSWER = "the answer is lost"
    """The server does what the message says, and nobody hears of it."""
    REQUEST = "the request is lost"
    """The server never reads the message, and sees the connection end."""
    LATE = "the request is late"
    """The server reads the message only when the next transaction begins to write."""
    SILENCE = "nobody answers any more"
    """The server never reads the message, and neither side sees the connection end."""


ENDED: Final = (Loss.ANSWER, Loss.REQUEST, Loss.LATE)
"""The losses after which the connection is seen to end."""


@dataclass
class Proxy:
    """Passes everything on to the server in *folder*, but for one message that is chosen."""

    folder: Path
    own: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="paygate-proxy-")))
    fired: bool = False
    seen: int = 0

    def __post_init__(self) -> None:
        self._lock = RLock()
        self._wanted: Callable[[bytes], bool] = lambda _: False
        self._at = 0
        self._loss = Loss.ANSWER
        self._also: Callable[[], None] = lambda: None
        self._held: list[Callable[[], None]] = []
        self._sockets: list[socket.socket] = []
        self._silent: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.own / _NAME))
        self._listener.listen(50)
        Thread(target=self._accept, daemon=True).start()

    def url(self, database: str, role: str = "paygate") -> str:
        """Return the URL of a database behind this proxy."""
        return f"postgresql://{role}@/{database}?host={self.own}"

    def lose(
        self,
        loss: Loss,
        at: int,
        wanted: Callable[[bytes], bool],
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Lose the connection at message number *at* from now of those that are *wanted*.

        Before the client notices, *also* is done.
        """
        with self._lock:
            self._loss, self._at, self._wanted, self._also = loss, at, wanted, also
            self.seen, self.fired = 0, False

    def count(self, wanted: Callable[[bytes], bool]) -> None:
        """Count the messages that are *wanted* from now on, and lose none."""
        self.lose(Loss.ANSWER, 0, wanted)

    def hang_up(self) -> None:
        """End the connections on which nobody answers, as the server does in the end."""
        for each in self._silent:
            _end(each)
        self._silent.clear()

    def close(self) -> None:
        """Close all connections."""
        self._listener.close()
        self._release()
        for each in list(self._sockets):
            _end(each)
        shutil.rmtree(self.own, ignore_errors=True)

    # --- One connection -------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.folder / _NAME))
            except OSError:
                _end(client)
                continue
            self._sockets += [client, server]
            mute, answered = Event(), Event()
            Thread(target=self._listen, args=(server, client, mute, answered), daemon=True).start()
            Thread(target=self._speak, args=(client, server, mute, answered), daemon=True).start()

    def _speak(
        self, client: socket.socket, server: socket.socket, mute: Event, answered: Event
    ) -> None:
        """Pass on what the client says."""
        try:
            first = _exactly(client, 4)
            server.sendall(first + _exactly(client, struct.unpack("!I", first)[0] - 4))
            while True:
                message = _message(client)
                if _BEGINS_TO_WRITE in message:
                    self._release()
                loss = self._chosen(message)
                if loss is None:
                    server.sendall(message)
                    continue
                if loss is Loss.SILENCE:
                    mute.set()
                    self._silent += [client, server]
                    self._also()
                    return
                if loss is not Loss.REQUEST and message[:1] != b"Q":
                    message += _up_to_sync(client)
                mute.set()
                arrive = partial(_arrive, server, message, answered)
                if loss is Loss.REQUEST:
                    _end(server)
                elif loss is Loss.ANSWER:
                    arrive()
                else:
                    with self._lock:
                        self._held.append(arrive)
                self._also()
                _end(client)
                return
        except OSError:
            _end(client)
            _end(server)

    def _listen(
        self, server: socket.socket, client: socket.socket, mute: Event, answered: Event
    ) -> None:
        """Pass on what the server says, unless it is to be lost."""
        try:
            while True:
                message = _message(server)
                if not mute.is_set():
                    client.sendall(message)
                elif message[:1] == _READY:
                    answered.set()
        except OSError:
            answered.set()
            if not mute.is_set():
                _end(client)

    def _chosen(self, message: bytes) -> Loss | None:
        with self._lock:
            if self.fired or not self._wanted(message):
                return None
            self.seen += 1
            self.fired = self.seen == self._at
            return self._loss if self.fired else None

    def _release(self) -> None:
        with self._lock:
            held, self._held = self._held, []
        for arrive in held:
            with suppress(OSError):
                arrive()


def says_commit(message: bytes) -> bool:
    """Return whether a message of a client executes COMMIT."""
    return message[:1] in b"QP" and b"COMMIT\0" in message


def is_statement(message: bytes) -> bool:
    """Return whether a message of a client executes a statement."""
    return message[:1] in b"QE"


def _arrive(server: socket.socket, message: bytes, answered: Event) -> None:
    """Let the server do what *message* says, and end the connection."""
    server.sendall(message)
    answered.wait(30)
    _end(server)


def _up_to_sync(client: socket.socket) -> bytes:
    """Return what the client says up to the point at which it waits for an answer to all of it."""
    said = message = _message(client)
    while message[:1] != b"S":
        message = _message(client)
        said += message
    return said


def _message(connection: socket.socket) -> bytes:
    head = _exactly(connection, 5)
    return head + _exactly(connection, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise OSError("the connection ended")
        found += more
    return found


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
