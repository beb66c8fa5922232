"""Customer profiles: cards and bank accounts that Authorize.Net keeps.

A customer has one profile there, found by the name that it had before, or by our
id of them; what they stored are the payment profiles in it. Authorize.Net makes a
second one if only the e-mail address has changed, so nothing is made before it
was looked for. What somebody made meanwhile is named by an error (E00039), and is
the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    Approved,
    BadResponse,
    DeclineCode,
    Declined,
    GatewayError,
    Kind,
    OneTimeToken,
    RawBankAccount,
    RawCard,
    Rejected,
    Secret,
    StoredMethod,
    StoredToken,
    Unsupported,
    brand_of,
)
from paygate.drivers.authorize_net import codes, fields, transactions
from paygate.drivers.authorize_net.markup import each, find, leaf, node, text
from paygate.drivers.authorize_net.messages import CallRefusal, busy, unanswered

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from paygate.driver import (
        Customer,
        Dialogue,
        Enrollment,
        Forgetting,
        Outcome,
        Request,
        Response,
    )
    from paygate.drivers.authorize_net.messages import Channel

_NAMED: Final = re.compile(r"\bID (\d{1,30})\b")
# "2,1,44,This transaction has been declined.,…": the account sets what stands between, and around.
_VALIDATION: Final = re.compile(r"\W?([1-4])(\W{1,3})\d+\2(\d+)\2")
_PLACE: Final = re.compile(r"cim-(\d{1,30})-(\d{1,30})")


def check(enrollment: Enrollment) -> None:
    """Raise `Unsupported` for what cannot be stored."""
    if enrollment.kind not in (Kind.CARD, Kind.E_CHECK):
        raise Unsupported(f"Authorize.Net stores cards and bank accounts, not {enrollment.kind}")
    given = enrollment.from_reference or enrollment.method is not None or enrollment.return_url
    if not given:
        raise Unsupported(
            "a method is stored from a token of Accept.js, from a payment just made, or on "
            "Authorize.Net's page, which needs a return_url"
        )
    if isinstance(enrollment.method, StoredToken):
        raise Unsupported("that method is stored already")


# --- The profile of a customer --------------------------------------------------------------


def build_profile(channel: Channel, customer: Customer, order: str) -> Request:
    """Make a profile for a customer."""
    return channel.call(
        "createCustomerProfile",
        node("profile", *who(customer)),
        step="profile",
        order=order,
    )


def who(customer: Customer) -> tuple[str, str]:
    """Write whose profile it is."""
    return (
        leaf("merchantCustomerId", fields.customer_id(customer.id)),
        leaf("email", fields.email(customer.email)),
    )


def parse_profile(channel: Channel, response: Response, order: str) -> tuple[str, bool] | Outcome:
    """Read the id of the profile, and whether it was there before."""
    refused = busy(response)
    if refused is not None:
        return refused
    told = channel.answer("createCustomerProfile", response, order=order)
    if isinstance(told, CallRefusal):
        there = _named(told)
        return (there, True) if there else told.outcome()
    identity = text(told, "customerProfileId")
    if not fields.is_number(identity):
        raise BadResponse("Authorize.Net made a profile and does not say which")
    return identity, False


def _named(refusal: CallRefusal) -> str:
    """Read which profile is there already."""
    if refusal.code != codes.EXISTS:
        return ""
    told = text(refusal.root, "customerProfileId")
    found = _NAMED.search(refusal.message)
    return told or ("" if found is None else found.group(1))


def build_get_profile(channel: Channel, profile: str) -> Request:
    """Ask for everything that a customer stored."""
    return channel.call(
        "getCustomerProfile",
        leaf("customerProfileId", profile),
        leaf("unmaskExpirationDate", "true"),
        step="find",
    )


def build_find_profile(channel: Channel, customer: str) -> Request:
    """Ask for everything that a customer of ours stored, by our id of him."""
    return channel.call(
        "getCustomerProfile",
        leaf("merchantCustomerId", fields.customer_id(customer)),
        leaf("unmaskExpirationDate", "true"),
        step="find",
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's profile, and what is stored in it, in the order that it was."""

    id: str
    methods: list[StoredMethod]


def read_profile(channel: Channel, response: Response) -> Profile | CallRefusal | None:
    """Read a profile, or why it was not told; None if there is none."""
    told = channel.answer("getCustomerProfile", response)
    if isinstance(told, CallRefusal):
        return None if told.code == codes.NOTHING_FOUND else told
    profile = text(told, "profile/customerProfileId")
    if not fields.is_number(profile):
        raise BadResponse("Authorize.Net tells of a profile without its id")
    stored = [_stored(profile, one) for one in each(told, "profile/paymentProfiles")]
    return Profile(profile, sorted(stored, key=number_of))


def parse_get_profile(channel: Channel, response: Response) -> list[StoredMethod]:
    """Read what a customer stored, in the order that it was; nothing if there is no profile."""
    found = read_profile(channel, response)
    if isinstance(found, CallRefusal):
        raise unanswered(found)
    return [] if found is None else found.methods


def find_profile(
    channel: Channel, customer: Customer, known: str
) -> Dialogue[Profile | CallRefusal | Rejected | None]:
    """Return the profile of *customer*: by the name *known* from before, else by our id of them."""
    asked = [build_get_profile(channel, known)] if fields.is_number(known) else []
    for request in (*asked, build_find_profile(channel, customer.id)):
        response = yield request
        found = busy(response) or read_profile(channel, response)
        if found is not None:
            return found
    return None


def number_of(method: StoredMethod) -> int:
    """Tell the number of a payment profile; later ones are higher."""
    return int(method.token.reveal().rpartition("/")[2])


# --- A payment profile ----------------------------------------------------------------------


def build_method(channel: Channel, enrollment: Enrollment, profile: str) -> Request:
    """Store a card or a bank account."""
    settings, method, validation = channel.settings, enrollment.method, channel.settings.validation
    match method:
        case OneTimeToken():
            data = transactions.opaque(method)
        case RawCard() if settings.accept_raw_cards and enrollment.kind is Kind.CARD:
            data = transactions.raw_card(method)
        case RawBankAccount() if (
            settings.accept_raw_bank_accounts and enrollment.kind is Kind.E_CHECK
        ):
            data = transactions.raw_bank_account(settings, method, enrollment.customer)
            validation = "none"  # a bank cannot be asked whether an account exists
        case _:
            raise Unsupported(
                "the Authorize.Net driver stores a token of Accept.js; numbers of cards and bank "
                "accounts only where the settings accept them"
            )
    return channel.call(
        "createCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        node(
            "paymentProfile",
            transactions.address(enrollment.customer),
            node("payment", data),
        ),
        leaf("validationMode", validation),
        step="method",
        order=fields.order_number(enrollment.key),
    )


def parse_method(channel: Channel, response: Response, order: str) -> str | Outcome:
    """Read the id of what was stored, or of the same that was stored before."""
    refused = busy(response)
    if refused is not None:
        return refused
    told = channel.answer("createCustomerPaymentProfile", response, order=order)
    root = told.root if isinstance(told, CallRefusal) else told
    identity = text(root, "customerPaymentProfileId")
    if isinstance(told, CallRefusal):
        there = told.code == codes.EXISTS and fields.is_number(identity)
        return identity if there else _not_stored(told)
    if not fields.is_number(identity):
        raise BadResponse("Authorize.Net stored a method and does not say which")
    return identity


def _not_stored(refusal: CallRefusal) -> Outcome:
    """Tell why nothing was stored: a card is tried with nothing, and the bank may say no."""
    if refusal.code != "E00027":
        return refusal.outcome()
    told = text(refusal.root, "validationDirectResponse")
    said = _VALIDATION.match(told)
    if said is None:
        return Declined(
            code=DeclineCode.GENERIC,
            raw_code=refusal.code,
            retryable=False,
            message=refusal.message,
        )
    code, between, reason = said.groups()
    # The fourth of its fields is the reason's text, the seventh the transaction's id.
    rest = told[said.end() :].split(between)
    transaction = rest[3] if len(rest) > 3 and fields.is_number(rest[3]) else ""
    if reason in codes.REJECTS or (code != "2" and reason not in codes.DECLINES):
        return CallRefusal(reason, rest[0]).outcome()
    declined = transactions.declined_as(reason, rest[0], transaction)
    # What was tried is no payment, and its id no name of what was to be stored.
    return replace(declined, reference="", alert="")


def build_get_method(channel: Channel, profile: str, method: str) -> Request:
    """Ask for one payment profile."""
    return channel.call(
        "getCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        leaf("customerPaymentProfileId", method),
        leaf("unmaskExpirationDate", "true"),
        step="stored",
    )


def parse_get_method(channel: Channel, profile: str, response: Response) -> StoredMethod:
    """Read one payment profile."""
    told = channel.expect("getCustomerPaymentProfile", response)
    found = find(told, "paymentProfile")
    if found is None:
        raise BadResponse("Authorize.Net answered with no payment profile")
    return _stored(profile, found)


def _stored(profile: str, told: Element) -> StoredMethod:
    identity = text(told, "customerPaymentProfileId")
    if not (fields.is_number(identity) and fields.is_number(profile)):
        raise BadResponse("Authorize.Net tells of a stored method without its ids")
    token = Secret(f"{profile}/{identity}")
    bank = find(told, "payment/bankAccount")
    if bank is not None:
        return StoredMethod(
            token=token,
            reference=identity,
            kind=Kind.E_CHECK,
            brand=text(bank, "accountType"),
            last4=text(bank, "accountNumber")[-4:],
            holder=text(bank, "nameOnAccount"),
            customer_reference=profile,
        )
    card = find(told, "payment/creditCard")
    year, _, month = text(card, "expirationDate").partition("-")
    known = len(year) == 4 and year.isdigit() and month.isdigit()
    holder = f"{text(told, 'billTo/firstName')} {text(told, 'billTo/lastName')}".strip()
    return StoredMethod(
        token=token,
        reference=identity,
        kind=Kind.CARD,
        brand=brand_of(text(card, "cardType")),
        last4=text(card, "cardNumber")[-4:],
        expires_year=int(year) if known else None,
        expires_month=int(month) if known else None,
        holder=holder,
        network_transaction_id=text(told, "originalNetworkTransId"),
        customer_reference=profile,
    )


# --- From a payment just made -----------------------------------------------------------------


def build_from_transaction(
    channel: Channel, transaction: str, *, customer: Customer | None, profile: str
) -> Request:
    """Store what paid a transaction, for a customer or in a profile that is there."""
    new = customer is not None and not profile
    return channel.call(
        "createCustomerProfileFromTransaction",
        leaf("transId", transaction),
        node("customer", *who(customer)) if new and customer is not None else "",
        leaf("customerProfileId", profile),
        step="keep",
    )


def keep_from_transaction(
    channel: Channel, transaction: str, customer: Customer | None, known: str
) -> Dialogue[StoredMethod | CallRefusal]:
    """Store what paid a transaction, and tell what it is; *known* is the profile told before."""
    told = None
    if fields.is_number(known):
        told = yield from _keep_in(channel, transaction, customer, known)
    if told is None or (isinstance(told, CallRefusal) and told.code == codes.NOTHING_FOUND):
        found = None if customer is None else (yield from find_profile(channel, customer, ""))
        if isinstance(found, CallRefusal | Rejected):
            return (
                found
                if isinstance(found, CallRefusal)
                else CallRefusal(found.raw_code, found.message)
            )
        profile = "" if found is None else found.id
        told = yield from _keep_in(channel, transaction, customer, profile)
    if isinstance(told, CallRefusal) and not _ids(told.root) and (profile := _named(told)):
        told = yield from _keep_in(channel, transaction, customer, profile)
    root = told.root if isinstance(told, CallRefusal) else told
    ids = _ids(root)
    if ids is None or (isinstance(told, CallRefusal) and told.code != codes.EXISTS):
        return told if isinstance(told, CallRefusal) else CallRefusal("no id", "nothing was stored")
    profile, method = ids
    response = yield build_get_method(channel, profile, method)
    return parse_get_method(channel, profile, response)


def _keep_in(
    channel: Channel, transaction: str, customer: Customer | None, profile: str
) -> Dialogue[Element | CallRefusal]:
    response = yield build_from_transaction(
        channel, transaction, customer=customer, profile=profile
    )
    # The answer has the name of another call, because a profile is what it makes.
    return channel.answer("createCustomerProfile", response)


def _ids(root: Element | None) -> tuple[str, str] | None:
    """Read the ids of a profile and of the first payment profile in it."""
    profile = text(root, "customerProfileId")
    method = text(root, "customerPaymentProfileIdList/numericString")
    return (profile, method) if fields.is_number(profile) and fields.is_number(method) else None


def try_to_keep(
    channel: Channel, transaction: str, customer: Customer | None, known: str
) -> Dialogue[StoredMethod | str]:
    """Store what paid, or return why not: the money has come, and that must not get lost."""
    try:
        kept = yield from keep_from_transaction(channel, transaction, customer, known)
    except GatewayError as error:
        return f"what paid was not stored: {error}"
    if isinstance(kept, CallRefusal):
        return f"what paid was not stored: Authorize.Net answered {kept.code} {kept.message}"
    return kept


# --- Where a new method will be found ---------------------------------------------------------


def place_of(profile: str, there: list[StoredMethod]) -> str:
    """Name what is about to be stored: in which profile, and after which method."""
    return f"cim-{profile}-{max(map(number_of, there), default=0)}"


def read_place(reference: str) -> tuple[str, int] | None:
    """Read a name that `place_of` made."""
    found = _PLACE.fullmatch(reference)
    return None if found is None else (found.group(1), int(found.group(2)))


def newer_than(methods: list[StoredMethod], number: int) -> StoredMethod | None:
    """Find what was stored after the method of that number."""
    return next((method for method in methods if number_of(method) > number), None)


# --- Delete -------------------------------------------------------------------------------------


def build_delete(channel: Channel, forgetting: Forgetting) -> Request:
    """Delete a stored method."""
    profile, method = transactions.profile_ids(forgetting.token)
    return channel.call(
        "deleteCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        leaf("customerPaymentProfileId", method),
        step="forget",
        order=fields.order_number(forgetting.key),
    )


def parse_delete(channel: Channel, response: Response, order: str) -> Outcome:
    """Read whether it is deleted; what is not there is."""
    refused = busy(response)
    if refused is not None:
        return refused
    told = channel.answer("deleteCustomerPaymentProfile", response, order=order)
    if isinstance(told, CallRefusal) and told.code != codes.NOTHING_FOUND:
        return told.outcome()
    return Approved()
