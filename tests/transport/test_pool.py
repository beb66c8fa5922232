"""The pool for asyncio under load: its bounds, whose turn it is, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from paygate.dialogue import Request
from paygate.errors import NoResponse, NotSent
from paygate.transport import AsyncHttpTransport, aio
from paygate.transport.pool import IDLE_MAX
from tests.transport.conftest import answer


@dataclass
class Busy:
    """A server that answers when it is let, and tells who came."""

    url: str = ""
    let: asyncio.Event = field(default_factory=asyncio.Event)
    connected: int = 0
    connected_ever: int = 0
    asked: list[str] = field(default_factory=list[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        self.connected_ever += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(head.split(b" ", 2)[1].decode())
                await self.let.wait()
                writer.write(answer())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connected -= 1
            writer.close()


@asynccontextmanager
async def busy() -> AsyncIterator[Busy]:
    played = Busy()
    server = await asyncio.start_server(played.serve, "127.0.0.1", 0, backlog=1000)
    played.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield played
        await until(lambda: not played.connected)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  (what a server on a socket did sets no event)
            await asyncio.sleep(0.005)


def ask(server: Busy, name: object = "", timeout_s: float | None = None) -> Request:
    return Request(method="GET", url=f"{server.url}/{name}", step="ask", timeout_s=timeout_s)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "LENT_MAX", 3)


async def test_three_hundred_at_once_use_as_many_connections_and_leave_none() -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        asking = [asyncio.ensure_future(transport.exchange(ask(server))) for _ in range(300)]
        await until(lambda: len(server.asked) == 300)
        server.let.set()

        assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
        assert server.connected_ever == 300
        await until(lambda: server.connected == IDLE_MAX)

        await transport.aclose()


async def test_closing_lets_those_under_way_end_and_keeps_no_connection() -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        asking = [asyncio.ensure_future(transport.exchange(ask(server))) for _ in range(50)]
        await until(lambda: len(server.asked) == 50)

        await transport.aclose()
        server.let.set()

        assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
        await until(lambda: not server.connected)


@pytest.mark.usefixtures("few")
async def test_who_comes_first_is_served_first() -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        asking = [asyncio.ensure_future(transport.exchange(ask(server, n))) for n in range(30)]
        await until(lambda: len(server.asked) == 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (len(server.asked), server.connected) == (3, 3)
        server.let.set()
        await asyncio.gather(*asking)
        await transport.aclose()

        turns = [int(path[1:]) for path in server.asked]
        assert all(abs(turn - place) < 3 for place, turn in enumerate(turns))
        assert server.connected_ever == 3


@pytest.mark.usefixtures("few")
async def test_who_waits_for_his_turn_until_the_deadline_sent_nothing() -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        asking = [asyncio.ensure_future(transport.exchange(ask(server))) for _ in range(3)]
        await until(lambda: len(server.asked) == 3)

        with pytest.raises(NotSent, match="deadline"):
            await transport.exchange(ask(server, timeout_s=0.05))

        server.let.set()
        await asyncio.gather(*asking)
        await transport.aclose()


@pytest.mark.usefixtures("few")
async def test_a_failed_exchange_gives_its_turn_back() -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        for _ in range(7):
            with pytest.raises(NoResponse):
                await transport.exchange(ask(server, timeout_s=0.03))
        before = len(server.asked)
        task = asyncio.ensure_future(transport.exchange(ask(server)))
        await until(lambda: len(server.asked) > before)
        task.cancel()
        await asyncio.wait((task,))
        server.let.set()

        for _ in range(4):
            assert (await transport.exchange(ask(server))).status == 200
        await transport.aclose()


async def test_connections_that_a_rush_left_behind_grow_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with busy() as server:
        transport = AsyncHttpTransport(timeout_s=20)
        server.let.set()
        await asyncio.gather(*(transport.exchange(ask(server)) for _ in range(20)))
        assert server.connected > 1

        monkeypatch.setattr(aio, "IDLE_S", -1.0)
        await transport.exchange(ask(server))

        await until(lambda: server.connected == 0)
        await transport.aclose()
