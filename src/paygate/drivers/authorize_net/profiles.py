"""Customer profiles: cards and bank accounts that Authorize.Net keeps.

A customer has one profile there, found by the name that it had before, or by our id of them; what
they stored are the payment profiles in it. Authorize.Net makes a second one if only the e-mail
address has changed, so nothing is made before it was looked for. What somebody made meanwhile is
named by an error (E00039), and is the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    Approved,
    Customer,
    DeclineCode,
    Declined,
    Dialogue,
    Enrollment,
    Fields,
    Forgetting,
    GatewayError,
    Kind,
    Outcome,
    RawBankAccount,
    Secret,
    StoredMethod,
    StoredToken,
    Unsupported,
    XmlFields,
    brand_of,
    leaf,
    node,
)
from paygate.drivers.authorize_net import codes, fields, transactions
from paygate.drivers.authorize_net.fields import NUMBER
from paygate.drivers.authorize_net.messages import CallRefusal, unanswered

if TYPE_CHECKING:
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


def whose(customer: Customer) -> str:
    """Return whose profile it is."""
    id_ = leaf("merchantCustomerId", fields.customer_id(customer.id))
    return id_ + leaf("email", fields.email(customer.email))


def _named(refusal: CallRefusal) -> str:
    """Return which profile is there already."""
    if refusal.code != codes.EXISTS:
        return ""
    found = _NAMED.search(refusal.message)
    return refusal.root.text("customerProfileId", "") or (found.group(1) if found else "")


_UNMASKED: Final = leaf("unmaskExpirationDate", "true")


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's profile, and what is stored in it, in the order that it was."""

    id: str
    methods: list[StoredMethod]


def get_profile(
    channel: Channel, profile: str, customer: str = ""
) -> Dialogue[Profile | CallRefusal | None]:
    """Ask for everything in a *profile*, or else that a *customer* by our id of them stored.

    Returns None if there is no profile.
    """
    told = yield from channel.do(
        "getCustomerProfile",
        leaf("customerProfileId", profile),
        leaf("merchantCustomerId", fields.customer_id(customer) if customer else ""),
        _UNMASKED,
        step="find",
    )
    if isinstance(told, CallRefusal):
        return None if told.code == codes.NOTHING_FOUND else told
    found = told.id("profile.customerProfileId", pattern=NUMBER)
    stored = [_stored(found, each) for each in told.each("profile.paymentProfiles")]
    return Profile(found, sorted(stored, key=number_of))


def methods_of(channel: Channel, profile: str, customer: str = "") -> Dialogue[list[StoredMethod]]:
    """Return what a customer stored, in the order that it was; nothing if there is no profile."""
    found = yield from get_profile(channel, profile, customer)
    if isinstance(found, CallRefusal):
        raise unanswered(found)
    return found.methods if isinstance(found, Profile) else []


def profile_of(
    channel: Channel, customer: Customer, known: str, order: str
) -> Dialogue[Profile | CallRefusal]:
    """Find the customer's profile, or make one."""
    found = yield from find_profile(channel, customer, known)
    if found is not None:
        return found
    who = node("profile", whose(customer))
    told = yield from channel.do("createCustomerProfile", who, step="profile", order=order)
    if not isinstance(told, CallRefusal):
        return Profile(told.id("customerProfileId", pattern=NUMBER), [])
    there = _named(told)
    return Profile(there, (yield from methods_of(channel, there))) if there else told


def find_profile(
    channel: Channel, customer: Customer, known: str
) -> Dialogue[Profile | CallRefusal | None]:
    """Return the profile of *customer*: by the name *known* from before, else by our id of them."""
    found = (yield from get_profile(channel, known)) if fields.is_number(known) else None
    return found or (yield from get_profile(channel, "", customer.id))


def number_of(method: StoredMethod) -> int:
    """Return the number of a payment profile; later ones are higher."""
    return int(method.token.reveal().rpartition("/")[2])


# --- A payment profile ----------------------------------------------------------------------


def check_method(channel: Channel, enrollment: Enrollment) -> tuple[str, str]:
    """Return what is stored, and how it is validated, or raise if it cannot be stored."""
    method, validation = enrollment.method, channel.settings.validation
    if method is None or isinstance(method, StoredToken):
        raise Unsupported("a method is stored from a token of Accept.js, or from its numbers")
    if isinstance(method, RawBankAccount):
        validation = "none"  # a bank cannot be asked whether an account exists
    customer = enrollment.customer
    data = transactions.given(channel.settings, enrollment.kind, method, customer)
    return node("paymentProfile", transactions.address(customer), data), validation


def store(channel: Channel, enrollment: Enrollment, profile: str) -> Dialogue[str | Outcome]:
    """Store a method; return its id, or that of the same that was stored before."""
    data, validation = check_method(channel, enrollment)
    told = yield from channel.do(
        "createCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        data,
        leaf("validationMode", validation),
        step="method",
        order=fields.order_number(enrollment.key),
    )
    if not isinstance(told, CallRefusal):
        return told.id("customerPaymentProfileId", pattern=NUMBER)
    there = told.root.id("customerPaymentProfileId", "", pattern=NUMBER)
    return there if there and told.code == codes.EXISTS else _not_stored(told)


def _not_stored(refusal: CallRefusal) -> Outcome:
    """Return why nothing was stored: a card is tried with nothing, and the bank may say no."""
    if refusal.code != "E00027":
        return refusal.outcome()
    told = refusal.root.text("validationDirectResponse", "")
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


def get_method(channel: Channel, profile: str, method: str) -> Dialogue[StoredMethod | CallRefusal]:
    """Ask for one payment profile."""
    told = yield from channel.ask(
        "getCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        leaf("customerPaymentProfileId", method),
        _UNMASKED,
        step="stored",
    )
    return told if isinstance(told, CallRefusal) else _stored(profile, told.at("paymentProfile"))


def stored_method(channel: Channel, profile: str, method: str) -> Dialogue[StoredMethod]:
    """Return one payment profile, or raise `BadResponse`."""
    found = yield from get_method(channel, profile, method)
    if isinstance(found, CallRefusal):
        raise unanswered(found)
    return found


def _stored(profile: str, told: Fields) -> StoredMethod:
    identity = told.id("customerPaymentProfileId", pattern=NUMBER)
    stored = StoredMethod(
        token=Secret(f"{profile}/{identity}"),
        reference=identity,
        kind=Kind.CARD,
        customer_reference=profile,
    )
    bank, card = told.at("payment.bankAccount"), told.at("payment.creditCard")
    if bank:
        return replace(
            stored,
            kind=Kind.E_CHECK,
            brand=bank.text("accountType", ""),
            last4=bank.text("accountNumber", "")[-4:],
            holder=bank.text("nameOnAccount", ""),
        )
    year, _, month = card.text("expirationDate", "").partition("-")
    known = len(year) == 4 and year.isdigit() and month.isdigit()
    return replace(
        stored,
        brand=brand_of(card.text("cardType", "")),
        last4=card.text("cardNumber", "")[-4:],
        expires_year=int(year) if known else None,
        expires_month=int(month) if known else None,
        holder=f"{told.text('billTo.firstName', '')} {told.text('billTo.lastName', '')}".strip(),
        network_transaction_id=told.text("originalNetworkTransId", ""),
    )


# --- From a payment just made -----------------------------------------------------------------


def keep_from_transaction(
    channel: Channel, transaction: str, customer: Customer | None, known: str
) -> Dialogue[StoredMethod | CallRefusal]:
    """Store what paid a transaction, and return it; *known* is the profile from before."""
    told = None
    if fields.is_number(known):
        told = yield from _keep_in(channel, transaction, customer, known)
    if told is None or (isinstance(told, CallRefusal) and told.code == codes.NOTHING_FOUND):
        found = None if customer is None else (yield from find_profile(channel, customer, ""))
        if isinstance(found, CallRefusal):
            return found
        profile = "" if found is None else found.id
        told = yield from _keep_in(channel, transaction, customer, profile)
    if isinstance(told, CallRefusal) and not _ids(told.root) and (profile := _named(told)):
        told = yield from _keep_in(channel, transaction, customer, profile)
    if isinstance(told, CallRefusal) and told.code != codes.EXISTS:
        return told
    ids = _ids(told.root if isinstance(told, CallRefusal) else told)
    if ids is None:
        return told if isinstance(told, CallRefusal) else CallRefusal("no id", "nothing was stored")
    return (yield from stored_method(channel, *ids))


def _keep_in(
    channel: Channel, transaction: str, customer: Customer | None, profile: str
) -> Dialogue[XmlFields | CallRefusal]:
    """Store what paid a transaction, for a customer or in a profile that is there."""
    response = yield channel.call(
        "createCustomerProfileFromTransaction",
        leaf("transId", transaction),
        "" if customer is None or profile else node("customer", whose(customer)),
        leaf("customerProfileId", profile),
        step="keep",
    )
    # The answer has the name of another call, because a profile is what it makes.
    return channel.answer("createCustomerProfile", response)


def _ids(root: XmlFields) -> tuple[str, str] | None:
    """Return the ids of a profile and of the first payment profile in it."""
    profile = root.id("customerProfileId", "", pattern=NUMBER)
    method = root.id("customerPaymentProfileIdList.numericString", "", pattern=NUMBER)
    return (profile, method) if profile and method else None


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


def place_of(profile: Profile) -> str:
    """Return the name of what is about to be stored: in which profile, and after which method."""
    return f"cim-{profile.id}-{max(map(number_of, profile.methods), default=0)}"


def read_place(reference: str) -> tuple[str, int] | None:
    """Return the profile and the number in a name that `place_of` made."""
    found = _PLACE.fullmatch(reference)
    return None if found is None else (found.group(1), int(found.group(2)))


def newer_than(methods: list[StoredMethod], number: int) -> StoredMethod | None:
    """Find what was stored after the method of that number."""
    return next((method for method in methods if number_of(method) > number), None)


# --- Delete -------------------------------------------------------------------------------------


def delete(
    channel: Channel, profile: str, method: str, forgetting: Forgetting
) -> Dialogue[Outcome]:
    """Delete a stored method; one that is not there is deleted."""
    told = yield from channel.do(
        "deleteCustomerPaymentProfile",
        leaf("customerProfileId", profile),
        leaf("customerPaymentProfileId", method),
        step="forget",
        order=fields.order_number(forgetting.key),
    )
    if isinstance(told, CallRefusal) and told.code != codes.NOTHING_FOUND:
        return told.outcome()
    return Approved()
