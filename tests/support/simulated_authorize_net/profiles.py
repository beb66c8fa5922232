"""Customer profiles at the simulated processor."""

from __future__ import annotations

from typing import Any

from tests.support.simulated_authorize_net.records import (
    Instrument,
    PaymentProfile,
    Profile,
    Told,
)
from tests.support.simulated_authorize_net.speech import failed, ok, part
from tests.support.simulated_authorize_net.state import State


class Profiles(State):
    """What customers have stored."""

    def create_profile(self, told: Told) -> tuple[str, Told]:
        """Make a profile, unless the customer has one."""
        wanted: Told = told["profile"]
        made = self._profile(wanted.get("merchantCustomerId", ""), wanted.get("email", ""))
        if isinstance(made, dict):
            return "createCustomerProfileResponse", made
        return "createCustomerProfileResponse", _profile_made(made.id, [])

    def _profile(self, customer: str, email: str) -> Profile | Told:
        for there in self.profiles.values():
            if (there.customer, there.email) == (customer, email):
                text = f"A duplicate record with ID {there.id} already exists."
                return {"messages": failed("E00039", text), **_no_lists()}
        made = Profile(id=self._number(), customer=customer, email=email)
        self.profiles[made.id] = made
        return made

    def create_method(self, told: Told) -> tuple[str, Told]:
        """Store a method in a profile."""
        name = "createCustomerPaymentProfileResponse"
        profile = self.profiles.get(told["customerProfileId"])
        given: Told = told["paymentProfile"]
        found = self._instrument(given)
        if profile is None or isinstance(found, str):
            return name, {"messages": failed(found if isinstance(found, str) else "E00040")}
        instrument, _, _ = found
        if not instrument.bank and not instrument.luhn:
            return name, {"messages": failed("E00027")}
        stored, new = self._store(profile, instrument, part(given, "billTo"))
        duplicate = failed("E00039", "A duplicate customer payment profile already exists.")
        return name, {
            "messages": ok() if new else duplicate,
            "customerProfileId": profile.id,
            "customerPaymentProfileId": stored.id,
        }

    def _store(
        self, profile: Profile, instrument: Instrument, bill_to: Told
    ) -> tuple[PaymentProfile, bool]:
        for there in profile.methods.values():
            if there.instrument.digest == instrument.digest:
                return there, False
        stored = PaymentProfile(id=self._number(), instrument=instrument, bill_to=bill_to)
        profile.methods[stored.id] = stored
        return stored, True

    def profile_from_transaction(self, told: Told) -> tuple[str, Told]:
        """Store what paid a transaction."""
        name = "createCustomerProfileResponse"
        one = self.transactions.get(told["transId"])
        if one is None or one.code == "2":
            return name, {"messages": failed("E00099"), **_no_lists()}
        if "customerProfileId" in told:
            profile = self.profiles.get(told["customerProfileId"])
            if profile is None:
                return name, {"messages": failed("E00040"), **_no_lists()}
        else:
            customer = part(told, "customer")
            made = self._profile(customer.get("merchantCustomerId", ""), customer.get("email", ""))
            if isinstance(made, dict):
                return name, made
            profile = made
        stored, new = self._store(profile, one.instrument, one.bill_to)
        one.profile = profile.id, stored.id
        answer = _profile_made(profile.id, [stored.id])
        if not new:
            text = "A duplicate customer payment profile already exists."
            answer["messages"] = failed("E00039", text)
        return name, answer

    def get_profile(self, told: Told) -> tuple[str, Told]:
        """Tell a profile, by its id or the merchant's id of the customer."""
        found = self.profiles.get(told.get("customerProfileId", ""))
        for each in self.profiles.values():
            if each.customer and each.customer == told.get("merchantCustomerId"):
                found = each
        if found is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        show = told.get("unmaskExpirationDate") == "true"
        shown: list[tuple[str, Any]] = [
            ("merchantCustomerId", found.customer),
            ("email", found.email),
            ("customerProfileId", found.id),
            ("paymentProfiles", [_method(each, show=show) for each in found.methods.values()]),
        ]
        return "getCustomerProfileResponse", {
            "messages": ok(),
            "profile": {name: value for name, value in shown if value},
        }

    def get_method(self, told: Told) -> tuple[str, Told]:
        """Tell one stored method."""
        found = self._find(told)
        if found is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        show = told.get("unmaskExpirationDate") == "true"
        return "getCustomerPaymentProfileResponse", {
            "messages": ok(),
            "paymentProfile": _method(found, show=show),
        }

    def _find(self, told: Told, method: str = "") -> PaymentProfile | None:
        profile = self.profiles.get(told["customerProfileId"])
        wanted = method or told.get("customerPaymentProfileId", "")
        return None if profile is None else profile.methods.get(wanted)

    def delete_method(self, told: Told) -> tuple[str, Told]:
        """Delete a stored method."""
        if self._find(told) is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        del self.profiles[told["customerProfileId"]].methods[told["customerPaymentProfileId"]]
        return "deleteCustomerPaymentProfileResponse", {"messages": ok()}


def _method(stored: PaymentProfile, *, show: bool) -> Told:
    told: list[tuple[str, Any]] = [
        ("billTo", {name: text for name, text in stored.bill_to.items() if text}),
        ("customerPaymentProfileId", stored.id),
        ("payment", stored.instrument.masked(show_expiry=show)),
    ]
    return {name: value for name, value in told if value}


def _profile_made(profile: str, methods: list[str]) -> Told:
    return {
        "messages": ok(),
        "customerProfileId": profile,
        "customerPaymentProfileIdList": {"numericString": methods} if methods else {},
        "customerShippingAddressIdList": {},
        "validationDirectResponseList": {},
    }


def _no_lists() -> Told:
    return {
        "customerPaymentProfileIdList": {},
        "customerShippingAddressIdList": {},
        "validationDirectResponseList": {},
    }
