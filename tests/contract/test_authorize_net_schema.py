"""Everything that the Authorize.Net driver sends and reads, against their official schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from paygate.dialogue import Request, Response
from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.customer import Browser, Customer, PostalAddress
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    Outcome,
    Pending,
    Rejected,
    Unknown,
)
from paygate.domain.secret import RawBankAccount, RawCard, Secret
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.authorize_net.codes import DECLINES, REJECTS, UNKNOWN
from paygate.drivers.authorize_net.messages import NAMESPACE
from paygate.errors import InvalidValue
from paygate.gateway import StoredToken
from paygate.testing.play import Played, play
from tests.drivers.authorize_net import conftest as samples
from tests.drivers.authorize_net import test_charge, test_hosted, test_look_up, test_profiles
from tests.drivers.authorize_net.test_feed import WINDOWS, first_look
from tests.drivers.authorize_net.test_followups import capture, refunding, voiding

Problems = Callable[[bytes], list[str]]


@pytest.fixture(scope="session")
def problems(protocols: Path) -> Problems:
    """Check a document of theirs or ours; an empty list says that it is valid."""
    schema = etree.XMLSchema(etree.parse(protocols / "authorizenet" / "AnetApiSchema.xsd"))

    def check(document: bytes) -> list[str]:
        schema.validate(etree.fromstring(document.removeprefix(samples.BOM)))
        return [f"{each.line}: {each.message}" for each in schema.error_log]

    return check


# --- What we send ---------------------------------------------------------------------------


def everything() -> list[Request]:
    """Tell at least one request of every kind."""
    net = AuthorizeNet(
        samples.settings(
            merchant_name="Club",
            communicator_url="https://x.org/c",
            purchase_order_fact="po",
            tax_fact="vat",
            authorization_indicator="final",
        )
    )
    raw, payer = test_charge.OPEN, samples.PAYER
    charge, details = samples.charge, samples.details
    settled = details("settledSuccessfully")
    bank = details("settledSuccessfully", payment=samples.BANK)
    browser = Browser(ip="2001:db8::1")
    network = StoredToken(Secret("123/456"), network_transaction_id="N7 8")
    form = samples.answers("getHostedProfilePageResponse", {"messages": samples.OK, "token": "t"})
    made, enrollment = samples.made(), test_profiles.enrollment
    profile_made, one = test_profiles.profile_made, test_profiles.one
    there = test_profiles.profile_exists("A duplicate record with ID 123 already exists.")
    merchant = samples.answers("getMerchantDetailsResponse", {"messages": samples.OK})
    long_ago = samples.inquiry(sent_at=samples.SENT_AT)
    page = first_look(net, samples.batch("7"))
    played: list[Played[Any]] = [
        play(net.charge(charge()), made),
        play(net.charge(charge(payer=payer, invoices=("A", "B"), browser=browser)), made),
        play(
            net.charge(charge(store_method=True, payer=payer)),
            made,
            test_profiles.NEW,
            profile_made("1", "2"),
            one(),
        ),
        play(net.charge(charge(method=samples.STORED)), made),
        play(net.charge(charge(method=samples.STORED, ship_to=payer)), made),
        play(net.charge(charge(payer=payer, browser=browser, ship_to=payer)), made),
        play(net.authorize(charge(payer=payer, ship_to=payer)), made),
        play(net.charge(test_hosted.asked(payer=payer, ship_to=payer)), test_hosted.FORM),
        *(
            play(net.charge(charge(method=network, payer_present=False, reason=reason)), made)
            for reason in ChargeReason
        ),
        play(
            net.charge(
                charge(
                    payer=payer,
                    lines=tuple(ChargeLine(f"INV-{each}", Money("USD", 5)) for each in range(30)),
                    statement_suffix="ROW 12",
                    metadata={"boat": "Ida <3 & more", "empty": ""},
                )
            ),
            made,
        ),
        play(net.charge(charge(method=network, payer_present=False)), made),
        play(net.charge(charge(method=network, reason=ChargeReason.RECURRING)), made),
        play(
            net.authorize(
                charge(
                    payer=payer,
                    receipt_email="office@example.org",
                    lines=(ChargeLine("A", Money("USD", 5)), ChargeLine("B", Money("USD", 5))),
                    metadata={"po": "PO 7", "vat": "1.00", "boat": "Ida"},
                )
            ),
            made,
        ),
        play(net.charge(charge(method=samples.STORED, kind=Kind.E_CHECK)), made),
        play(raw.charge(charge(method=test_charge.CARD, payer=payer)), made),
        play(raw.charge(charge(method=test_charge.ACCOUNT, kind=Kind.E_CHECK)), made),
        play(net.authorize(charge()), made),
        play(
            net.charge(charge()),
            samples.made("4", "295", **test_charge.PART),
            test_charge.ENDED,
        ),
        play(net.capture(capture()), made),
        play(net.void(voiding()), details("capturedPendingSettlement"), made),
        play(net.refund(refunding(reason="<too> much & more")), settled, made),
        play(net.refund(refunding()), bank, made),
        play(net.charge(test_hosted.asked(payer=payer, invoices=("A",))), test_hosted.FORM),
        play(net.complete(test_hosted.completion()), samples.unsettled()),
        play(
            net.enroll(enrollment(customer_reference="99")),
            test_profiles.NEW,
            test_profiles.NEW,
            profile_made(),
            test_profiles.method_made(),
            one(),
        ),
        play(
            net.enroll(enrollment(method=None, return_url="https://x.org/")),
            test_profiles.NEW,
            profile_made(),
            form,
        ),
        play(
            net.enroll(enrollment(method=None, from_reference=samples.T)),
            test_profiles.NEW,
            there,
            profile_made("1", "2"),
            one(),
        ),
        play(
            raw.enroll(enrollment(method=test_charge.ACCOUNT, kind=Kind.E_CHECK)),
            test_profiles.NEW,
            profile_made(),
            test_profiles.method_made(),
            one(payment=samples.BANK),
        ),
        play(
            net.look_up(samples.inquiry(operation=Operation.ENROLL, reference="cim-123-1")),
            test_profiles.profile("2"),
        ),
        play(
            net.forget(test_profiles.forgetting()),
            samples.answers("deleteCustomerPaymentProfileResponse", {"messages": samples.OK}),
        ),
        play(net.stored_methods("C-1"), test_profiles.profile("2")),
        play(
            net.look_up(long_ago),
            samples.unsettled(),
            samples.batches(samples.batch("7")),
            samples.in_batch(),
        ),
        play(net.feed(""), samples.batches(), samples.batches(), *WINDOWS),
        play(net.feed(page.cursor), samples.in_batch()),
        play(net.check(), merchant),
    ]
    return [request for each in played for request in each.requests]


def test_everything_that_is_sent_is_valid(problems: Problems) -> None:
    requests = everything()

    for request in requests:
        assert problems(request.body) == [], request.step
    assert {next(iter(samples.sent(request))) for request in requests} == {
        f"{name}Request"
        for name in (
            "createCustomerPaymentProfile",
            "createCustomerProfile",
            "createCustomerProfileFromTransaction",
            "createTransaction",
            "deleteCustomerPaymentProfile",
            "getCustomerPaymentProfile",
            "getCustomerProfile",
            "getHostedPaymentPage",
            "getHostedProfilePage",
            "getMerchantDetails",
            "getSettledBatchList",
            "getTransactionDetails",
            "getTransactionList",
            "getUnsettledTransactionList",
            "updateSplitTenderGroup",
        )
    }


def test_the_schema_does_refuse(problems: Problems) -> None:
    """A check that lets everything through would prove nothing."""
    (request,) = play(
        AuthorizeNet(samples.settings()).charge(samples.charge()), samples.made()
    ).requests
    swapped = request.body.replace(b"amount>", b"x>").replace(b"transactionType>", b"amount>")

    assert problems(swapped)


texts = st.text(max_size=300)
payers = st.builds(
    Customer,
    id=texts,
    name=texts,
    phone=texts,
    address=st.builds(
        PostalAddress,
        line1=texts,
        line2=texts,
        city=texts,
        region=texts,
        postal_code=texts,
        country=texts,
    ),
)


@given(payer=payers, invoices=st.lists(texts, max_size=3), about=texts, minor=st.integers(1, 10**9))
def test_whatever_a_payer_is_called_is_valid_or_refused(
    problems: Problems, payer: Customer, invoices: list[str], about: str, minor: int
) -> None:
    asked = samples.charge(
        payer=payer, invoices=tuple(invoices), description=about, amount=Money("USD", minor)
    )
    net = AuthorizeNet(samples.settings())
    try:
        dialogue = net.charge(asked)
    except InvalidValue:
        return

    (request,) = play(dialogue, samples.made()).requests

    assert problems(request.body) == []


# --- What they answer -----------------------------------------------------------------------------


def tree(protocols: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        (protocols / "authorizenet" / "element-order.json").read_text()
    )
    return told


def as_xml(order: dict[str, Any], root: str, body: dict[str, Any]) -> bytes:
    """Write one of the sheet's JSON answers as the same answer in XML, by the schema's order."""
    types = order["types"]

    def fill(element: ET.Element, type_: str, value: Any) -> None:
        spec = types.get(type_)
        if spec is None:
            element.text = str(value).lower() if isinstance(value, bool) else str(value)
            return
        if isinstance(value, list):  # JSON leaves the wrapper's only child out
            value = {spec[0]["name"]: value}
        for child in spec:
            told = value.get(child["name"])
            if told is None:
                continue
            repeated = told if isinstance(told, list) and child.get("many") else [told]
            for one in repeated:
                name = f"{{{NAMESPACE}}}{child['name']}"
                fill(ET.SubElement(element, name), child["type"], one)

    element = ET.Element(f"{{{NAMESPACE}}}{root}")
    fill(element, order["elements"][root], body)
    written: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=True)
    return samples.BOM + written


ROOTS = {
    "transactionResponse": "createTransactionResponse",
    "transaction": "getTransactionDetailsResponse",
    "transactions": "getUnsettledTransactionListResponse",
    "batchList": "getSettledBatchListResponse",
    "token": "getHostedPaymentPageResponse",
    "customerPaymentProfileId": "createCustomerPaymentProfileResponse",
    "customerPaymentProfileIdList": "createCustomerProfileResponse",
    "messages": "ErrorResponse",
}


def sampled(protocols: Path, name: str) -> tuple[str, bytes]:
    path = protocols / "authorizenet" / "sample-responses.json"
    body = json.loads(path.read_text())[name]["body"]
    root = next(root for key, root in ROOTS.items() if key in body)
    return root, as_xml(tree(protocols), root, body)


ANSWERS: dict[str, tuple[str, type[object]]] = {
    "approved": ("charge", Approved),
    "declined": ("charge", Declined),
    "declined_avs_E00027": ("charge", Declined),
    "error_bad_card": ("charge", Declined),
    "held_for_review": ("charge", Pending),
    "duplicate_without_window_setting": ("charge", Unknown),
    "prepaid_full_with_balance": ("charge", Approved),
    "refund_before_settlement": ("charge", Rejected),
    "auth_failure": ("charge", Rejected),
    "order_violation": ("charge", Rejected),
    "not_found": ("charge", Rejected),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_sheets_answers_to_a_charge_mean_what_it_says(
    problems: Problems, protocols: Path, name: str
) -> None:
    _, body = sampled(protocols, name)
    refs = json.loads((protocols / "authorizenet" / "sample-responses.json").read_text())
    reference = refs[name]["body"].get("refId", "")
    ours = test_charge.ORDER.encode()
    body = body.replace(f"refId>{reference}<".encode(), b"refId>" + ours + b"<")

    assert problems(body) == []
    net = AuthorizeNet(samples.settings())
    outcome: Outcome = play(net.charge(samples.charge()), Response(status=200, body=body)).outcome

    assert type(outcome) is ANSWERS[name][1]


def test_the_sheets_other_answers_are_read(problems: Problems, protocols: Path) -> None:
    net = AuthorizeNet(samples.settings())

    def told(name: str) -> Response:
        _, body = sampled(protocols, name)
        body = body.replace(b"refId>pg-1<", b"refId>" + test_charge.ORDER.encode() + b"<")
        assert problems(body) == [], name
        return Response(status=200, headers={"date": samples.DATE}, body=body)

    first = "60012345678"
    adopted = play(
        net.charge(samples.charge()),
        told("duplicate_with_window_setting"),
        samples.details("capturedPendingSettlement", order=test_charge.ORDER, transId=first),
    ).outcome
    assert isinstance(adopted, Approved)
    part = play(net.charge(samples.charge()), told("partial_authorization"), test_charge.ENDED)
    assert isinstance(part.outcome, Declined)
    voided = play(
        net.void(voiding()),
        samples.details("capturedPendingSettlement"),
        told("void_already_voided"),
    ).outcome
    assert isinstance(voided, Approved)
    details = samples.inquiry(reference="2162566217", amount=samples.usd("1018.88"))
    found = play(net.look_up(details), told("transaction_details")).outcome
    assert isinstance(found, Approved)
    assert found.movements[0].amount == samples.usd("1018.88")
    bounced = samples.inquiry(reference="60012345690", amount=samples.usd("50.00"))
    back = play(net.look_up(bounced), told("transaction_details_returned_echeck")).outcome
    assert isinstance(back, Approved)
    assert back.movements[1].code == "R01"
    lists = play(net.look_up(samples.inquiry()), told("unsettled_list"), samples.batches())
    assert lists.outcome == NotFound()
    feed = play(net.feed(""), told("batch_list"), samples.batches(), *WINDOWS).outcome
    assert "3990061" in feed.cursor
    hosted = play(net.charge(test_hosted.asked()), told("hosted_token")).outcome
    assert type(hosted) is ActionRequired
    enrolled = play(
        net.enroll(test_profiles.enrollment()),
        test_profiles.NEW,
        told("profile_duplicate"),
        test_profiles.NEW,
        told("payment_profile_duplicate"),
        test_profiles.one("34897359"),
    )
    assert enrolled.notes == ["cim-20382791-0"]
    assert isinstance(enrolled.outcome, Approved)
    created = play(
        net.enroll(test_profiles.enrollment(method=None, from_reference=first)),
        test_profiles.NEW,
        told("profile_created"),
        test_profiles.one("28393490"),
    ).outcome
    assert isinstance(created, Approved)


def test_every_sample_answer_is_in_one_of_these_tests(protocols: Path) -> None:
    told = json.loads((protocols / "authorizenet" / "sample-responses.json").read_text())
    others = {
        *("duplicate_with_window_setting", "partial_authorization", "void_already_voided"),
        *("transaction_details", "transaction_details_returned_echeck", "unsettled_list"),
        *("batch_list", "hosted_token", "profile_duplicate", "payment_profile_duplicate"),
        *("profile_created",),
    }

    assert told.keys() - {"_about", "webhook_event"} == ANSWERS.keys() | others


def test_what_these_tests_answer_is_what_theirs_look_like(problems: Problems) -> None:
    """Our own test data keeps to their schema as well."""
    replies = [
        samples.made(),
        samples.made("2", "2"),
        samples.made("4", "295", **test_charge.PART),
        samples.refuses("E00007"),
        samples.details("settledSuccessfully", order="A", ref="pg-1"),
        samples.details("returnedItem", payment=samples.BANK, batch=test_look_up.SETTLED),
        samples.unsettled(samples.entry("declined")),
        samples.in_batch(samples.entry("settledSuccessfully", hasReturnedItems="true")),
        samples.batches(samples.batch("7")),
        test_hosted.FORM,
        test_profiles.profile_made("1", "2"),
        test_profiles.one(),
        test_profiles.one(payment=samples.BANK),
        test_profiles.profile("2", "3"),
        test_profiles.method_made(),
    ]

    for reply in replies:
        assert problems(reply.body) == [], reply.body


# --- The codes ----------------------------------------------------------------------------------


def test_every_code_in_our_tables_is_one_of_theirs(protocols: Path) -> None:
    told = json.loads((protocols / "authorizenet" / "response-codes.json").read_text())["codes"]

    assert (DECLINES.keys() | REJECTS.keys() | UNKNOWN.keys()) <= told.keys()


MEANT = {
    **dict.fromkeys(("decline", "duplicate", "partial"), "declined"),
    **dict.fromkeys(("configuration", "request_error", "not_found", "state_conflict"), "refused"),
    **dict.fromkeys(("processor_or_gateway_error", "unknown_outcome"), "unknown"),
}
"""What the classes of the sheet are in our tables; any other class is in none, or in either."""

OTHERWISE = {
    # The merchant takes no cards of this kind: another card may do.
    "declined": "17 28",
    # The list explains these as what precedes the processing, or as an account that is set up
    # wrong, whatever their text says.
    "refused": """
        35 131 132 170 171 172 173 261 901 E00053 E00104
        202 203 204 205 206 207 208 210 212 213 221
        """,
    # What was authorised is still to be voided.
    "unknown": "52 152",
}
"""Where we differ from the class of the sheet, and what the codes are with us."""

# Subscriptions, devices, invoices, boarding of merchants: calls that are never made.
NEVER_CALLED = """
    E00012 E00017 E00018 E00020 E00021 E00022 E00023 E00024 E00025 E00026 E00028 E00030 E00032
    E00033 E00034 E00035 E00036 E00037 E00038 E00046 E00047 E00048 E00050 E00054 E00055 E00056
    E00057 E00058 E00061 E00065 E00069 E00070 E00074 E00079 E00080 E00081 E00086 E00087 E00094
    E00096 E00097 E00111 E00112 E00125 E00127 E00128 E00129 E00131 E00132 E00134 E00140 E00143
    E00144 E00145
    """
# Of profiles, where no money moves, so that any code is a refusal; duplicates; an empty list.
OF_PROFILES = "E00039 E00042 E00043 E00099 E00100 E00101 E00102 E00103 I00004"


def test_our_tables_differ_from_the_list_only_where_it_is_said(protocols: Path) -> None:
    told = json.loads((protocols / "authorizenet" / "response-codes.json").read_text())["codes"]
    ours = {
        code: name
        for name, table in (("declined", DECLINES), ("refused", REJECTS), ("unknown", UNKNOWN))
        for code in table
    }

    meant = {code: MEANT.get(entry["class"], "") for code, entry in told.items()}
    differ = {code: ours[code] for code in ours if meant[code] and meant[code] != ours[code]}
    assert differ == {code: name for name, codes in OTHERWISE.items() for code in codes.split()}
    in_no_table = {code for code, name in meant.items() if name} - ours.keys()
    assert in_no_table == set(f"{NEVER_CALLED} {OF_PROFILES}".split())
    never = ("ok", "held", "info", "already_done")
    assert not {code for code in ours if told[code]["class"] in never}


def test_no_error_of_the_processing_counts_as_a_refusal(protocols: Path) -> None:
    told = json.loads((protocols / "authorizenet" / "response-codes.json").read_text())["codes"]
    asks_again = {
        code
        for code, entry in told.items()
        if entry["text"].startswith("An error occurred during processing")
        and "try again" in entry["text"]
    }

    # Their list says of this one that it "was not processed".
    assert asks_again - UNKNOWN.keys() == {"261"}


def test_a_code_is_in_one_table() -> None:
    tables = [DECLINES.keys(), REJECTS.keys(), UNKNOWN.keys()]

    assert sum(map(len, tables)) == len(set().union(*tables))


def test_raw_data_is_what_the_schema_calls_it(problems: Problems) -> None:
    card = RawCard(Secret("370000000000002"), 1, 2031, Secret("9001"), None)
    account = RawBankAccount(Secret("021000021"), Secret("1"), "savings", "x" * 40)
    for kind, method in ((Kind.CARD, card), (Kind.E_CHECK, account)):
        asked = samples.charge(kind=kind, method=method)
        (request,) = play(test_charge.OPEN.charge(asked), samples.made()).requests

        assert problems(request.body) == []
