"""The sink ``smtp``: send a mail for an event.

A mail server answers each step with a code. A code that begins with 4 says "not now", one with 5
says "never". What that means for the event depends on the step: a server that does not take our
login or refuses every sender is out of order for all events, so they wait, however long that
takes. A recipient that it refuses for now is tried again for some days, and one that it refuses
for good makes a dead letter. After a connection that breaks, nobody knows whether the mail was
sent, so it is sent again with the same message id.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.driver import CredentialsRejected, NoResponse, NotSent, Secret
from paygate.errors import EventRefused
from paygate.sink import SinkTraits
from paygate.sinks.smtp.message import message_of
from paygate.sinks.smtp.settings import PORTS, SmtpSettings, address

if TYPE_CHECKING:
    from collections.abc import Generator

    from paygate.sink import Delivery

_CLOSING: Final = 421
_WORDS_MAX: Final = 200
_ANSWERS_MAX: Final = 4  # a mail may be on its way during a check


class Smtp:
    """A mail server that sends notices, by SMTP."""

    settings_model = SmtpSettings

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._answers: tuple[Secret[str], ...] = ()
        self._traits = SinkTraits(
            events=settings.events(),
            needs_contact=True,
            needs_documents=settings.attach_documents,
            only_new=True,
            deadline_s=settings.deadline_s,
        )

    @property
    def traits(self) -> SinkTraits:
        """What the core has to know about it."""
        return self._traits

    def send(self, delivery: Delivery) -> None:
        """Send the mail about an event, if there is a template and an address for it."""
        message = message_of(delivery, self._settings)
        if message is None:
            return
        with _translated(), self._connected() as server:
            refused = server.send_message(message)
        if refused:
            some = f"{len(refused)} of {len(self._settings.to)} recipients were refused"
            first = next(iter(refused.values()))
            raise EventRefused(f"{some}, one of them with {_said(*first)}", final=True)

    def check(self) -> None:
        """Log in, and ask whether the server takes mail from the sender; no mail is sent."""
        with _translated(), self._connected() as server:
            server.ehlo_or_helo_if_needed()
            code, words = server.mail(address(self._settings.sender).addr_spec)
            if code != 250:
                raise smtplib.SMTPSenderRefused(code, words, self._settings.sender)
            server.rset()

    @contextmanager
    def _connected(self) -> Generator[smtplib.SMTP]:
        """Return a connection that is encrypted and logged in, as the settings say."""
        given = self._settings
        port = given.port or PORTS[given.security]
        name = address(given.sender).domain  # looking up our own name could take long
        context = ssl.create_default_context(cafile=given.ca_file)
        server: _Plain
        if given.security == "tls":
            server = _Encrypted(given.host, port, name, timeout=given.timeout_s, context=context)
        else:
            server = _Plain(given.host, port, name, timeout=given.timeout_s)
        try:
            if given.security == "starttls":
                server.starttls(context=context)
            if given.password:
                server.login(given.username, given.password.reveal())
            yield server
        finally:
            # A server may repeat it; the core removes all secrets of a sink from what it reports.
            if server.answer is not None:
                self._answers = (*self._answers[1 - _ANSWERS_MAX :], server.answer)
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()


class _Plain(smtplib.SMTP):
    """A connection that remembers how it answered the challenge of a login by CRAM-MD5."""

    answer: Secret[str] | None = None

    def auth_cram_md5(self, challenge: Any = None) -> Any:
        """Return the digest of *challenge* and the password, after the name of the user."""
        answer = cast("str | None", super().auth_cram_md5(challenge))
        if answer:
            self.answer = Secret(answer.rpartition(" ")[2])
        return answer


class _Encrypted(_Plain, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


@contextmanager
def _translated() -> Generator[None]:
    """Raise what the error of a conversation with a mail server means for the event."""
    try:
        yield
    except (EventRefused, CredentialsRejected, NoResponse, NotSent):
        raise
    except smtplib.SMTPAuthenticationError as error:
        said = f"the mail server refuses the login: {_said(error.smtp_code, error.smtp_error)}"
        if _is_temporary(error.smtp_code):
            raise NoResponse(said) from None
        raise CredentialsRejected(said) from None
    except smtplib.SMTPRecipientsRefused as error:
        refused = list(error.recipients.values())
        code, words = max(refused, key=lambda each: not _is_temporary(each[0]))
        said = f"the mail server refuses the recipient: {_said(code, words)}"
        if code == _CLOSING:
            raise NoResponse(said) from None
        # If only some are refused for good, the others can still get the mail later.
        final = not any(_is_temporary(each[0]) for each in refused)
        raise EventRefused(said, final=final) from None
    except smtplib.SMTPDataError as error:
        said = f"the mail server refuses the mail: {_said(error.smtp_code, error.smtp_error)}"
        if error.smtp_code == _CLOSING:
            raise NoResponse(said) from None
        raise EventRefused(said, final=not _is_temporary(error.smtp_code)) from None
    except smtplib.SMTPNotSupportedError as error:
        if "SMTPUTF8" in str(error):
            raise EventRefused("the mail server takes no address in Unicode", final=True) from None
        raise NotSent(f"the mail server cannot do what the settings ask for: {error}") from None
    except smtplib.SMTPResponseException as error:  # the greeting, HELO, or the sender
        said = _said(error.smtp_code, error.smtp_error)
        raise NoResponse(f"the mail server takes no mail from us: {said}") from None
    except ssl.SSLError as error:
        raise NotSent(f"no encrypted connection to the mail server: {error.reason}") from None
    except (smtplib.SMTPException, OSError) as error:
        why = str(error) or type(error).__name__
        raise NoResponse(f"the mail server cannot be reached: {_cut(why)}") from None


def _is_temporary(code: int) -> bool:
    return 400 <= code < 500


def _said(code: int, words: bytes | str) -> str:
    """Return a response of the server, in one line."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {_cut(text)}"


def _cut(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[
        :_WORDS_MAX
    ]
