"""Tables of the reference, generated from the code and written into the pages.

``python docs/code_tables.py`` writes each between ``<!-- table: NAME -->`` and
``<!-- end of table -->``, and a test compares. So the tables can be read in the repository, too.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import runpy
import textwrap
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from importlib import import_module
from logging import getLevelName
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import paygate
from paygate import Money, Timing, errors, logs
from paygate.domain.action import Action, Redirect
from paygate.domain.advice import MASTERCARD, VISA, Advice
from paygate.domain.attempt import AttemptState
from paygate.domain.customer import PayerField
from paygate.domain.decide import Absence, AttemptFacts, Changes, Source, decide
from paygate.domain.event import EVENT_TYPES
from paygate.domain.event_fields import EVENT_FIELDS, example, json_schema
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    ActionRequired,
    Answer,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.outcomes import OUTCOMES, Shown
from paygate.domain.payment import STATUS_OF, PaymentStatus
from paygate.domain.prepayment import PrepaymentStatus
from paygate.domain.retries import ADVICE, CODES, RETURN_CODES, RetryClass
from paygate.domain.retries import RULES as RULES_OF_RETRIES
from paygate.domain.review import REVIEWS, ReviewCause
from paygate.drivers.authorize_net import codes as authorize_net
from paygate.drivers.paypal import codes as paypal
from paygate.drivers.stripe.codes import ADVICE as STRIPES_ADVICE
from paygate.drivers.stripe.codes import DECLINES
from paygate.drivers.windcave import codes as windcave
from paygate.gateway import CAPABILITIES
from paygate.ledger import posting
from paygate.ledger.book import RULES
from paygate.ledger.unnoticed import UNNOTICED
from paygate.testing import MAGIC, conformance, fake_traits
from paygate.testing.conformance.subject import Subject
from paygate.testing.fake import FakeGateway, LoopbackGateway
from paygate.testing.processor import magic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Row = tuple[str, ...]
DEFAULT_SHOWN_MAX = 30
SCHEMA = Path(paygate.__file__).parent / "ledger" / "schema"
EVENT_SCHEMAS = Path(paygate.__file__).parent / "event_schemas"
TABLE_IN_SQL = re.compile(
    r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL
)
CODE_ON_PAGE = re.compile(
    r'<svg viewBox="0 0 \d+ \d+"[^>]*><path stroke="#000"[^>]*></svg>'  # a QR code or barcode
)
COLUMN_IN_SQL = re.compile(r"^  ([a-z]\w*) ", re.MULTILINE)
E = TypeVar("E", bound=Enum)

ASKED = Money("USD", 100)

ANSWERS: dict[str, Answer] = {
    "unsent": Unsent(reason=""),
    "rejected": Rejected(cause=RejectCause.VALIDATION, retryable=False),
    "declined": Declined(code=DeclineCode.GENERIC, raw_code="", retryable=True),
    "declined, final": Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False, final=True),
    "action": ActionRequired(action=Redirect(url="https://x.example")),
    "pending": Pending(),
    "authorized": Authorized(amount=ASKED),
    "approved": Approved(movements=(Movement(movement_id="m", amount=ASKED),)),
    "ended": Ended(how=Ending.EXPIRED),
    "unknown": Unknown(reason=""),
    "not found, final": NotFound(),
}


SHOWN_OPERATIONS = (
    Operation.CHARGE,
    Operation.AUTHORIZE,
    Operation.CAPTURE,
    Operation.VOID,
    Operation.REFUND,
    Operation.WITHDRAW,
    Operation.ENROLL,
)

EXAMPLE_ACCOUNTS: dict[str, dict[str, Any]] = {
    "stripe": {"secret_key": "sk_test_example"},
    "authorize_net": {"login": "example", "transaction_key": "0123456789abcdef"},
    "paypal": {
        "client_id": "AZDxjDScFpQtjWTOUtWKbyN",
        "client_secret": "example",
        "merchant_id": "7E7MGXCWTTKK2",
        "vault": True,
    },
    "skrill": {
        "email": "merchant@example.com",
        "merchant_id": "4637827",
        "secret_word": "example",
        "api_password": "example-password",
        "status_url": "https://shop.example/callbacks/skrill",
    },
    "securehosting": {
        "shreference": "SH210001",
        "checkcode": "771122",
        "password": "example",
        "shared_secret": "example-secret",
        "callback_url": "https://shop.example/callbacks/cards",
        "phrase": "example",
    },
    "windcave": {"username": "example", "api_key": "example-key", "currencies": ["NZD"]},
    "remita": {
        "merchant_id": "2547916",
        "service_type_id": "4430731",
        "api_key": "example",
        "callback_tokens": "example-of-a-long-random-text",
    },
    "payarena": {"merchant_id": "EXAMPLE1", "secret_key": "example-key", "dollars": True},
    "terminal": {
        "dialect": "osmp",
        "merchant": "777",
        "currency": "USD",
        "allow": ["203.0.113.0/24"],
    },
    "bitcoin": {
        "network": "regtest",
        "wallet": "wpkh(tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4L"
        "AxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M/0/*)",
        "url": "http://127.0.0.1:8332",
        "rates": {"USD": "50000.00"},
    },
}
"""The accounts whose traits are shown; what an account offers may depend on its settings."""

VERIFIED: dict[tuple[str, Kind], str] = {}
"""Who verified a driver in its processor's sandbox, and when, from reports sent to us."""


OPTION = re.compile(r"(?<![`\w-])--[a-z][\w-]*")


def options_as_code(text: str) -> str:
    """Return *text* with its options as code, in which no renderer joins the two hyphens."""
    return OPTION.sub(lambda found: code(found[0]), text)


def code(text: object) -> str:
    return f"`{text}`"


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n", 1)[0].replace("\n", " ")


def statuses() -> Iterator[Row]:
    yield "Status", "Meaning", "State of the attempt"
    for status, meaning in members(PaymentStatus).items():
        states = ", ".join(code(state) for state in AttemptState if STATUS_OF[state] is status)
        yield code(status), meaning, states


def prepayment_statuses() -> Iterator[Row]:
    yield "Status", "Meaning"
    for status, meaning in members(PrepaymentStatus).items():
        yield code(status), meaning


def reviews() -> Iterator[Row]:
    yield "Cause", "Why", "Ends by"
    for cause, meaning in members(ReviewCause).items():
        yield code(cause), meaning, ", ".join(map(code, REVIEWS[cause][1]))


def merges() -> Iterator[Row]:
    yield "Known state", *ANSWERS
    for state in AttemptState:
        facts = AttemptFacts(
            operation=Operation.CHARGE, state=state, asked=ASKED, absence=Absence.FINAL
        )
        yield (
            f"{code(state)} ({state.rank})",
            *(effect(decide(facts, answer, source_of(answer))) for answer in ANSWERS.values()),
        )


def source_of(answer: Answer) -> Source:
    return Source.INQUIRY if isinstance(answer, NotFound) else Source.RESPONSE


def effect(changes: Changes) -> str:
    said = [code(changes.state)] if changes.state else []
    said += ["new action"] if changes.action and not changes.state else []
    said += ["logged"] if changes.log else []
    said += ["late"] if changes.late else []
    said += ["noted"] if changes.tried else []
    said += ["void it"] if changes.void_late else []
    said += ["booked"] if changes.book else []
    said += ["review"] if changes.review else []
    said += ["alert"] if changes.alerts and not changes.review else []
    return ", ".join(said) or "no-op"


def outcomes() -> Iterator[Row]:
    yield "The processor shows", *(code(operation) for operation in Operation)
    for shown, text in members(Shown).items():
        cells = (OUTCOMES[operation].get(shown) for operation in Operation)
        named = ("not possible" if cell is None else code(cell.__name__) for cell in cells)
        yield f"**{shown}**: {text}", *named


def events() -> Iterator[Row]:
    yield "Type", "Meaning", "Log level"
    for name, meaning in EVENT_TYPES.items():
        yield code(name), meaning, getLevelName(logs.level_of(name))


def log_lines() -> Iterator[Row]:
    yield "Line", "Level", "Meaning"
    for name, kind in logs.LINES.items():
        yield code(name), getLevelName(kind.level), kind.meaning


def rules() -> Iterator[Row]:
    yield "Rule", "Meaning"
    for rule in RULES:
        yield code(rule.name), rule.description


def unnoticed() -> Iterator[Row]:
    yield "Column", "Why"
    for name, why in UNNOTICED.items():
        table, _, column = name.partition(".")
        gone = f"a deleted row of {code(table)}"
        yield gone if column == "DELETE" else code(name), why


def members(enum: type[E]) -> dict[E, str]:
    """Return the members of *enum*, each with the docstring below it."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(enum))).body
    assert isinstance(body, ast.ClassDef)
    meanings: dict[E, str] = {}
    for name, text in zip(body.body, body.body[1:], strict=False):
        match name, text:
            case ast.Assign(targets=[ast.Name(id=member)]), ast.Expr(value=ast.Constant(meaning)):
                meanings[enum[member]] = " ".join(str(meaning).split())
            case _:
                pass
    return meanings


def accounts() -> Iterator[Row]:
    yield "Account", "What it holds"
    for account, text in members(posting.LedgerAccount).items():
        yield code(account.value), text


def errors_by_family() -> Iterator[Row]:
    yield "Error", "When", "Attributes"

    def below(kind: type[errors.PaygateError], depth: int) -> Iterator[Row]:
        facts = ", ".join(code(name) for name in vars(kind).get("__annotations__", {}))
        indent = "\u2003" * depth
        yield f"{indent}{code(kind.__name__)}", first_line(kind), facts
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from below(child, depth + 1)

    yield from below(errors.PaygateError, 0)


def declines() -> Iterator[Row]:
    again, not_again = "may be tried again", "may not"
    yield (
        "Code",
        *(f"At Stripe, it {each}" for each in (again, not_again)),
        *(f"At Authorize.Net, it {each}" for each in (again, not_again)),
        "At the fake",
    )
    for ours in DeclineCode:
        raw_codes = [
            ", ".join(
                code(raw)
                for raw, (theirs, retry) in sorted(table.items())
                if theirs is ours and retry is wanted
            )
            for table in (DECLINES, authorize_net.DECLINES)
            for wanted in (True, False)
        ]
        yield code(ours), *raw_codes, code(magic.DECLINES[ours][0])


def retry_classes() -> Iterator[Row]:
    meanings = members(RetryClass)
    yield "Class", "Meaning", "Codes", "Bank returns", "The method", "The invoice"
    for each, rule in RULES_OF_RETRIES.items():
        ours = [code(name) for name, found in CODES.items() if found is each]
        advised = [f"advice {code(name)}" for name, found in ADVICE.items() if found is each]
        banks = [code(name) for name, found in RETURN_CODES.items() if found is each]
        yield (
            code(each),
            meanings[each],
            ", ".join(ours + advised),
            ", ".join(banks),
            str(rule.method),
            rule.then,
        )


def advice() -> Iterator[Row]:
    meanings = members(Advice)
    yield "Advice", "The card can be charged again", "Mastercard", "Visa", "Stripe"
    for each, meaning in meanings.items():
        tables = (MASTERCARD, VISA, STRIPES_ADVICE)
        raw_codes = (
            ", ".join(code(raw) for raw, found in sorted(table.items()) if found is each)
            for table in tables
        )
        yield code(each), meaning, *raw_codes


def authorize_net_checks() -> Iterator[Row]:
    yield "Check", "Letter", "Meaning"
    for name, table in (
        ("avsResultCode", authorize_net.AVS),
        ("cvvResultCode", authorize_net.CVV),
        ("cavvResultCode", authorize_net.CAVV),
    ):
        for letter, (meaning, *_) in table.items():
            yield code(name), code(letter), meaning


def authorize_net_refusals() -> Iterator[Row]:
    yield "Outcome", "May be repeated", "Why", "Codes"
    rows: dict[Row, list[str]] = {}
    for raw, refused in authorize_net.REJECTS.items():
        again = "yes" if refused.retryable else "no"
        row: Row = (f"rejected, {code(refused.cause)}", again, refused.why)
        rows.setdefault(row, []).append(raw)
    for raw, why in authorize_net.UNKNOWN.items():
        rows.setdefault(("unknown", "it is looked up", why), []).append(raw)
    for row, raws in rows.items():
        yield *row, ", ".join(map(code, raws))
    yield "unknown", "it is looked up", authorize_net.NOT_CLASSIFIED, "any other"


def paypal_issues() -> Iterator[Row]:
    """Yield how an error of PayPal's is classified, by what it means."""
    yield "Outcome", "May be tried again", "Code or cause", "Issues"
    for outcome, table in (("declined", paypal.DECLINES), ("rejected", paypal.CAUSES)):
        rows: dict[tuple[str, str, str], list[str]] = {}
        for issue, (why, retry) in table.items():
            rows.setdefault((outcome, "yes" if retry else "no", code(why)), []).append(issue)
        for row, issues in rows.items():
            yield *row, ", ".join(map(code, sorted(issues)))
    yield "looked up", "", "it was done before", ", ".join(map(code, sorted(paypal.DONE)))


def windcave_codes() -> Iterator[Row]:
    yield "ReCo", "Outcome", "May be tried again"
    for said, (why, retry) in windcave.DECLINES.items():
        yield code(said), f"declined, {code(why)}", "yes" if retry else "no"
    yield "any other", f"declined, {code(DeclineCode.GENERIC)}", "if `allowRetry` says so"


def rejects() -> Iterator[Row]:
    yield "Cause", "May be repeated at the fake"
    for cause in RejectCause:
        yield code(cause), "yes" if magic.REJECTS[cause] else "no"


def tokens() -> Iterator[Row]:
    yield "Token", "For", "What happens"
    for row in MAGIC.values():
        yield code(row.token), ", ".join(sorted(row.kinds)), row.text


def numbers() -> Iterator[Row]:
    yield "Number", "Behaves like"
    for number, token in [*magic.CARD_NUMBERS.items(), *magic.ACCOUNT_NUMBERS.items()]:
        yield code(number), code(token)


def fake_rails() -> Iterator[Row]:
    operations = list(Operation)
    yield "Kind", *(str(operation) for operation in operations)
    traits = fake_traits()
    for kind in traits.rails:
        yield code(kind), *("yes" if traits.offers(kind, each) else "" for each in operations)


def capabilities() -> Iterator[Row]:
    yield "Operation", "Protocol", "Method"
    for operation, protocol in CAPABILITIES.items():
        yield code(operation), code(protocol.__name__), code(f"{operation}()")


def kinds() -> Iterator[Row]:
    yield "Kind", "For", "Booked by"
    for kind, text in members(Kind).items():
        by = "`record`" if kind.recorded else "`collect`"
        yield code(kind), text, "`pay_from_credit`" if kind is Kind.CREDIT else by


def driver_rails() -> Iterator[Row]:
    """Yield what each built-in driver can do by kind, and who has verified it in the sandbox."""
    from paygate.registry import build

    yield "Driver", "Kind", *(code(operation) for operation in SHOWN_OPERATIONS), "Verified live"
    for driver, settings in EXAMPLE_ACCOUNTS.items():
        for kind, rail in build({"driver": driver, **settings}).traits.rails.items():
            marks = ("✓" if each in rail.operations else "" for each in SHOWN_OPERATIONS)
            yield code(driver), code(kind), *marks, VERIFIED.get((driver, kind), "never")


def driver_needs() -> Iterator[Row]:
    """Yield what the traits of each built-in driver ask of amounts and payers."""
    from paygate.registry import build

    yield (
        "Driver",
        "Kind",
        "Currencies",
        "Smallest amount",
        "Asks of the payer",
        "Automatic payment",
        "After a return",
    )
    for driver, settings in EXAMPLE_ACCOUNTS.items():
        traits = build({"driver": driver, **settings}).traits
        for kind, rail in traits.rails.items():
            known = sorted(rail.currencies) if rail.currencies is not None else []
            least = [
                f"{Money(currency, limits.minimum_minor)}"
                for currency, limits in rail.limits.items()
                if limits.minimum_minor is not None
            ]
            yield (
                code(driver),
                code(kind),
                ("any" if not known else ", ".join(known) if len(known) < 4 else f"{len(known)}"),
                ", ".join(least),
                ", ".join(code(each) for each in PayerField if each in rail.payer_fields),
                "no: the payer has to be there" if rail.payer_present else "✓",
                "" if rail.return_lag is None else f"up to {span(rail.return_lag)}",
            )


def settings_of(model: Any) -> Iterator[Row]:
    yield "Setting", "Default", "Meaning"
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else code(shown(field))
        description = " ".join((field.description or "").split()).removesuffix(".")
        yield code(name), default, description


def shown(field: Any) -> object:
    value = field.get_default(call_default_factory=True)
    return str(value) if isinstance(value, Enum) else repr(value)


def stripe_settings() -> Iterator[Row]:
    from paygate.drivers.stripe.settings import StripeSettings

    return settings_of(StripeSettings)


def bitcoin_settings() -> Iterator[Row]:
    from paygate.drivers.bitcoin.settings import BitcoinSettings

    return settings_of(BitcoinSettings)


def smtp_settings() -> Iterator[Row]:
    from paygate.sinks.smtp import SmtpSettings

    return settings_of(SmtpSettings)


def odoo_settings() -> Iterator[Row]:
    from paygate.sinks.odoo import OdooSettings

    return settings_of(OdooSettings)


def odoo_effect() -> Iterator[Row]:
    from paygate.sinks.odoo import Effect

    return settings_of(Effect)


def odoo_activity() -> Iterator[Row]:
    from paygate.sinks.odoo import Activity

    return settings_of(Activity)


def standard_webhooks_settings() -> Iterator[Row]:
    from paygate.sinks.standard_webhooks import StandardWebhooksSettings

    return settings_of(StandardWebhooksSettings)


def authorize_net_settings() -> Iterator[Row]:
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

    return settings_of(AuthorizeNetSettings)


def paypal_settings() -> Iterator[Row]:
    from paygate.drivers.paypal.settings import PayPalSettings

    return settings_of(PayPalSettings)


def skrill_settings() -> Iterator[Row]:
    from paygate.drivers.skrill.settings import SkrillSettings

    return settings_of(SkrillSettings)


def securehosting_settings() -> Iterator[Row]:
    from paygate.drivers.securehosting.settings import SecureHostingSettings

    return settings_of(SecureHostingSettings)


def terminal_settings() -> Iterator[Row]:
    from paygate.drivers.terminal.settings import TerminalSettings

    return settings_of(TerminalSettings)


def windcave_settings() -> Iterator[Row]:
    from paygate.drivers.windcave.settings import WindcaveSettings

    return settings_of(WindcaveSettings)


def remita_settings() -> Iterator[Row]:
    from paygate.drivers.remita.settings import RemitaSettings

    return settings_of(RemitaSettings)


def payarena_settings() -> Iterator[Row]:
    from paygate.drivers.payarena.settings import PayarenaSettings

    return settings_of(PayarenaSettings)


def actions() -> Iterator[Row]:
    yield "Action", "What the host does"
    for action in get_args(Action):
        yield code(action.__name__), first_line(action)


def timing() -> Iterator[Row]:
    yield "Field", "Default"
    for field in fields(Timing):
        yield code(field.name), code(said(field.default))


def said(value: object) -> str:
    match value:
        case timedelta():
            return span(value)
        case tuple():
            return ", ".join(map(said, cast("tuple[object, ...]", value)))
        case _:
            return repr(value)


def span(value: timedelta) -> str:
    """Return a length of time in units, such as 1 min 30 s; commas separate a list's items."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = "day" if value.days == 1 else "days"
    units = ((value.days, days), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in units if count) or "0 s"


def fields_of(kind: Any, **meanings: str) -> Iterator[Row]:
    """Yield the fields of a dataclass, with the meaning of each."""
    names = [field.name for field in fields(kind)]
    assert names == list(meanings), f"{kind.__name__} has the fields {names}"
    yield "Field", "Meaning"
    yield from ((code(name), meaning) for name, meaning in meanings.items())


def event_fields() -> Iterator[Row]:
    return fields_of(
        paygate.Event,
        id="Its id, which is the same on every delivery: a consumer recognizes what it has seen.",
        position="Its place among all events of the ledger; the next page continues after it.",
        type="One of the types above.",
        aggregate="What it happened to.",
        seq="1, 2, 3 … without gaps for each aggregate: a consumer notices what it missed.",
        schema_version="The version of the shape of `data`.",
        occurred_at="When it was stored.",
        actor="Who caused it: a clerk, the host, or the library itself.",
        data="Facts, by name; amounts are minor units next to their currency.",
    )


def dead_letter_fields() -> Iterator[Row]:
    return fields_of(
        paygate.DeadLetter,
        sink="The name of the sink.",
        event="The event.",
        error="The last reason that the sink gave.",
        tries="How often it refused the event.",
        since="When the event was set aside.",
    )


def subject_attributes() -> Iterator[Row]:
    """Yield what the author of a driver declares, with the text below each attribute."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(Subject))).body
    assert isinstance(body, ast.ClassDef)
    yield "Attribute", "Default", "Meaning"
    for attribute, text in zip(body.body, body.body[1:], strict=False):
        match attribute, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=value),
                ast.Expr(value=ast.Constant(meaning)),
            ):
                default = "required" if value is None else code(ast.unparse(value))
                shown_default = default if len(default) <= DEFAULT_SHOWN_MAX else "see the class"
                yield code(name), shown_default, " ".join(str(meaning).split())
            case _:
                pass


def transcript_cases() -> Iterator[Row]:
    yield "Class", "Cases"
    for kind in conformance.CLASSES:
        told = " ".join((inspect.getdoc(kind) or "").split()).replace("``", "`")
        yield code(kind.__name__), told


def schema() -> Iterator[Row]:
    """Yield the tables of the ledger, each with the comment above it and its columns."""
    text = (SCHEMA / "sqlite" / "0001_ledger.sql").read_text("utf-8")
    yield "Table", "What it holds", "Columns"
    for comment, name, body in TABLE_IN_SQL.findall(text):
        told = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
        columns = ", ".join(map(code, COLUMN_IN_SQL.findall(body)))
        yield code(name), told, columns


def helpers(*modules: str) -> Iterator[Row]:
    """Yield the public functions and classes of some modules, with the module of each."""
    yield "Import", "What it is"
    for path in modules:
        module = import_module(path)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", "") == path and not name.startswith("_")
            if own and (inspect.isclass(thing) or inspect.isroutine(thing)):
                yield code(f"{path}.{name}"), first_line(thing)


def facts_of_a_case() -> Iterator[str]:
    """Yield the docstring about facts as Markdown: its examples become blocks of text."""
    from paygate.testing.conformance import facts

    for part in inspect.cleandoc(facts.__doc__ or "").split("\n\n"):
        if part.startswith("    "):
            yield from ("```text", textwrap.dedent(part), "```", "")
        else:
            yield from (part.replace("::", ":").replace("``", "`"), "")


def command_names() -> Iterator[Row]:
    """Yield every command with its line in the list of `paygate --help`."""
    from paygate.cli.commands import commands

    yield "Command", "What it does"
    for words, command in commands():
        yield code(f"paygate {words}"), options_as_code(command.summary)


def page_states() -> Iterator[Row]:
    """Yield what the payment pages say in each state."""
    from paygate.web.pages.wording import TEXTS, label_of

    yield "State", "Title", "Text", "Buttons"
    for state, each in TEXTS.items():
        said = (f"**{one.message}**" if one.strong else one.message for one in each.sentences)
        fixed = " (**fixed**)" if each.fixed else ""
        buttons = " · ".join(label_of(state, does) for does in each.buttons)
        yield code(state), each.title, " ".join(said) + fixed, buttons


def page_reasons() -> Iterator[Row]:
    from paygate.web.pages.wording import REASONS

    yield "Code", "Your bank said no: …"
    for decline, reason in REASONS.items():
        yield code(decline), reason


def page_languages() -> Iterator[Row]:
    """Yield the languages, and how many of the texts of each are translated."""
    from babel import Locale
    from babel.messages.pofile import read_po

    from paygate.web.languages import FALLBACK, LANGUAGES

    yield "Language", "Locale", "Translated", "State"
    for tag, locale in LANGUAGES.items():
        name = Locale.parse(tag).get_display_name("en") or tag
        if tag == FALLBACK:
            yield f"{name} ({code(tag)})", code(locale), "the source", ""
            continue
        file = Path(paygate.__file__).parent / "web" / "locale" / f"{tag}.po"
        with file.open("rb") as opened:
            texts = [each for each in read_po(opened, locale=tag) if each.id]
        done = sum(bool(each.string) and not each.fuzzy for each in texts)
        share = f"{done} of {len(texts)}"
        yield f"{name} ({code(tag)})", code(locale), share, "needs native review"


def page_headers() -> Iterator[Row]:
    from paygate.web.pages.inventory import headers

    yield "Header", "Value"
    for name, value in headers().items():
        yield code(name), code(value)


def page_scripts() -> Iterator[Row]:
    from paygate.web.pages.scripts import page_script, popup_script

    yield "Script", "Bytes", "What it does"
    for script in (page_script(), popup_script()):
        yield code(script.name), f"{len(script.body):,}", script.reason


def page_sizes() -> Iterator[Row]:
    """Yield the size of each sample in the language in which it is largest."""
    from paygate.web.languages import LANGUAGES, language
    from paygate.web.pages.render import PageScript, Renderer
    from paygate.web.pages.samples import RECEIPT, SAMPLES, sample_settings
    from paygate.web.pages.scripts import page_script

    web = sample_settings()
    script = PageScript(f"{web.root}/{page_script().name}", page_script().integrity)
    renderer = Renderer(web, scripts=[script])
    yield "Page", "Bytes", "Language", "Bytes of its codes"
    views: dict[str, Any] = {**SAMPLES, "receipt": RECEIPT}
    for name, view in views.items():
        pages = {tag: renderer.shown(view, language(tag)) for tag in LANGUAGES}
        sizes = {
            tag: (len(CODE_ON_PAGE.sub("", html).encode()), len(html.encode()))
            for tag, html in pages.items()
        }
        largest = max(sizes, key=lambda tag: sizes[tag])
        bare, whole = sizes[largest]
        codes = f"{whole - bare:,}" if whole > bare else ""
        yield code(name), f"{bare:,}", code(largest), codes


def api_endpoints() -> Iterator[Row]:
    from paygate.web.api.endpoints import ENDPOINTS

    yield "Request", "Scope", "What it does"
    for each in ENDPOINTS:
        yield code(f"{each.method} {each.path}"), code(each.scope.value), each.summary


def api_statuses() -> Iterator[Row]:
    from paygate.web.api.problems import TITLES

    yield "Status", "Means"
    for status, title in TITLES.items():
        yield str(status), f"{title}."


TABLES: dict[str, Callable[[], Iterable[Row]]] = {
    "event-fields": event_fields,
    "dead-letter-fields": dead_letter_fields,
    "subject-attributes": subject_attributes,
    "transcript-cases": transcript_cases,
    "schema": schema,
    "kit-helpers": lambda: helpers(
        "paygate.testing.conformance.amounts", "paygate.testing.strategies"
    ),
    "players": lambda: helpers("paygate.testing.play", "paygate.testing.replay"),
    "command-names": command_names,
    "page-states": page_states,
    "page-reasons": page_reasons,
    "page-languages": page_languages,
    "page-headers": page_headers,
    "page-scripts": page_scripts,
    "page-sizes": page_sizes,
    "api-endpoints": api_endpoints,
    "api-statuses": api_statuses,
    "timing": timing,
    "statuses": statuses,
    "prepayment-statuses": prepayment_statuses,
    "reviews": reviews,
    "merges": merges,
    "outcomes": outcomes,
    "events": events,
    "log-lines": log_lines,
    "rules": rules,
    "unnoticed": unnoticed,
    "accounts": accounts,
    "errors": errors_by_family,
    "declines": declines,
    "retries": retry_classes,
    "advice": advice,
    "rejects": rejects,
    "tokens": tokens,
    "numbers": numbers,
    "fake-rails": fake_rails,
    "capabilities": capabilities,
    "driver-rails": driver_rails,
    "driver-needs": driver_needs,
    "kinds": kinds,
    "actions": actions,
    "stripe-settings": stripe_settings,
    "paypal-settings": paypal_settings,
    "securehosting-settings": securehosting_settings,
    "windcave-settings": windcave_settings,
    "terminal-settings": terminal_settings,
    "windcave-codes": windcave_codes,
    "paypal-issues": paypal_issues,
    "skrill-settings": skrill_settings,
    "remita-settings": remita_settings,
    "payarena-settings": payarena_settings,
    "bitcoin-settings": bitcoin_settings,
    "authorize-net-settings": authorize_net_settings,
    "smtp-settings": smtp_settings,
    "standard-webhooks-settings": standard_webhooks_settings,
    "odoo-settings": odoo_settings,
    "odoo-effect": odoo_effect,
    "odoo-activity": odoo_activity,
    "authorize-net-checks": authorize_net_checks,
    "authorize-net-refusals": authorize_net_refusals,
    "fake-settings": lambda: settings_of(FakeGateway.settings_model),
    "loopback-settings": lambda: settings_of(LoopbackGateway.settings_model),
}


def written(rows: Iterable[Row]) -> str:
    """Return *rows* as a Markdown table, with the first row as its header."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def commands() -> Iterator[str]:
    """Yield every command of the program, by noun, with its arguments and options."""
    from paygate.cli.commands import EVERYDAY, NOUNS

    yield from ("### Everyday commands", "")
    for name, command in EVERYDAY.items():
        yield from one_command(name, command)
    for name, noun in NOUNS.items():
        yield from (f"### `paygate {name}`", "", noun.summary, "")
        for verb, command in noun.commands.items():
            yield from one_command(f"{name} {verb}", command)


def one_command(words: str, place: Any) -> Iterator[str]:
    from paygate.cli.app import load

    command = load(words, place)
    yield from (f"**`paygate {words}`**", "", options_as_code(command.help or ""), "")
    rows = [option(each) for each in command.params if each.name != "help"]
    yield from (written([("Argument or option", "Meaning"), *rows]), "")


def option(param: Any) -> Row:
    name = ", ".join(param.opts) if param.param_type_name == "option" else param.name.upper()
    more = ["required" if param.required else ""]
    more += [f"default {code(param.default)}" if shows_default(param) else ""]
    more += [f"environment {code(param.envvar)}" if param.envvar else ""]
    notes = "; ".join(filter(None, more))
    return code(
        name
    ), f"{options_as_code(param.help or '')} {f'({notes})' if notes else ''}".strip()


def shows_default(param: Any) -> bool:
    shown_types = isinstance(param.default, str | int | Path)
    return shown_types and not isinstance(param.default, bool) and param.default != ""


def json_examples() -> Iterator[str]:
    """Yield the output of each command with ``--json``, from a run."""
    yield from runpy.run_path(str(PAGES / "json_examples.py"))["page"]()


def event_catalogue() -> Iterator[str]:
    """Yield every event type with its fields and an example."""
    kind = ""
    for type_ in sorted(EVENT_TYPES):
        if type_.partition(".")[0] != kind:
            kind = type_.partition(".")[0]
            yield from (f"## {kind}", "")
        yield from (f"### `{type_}`", "", f"{EVENT_TYPES[type_]}", "")
        rows: list[Row] = [("Field", "Holds", "Meaning")]
        for each in EVENT_FIELDS[type_]:
            shape = f"{each.shape}" if each.always else f"{each.shape}, not always"
            rows.append((code(each.name), shape, each.meaning))
        shown_json = json.dumps(example(type_), ensure_ascii=False, indent=1)
        yield from (written(rows), "", "```json", shown_json, "```", "")


def schemas() -> dict[Path, str]:
    """Return the files with the JSON Schema of each event type, and their contents."""
    return {
        EVENT_SCHEMAS / f"{type_}.json": json.dumps(
            json_schema(type_), ensure_ascii=False, indent=2
        )
        + "\n"
        for type_ in EVENT_TYPES
    }


def names_of(page: str) -> Callable[[], Iterator[str]]:
    return lambda: SUBJECTS["listed"](page)


def names_in_full(page: str) -> Callable[[], Iterator[str]]:
    return lambda: SUBJECTS["in_full"](page)


PAGES = Path(__file__).parent
SUBJECTS = runpy.run_path(str(PAGES / "subjects.py"))
TEXTS: dict[str, Callable[[], Iterator[str]]] = {
    "commands": commands,
    "json": json_examples,
    "event-catalogue": event_catalogue,
    "facts": facts_of_a_case,
    **{f"names-{page}": names_of(page) for page in SUBJECTS["PAGES"]},
    **{f"full-{page}": names_in_full(page) for page in SUBJECTS["PAGES"]},
}
"""Texts that are not tables, but are generated and compared in the same way."""

PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def filled(page: str) -> str:
    """Return the text of *page* with every table generated again."""

    def fill(place: re.Match[str]) -> str:
        start, name, _, end = place.groups()
        text = "\n".join(TEXTS[name]()).strip() if name in TEXTS else written(TABLES[name]())
        return f"{start}\n{text}\n\n{end}"

    return PLACE.sub(fill, page)


def pages() -> list[Path]:
    """Return the pages that contain a table."""
    return [page for page in sorted(PAGES.rglob("*.md")) if PLACE.search(page.read_text("utf-8"))]


def main() -> None:
    """Write the tables into the pages, and the JSON Schemas of events into the package."""
    if mistakes := SUBJECTS["mistakes"]():
        raise SystemExit("docs/subjects.toml: " + "; ".join(mistakes))
    for page in pages():
        page.write_text(filled(page.read_text("utf-8")), "utf-8")
    EVENT_SCHEMAS.mkdir(exist_ok=True)
    for old in set(EVENT_SCHEMAS.iterdir()) - schemas().keys():
        old.unlink()
    for file, text in schemas().items():
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
