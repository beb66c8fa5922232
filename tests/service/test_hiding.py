"""Processors repeat what they were sent; nothing of it is stored, told in an event, or shown."""

from __future__ import annotations

import ast
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

import paygate
from paygate import (
    Cashier,
    Customer,
    Kind,
    Money,
    OneTimeToken,
    PostalAddress,
    RawBankAccount,
    RawCard,
    Secret,
    Timing,
)
from paygate.dialogue import Dialogue, Note, Request, Response, at_once
from paygate.domain.action import Redirect, ShowVoucher
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.method import MethodFacts, StoredMethod
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import DOTS
from paygate.errors import BadResponse, PaygateError
from paygate.gateway import AccountFacts, Callback, Charge, Notice, StoredToken
from paygate.service.asking import ask
from paygate.service.hiding import Hidden
from paygate.service.secrets import secrets_in
from paygate.settings import Settings
from paygate.testing import FakeClock, FakeGateway

KEY = "sk_test_Zq81mYb/+77"
TOKEN = "tok_9fXw4Rr1e"
PAN = "4000000000000002"
OF_THE_ACCOUNT = (
    KEY,
    "sk_test_Zq81mYb%2F%2B77",
    "c2tfdGVzdF9acTgxbVliLys3Nzo",  # as Basic does
    b64encode(f"client-7:{KEY}".encode()).decode(),
    b64encode(f"POST|/v1/charges|{KEY}|900".encode()).decode(),  # signed by HMAC
    KEY.encode().hex(),
)
OF_A_TOKEN = (TOKEN,)
OF_A_CARD = (PAN, "4000 0000 0000 0002", "4000-0000-0000-0002")
ALL = (*OF_THE_ACCOUNT, *OF_A_TOKEN, *OF_A_CARD)
USD_9 = Money("USD", 900)


class _Keys(Settings):
    key: Secret[str]


def _movement(name: str, said: str) -> Movement:
    return Movement(movement_id=f"{name} {said}", amount=USD_9, code=said)


ANSWERS: dict[str, Callable[[str], Any]] = {
    "approved": lambda said: Approved(
        reference=f"ch {said}",
        movements=(_movement("m", said),),
        network_transaction_id=said,
        method_facts=MethodFacts(brand=said, wallet=said),
        checks=CardChecks(address=CardCheck(CheckResult.FAIL, said)),
        method=StoredMethod(
            token=Secret("kept_1"), kind=Kind.CARD, brand=said, holder=said, fingerprint=said
        ),
    ),
    "authorized": lambda said: Authorized(
        amount=USD_9, reference=said, checks=CardChecks(security_code=CardCheck(raw_code=said))
    ),
    "declined": lambda said: Declined(
        code=DeclineCode.GENERIC, raw_code=said, retryable=True, message=said, reference=said
    ),
    "rejected": lambda said: Rejected(
        cause=RejectCause.CREDENTIALS, retryable=False, raw_code=said, message=said, reference=said
    ),
    "pending": lambda said: Pending(reference=said),
    "a voucher": lambda said: ActionRequired(
        action=ShowVoucher(reference=said, instructions=said, barcode=said), reference=said
    ),
    "closed": lambda said: Ended(how=Ending.EXPIRED, reference=said),
    "unknown": lambda said: Unknown(reason=said, reference=said),
}


class Parrot(FakeGateway):
    """A card account that answers everything with what it was sent."""

    answer_with = "approved"
    fails = False

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Kind.CARD, clock=clock)
        self._settings = _Keys(key=Secret(KEY))

    def _says(self, request: Any) -> Dialogue[Any]:
        match getattr(request, "method", None):
            case OneTimeToken():
                said = " | ".join((*OF_THE_ACCOUNT, *OF_A_TOKEN))
            case RawCard():
                said = " | ".join((*OF_THE_ACCOUNT, *OF_A_CARD))
            case _:
                said = " | ".join(OF_THE_ACCOUNT)
        if self.fails:
            yield Note(f"noted {said}")
            raise BadResponse(said)
        return (yield from at_once(ANSWERS[self.answer_with](said)))

    charge = authorize = capture = void = refund = complete = close = _says  # type: ignore[assignment]
    enroll = forget = look_up = _says  # type: ignore[assignment]

    def check(self) -> Dialogue[AccountFacts]:
        raise BadResponse(KEY)

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        said = f"{callback.path} {' | '.join(OF_THE_ACCOUNT)}"
        notice = Notice(event_id=said, type=said, reference=said, earlier_reference=said)
        late = replace(notice, event_id=f"2 {said}", movements=(_movement("late", said),))
        return at_once([notice, late, replace(notice, event_id="3", unreadable=said)])


@pytest.fixture(name="shop")
def shop_(tmp_path: Path) -> Iterator[tuple[Cashier, Parrot, Path]]:
    clock, file = FakeClock(), tmp_path / "shop.db"
    parrot = Parrot(clock)
    keys, timing = [Fernet.generate_key()], Timing(feed_pause=None)
    url = f"sqlite:///{file}"
    with Cashier.open(
        url, gateways={"card": parrot}, clock=clock, token_keys=keys, timing=timing
    ) as till:
        yield till, parrot, file


def _written(file: Path) -> str:
    connection = sqlite3.connect(file)
    written = "\n".join(connection.iterdump())
    connection.close()
    return written


def _tried(call: Callable[[], object]) -> str:
    """Return all that a host gets to see of a call."""
    try:
        return repr(call())
    except PaygateError as error:
        return f"{error!r} {error.facts}"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_verb_stores_or_returns_what_a_processor_repeats(
    shop: tuple[Cashier, Parrot, Path], answer: str, fails: bool
) -> None:
    till, parrot, file = shop
    parrot.answer_with, parrot.fails = answer, fails
    methods: dict[str, Any] = {"N-1": TOKEN, "N-2": RawCard(PAN, 12, 2030, "739")}
    seen: list[str] = []

    for number, method in methods.items():
        till.issue(number=number, customer="C-1", total=USD_9, due="2031-01-01")
        pay = partial(till.collect, number, via="card", method=method, key=number)
        store = partial(till.enroll, "C-1", via="card", method=method, key=number)
        seen += [_tried(pay), _tried(store)]
    for payment in till.payments():
        for verb in (till.capture, till.refund, till.cancel, till.complete):
            seen.append(_tried(partial(verb, payment, key=f"{verb.__name__} {payment.id}")))
        seen.append(_tried(partial(till.inquire, payment)))
    told = Callback(method="POST", path="/", headers={}, body=b"x", received_at=till.now())
    seen += [_tried(lambda: till.receive("card", told)), _tried(till.apply_callbacks)]
    seen += [_tried(till.recover), _tried(lambda: till.check("card"))]
    seen += [_tried(till.callbacks), _tried(lambda: till.events(limit=1_000))]

    written = _written(file)
    assert [spelled for spelled in ALL if spelled in "".join(seen)] == []
    assert [spelled for spelled in ALL if spelled in written] == []


def test_each_question_says_what_its_answer_must_not_repeat() -> None:
    folder = Path(paygate.__file__).parent
    files = [*(folder / "service").glob("*.py"), *(folder / "cashier").glob("*.py")]
    calls = [
        (file.name, node.lineno, {keyword.arg for keyword in node.keywords})
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ask"
    ]

    assert len(calls) >= 10
    assert [call for call in calls if not call[2] & {"door", "hidden"}] == []


HIDDEN = Hidden([Secret(KEY)]).of(RawCard(PAN, 12, 2030, "739"))


def test_a_short_secret_is_taken_out_of_prose_and_not_out_of_codes() -> None:
    said = Declined(
        code=DeclineCode.GENERIC, raw_code="739", retryable=True, message="code 739, not 7390"
    )

    blotted = HIDDEN.blot(said)

    assert (blotted.raw_code, blotted.message) == ("739", "code ••••, not 7390")


def test_a_link_for_the_payer_may_hold_their_token_but_not_our_key() -> None:
    link = Redirect(url=f"https://bank.example/3ds?pm={TOKEN}&k={KEY}", fields={"t": TOKEN})
    hidden = Hidden([Secret(KEY)]).of(OneTimeToken.of(TOKEN))

    blotted = hidden.blot(ActionRequired(action=link, reference=TOKEN))

    assert blotted.reference == "••••"
    assert blotted.action == Redirect(
        url=f"https://bank.example/3ds?pm={TOKEN}&k=••••", fields={"t": TOKEN}
    )


def test_an_answer_without_secrets_is_the_same_object() -> None:
    plain = ANSWERS["approved"]("nothing of ours")

    assert HIDDEN.blot(plain) is plain
    assert HIDDEN.blot([plain, plain])[0] is plain


def test_numbers_of_a_bank_account_are_hidden() -> None:
    hidden = Hidden().of(RawBankAccount("110000000", "000123456789"))

    blotted = hidden.blot(Unknown(reason="no account 000123456789 at 110-000-000"))

    assert blotted.reason == "no account •••• at ••••"


def test_the_secrets_of_an_account_are_found_wherever_it_keeps_them() -> None:
    class Driver:
        __slots__ = ("keys", "settings")

        def __init__(self) -> None:
            self.settings = _Keys(key=Secret("in-the-settings"))
            self.keys = {"old": [Secret("in-a-list"), Secret(b"of-bytes")], "self": self}

    found = {secret.reveal() for secret in secrets_in(Driver())}

    assert found == {"in-the-settings", "in-a-list", "of-bytes"}


def test_credentials_that_only_a_request_shows_are_hidden() -> None:
    headers = {"Authorization": "Bearer at_9f8e7d6c5b", "Idempotency-Key": "order-77001"}

    def repeating() -> Dialogue[Unknown]:
        yield Request(method="GET", url="http://x.invalid", step="look", headers=headers)
        return Unknown(reason="bad token at_9f8e7d6c5b", reference="order-77001")

    flow = ask("card", repeating(), what="look_up")
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(Response(status=401))

    assert end.value.value == Unknown(reason="bad token ••••", reference="order-77001")


PAYER = Customer(
    "P-8",
    name="Ida Brontolo",
    email="ida@post.example",
    phone="+1 (555) 017-7444",
    address=PostalAddress(line1="4 Elm Row", city="Ely", postal_code="QX9"),
)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("IDA  BRONTOLO has no money", "•••• has no money"),
        ("ask ida@post.example or her@other.example", "ask •••• or ••••"),
        ("call 15550177444, or +1 555 017 7444", "call ••••, or ••••"),
        ("at 4 elm row, Ely QX9", "at ••••, Ely QX9"),
        ("Ida Brontolosaurus", "Ida Brontolosaurus"),
    ],
)
def test_who_pays_is_taken_out_of_what_an_answer_says(said: str, left: str) -> None:
    hidden = Hidden().about(PAYER, None)

    assert hidden.blot(Unknown(reason=said)).reason == left


class Undeliverable(FakeGateway):
    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        assert charge.ship_to is not None
        where = charge.ship_to.address.line1
        why = f"nobody lives at {where}"
        return at_once(Rejected(cause=RejectCause.VALIDATION, retryable=False, message=why))


def test_who_gets_the_goods_is_taken_out_of_what_an_answer_says() -> None:
    cashier = Cashier.in_memory(gateways={"card": Undeliverable()})
    cashier.issue(number="N-1", customer="C-1", total=Money.of("USD", "5.00"), due="2031-05-01")

    payment = cashier.collect("N-1", via="card", method="tok_visa", key="k", ship_to=PAYER)

    assert cashier.attempts(payment)[0].reason == "nobody lives at ••••"


def test_who_pays_stays_where_money_or_a_method_is_known_by_it() -> None:
    kept = StoredMethod(token=Secret("kept_1"), kind=Kind.CARD, holder="Ida Brontolo")
    answer = Approved(
        reference="Ida Brontolo", movements=(_movement("m", "Ida Brontolo"),), method=kept
    )

    blotted = Hidden().about(PAYER).blot(answer)

    assert (blotted.reference, blotted.method) == ("Ida Brontolo", kept)
    assert (blotted.movements[0].movement_id, blotted.movements[0].code) == (
        "m Ida Brontolo",
        "••••",
    )


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("no 4000000000000002", "no ••••"),
        ("till 3 4000-0000 0000-0002 5", "till 3 •••• 5"),
        ("amex 378282246310005, diners 30569309025904", "amex ••••, diners ••••"),
        ("no 4000.0000.0000.0002 at 10.00", "no •••• at 10.00"),
        ("no 4000\xa00000\xa00000\xa00002", "no ••••"),
        ("no 4000  0000  0000  0002", "no ••••"),
        ("no 4000_0000_0000_0002", "no ••••"),
        (r"no '4000\xa00000\n0000\u20030002'", "no '••••'"),
        ("no 4000\n0000\r\n0000\n0002", "no ••••"),
        ("no \uff14\uff10\uff10\uff10000000000002", "no ••••"),
        ("on 2026-01-01 12:30:45.12, 4000 0000", "on 2026-01-01 12:30:45.12, 4000 0000"),
        ("mail ida%40post.example", "mail ••••"),
        ("order 4000000000000003", "order 4000000000000003"),
        ("trace 99994000000000000002999", "trace 99994000000000000002999"),
    ],
)
def test_what_may_be_a_card_number_is_hidden_though_no_card_was_sent(said: str, left: str) -> None:
    hidden = Hidden()

    told = hidden.blot([Notice(event_id="e", type=said, reference=PAN, unreadable=said)])[0]
    declined = Declined(code=DeclineCode.GENERIC, raw_code=said, retryable=True, message=said)
    facts = MethodFacts(brand=said, wallet=said)

    assert (told.unreadable, told.type, told.reference) == (left, left, PAN)
    assert (hidden.blot(declined).message, hidden.blot(declined).raw_code) == (left, left)
    assert hidden.blot(facts) == MethodFacts(brand=left, wallet=left)


@pytest.mark.parametrize("named", [PAN, "4000.0000.0000.0002", "ida@post.example 7"])
def test_an_event_that_is_named_by_a_person_or_a_card_gets_a_name_of_its_own(named: str) -> None:
    one, again, other = (
        Hidden().blot(Notice(event_id=id_, type="t")).event_id
        for id_ in (named, named, f"{named} 8")
    )

    assert one == again != other
    assert PAN not in one
    assert "ida@" not in one


def test_the_grouped_number_of_a_card_that_was_sent_is_hidden_in_any_spelling() -> None:
    said = "4000.0000.0000.0002, 4000\xa00000  0000_0002, \uff14000000000000002"

    blotted = Hidden().of(RawCard(PAN, 12, 2030)).blot(Unknown(reason="", reference=said))

    assert blotted.reference == "••••, ••••, ••••"


def test_a_long_text_of_digits_is_read_in_no_time_that_matters() -> None:
    said = "1 " * 10_000

    assert Hidden().blot(Unknown(reason=said)).reason.startswith(("1 1", DOTS))


def test_the_processors_name_of_a_request_holds_nothing_of_the_payer() -> None:
    hidden = Hidden().about(PAYER)

    assert hidden.said("req_ida@post.example") == "••••"
    assert hidden.said("req 4000.0000.0000.0002") == "req ••••"
    assert hidden.said("Ida Brontolo") == "••••"
    assert hidden.said("req_1NwX9dKk") == "req_1NwX9dKk"


def test_a_link_for_the_payer_holds_no_card_and_no_token_of_a_stored_method() -> None:
    link = Redirect(url=f"https://bank.example/?n={PAN}&s={TOKEN}", fields={"n": PAN, "s": TOKEN})
    hidden = Hidden().of(RawCard(PAN, 12, 2030)).of(StoredToken(Secret(TOKEN)))

    blotted = hidden.blot(ActionRequired(action=link, reference="r"))

    assert blotted.action == Redirect(
        url="https://bank.example/?n=••••&s=••••", fields={"n": "••••", "s": "••••"}
    )


HALVES = ("cus_Qh71aBrZ", "pm_1NwX9dKk")
JOINED = "/".join(HALVES)


@pytest.mark.parametrize(
    ("token", "said", "left"),
    [
        (
            JOINED,
            "no 'pm_1NwX9dKk' of cus_Qh71aBrZ, nor pm_1NwX9d",
            "no '••••' of ••••, nor pm_1NwX9d",
        ),
        ("4005551/9007773", "profile 4005551, card (9007773), trace 9900777300", None),
        ("vault:Kj4x", "the vault has no Kj4x, but Kj4x9", "the vault has no ••••, but Kj4x9"),
    ],
)
def test_each_part_of_a_joined_token_is_hidden(token: str, said: str, left: str | None) -> None:
    hidden = Hidden().of(StoredToken(Secret(token)))

    blotted = hidden.blot(Unknown(reason=said)).reason

    assert blotted == (left or "profile ••••, card (••••), trace 9900777300")


def test_parts_stay_in_references_for_by_these_an_operation_is_found() -> None:
    kept = StoredMethod(token=Secret("t"), kind=Kind.CARD, customer_reference=HALVES[0])
    hidden = Hidden().of(StoredToken(Secret(JOINED))).of(StoredToken(Secret("4005551/9007773")))

    said = Declined(
        code=DeclineCode.GENERIC, raw_code=HALVES[1], retryable=False, reference=HALVES[0]
    )

    assert hidden.blot(Approved(reference="9007773", method=kept)).reference == "9007773"
    assert hidden.blot(kept) == kept
    assert (hidden.blot(said).reference, hidden.blot(said).raw_code) == (HALVES[0], "••••")


class Joined(FakeGateway):
    """A card account whose tokens are of two parts, and which names each of them by itself."""

    loses_answers = False

    def _says(self, _: object) -> Dialogue[Any]:
        if self.loses_answers:
            return at_once(Unknown(reason="lost"))
        said = f"no card {HALVES[1]} of {HALVES[0]}"
        code = DeclineCode.GENERIC
        return at_once(Declined(code=code, raw_code=HALVES[1], retryable=False, message=said))

    def enroll(self, _: object) -> Dialogue[Any]:
        kept = StoredMethod(
            token=Secret(JOINED), kind=Kind.CARD, brand="visa", customer_reference=HALVES[0]
        )
        return at_once(Approved(reference="se_1", method=kept))

    charge = look_up = _says  # type: ignore[assignment]


@pytest.mark.parametrize("loses_answers", [False, True])
def test_neither_an_answer_nor_an_inquiry_stores_a_part_of_a_token(
    tmp_path: Path, loses_answers: bool
) -> None:
    clock, file = FakeClock(), tmp_path / "shop.db"
    card = Joined(Kind.CARD, clock=clock)
    with Cashier.open(
        f"sqlite:///{file}",
        gateways={"card": card},
        clock=clock,
        token_keys=[Fernet.generate_key()],
    ) as till:
        till.issue(number="N-1", customer="C-1", total=USD_9, due="2031-01-01")
        method = till.enroll("C-1", via="card", method="tok_visa", key="e").method
        card.loses_answers = loses_answers
        payment = till.collect("N-1", via="card", method=method, key="k")
        card.loses_answers = False
        clock.advance(timedelta(hours=1))
        payment = till.inquire(payment)
        seen = repr((asdict(payment), till.attempts(payment), till.events(limit=100)))

    assert "no card •••• of ••••" in seen
    assert HALVES[1] not in seen
    assert HALVES[1] not in _written(file)


class Gossip(FakeGateway):
    """A processor that names in its decline who pays, and for whom."""

    def charge(self, _: Charge) -> Dialogue[Outcome]:
        said = "Berta Payer may not pay for Carl Customer"
        return at_once(
            Declined(code=DeclineCode.GENERIC, raw_code="51", retryable=False, message=said)
        )


@pytest.mark.parametrize("payer", [None, Customer("C-2", name="Berta Payer")])
def test_who_is_owed_for_is_hidden_whoever_pays(payer: Customer | None) -> None:
    gossip = Gossip()
    with Cashier.open("sqlite:///:memory:", gateways={"card": gossip}) as cashier:
        customer = Customer("C-1", name="Carl Customer")
        cashier.issue(number="A", customer=customer, total=USD_9, due="2031-01-01")

        payment = cashier.collect("A", via="card", method="tok_visa", key="A", payer=payer)

        assert "Carl" not in payment.reason
        assert ("Berta" in payment.reason) == (payer is None)
