"""Where a connection may go, and that it goes to what was checked."""

import socket
from collections.abc import Callable

import pytest

from paygate.dialogue import Request
from paygate.errors import InvalidValue, NotSent
from paygate.transport import names
from tests.transport.conftest import Exchange, Server, answer, read_request


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds keep the keys of a machine
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),  # 10.0.0.1 behind a translator
        ("2002:a00:1::1", False),  # 10.0.0.1 by 6to4
    ],
)
def test_an_address_is_public_if_anybody_may_have_it(address: str, public: bool) -> None:
    assert names.is_public(address) is public


def hook(server: Server, **more: object) -> Request:
    return Request(
        method="POST",
        url=f"http://hooks.example:{server.port}/",
        step="deliver",
        body=b"{}",
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let the name have these addresses, one list a look-up; return what was asked."""

    def begin(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        left = iter(answers)

        def look_up(name: str, _: int) -> list[str]:
            asked.append(name)
            return next(left)

        monkeypatch.setattr(names, "look_up", look_up)
        return asked

    return begin


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "192.168.1.1"], ["::1"], ["169.254.169.254"], []],
)
def test_a_name_with_a_private_address_gets_nothing_that_is_for_the_public(
    answering: Callable[..., Server],
    exchange: Exchange,
    resolve: Callable[..., list[str]],
    found: list[str],
) -> None:
    server = answering(answer())
    resolve(found)

    with pytest.raises(NotSent, match="not public" if found else "no address"):
        exchange(hook(server, public_only=True))

    assert server.received == []


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/"])
def test_this_machine_is_not_the_public(exchange: Exchange, url: str) -> None:
    with pytest.raises(NotSent, match="not public"):
        exchange(Request(method="POST", url=url, step="deliver", public_only=True))


def test_the_connection_goes_to_the_address_that_was_checked(
    serve: Callable[..., Server],
    exchange: Exchange,
    resolve: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is public when it is checked, and private when it is asked for again."""
    monkeypatch.setattr(names, "is_public", lambda address: address == "127.0.0.1")
    asked = resolve(["127.0.0.1"], ["10.0.0.1"])

    def hear_and_close(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"heard", headers=b"Connection: close\r\n"))

    server = serve(hear_and_close)

    assert exchange(hook(server, public_only=True)).body == b"heard"
    assert asked == ["hooks.example"]
    with pytest.raises(NotSent, match="not public"):
        exchange(hook(server, public_only=True))


def test_a_connection_that_was_not_checked_is_not_used_for_what_is_for_the_public(
    answering: Callable[..., Server], exchange: Exchange, resolve: Callable[..., list[str]]
) -> None:
    server = answering(answer(), answer())
    resolve(["127.0.0.1"], ["127.0.0.1"])

    assert exchange(hook(server)).status == 200
    with pytest.raises(NotSent, match="not public"):
        exchange(hook(server, public_only=True))
    with pytest.raises(NotSent, match="not public"):
        exchange(hook(server, public_only=True, address="127.0.0.1"))

    assert len(server.received) == 1


def test_a_request_is_pinned_to_an_address_and_not_to_another_name(exchange: Exchange) -> None:
    with pytest.raises(InvalidValue, match="IP address"):
        exchange(Request(method="GET", url="http://a.example/", step="x", address="b.example"))
