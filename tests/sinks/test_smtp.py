"""The mail sink against a real mail server on loopback."""

from __future__ import annotations

import re
import socket
import ssl
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paygate import Cashier, Customer, Document, Money
from paygate.domain.event import EVENT_TYPES, Event
from paygate.domain.event_fields import example
from paygate.errors import (
    CredentialsRejected,
    EventRefused,
    InvalidSettings,
    NoResponse,
    NotSent,
    PaygateError,
)
from paygate.service.publish import RETRY_PLAN, SILENCE_PAUSES
from paygate.sink import Delivery
from paygate.sinks.smtp import Smtp, SmtpSettings
from paygate.sinks.smtp.message import message_of
from paygate.sinks.smtp.templates import BUILT_IN
from paygate.testing import FakeClock, FakeGateway
from tests.support.mail_catcher import MailCatcher

PLAIN: dict[str, Any] = {
    "host": "127.0.0.1",
    "security": "none",
    "sender": "Acme <bill@acme.example>",
}
PASSWORD = "hunter2-and-more"


def delivery(
    type_: str = "payment.succeeded",
    *,
    email: str = "ann@example.com",
    name: str = "Ann",
    **data: object,
) -> Delivery:
    event = Event(
        id="evt_7",
        position=7,
        type=type_,
        aggregate="pay_1",
        seq=1,
        schema_version=1,
        occurred_at=datetime(2026, 1, 5, 12, tzinfo=UTC),
        actor="host",
        data=example(type_) | data,
    )
    return Delivery(event=event, contact=Customer("C-1", name=name, email=email))


def smtp(server: MailCatcher | int, **settings: Any) -> Smtp:
    port = server if isinstance(server, int) else server.port
    return Smtp(SmtpSettings.model_validate({**PLAIN, "port": port, **settings}))


@pytest.fixture
def server() -> Iterator[MailCatcher]:
    with MailCatcher() as server:
        yield server


def parts(message: EmailMessage) -> dict[str, str]:
    leaves = [each for each in message.walk() if not each.is_multipart()]
    return {each.get_content_type(): each.get_content().replace("\r\n", "\n") for each in leaves}


# --- What is sent ---------------------------------------------------------------


def test_a_payment_is_mailed_to_its_customer(server: MailCatcher) -> None:
    smtp(server).send(delivery())

    [mail] = server.caught
    assert (mail.sender, mail.recipients) == ("bill@acme.example", ["ann@example.com"])
    message = mail.message
    assert message["subject"] == "We received your payment of 30.00 USD"
    assert message["from"] == "Acme <bill@acme.example>"
    assert message["to"] == "Ann <ann@example.com>"
    assert message["message-id"] == "<evt_7@acme.example>"
    assert message["date"].datetime == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert message["auto-submitted"] == "auto-generated"
    [(kind, text)] = parts(message).items()
    assert kind == "text/plain"
    assert text.startswith("Hello Ann")
    assert "your payment of 30.00 USD on 2026-01-05" in text


def test_a_repeated_event_is_the_same_mail_byte_for_byte(server: MailCatcher) -> None:
    sink = smtp(server, templates={"payment.succeeded": {"subject": "a", "text": "b"}})
    sink.send(delivery())
    sink.send(delivery())

    first, second = server.caught
    assert first.raw == second.raw


def test_the_documents_of_an_invoice_are_attached(server: MailCatcher) -> None:
    documents = (
        Document(content=b"%PDF-1.7 \x00\xff", name="Rechnung für Ödön.pdf"),
        Document(content="Grüße".encode(), media_type="text/plain", name="terms.txt"),
    )
    sent = replace(delivery("invoice.generated"), documents=documents)
    template = {"subject": "Invoice {number}", "text": "Hello", "html": "<p>Hello</p>"}
    sink = smtp(server, templates={"invoice.generated": template})

    sink.send(sent)
    sink.send(sent)

    first, second = server.caught
    assert first.raw == second.raw
    attached = list(first.message.iter_attachments())
    assert [each.get_filename() for each in attached] == ["Rechnung für Ödön.pdf", "terms.txt"]
    assert [each.get_content_type() for each in attached] == ["application/pdf", "text/plain"]
    assert [each.get_payload(decode=True) for each in attached] == [
        each.content for each in documents
    ]
    body = first.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Hello"


@pytest.mark.parametrize(("given", "wants"), [({}, True), ({"attach_documents": False}, False)])
def test_the_settings_say_whether_documents_are_wanted(
    server: MailCatcher, given: dict[str, bool], wants: bool
) -> None:
    assert smtp(server, **given).traits.needs_documents is wants


def test_templates_of_the_host_replace_the_built_in_ones(server: MailCatcher) -> None:
    template = {
        "subject": "{merchant}: {amount} für {customer}",
        "text": "{customer_name} paid {requested}",
        "html": "<p>{customer_name} & {amount}</p>",
    }
    sink = smtp(server, templates={"payment.succeeded": template}, merchant="Größe <AG>")

    sink.send(delivery(name="<b>Ann</b>"))

    [mail] = server.caught
    assert mail.message["subject"] == "Größe <AG>: 30.00 USD für C-1"
    found = parts(mail.message)
    assert found["text/plain"] == "<b>Ann</b> paid 30.00 USD\n"
    assert found["text/html"] == "<p>&lt;b&gt;Ann&lt;/b&gt; & 30.00 USD</p>\n"
    assert sink.traits.events == ("payment.succeeded",)


def test_fixed_recipients_get_what_staff_should_know(server: MailCatcher) -> None:
    template = {"subject": "Review {payment}", "text": "{reason}"}
    sink = smtp(
        server,
        templates={"payment.needs_review": template},
        to=["Desk <desk@acme.example>", "boss@acme.example"],
        reply_to="nobody@acme.example",
    )

    sink.send(delivery("payment.needs_review", reason="other money came"))

    [mail] = server.caught
    assert mail.recipients == ["desk@acme.example", "boss@acme.example"]
    assert mail.message["reply-to"] == "nobody@acme.example"
    assert parts(mail.message) == {"text/plain": "other money came\n"}


def test_nothing_is_sent_without_a_template_or_an_address(server: MailCatcher) -> None:
    sink = smtp(server)
    sink.send(delivery("payment.started"))
    sink.send(delivery(email=""))
    sink.send(Delivery(event=delivery().event))

    assert server.caught == []


@pytest.mark.parametrize("type_", BUILT_IN)
def test_the_built_in_templates_have_no_gaps(type_: str) -> None:
    message = message_of(delivery(type_), SmtpSettings.model_validate(PLAIN))

    assert message is not None
    assert "{" not in message.as_string()


def test_an_address_in_another_script(server: MailCatcher) -> None:
    sink = smtp(server)
    sink.send(delivery(email="ann@bücher.example", name="Änn"))
    with pytest.raises(EventRefused, match="Unicode") as caught:
        sink.send(delivery(email="änn@example.com"))
    with MailCatcher(utf8=True) as modern:
        smtp(modern).send(delivery(email="änn@example.com"))

    assert server.caught[0].recipients == ["ann@xn--bcher-kva.example"]
    assert server.caught[0].message["to"].addresses[0].display_name == "Änn"
    assert modern.caught[0].recipients == ["änn@example.com"]
    assert caught.value.final


# --- What must not get into a header ----------------------------------------------


@pytest.mark.parametrize(
    "email",
    [
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@example.com, eve@example.com",
        "ann@example.com>\nRCPT TO:<eve@example.com",
        "Ann <ann@example.com>",
        "ann",
        "@example.com",
        "ann@",
        "ann@a..b",
        "a b@example.com",
    ],
)
def test_an_address_that_is_not_one_is_refused_for_good(email: str, server: MailCatcher) -> None:
    with pytest.raises(EventRefused) as caught:
        smtp(server).send(delivery(email=email))

    assert caught.value.final
    assert server.caught == []
    assert "eve" not in str(caught.value)


@given(
    text=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=40)
    | st.sampled_from(["x\r\nBcc: eve@example.com", "x\n\nbody", "a\u2028b", "=?utf-8?q?=0A?="])
)
def test_no_value_adds_a_header_or_a_line_to_one(text: str) -> None:
    template = {"subject": "{reason} {customer_name}", "text": "t", "html": "<p>{reason}"}
    settings = SmtpSettings.model_validate(
        {**PLAIN, "templates": {"payment.needs_review": template}}
    )

    message = message_of(delivery("payment.needs_review", name=text, reason=text), settings)

    assert message is not None
    head = message.as_bytes().split(b"\r\n\r\n")[0]
    names = [
        line.split(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith(b" ")
    ]
    expected = [b"from", b"to", b"subject", b"date", b"message-id", b"auto-submitted"]
    assert sorted(names) == sorted([*expected, b"mime-version", b"content-type"])
    html = message.get_payload()[1].get_content()  # type: ignore[union-attr, index]
    assert html.count("<") == 1
    assert not {unicodedata.category(each) for each in message["subject"]} & {"Cc", "Zl", "Zp"}


@pytest.mark.parametrize("name", ["=?utf-8?Q?A=0D=0ASubject:_Refund?=", "=?utf-8?b?QQpCY2M6IGU=?="])
def test_a_name_that_is_an_encoded_text_stays_one_line(name: str) -> None:
    message = message_of(delivery("payment.succeeded", name=name), SmtpSettings(**PLAIN))

    assert message is not None
    [to] = message["To"].addresses
    assert to.display_name == name.replace("=?", "= ?")
    assert [line for line in message.as_bytes().split(b"\r\n") if line.startswith(b"Bcc")] == []


# --- What the server answers --------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "error", "final"),
    [
        ({"RCPT": "450 4.2.1 try later"}, EventRefused, False),
        ({"RCPT": "550 5.1.1 no such user"}, EventRefused, True),
        ({"RCPT": "421 4.3.2 shutting down"}, NoResponse, None),
        ({"RCPT": ""}, NoResponse, None),
        ({"MAIL": "451 4.3.0 out of space"}, NoResponse, None),
        ({"MAIL": "550 5.7.1 sender not allowed"}, NoResponse, None),
        ({"DATA": "452 4.3.1 later"}, EventRefused, False),
        ({"DATA": "554 5.7.1 looks like spam"}, EventRefused, True),
        ({"DATA": "421 4.3.2 bye"}, NoResponse, None),
        ({"DATA": "", "kept": "1"}, NoResponse, None),
    ],
)
def test_what_the_answer_of_the_server_means(
    answers: dict[str, str],
    error: type[PaygateError],
    final: bool | None,
    server: MailCatcher,
) -> None:
    server.answers = answers

    with pytest.raises(error) as caught:
        smtp(server).send(delivery())

    assert getattr(caught.value, "final", None) is final
    assert next(iter(answers.values()))[:3] in caught.value.message
    server.answers = {}
    smtp(server).send(delivery())
    assert server.caught[-1].message["message-id"] == "<evt_7@acme.example>"


def test_some_recipients_that_are_refused(server: MailCatcher) -> None:
    sink = smtp(server, to=["a@acme.example", "b@acme.example"])
    server.answers = {"b@acme.example": "550 no such user"}
    with pytest.raises(EventRefused, match="1 of 2 recipients were refused") as some:
        sink.send(delivery())
    server.answers |= {"a@acme.example": "450 later"}
    with pytest.raises(EventRefused) as later:
        sink.send(delivery())

    assert [mail.recipients for mail in server.caught] == [["a@acme.example"]]
    assert (some.value.final, later.value.final) == (True, False)


def test_a_server_that_is_not_there_and_one_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NoResponse):
            smtp(port, timeout_s=0.05).send(delivery())
    with pytest.raises(NoResponse, match="cannot be reached"):
        smtp(port).send(delivery())
    with pytest.raises(NoResponse, match="cannot be reached"):
        smtp(port, host="name.invalid").check()


# --- Encryption and login -------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return {"host": "localhost", "ca_file": file}


LOGIN = {"username": "shop", "password": PASSWORD}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_encrypted_connection_with_a_login(
    security: str, certified: ssl.SSLContext, trusted: dict[str, Any]
) -> None:
    with MailCatcher(login=("shop", PASSWORD), **{security: certified}) as server:  # type: ignore[arg-type]
        sink = smtp(server, security=security, **trusted, **LOGIN)
        sink.check()
        sink.send(delivery())

    assert [(mail.encrypted, mail.logged_in) for mail in server.caught] == [(True, True)]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_wrong_password_is_not_shown_and_a_login_that_fails_for_now_is_no_wrong_password(
    security: str, certified: ssl.SSLContext, trusted: dict[str, Any]
) -> None:
    with MailCatcher(login=("shop", "other"), **{security: certified}) as server:  # type: ignore[arg-type]
        sink = smtp(server, security=security, **trusted, **LOGIN)
        with pytest.raises(CredentialsRejected, match="refuses the login: 535") as caught:
            sink.check()
        with pytest.raises(CredentialsRejected):
            sink.send(delivery())

    assert PASSWORD not in str(caught.value)
    assert server.caught == []


@pytest.mark.parametrize("password", [PASSWORD, "a+b"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_server_that_repeats_the_login_reveals_no_password(
    mechanism: str,
    password: str,
    certified: ssl.SSLContext,
    trusted: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    with MailCatcher(starttls=certified, login=("shop", "x"), echoes=mechanism) as server:
        given = {"username": "shop", "password": password, "security": "starttls", **trusted}
        mail = smtp(server, **given, to=["staff@acme.example"], templates=ONE)
        with Cashier.in_memory(sinks={"mail": mail}, clock=clock) as cashier:
            total = Money.of("USD", "5")
            cashier.issue(number="A", customer="C-1", total=total, due="2026-02-01")
            cashier.publish()
            with pytest.raises(CredentialsRejected) as caught:
                cashier.check_sink("mail")
            shown = f"{cashier.status()} {caught.value} {caplog.text}"

    assert re.search("535 5.7.8 no: (shop )?••••", shown)
    secrets = {password, *(b64encode(f"{before}{password}".encode()).decode() for before in TOLD)}
    secrets |= {*server.answered.split(), b64encode(server.answered.encode()).decode()} - {"shop"}
    assert [each for each in secrets if each and each in shown] == []


TOLD = ("", "\0shop\0")
"""What is sent before the password."""
ONE = {"invoice.generated": {"subject": "a", "text": "b"}}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted_or_for_another_name(
    security: str, certified: ssl.SSLContext, trusted: dict[str, Any]
) -> None:
    with MailCatcher(**{security: certified}) as server:  # type: ignore[arg-type]
        for settings in ({"host": "localhost"}, {**trusted, "host": "127.0.0.1"}):
            with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
                smtp(server, security=security, **settings).send(delivery())

    assert server.caught == []


def test_a_server_without_encryption_gets_nothing(server: MailCatcher) -> None:
    with pytest.raises(NotSent, match="STARTTLS"):
        smtp(server, security="starttls").send(delivery())
    with pytest.raises(NotSent, match="no encrypted connection"):
        smtp(server, security="tls").send(delivery())

    assert server.caught == []


def test_a_check_sends_nothing_and_reports_a_sender_that_is_refused(server: MailCatcher) -> None:
    smtp(server).check()
    server.answers = {"MAIL": "550 not from here"}
    with pytest.raises(NoResponse, match="550 not from here"):
        smtp(server).check()

    assert server.caught == []


# --- Settings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sender": "Acme"}, "not one e-mail address"),
        ({"sender": "a@x.example, b@x.example"}, "not one e-mail address"),
        ({"sender": "a@x.example\nBcc: c@x.example"}, "no line end"),
        ({"to": ["ok@x.example", "nobody"]}, "not one e-mail address"),
        ({"username": "shop"}, "belong together"),
        ({"username": "shop", "password": PASSWORD}, "a password is sent only with"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"hots": "x"}, "did you mean host?"),
        ({"security": "ssl"}, "'starttls', 'tls' or 'none'"),
        (
            {"templates": {"payment.success": {"subject": "a", "text": "b"}}},
            "did you mean payment",
        ),
        ({"templates": {"invoice.paid": {"subject": "{amont}", "text": "b"}}}, "names {amont}"),
        ({"templates": {"invoice.paid": {"subject": "a\nb", "text": "b"}}}, "must be one line"),
        ({"templates": {"invoice.paid": {"subject": "a"}}}, "text: this setting is needed"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Cashier.in_memory(sinks={"mail": {"sink": "smtp", **PLAIN, **settings}})

    assert words in caught.value.message
    assert PASSWORD not in caught.value.message


def test_every_event_type_can_have_a_template_with_all_its_fields() -> None:
    for type_ in EVENT_TYPES:
        fields = (name for name in example(type_) if name not in ("data", "checks", "metadata"))
        text = " ".join(f"{{{name}}}" for name in fields)
        settings = {**PLAIN, "templates": {type_: {"subject": "s", "text": text}}}
        message = message_of(delivery(type_), SmtpSettings.model_validate(settings))
        assert message is not None
        assert "{" not in message.get_content()


def test_settings_show_no_password() -> None:
    settings = SmtpSettings.model_validate({**PLAIN, "security": "tls", **LOGIN})

    assert PASSWORD not in repr(settings) + str(vars(Smtp(settings)))
    with pytest.raises(ValidationError) as caught:
        SmtpSettings.model_validate({**PLAIN, "port": PASSWORD})
    assert PASSWORD not in str(caught.value)


# --- With a cashier -----------------------------------------------------------------------


@pytest.fixture
def shop(server: MailCatcher) -> Iterator[tuple[Cashier, FakeClock]]:
    clock = FakeClock()
    sinks = {"mail": {"sink": "smtp", **PLAIN, "port": server.port}}
    gateways = {"card": FakeGateway(clock=clock)}
    with Cashier.in_memory(clock=clock, gateways=gateways, sinks=sinks) as cashier:
        yield cashier, clock


def pay(cashier: Cashier, number: str, email: str) -> None:
    customer = Customer(f"C-{number}", name="Ann", email=email)
    total = Money.of("USD", "30.00")
    cashier.issue(number=number, customer=customer, total=total, due="2026-02-01")
    cashier.collect([number], via="card", method="tok_visa", key=number)


def test_a_mail_server_that_is_down_for_a_weekend_sends_every_mail_once(
    server: MailCatcher, shop: tuple[Cashier, FakeClock]
) -> None:
    cashier, clock = shop
    server.answers = {"MAIL": "451 4.3.0 no space"}
    for number in range(5):
        pay(cashier, f"{number}", f"c{number}@example.com")
    for _ in range(16):
        cashier.publish()
        clock.advance(hours=4)

    server.answers = {}
    for _ in range(3):
        clock.advance(SILENCE_PAUSES[-1])
        cashier.publish()

    assert sorted(mail.recipients[0] for mail in server.caught) == [
        f"c{number}@example.com" for number in range(5)
    ]
    assert cashier.dead_letters() == []


def test_one_mailbox_that_does_not_exist_is_a_dead_letter_and_the_others_get_their_mail(
    server: MailCatcher, shop: tuple[Cashier, FakeClock]
) -> None:
    cashier, clock = shop
    server.answers = {
        "gone@example.com": "550 5.1.1 <gone@example.com>: no such user",
        "full@example.com": "452 4.2.2 mailbox full",
    }
    for number, name in enumerate(("gone", "full", "ann")):
        pay(cashier, f"{number}", f"{name}@example.com")

    cashier.publish()
    [letter] = cashier.dead_letters()
    del server.answers["full@example.com"]
    clock.advance(RETRY_PLAN[0])
    cashier.publish()

    assert letter.error == "the mail server refuses the recipient: 550 5.1.1 <••••>: no such user"
    assert [mail.recipients for mail in server.caught] == [
        ["ann@example.com"],
        ["full@example.com"],
    ]
    server.answers = {}
    cashier.replay_dead_letters("mail")
    cashier.publish()
    assert server.caught[-1].recipients == ["gone@example.com"]


def test_it_is_checked_and_hidden(server: MailCatcher, shop: tuple[Cashier, FakeClock]) -> None:
    cashier, _ = shop
    check: Callable[[str], object] = cashier.check_sink
    check("mail")
    server.answers = {"MAIL": ""}

    with pytest.raises(NoResponse, match="the sink 'mail'"):
        check("mail")


# --- Messages to customers who pay late -------------------------------------------------------


def notice(kind: str, language: str) -> Delivery:
    facts: dict[str, Any] = {"number": "A", "due": "2026-01-01", "days": 21}
    money: dict[str, Any] = {"amount_minor": 3000, "currency": "USD"}
    after: dict[str, Any] = {"next_state": "terminated", "next_on": "2026-03-02"}
    return delivery("notice.due", kind=kind, language=language, **facts, **money, **after)


def test_a_notice_is_worded_by_its_kind_in_the_language_of_the_customer(
    server: MailCatcher,
) -> None:
    words = {
        "suspended.de": {"subject": "Gesperrt: {number}", "text": "Offen: {amount}"},
        "overdue": {"subject": "Please pay {number}", "text": "{amount}"},
    }
    sink = smtp(server, notices=words)
    for kind, language in (
        ("suspended", "de-CH"),
        ("suspended", "fr"),
        ("overdue", "de"),
        ("restored", ""),
        ("of the host", "de"),
    ):
        sink.send(notice(kind, language))

    mails = [each.message for each in server.caught]
    assert [str(each["Subject"]) for each in mails] == [
        "Gesperrt: A",
        "Your service is suspended",
        "Please pay A",
        "Your service is restored",
    ]
    assert "terminated on 2026-03-02" in parts(mails[1])["text/plain"]
    assert "{" not in "".join(parts(each)["text/plain"] for each in mails)


def test_notices_are_mailed_only_if_the_settings_name_one() -> None:
    given = {"host": "mail.example", "sender": "Acme <billing@acme.example>"}
    words = {"subject": "{number}", "text": "{amount}"}

    assert "notice.due" not in SmtpSettings.model_validate(given).events()
    for more in ({"notices": {"overdue.pt-BR": words}}, {"templates": {"notice.due": words}}):
        assert SmtpSettings.model_validate(given | more).events() == ("notice.due",)
    for wrong in ({"Overdue": words}, {"overdue.": words}, {"overdue": words | {"text": "{x}"}}):
        with pytest.raises(ValidationError):
            SmtpSettings.model_validate(given | {"notices": wrong})
