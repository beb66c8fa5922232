"""Customer profiles: cards and bank accounts that Authorize.Net keeps.

A customer has one profile there, found by its known id or by our id of the customer; the payment
profiles in it are what the customer stored. If only the e-mail address has changed, Authorize.Net
makes a second profile, so the profile is looked for before one is made. A profile that somebody
made meanwhile is named by an error (E00039), and is the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import StoredMethod, Unsupported, brand_of
from paygate.drivers.authorize_net import codes, fields, transactions
from paygate.drivers.authorize_net.fields import NUMBER
from paygate.drivers.authorize_net.messages import CallRefusal

if TYPE_CHECKING:
    from paygate.driver import Customer, Dialogue, Enrollment, Fields, Members, Outcome, XmlFields
    from paygate.drivers.authorize_net.messages import Answer, Channel

_NAMED: Final = re.compile(r"\bID (\d{1,30})\b")
# "2,1,44,This transaction has been declined.,…": the account sets the delimiters.
_VALIDATION: Final = re.compile(r"\W?([1-4])(\W{1,3})\d+\2(\d+)\2")
_PLACE: Final = re.compile(r"cim-(\d{1,30})-(\d{1,30})")


def check(enrollment: Enrollment) -> None:
    """Raise `Unsupported` for what cannot be stored."""
    if enrollment.kind not in (driver.Kind.CARD, driver.Kind.E_CHECK):
        raise Unsupported(f"Authorize.Net stores cards and bank accounts, not {enrollment.kind}")
    if not (enrollment.from_reference or enrollment.method is not None or enrollment.return_url):
        raise Unsupported(
            "a method is stored from a token of Accept.js, from a payment just made, or on "
            "Authorize.Net's page, which needs a return_url"
        )
    if isinstance(enrollment.method, driver.StoredToken):
        raise Unsupported("that method is stored already")


# --- The profile of a customer --------------------------------------------------------------


def whose(customer: Customer) -> dict[str, str]:
    """Return whose profile it is."""
    email = fields.email(customer.email)
    return {"merchantCustomerId": fields.customer_id(customer.id), "email": email}


def _named(refusal: CallRefusal) -> str:
    """Return the profile that exists already, if the refusal says so."""
    if refusal.code != codes.EXISTS:
        return ""
    found = _NAMED.search(refusal.message)
    return refusal.root.text("customerProfileId", "") or (found.group(1) if found else "")


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's profile, and what is stored in it, the oldest first."""

    id: str
    methods: list[StoredMethod]


def get_profile(
    channel: Channel, profile: str, customer: str = ""
) -> Dialogue[Profile | CallRefusal | None]:
    """Return a *profile*, or that of a *customer* by our id; None if it does not exist."""
    answer = yield from channel.ask(
        "getCustomerProfile",
        {
            "customerProfileId": profile,
            "merchantCustomerId": fields.customer_id(customer) if customer else "",
            "unmaskExpirationDate": "true",
        },
        step="find",
    )
    if isinstance(answer, CallRefusal):
        return None if answer.code == codes.NOT_FOUND else answer
    found = answer.id("profile.customerProfileId", pattern=NUMBER)
    stored = [_stored(found, each) for each in answer.each("profile.paymentProfiles")]
    return Profile(found, sorted(stored, key=number_of))


def methods_of(channel: Channel, profile: str, customer: str = "") -> Dialogue[list[StoredMethod]]:
    """Return what a customer stored, the oldest first; nothing if there is no profile."""
    found = yield from get_profile(channel, profile, customer)
    if isinstance(found, CallRefusal):
        raise found.error()
    return [] if found is None else found.methods


def profile_of(
    channel: Channel, customer: Customer, known: str, order: str
) -> Dialogue[Profile | CallRefusal]:
    """Find the customer's profile, or make one."""
    found = yield from find_profile(channel, customer, known)
    if found is not None:
        return found
    answer = yield from channel.ask(
        "createCustomerProfile", {"profile": whose(customer)}, step="profile", order=order
    )
    if not isinstance(answer, CallRefusal):
        return Profile(answer.id("customerProfileId", pattern=NUMBER), [])
    there = _named(answer)
    return Profile(there, (yield from methods_of(channel, there))) if there else answer


def find_profile(
    channel: Channel, customer: Customer, known: str
) -> Dialogue[Profile | CallRefusal | None]:
    """Return the profile of *customer*: by the *known* id, or else by our id of the customer."""
    found = (yield from get_profile(channel, known)) if fields.is_number(known) else None
    return found or (yield from get_profile(channel, "", customer.id))


def number_of(method: StoredMethod) -> int:
    """Return the number of a payment profile; later ones are higher."""
    return int(method.token.reveal().rpartition("/")[2])


# --- A payment profile ----------------------------------------------------------------------


def check_method(channel: Channel, enrollment: Enrollment) -> Members:
    """Return what is stored, and how it is validated, or raise if it cannot be stored."""
    method, customer = enrollment.method, enrollment.customer
    if method is None or isinstance(method, driver.StoredToken):
        raise Unsupported("a method is stored from a token of Accept.js, or from its numbers")
    given = transactions.given(channel.settings, enrollment.kind, method, customer)
    # A bank cannot be asked whether an account exists.
    bank = isinstance(method, driver.RawBankAccount)
    return {
        "paymentProfile": {"billTo": transactions.address(customer), "payment": given},
        "validationMode": "none" if bank else channel.settings.validation,
    }


def store(channel: Channel, enrollment: Enrollment, profile: str) -> Dialogue[str | Outcome]:
    """Store a method; return its id, or that of the same method if it was stored before."""
    answer = yield from channel.ask(
        "createCustomerPaymentProfile",
        {"customerProfileId": profile, **check_method(channel, enrollment)},
        step="method",
        order=fields.order_number(enrollment.key),
    )
    if not isinstance(answer, CallRefusal):
        return answer.id("customerPaymentProfileId", pattern=NUMBER)
    there = answer.root.id("customerPaymentProfileId", "", pattern=NUMBER)
    return there if there and answer.code == codes.EXISTS else _not_stored(answer)


def _not_stored(refusal: CallRefusal) -> Outcome:
    """Return why nothing was stored: a card is tried with an amount of 0, and may be declined."""
    if refusal.code != "E00027":
        return refusal.outcome()
    text = refusal.root.text("validationDirectResponse", "")
    said = _VALIDATION.match(text)
    if said is None:
        return driver.Declined(
            code=driver.DeclineCode.GENERIC,
            raw_code=refusal.code,
            retryable=False,
            message=refusal.message,
        )
    code, delimiter, reason = said.groups()
    # The fourth field is the reason's text, the seventh the transaction's id.
    rest = text[said.end() :].split(delimiter)
    transaction = rest[3] if len(rest) > 3 and fields.is_number(rest[3]) else ""
    if reason in codes.REJECTS or (code != "2" and reason not in codes.DECLINES):
        return CallRefusal(reason, rest[0]).outcome()
    declined = transactions.declined_as(reason, rest[0], transaction)
    # The trial is not a payment, and its id does not name what was to be stored.
    return replace(declined, reference="", alert="")


def get_method(channel: Channel, profile: str, method: str) -> Dialogue[StoredMethod | CallRefusal]:
    """Return one payment profile, or why it was refused."""
    answer = yield from channel.ask(
        "getCustomerPaymentProfile",
        {
            "customerProfileId": profile,
            "customerPaymentProfileId": method,
            "unmaskExpirationDate": "true",
        },
        step="stored",
    )
    if isinstance(answer, CallRefusal):
        return answer
    return _stored(profile, answer.at("paymentProfile"))


def stored_method(channel: Channel, profile: str, method: str) -> Dialogue[StoredMethod]:
    """Return one payment profile, or raise `BadResponse`."""
    found = yield from get_method(channel, profile, method)
    if isinstance(found, CallRefusal):
        raise found.error()
    return found


def _stored(profile: str, found: Fields) -> StoredMethod:
    identity = found.id("customerPaymentProfileId", pattern=NUMBER)
    stored = StoredMethod(
        token=driver.Secret(f"{profile}/{identity}"),
        reference=identity,
        kind=driver.Kind.CARD,
        customer_reference=profile,
    )
    bank, card = found.at("payment.bankAccount"), found.at("payment.creditCard")
    if bank:
        return replace(
            stored,
            kind=driver.Kind.E_CHECK,
            brand=bank.text("accountType", ""),
            last4=bank.text("accountNumber", "")[-4:],
            holder=bank.text("nameOnAccount", ""),
        )
    year, _, month = card.text("expirationDate", "").partition("-")
    known = len(year) == 4 and year.isdigit() and month.isdigit()
    names = (found.text("billTo.firstName", ""), found.text("billTo.lastName", ""))
    return replace(
        stored,
        brand=brand_of(card.text("cardType", "")),
        last4=card.text("cardNumber", "")[-4:],
        expires_year=int(year) if known else None,
        expires_month=int(month) if known else None,
        holder=" ".join(names).strip(),
        network_transaction_id=found.text("originalNetworkTransId", ""),
    )


# --- From a payment just made -----------------------------------------------------------------


def keep_from_transaction(
    channel: Channel, transaction: str, customer: Customer | None, known: str
) -> Dialogue[StoredMethod | CallRefusal]:
    """Store what paid a transaction, and return it; *known* is the customer's profile, if any."""
    answer = None
    if fields.is_number(known):
        answer = yield from _keep_in(channel, transaction, customer, known)
    if answer is None or (isinstance(answer, CallRefusal) and answer.code == codes.NOT_FOUND):
        found = None if customer is None else (yield from find_profile(channel, customer, ""))
        if isinstance(found, CallRefusal):
            return found
        profile = "" if found is None else found.id
        answer = yield from _keep_in(channel, transaction, customer, profile)
    if isinstance(answer, CallRefusal) and not _ids(answer.root) and (profile := _named(answer)):
        answer = yield from _keep_in(channel, transaction, customer, profile)
    if isinstance(answer, CallRefusal) and answer.code != codes.EXISTS:
        return answer
    ids = _ids(answer.root if isinstance(answer, CallRefusal) else answer)
    if ids is not None:
        return (yield from stored_method(channel, *ids))
    nothing = CallRefusal("no id", "nothing was stored")
    return answer if isinstance(answer, CallRefusal) else nothing


def _keep_in(
    channel: Channel, transaction: str, customer: Customer | None, profile: str
) -> Dialogue[Answer]:
    """Store what paid a transaction, in a *profile* or in a new one of the customer."""
    members: Members = {
        "transId": transaction,
        "customer": {} if customer is None or profile else whose(customer),
        "customerProfileId": profile,
    }
    response = yield channel.call("createCustomerProfileFromTransaction", members, step="keep")
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
    """Store what paid, or return why not: the money has come, and must be reported anyway."""
    try:
        kept = yield from keep_from_transaction(channel, transaction, customer, known)
    except driver.GatewayError as error:
        return f"what paid was not stored: {error}"
    if isinstance(kept, CallRefusal):
        return f"what paid was not stored: Authorize.Net answered {kept.code} {kept.message}"
    return kept


def place_of(profile: Profile) -> str:
    """Return the name of what is about to be stored: its profile, and the method before it."""
    return f"cim-{profile.id}-{max(map(number_of, profile.methods), default=0)}"


def find_at(channel: Channel, place: str) -> Dialogue[StoredMethod | None]:
    """Return the method that was stored at a place that `place_of` named; None if none was."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    profile, before = found.groups()
    methods = yield from methods_of(channel, profile)
    return next((method for method in methods if number_of(method) > int(before)), None)


def delete(
    channel: Channel, profile: str, method: str, forgetting: driver.Forgetting
) -> Dialogue[Outcome]:
    """Delete a stored method; one that does not exist counts as deleted."""
    answer = yield from channel.ask(
        "deleteCustomerPaymentProfile",
        {"customerProfileId": profile, "customerPaymentProfileId": method},
        step="forget",
        order=fields.order_number(forgetting.key),
    )
    if isinstance(answer, CallRefusal) and answer.code != codes.NOT_FOUND:
        return answer.outcome()
    return driver.Approved()
