"""What a host passes: every value has a meaning that is written down, or names its argument."""

# Wrong values are passed on purpose.
# pyright: reportArgumentType=false, reportAssignmentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from paygate import (
    Approved,
    AsyncCashier,
    Browser,
    Callback,
    Cashier,
    Customer,
    DeclineCode,
    Declined,
    Document,
    Invoice,
    Kind,
    Letterhead,
    Mandate,
    OneTimeToken,
    Payment,
    PaymentLink,
    PaymentMethod,
    Prepayment,
    RawBankAccount,
    RawCard,
    Secret,
    Share,
)
from paygate.cashier.arguments import url
from paygate.cashier.verbs import each_verb
from paygate.domain.movement import Movement
from paygate.errors import GatewayNotFound, PaygateError, RecordNotFound, Refused, UsageError
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import usd
from tests.support.statements import entry, statement

KEYS = ["b25lIGNhcmQgaXMgb25lIHN0b3JlZCBtZXRob2QgISE="]
BACK = "https://shop.example/back"


class Unprintable:
    """An object of a host that fails as soon as somebody prints, compares or counts it."""

    def __str__(self) -> str:
        raise RuntimeError("printed")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Shop:
    """A ledger with one of everything that a verb can be about."""

    cashier: Cashier
    paid: Payment
    stored: PaymentMethod
    keys: itertools.count[int]
    links: list[PaymentLink] = field(default_factory=list[PaymentLink])

    @classmethod
    def opened(cls) -> Shop:
        clock = FakeClock()
        card, page = FakeGateway(Kind.CARD, clock=clock), FakeGateway(Kind.REDIRECT, clock=clock)
        cashier = Cashier.in_memory(
            gateways={"card": card, "page": page}, clock=clock, token_keys=KEYS, page_keys=KEYS
        )
        cashier.set_letterhead(Letterhead(name="Acme"))
        for number in ("N-1", "N-2", "N-3"):
            cashier.issue(number=number, customer="K-9", total=usd("84.00"), due="2031-03-01")
        paid = cashier.collect("N-1", via="card", method="tok_visa", key="paid")
        agreed = Mandate(text_version="1", accepted_at=clock.now())
        cashier.enroll("K-9", via="card", method="tok_visa", key="stored", mandate=agreed)
        cashier.write_off("N-3", reason="goodwill", key="given-up", amount=usd("1.00"))
        cashier.collect("N-2", via="page", key="open", return_url=BACK)
        return cls(cashier, paid, cashier.methods("K-9")[0], itertools.count())

    def prepayment(self) -> Prepayment:
        number = next(self.keys)
        key = f"P-{number}"
        return self.cashier.prepay("K-9", usd("1.00"), assignment_key=key, key=key)

    def draft(self) -> Invoice:
        key = f"D-{next(self.keys)}"
        return self.cashier.draft(customer="K-9", total=usd("1.00"), due="2031-03-01", key=key)

    def link(self) -> PaymentLink:
        number = f"L-{next(self.keys)}"
        self.cashier.issue(number=number, customer="K-9", total=usd("84.00"), due="2031-03-01")
        self.links.append(self.cashier.link(number, key=number))
        return self.links[-1]

    def token(self) -> Secret[str] | None:
        return self.link().token

    def event(self) -> str:
        return self.cashier.events(limit=1)[0].id

    def line(self) -> str:
        self.cashier.set_bank_account("main", number="1234567890", currency="USD")
        content = statement("1234567890", "USD", entry(100, currency="USD", day="2026-01-01"))
        self.cashier.import_statement(content, account="main")
        return self.cashier.bank_lines(state="open", limit=1)[0].id

    def account(self) -> str:
        name = f"stored-{next(self.keys)}"
        return self.cashier.add_account(name, settings={"driver": "fake"}).name

    def right(self, verb: str, parameter: str) -> Any:
        """Return a value that *parameter* of *verb* takes."""
        cashier = self.cashier
        special: dict[tuple[str, str], Callable[[], Any]] = {
            ("capture", "amount"): lambda: usd("1.00"),
            ("customer", "id_"): lambda: "K-9",
            ("method", "id_"): lambda: self.stored.id,
            ("payment", "id_"): lambda: self.paid,
            ("mandate", "method"): lambda: self.stored,
            ("set_default_method", "method"): lambda: self.stored,
            ("forget_method", "method"): lambda: self.stored,
            ("start_autopay", "method"): lambda: self.stored,
            ("replace_method", "method"): lambda: self.stored,
            ("commit_to", "start"): lambda: "2031-03-01",
            ("commit_to", "name"): lambda: "fibre",
            ("receive", "callback"): lambda: Callback(
                method="POST", path="/", headers={}, body=b"", received_at=cashier.now()
            ),
            ("delivery_log", "event"): self.event,
            ("resend_event", "event"): self.event,
            ("work", "job"): lambda: "inquire/main/card/att_of_nobody/",
            ("give_back", "jobs"): lambda: ["inquire/main/card/att_of_nobody/"],
            ("replay_callback", "callback"): lambda: 1,
            ("dismiss_callback", "callback"): lambda: 1,
            ("save_customer", "customer"): lambda: Customer("K-9", email="ada@example.org"),
            ("record_refund", "by"): lambda: "cash",
            ("resolve_method", "outcome"): lambda: Declined(
                code=DeclineCode.GENERIC, raw_code="05", retryable=False
            ),
            ("callbacks", "state"): lambda: "new",
            ("chargebacks", "state"): lambda: "opened",
            ("invoice", "number"): lambda: "N-1",
            ("change_draft", "invoice"): self.draft,
            ("finalize", "invoice"): self.draft,
            ("add_account", "account"): lambda: f"till-{next(self.keys)}",
            ("rotate_account", "account"): self.account,
            ("disable_account", "account"): self.account,
            ("enable_account", "account"): self.account,
            ("pay_link", "token"): self.token,
            ("pay_link", "given"): lambda: cashier.begin_try(self.links[-1]),
            ("payment_of_page", "token"): lambda: cashier.payment_page(self.paid).token,
            ("set_bank_account", "name"): lambda: f"bank-{next(self.keys)}",
            ("set_bank_account", "number"): lambda: "1234567890",
            ("import_statement", "account"): lambda: "main",
            ("reconcile", "account"): lambda: "main",
            ("receipts_not_on_statement", "account"): lambda: "main",
            ("release_payer_number", "number"): lambda: (
                cashier.assign_payer_number("K-9", f"V-{next(self.keys)}", via="card").number
            ),
        }
        usual: dict[str, Callable[[], Any]] = {
            "number": lambda: f"N-{100 + next(self.keys)}",
            "currency": lambda: "USD",
            "content": lambda: statement("1234567890", "USD"),
            "line": self.line,
            "customer": lambda: "K-9",
            "total": lambda: usd("84.00"),
            "due": lambda: "2031-03-01",
            "assignment_key": lambda: f"O-{next(self.keys)}",
            "prepayment": self.prepayment,
            "link": self.link,
            "secret": lambda: cashier.add_api_key(f"k-{next(self.keys)}", scopes=["read"]).secret,
            "api_key": lambda: cashier.add_api_key(f"k-{next(self.keys)}", scopes=["read"]).key,
            "scopes": lambda: ["read"],
            "digest": lambda: "0" * 64,
            "work": lambda: lambda _: None,
            "token": self.token,
            "csv": lambda: b"number,customer,currency,total,due\n",
            "invoice": lambda: "N-3",
            "invoices": lambda: ["N-3"],
            "items": lambda: "N-3",
            "reason": lambda: "the payer rounded up",
            "evidence": lambda: "the processor's dashboard",
            "by": lambda: "check",
            "key": lambda: f"k-{next(self.keys)}",
            "payment": lambda: self.paid,
            "reference": lambda: "1077",
            "receipt": lambda: cashier.receipts(self.paid)[0],
            "write_off_": lambda: cashier.write_offs("N-3")[0],
            "outcome": lambda: Approved(
                movements=(Movement(movement_id=f"m-{next(self.keys)}", amount=usd("84.00")),)
            ),
            "change": lambda: cashier.method_changes()[0],
            "amount": lambda: usd("84.00"),
            "via": lambda: "card",
            "sink": lambda: "crm",
            "name": lambda: "crm",
            "handler": lambda: lambda _: None,
            "start": lambda: 840_000,
            "verb": lambda: "collect",
            "settings": lambda: {"driver": "fake"},
            "source": list,
            "document": lambda: Document(content=b"terms", media_type="text/plain", name="a.txt"),
            "letterhead": lambda: Letterhead(name="Acme"),
            "mandate": lambda: Mandate(text_version="1", accepted_at=cashier.now()),
            "replacement": lambda: self.stored,
            "months": lambda: 12,
            "until": lambda: "2031-03-01",
            "commitment": lambda: "com_1",
        }
        return (special.get((verb, parameter)) or usual[parameter])()


ALSO_NEEDED = {
    *(("record_refund", "payment"), ("link", "items"), ("draft", "total")),
    *(("issue", "number"), ("issue", "total"), ("finalize", "number")),
}
"""What one of several arguments must give."""

EAST = timezone(timedelta(hours=14))
WRONG: Mapping[str, Callable[[Shop], Any]] = {
    "None": lambda _: None,
    "seven": lambda _: 7,
    "no bytes": lambda _: b"",
    "no text": lambda _: "",
    "a blank": lambda _: " ",
    "half a character": lambda _: "\ud800",
    "a line feed": lambda _: "a\nb",
    "10,000 characters": lambda _: "x" * 10_000,
    "a payment": lambda shop: shop.paid,
    "a naive datetime": lambda _: datetime(2026, 1, 1),  # noqa: DTZ001 - that is what is wrong
    "a datetime elsewhere": lambda _: datetime(2026, 1, 1, tzinfo=EAST),
    "a float": lambda _: 1.5,
    "nan": lambda _: float("nan"),
    "year 1": lambda _: date(1, 1, 1),
    "year 9999": lambda _: date(9999, 12, 31),
    "year 1 in text": lambda _: "0001-01-01",
    "a list of a text": lambda _: ["x"],
    "a list of None": lambda _: [None],
    "a huge number": lambda _: 10**40,
    "minus one": lambda _: -1,
    "no money": lambda _: usd("0"),
    "negative money": lambda _: usd("-1.00"),
    "a share of a payment": lambda shop: Share(shop.paid, usd("1.00")),  # type: ignore[arg-type]
    "a share of a float": lambda _: Share("N-3", 1.5),  # type: ignore[arg-type]
    "a token of nothing": lambda _: OneTimeToken(Secret("")),
    "a customer of seven": lambda _: Customer(7),  # type: ignore[arg-type]
    "a customer who rings": lambda _: Customer("K-9", name="Ada\a"),
    "a browser of seven": lambda _: Browser(ip=7),  # type: ignore[arg-type]
    "what fails when it is printed": lambda _: Unprintable(),
}

NAMES_RECORD = {
    *("payment", "prepayment", "invoice", "method", "change", "receipt", "write_off_", "attempt"),
    *("link", "token", "id_", "replacement", "api_key", "secret", "commitment", "replaces"),
}
"""They find a record: a text that none has is *not found*, which is no fault of the call."""

OF_RECORDS = {"invoices"}
"""Texts in them are looked up only if there is something to do with what is found."""

TEXTS = {"no text", "a blank", "a line feed", "10,000 characters", "year 1 in text"}
MEANING: Mapping[str, set[str]] = {
    # A reference, a description or a reason may be left out, and notes have lines.
    "description": {"no text", "a blank", "a line feed", "year 1 in text"},
    "reason": {"a line feed", "year 1 in text"},
    "force_reason": {"no text", "a blank", "a line feed", "year 1 in text"},
    "evidence": {"a line feed", "year 1 in text"},
    "reference": {"no text", "a blank", "year 1 in text"},
    # Any printable text can be somebody's name for something.
    "key": {"year 1 in text"},
    "number": {"year 1 in text"},
    "digest": {"year 1 in text"},
    "assignment_key": {"year 1 in text"},
    "document": set(),
    "source": {"a list of a text", "a list of None"},
    "group": {"seven"},
    "skip": {"seven"},
    "lines": set(),
    "tax": set(),
    "customer": {"year 1 in text"},
    "name": {"year 1 in text"},
    "sink": TEXTS,
    "return_url": {"no text"},
    # What the processor's form gave us is for the processor to judge.
    "method": {"10,000 characters", "year 1 in text"},
    "payer": set(),
    "amount": set(),
    "expect": {"no money"},
    # One, or several in order; none is for credit or for the default.
    "items": set(),
    "invoices": set(),
    # A page begins behind a record that is found by its id.
    "after": {"a blank"},
    "metadata": set(),
    "receipt_email": {"no text", "a blank", "year 1 in text"},
    "statement_suffix": {"no text", "a blank", "year 1 in text"},
    "pages": {"seven"},
    "uses": {"seven"},
    "months": {"seven"},
    "terms": {"no text", "a blank", "year 1 in text"},
    "accounts": {"a list of a text"},
    "expires": set(),
    "language": {"no text"},
    "return_to": {"no text"},
    "currency": set(),
    "limit": {"seven"},
    # All that is later, or earlier, than what the calendar of a shop has.
    **{
        bound: {"a datetime elsewhere", "year 1", "year 9999", "year 1 in text"}
        for bound in ("since", "until")
    },
    **{bound: {"year 1", "year 9999", "year 1 in text"} for bound in ("due_since", "due_until")},
    # Nothing goes through an account of that name.
    "account": TEXTS,
    "callback": set(),
    "outcome": set(),
}
OF_VERB: Mapping[tuple[str, str], set[str]] = {
    # Nobody of that name has any.
    **{
        (verb, "customer"): TEXTS | {"a customer who rings"}
        for verb in (
            *("balance", "credits", "erase_contact", "invoices", "methods", "open_invoices"),
            *("links", "payer_numbers", "payments", "prepayments", "statement"),
        )
    },
    ("customer", "id_"): TEXTS | {"a customer who rings"},
    ("events", "aggregate"): TEXTS | {"a payment"},
    ("events", "after"): {"seven"},
    ("take_due", "without"): {"a list of a text"},
    ("record_refund", "reference"): {"year 1 in text"},
    # A file in which nothing can be read is told by its lines.
    ("import_invoices", "csv"): {"no bytes", *TEXTS, "half a character"},
    ("replay_callback", "callback"): {"seven"},
    ("dismiss_callback", "callback"): {"seven"},
    ("rescan", "start"): {"seven"},
    ("commit_to", "on_default"): set(),
    ("promise", "until"): set(),
    ("promise", "currency"): {"no text"},
    ("refund", "reason"): {"no text", "a blank", "a line feed", "year 1 in text"},
    ("record_refund", "reason"): {"no text", "a blank", "a line feed", "year 1 in text"},
    ("disable_account", "reason"): {"no text", "a blank", "a line feed", "year 1 in text"},
    ("enable_account", "reason"): {"no text", "a blank", "a line feed", "year 1 in text"},
    ("enroll", "method"): {"10,000 characters", "year 1 in text"},
}


def means(verb: str, parameter: inspect.Parameter, name: str, value: object) -> bool:
    """Return whether *value* has a meaning there that is written down."""
    default = parameter.default
    if default is not inspect.Parameter.empty and type(value) is type(default):
        if isinstance(default, tuple | int | None) and value in (default, None):
            return True
        if value == default:
            return True
    if (verb, parameter.name) in OF_VERB:
        return name in OF_VERB[verb, parameter.name]
    if verb == "payments" and name == "a payment" and parameter.name == "after":
        return True
    if name == "a payment" and parameter.name in ("payment", "from_payment", "id_"):
        return True
    return name in MEANING.get(parameter.name, set())


@pytest.mark.parametrize("verb", sorted(each_verb(Cashier)))
def test_a_wrong_value_is_a_usage_error_that_names_its_argument(verb: str) -> None:
    parameters = inspect.signature(getattr(Cashier, verb)).parameters
    found: list[str] = []
    shop = Shop.opened()
    for parameter in list(parameters.values())[1:]:
        for name, make in WRONG.items():
            given = {
                each.name: shop.right(verb, each.name)
                for each in list(parameters.values())[1:]
                if each.default is inspect.Parameter.empty or (verb, each.name) in ALSO_NEEDED
            }
            value = make(shop)
            meant = means(verb, parameter, name, value)
            problem = tried(getattr(shop.cashier, verb), parameter.name, given, value, meant)
            if problem:
                found.append(f"{parameter.name} = {name}: {problem}")

    assert found == []


def tried(
    call: Callable[..., object], argument: str, given: dict[str, Any], value: object, meant: bool
) -> str:
    """Return what is wrong with how *call* takes *value*."""
    try:
        call(**{**given, argument: value})
    except UsageError as error:
        return said_badly(error, argument, meant)
    except Refused as error:
        # The values are well formed, and the records that they name are in no state for it.
        return "" if meant or argument in OF_RECORDS else f"refused by a rule: {error}"
    except PaygateError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - each of them is what must not be
        return f"{type(error).__name__} from inside: {error}"
    return "" if meant else "taken"


def said_badly(error: UsageError, argument: str, meant: bool) -> str:
    """Return what is wrong with the error that *argument* led to."""
    if "x" * 81 in error.message:
        return f"a message that echoes too much: {error.message[:200]!r}"
    if len(error.message) > 1_500 or not error.message.isprintable():
        return f"a message that cannot be read: {error.message[:600]!r}"
    if meant or isinstance(error, RecordNotFound | GatewayNotFound):
        return ""
    return "" if error.argument == argument else f"it names {error.argument!r}: {error.message}"


OPENED: Mapping[str, tuple[str, Callable[[], object]]] = {
    "a list of gateways": ("gateways", lambda: opened(gateways=[FakeGateway()])),
    "one account without a name": ("gateways", lambda: opened(gateways={"driver": "stripe"})),
    "an account under a number": ("gateways", lambda: opened(gateways={7: FakeGateway()})),
    "sinks without names": ("sinks", lambda: opened(sinks=[print])),
    "a sink without a name": ("sinks", lambda: opened(sinks={"": print})),
    "an account with the name of a route": ("gateways", lambda: opened(gateways={"sink:a": 1})),
    "nobody's tenant": ("tenant", lambda: opened(tenant="")),
    "nobody who acts": ("actor", lambda: opened(actor=" ")),
    "a zone of seven": ("zone", lambda: opened(zone=7)),
    "a clock that cannot be read": ("clock", lambda: opened(clock=datetime.now)),
    "ids that are none": ("ids", lambda: opened(ids=7)),
    "a timing of seconds": ("timing", lambda: opened(timing=30)),
    "a period that is closed": ("period_closed", lambda: opened(period_closed=True)),
    "one key that is no list": ("token_keys", lambda: opened(token_keys=KEYS[0])),
    "a key of seven": ("token_keys", lambda: opened(token_keys=[7])),
    "one page key that is no list": ("page_keys", lambda: opened(page_keys=KEYS[0])),
    "a page key of seven": ("page_keys", lambda: opened(page_keys=[7])),
    "one variable": ("environment", lambda: opened(environment="HOME")),
    "a wait of nan": ("busy_s", lambda: opened(busy_s=float("nan"))),
    "a wait for ever": ("busy_s", lambda: opened(busy_s=float("inf"))),
    "a word for yes": ("preload", lambda: opened(preload="no")),
    "no address": ("url", lambda: Cashier.open(None)),  # type: ignore[arg-type]
    "no connection": ("connection", lambda: opened().within(None)),
    "nobody on behalf of whom": ("actor", lambda: opened().acting_as("")),
    "settings of account seven": ("via", lambda: opened().public_settings(7)),
}


def opened(**more: Any) -> Any:
    return Cashier.in_memory(**more)


@pytest.mark.parametrize("case", OPENED)
def test_a_cashier_that_is_opened_wrongly_says_with_which_argument(case: str) -> None:
    argument, call = OPENED[case]

    with pytest.raises(UsageError, match=argument) as refused:
        call()

    assert KEYS[0] not in refused.value.message
    assert refused.value.argument == argument


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
def test_a_cashier_that_is_made_without_a_ledger_says_how_it_is_opened(face: type) -> None:
    with pytest.raises(UsageError, match=rf"{face.__name__}\.open\("):
        face()


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
@pytest.mark.parametrize("call", ["issue", "collect", "open", "in_memory"])
def test_what_python_says_of_a_call_names_the_class_of_the_host(face: type, call: str) -> None:
    cashier = Cashier.in_memory()
    target = getattr(face, call) if call in ("open", "in_memory") else getattr(cashier, call)
    expected = face.__name__ if call in ("open", "in_memory") else "Cashier"

    with pytest.raises(TypeError, match=rf"^{expected}\.{call}\(\) got an unexpected"):
        target(tokens=[])


def test_both_ways_to_open_a_cashier_take_the_same() -> None:
    opens = dict(inspect.signature(Cashier.open).parameters)
    del opens["url"]

    assert opens == dict(inspect.signature(Cashier.in_memory).parameters)


def test_raw_card_data_that_cannot_be_is_not_built() -> None:
    with pytest.raises(UsageError, match="expires_month"):
        RawCard("4242424242424242", "12", 2031)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="account_number"):
        RawBankAccount("021000021", 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"accepted_at": "2026-01-01"},
        {"accepted_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is wrong
        {"accepted_at": datetime(1, 1, 1, tzinfo=EAST)},
        {"text_version": ""},
        {"scope": "everything"},
        {"reference": "x" * 10_000},
    ],
)
def test_a_mandate_that_nobody_can_have_given_is_not_built(wrong: dict[str, Any]) -> None:
    right = {"text_version": "1", "accepted_at": datetime(2026, 1, 1, tzinfo=UTC)}

    with pytest.raises(UsageError) as refused:
        Mandate(**{**right, **wrong})

    assert refused.value.argument == "mandate"
    assert next(iter(wrong)) in refused.value.message


def test_a_mandate_of_tomorrow_is_not_stored() -> None:
    shop = Shop.opened()
    later = shop.cashier.now() + timedelta(days=2)

    with pytest.raises(UsageError, match="mandate"):
        shop.cashier.enroll(
            "K-9",
            via="card",
            method="tok_visa",
            key="m",
            mandate=Mandate(text_version="1", accepted_at=later),
        )


def test_what_is_still_to_come_is_not_recorded() -> None:
    """Where the payer lives it may be tomorrow already."""
    shop = Shop.opened()
    cashier, today = shop.cashier, shop.cashier.now().date()

    on = today + timedelta(days=1)
    cashier.record("N-3", by="cash", key="c-1", on=on, amount=usd("1.00"))
    with pytest.raises(UsageError, match="on is") as refused:
        cashier.record("N-3", by="cash", key="c-2", on=on + timedelta(days=1))
    assert refused.value.argument == "on"
    with pytest.raises(UsageError, match="on is"):
        cashier.reverse(shop.paid, reason="bounced", on=today + timedelta(days=2), force=True)
    with pytest.raises(UsageError, match="on is"):
        cashier.record_refund(
            shop.paid, by="cash", reference="7", key="r", on=today + timedelta(days=2)
        )


@pytest.mark.parametrize("address", ["/back", "javascript:alert(1)", "//x.example", "https://"])
def test_a_payer_is_sent_back_to_an_absolute_address_of_the_web(address: str) -> None:
    shop = Shop.opened()

    with pytest.raises(UsageError, match="return_url") as refused:
        shop.cashier.collect("N-3", via="page", key="k", return_url=address)

    assert refused.value.argument == "return_url"


def test_a_live_account_sends_a_payer_back_over_an_encrypted_connection_only() -> None:
    assert url("http://shop.example/back", "return_url", live=False)
    with pytest.raises(UsageError, match="https"):
        url("http://shop.example/back", "return_url", live=True)


def test_the_id_of_a_stored_method_is_the_method_and_no_token() -> None:
    shop = Shop.opened()

    payment = shop.cashier.collect("N-3", via="card", method=shop.stored.id, key="k")
    again = shop.cashier.collect("N-3", via="card", method=shop.stored, key="k")

    assert (payment.status, payment.method) == ("succeeded", shop.stored.id)
    assert again.id == payment.id
    with pytest.raises(UsageError, match="no stored method 'met_0'"):
        shop.cashier.collect("N-2", via="card", method="met_0", key="other")
    with pytest.raises(UsageError, match="already stored"):
        shop.cashier.enroll("K-9", via="card", method=shop.stored.id, key="again")


def test_an_empty_token_does_not_use_the_key_up() -> None:
    shop = Shop.opened()

    with pytest.raises(UsageError, match="method"):
        shop.cashier.collect("N-3", via="card", method="", key="k")

    assert shop.cashier.collect("N-3", via="card", method="tok_visa", key="k").status == "succeeded"


def test_what_was_given_as_a_method_stands_in_no_message() -> None:
    shop = Shop.opened()

    for value in (b"4242424242424242", {"number": "4242424242424242"}, ["4242424242424242"]):
        with pytest.raises(UsageError) as refused:
            shop.cashier.collect("N-3", via="card", method=value, key="k")  # type: ignore[arg-type]
        assert "4242" not in refused.value.message


@pytest.mark.parametrize("verb", sorted(each_verb(AsyncCashier)))
def test_the_cashier_for_asyncio_checks_the_same(verb: str) -> None:
    """It has the verbs of the other one; a sample of the values shows that it runs them."""
    parameters = list(inspect.signature(getattr(AsyncCashier, verb)).parameters.values())[1:]

    async def told() -> list[str]:
        shop, found = Shop.opened(), []
        async with AsyncCashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
            for parameter in parameters:
                given = {
                    each.name: shop.right(verb, each.name)
                    for each in parameters
                    if each.default is inspect.Parameter.empty or (verb, each.name) in ALSO_NEEDED
                }
                try:
                    await getattr(cashier, verb)(**{**given, parameter.name: Unprintable()})
                except UsageError as error:
                    if error.argument != parameter.name:
                        found.append(f"{parameter.name}: {error}")
                else:
                    found.append(f"{parameter.name}: taken")
        shop.cashier.close()
        return found

    assert asyncio.run(told()) == []


CARD_NUMBERS = ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005"]


@pytest.mark.parametrize("number", CARD_NUMBERS)
@pytest.mark.parametrize("given", [str, OneTimeToken.of])
def test_a_card_number_is_not_sent_as_a_token(number: str, given: Callable[[str], Any]) -> None:
    shop = Shop.opened()

    for call in (
        lambda: shop.cashier.collect("N-3", via="card", method=given(number), key="k"),
        lambda: shop.cashier.enroll("K-9", via="card", method=given(number), key="k"),
    ):
        with pytest.raises(UsageError, match="is a card number") as refused:
            call()
        assert refused.value.argument == "method"
        assert number not in refused.value.message

    with pytest.raises(RecordNotFound):
        shop.cashier.payment_by_key("k")


def test_a_token_of_digits_is_sent() -> None:
    shop = Shop.opened()

    payment = shop.cashier.collect("N-3", via="card", method="4242424242424241", key="k")

    assert payment.status == "failed", "the fake does not know it"
