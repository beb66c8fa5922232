"""A real mail server on loopback that keeps what it gets, and answers as it is told."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Thread
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Accept = Callable[[str, str], bool]
_MECHANISMS = {"PLAIN", "LOGIN", "CRAM-MD5"}


@dataclass(frozen=True)
class Caught:
    """A mail: its envelope, and the message."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes
    encrypted: bool
    logged_in: bool


@dataclass
class MailCatcher:
    """
    A mail server for the time of a `with` block.

    `answers` says what it answers to a command instead of accepting it, such as
    ``{"RCPT": "450 4.2.1 later"}``; an empty answer closes the connection. `taken` is how many
    mails it takes before that begins. With *echoes*, a mechanism to log in by, it refuses every
    login, and repeats what it was sent.
    """

    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    answers: dict[str, str] = field(default_factory=dict[str, str])
    caught: list[Caught] = field(default_factory=list[Caught])
    utf8: bool = False
    echoes: str = ""
    answered: str = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = self._loop.create_server(self._made, "127.0.0.1", 0, ssl=self.tls)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def _made(self) -> SMTP:
        return SMTP(
            self,
            hostname="catcher.example",
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=self._knows if self.login else None,
            auth_exclude_mechanism=_MECHANISMS - {self.echoes} if self.echoes else None,
            # It does not know that the socket below it is encrypted, and warns.
            auth_required=self.login is not None and self.tls is None,
            auth_require_tls=self.tls is None,
            enable_SMTPUTF8=self.utf8,
            loop=self._loop,
        )

    def _knows(self, *asked: Any) -> AuthResult:
        given = cast("LoginPassword", asked[-1])
        pair = (given.login.decode(), given.password.decode())
        return AuthResult(success=pair == self.login, handled=False)

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> Any:  # noqa: N802
        if not self.echoes:
            return await cast("Any", server).auth_PLAIN(server, args)
        return self._echo(args[1])

    async def auth_LOGIN(self, server: SMTP, args: list[str]) -> Any:  # noqa: N802
        if not self.echoes:
            return await cast("Any", server).auth_LOGIN(server, args)
        password = await server.challenge_auth("Password:")
        return self._echo(b64encode(cast("bytes", password)).decode())

    async def auth_CRAM__MD5(self, server: SMTP, _: list[str]) -> Any:  # noqa: N802
        answer = cast("bytes", await server.challenge_auth("<1896.697170952@catcher.example>"))
        self.answered = answer.decode()
        return self._echo(f"{self.answered} {b64encode(answer).decode()}")

    def _echo(self, said: str) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no: {said}")

    def _answer(self, server: SMTP, command: str) -> str | None:
        answer = self.answers.get(command)
        if answer == "":
            cast("asyncio.Transport", server.transport).abort()
            return "421 closed"
        return answer

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.get(address) or self._answer(server, "RCPT")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        kept = self.answers.get("DATA") is None or "kept" in self.answers
        if kept:
            raw = cast("bytes", envelope.original_content)
            message = message_from_bytes(raw, policy=default)
            encrypted = session.ssl is not None or self.tls is not None
            sender = envelope.mail_from or ""
            known = bool(session.authenticated)
            self.caught.append(Caught(sender, envelope.rcpt_tos, message, raw, encrypted, known))
        return self._answer(server, "DATA") or "250 OK"
