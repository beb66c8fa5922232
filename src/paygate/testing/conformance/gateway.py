"""The gateway itself: its entry point, its settings, and traits that agree with its methods."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

from paygate import registry
from paygate.domain.origin import is_origin
from paygate.driver import (
    BRANDS,
    CAPABILITIES,
    PROTOCOL_VERSION,
    SCALES,
    Asks,
    CallbackStyle,
    Feeds,
    Gateway,
    InquiryBy,
    LooksUp,
    Operation,
    PaygateError,
    SignsIn,
    Verifies,
)
from paygate.driver import Checks as CanCheck
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import CASSETTES, KIT, PROTOCOL, require
from paygate.testing.conformance.showing import shown
from paygate.testing.conformance.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator


class GatewayConformance(Subject):
    """The cases for every gateway; they need no transcript."""

    name: ClassVar[str]
    """The name of the entry point."""

    # --- How it is found ----------------------------------------------------------------

    def test_the_entry_point_leads_here(self) -> None:
        """The entry point of this name loads this driver."""
        try:
            loaded: object = registry.load(self.name)
        except PaygateError as error:
            loaded = f"{error.message}. Install the package: pip install -e ."
        require(
            loaded is cast("object", self.driver),
            expected=f"an entry point {self.name!r} in the group {registry.GROUP!r} for "
            f"{self.driver.__module__}:{self.driver.__qualname__}",
            got=loaded,
            why="hosts find a driver by the name in their settings: without the entry point they "
            "cannot use it, or load another driver under its name",
        )

    def test_it_is_named_as_its_entry_point(self) -> None:
        """The driver's name is that of its entry point: each attempt is stored with it."""
        require(
            self.gateway().name == self.name,
            expected=f"the name {self.name!r}",
            got=self.gateway().name,
            why="if the ledger names a driver that is not in the settings, nobody can trace "
            "a payment to the account that made it",
            read=PROTOCOL,
        )

    def test_it_speaks_this_protocol(self) -> None:
        """The driver is written for this version of the gateway protocol."""
        require(
            self.traits.protocol_version == PROTOCOL_VERSION,
            expected=f"protocol_version {PROTOCOL_VERSION}, the one of this paygate",
            got=self.traits.protocol_version,
            why="a driver that is correct for one protocol version may be wrong about money in "
            "another, so the core refuses it",
            read=PROTOCOL,
        )

    def test_the_driver_has_a_version(self) -> None:
        """The traits state the driver's version, which is stored with each attempt."""
        require(
            bool(self.traits.driver_version.strip()),
            expected="a driver_version in the traits",
            got=self.traits.driver_version,
            why="after a bug you need to find the payments that the faulty version made",
            read=PROTOCOL,
        )

    def test_origins_are_bare(self) -> None:
        """Each of the page origins is an origin, as a browser writes it, and is safe."""
        applies(self.traits.page_origins, "the traits name no page_origins")
        for each in sorted(self.traits.page_origins):
            require(
                is_origin(each),
                expected="page_origins such as 'https://pay.example', without a path, by https or "
                "on loopback",
                got=each,
                why="the origins go into a header of payment pages; a browser ignores what is not "
                "written as it expects, and then blocks the form",
                read=PROTOCOL,
            )

    def test_brands_are_of_our_vocabulary(self) -> None:
        """The brands of a rail are our names of card brands."""
        rails = self.traits.rails.items()
        applies(
            any(rail.brands is not None for _, rail in rails), "no rail says which cards it accepts"
        )
        for kind, rail in rails:
            foreign = sorted((rail.brands or frozenset()) - set(BRANDS.values()))
            require(
                not foreign and rail.brands != frozenset(),
                expected=f"{kind}: brands of {', '.join(sorted(set(BRANDS.values())))}",
                got=", ".join(foreign) or "none at all",
                why="a portal shows the logos of the cards by these names",
                read=PROTOCOL,
            )

    def test_the_lag_of_a_return_is_one(self) -> None:
        """A `return_lag` is positive, and only on a rail from which the payer comes back."""
        rails = self.traits.rails.items()
        lags = [
            (kind, rail.return_lag, rail.needs_return_url or Operation.COMPLETE in rail.operations)
            for kind, rail in rails
            if rail.return_lag
        ]
        applies(lags, "the processor knows the result when the payer comes back")
        for kind, lag, comes_back in lags:
            require(
                lag > timedelta(0) and comes_back,
                expected=f"{kind}: a positive return_lag, on a rail with COMPLETE or "
                "needs_return_url",
                got=lag,
                why="a page waits that long before it says that nothing was paid to a payer who "
                "came back",
                read=PROTOCOL,
            )

    # --- Settings -----------------------------------------------------------------------

    def test_an_unknown_setting_is_refused(self) -> None:
        """A misspelled setting is an error."""
        problem = self._refused({**self.settings, "no_such_setting_7": "x"})
        require(
            "no_such_setting_7" in problem,
            expected="an error that names the setting 'no_such_setting_7'",
            got=problem or "it is ignored",
            why="if a misspelled 'test_mode' is ignored, real cards are charged; forbid extra "
            "fields in the settings model",
        )

    def test_a_missing_setting_is_named(self) -> None:
        """The error about a missing setting names it."""
        required = [
            name
            for name, field in self.driver.settings_model.model_fields.items()
            if field.is_required()
        ]
        applies(required, "all settings of this driver have defaults")
        for name in required:
            rest = {each: value for each, value in self.settings.items() if each != name}
            problem = self._refused(rest)
            require(
                name in problem,
                expected=f"an error that names the setting {name!r}",
                got=problem or "no error",
                why="the operator who sets up the account can't guess which setting is missing",
            )

    def test_a_wrong_setting_is_not_quoted(self) -> None:
        """The error about a wrong setting does not show its value, which may be a key."""
        for name in self.driver.settings_model.model_fields:
            problem = self._refused({**self.settings, name: ["Zx81-quoted"]})
            require(
                "Zx81-quoted" not in problem,
                expected=f"an error about {name!r} without the value",
                got=problem,
                why="operators paste keys into the wrong field, and errors into tickets",
            )
            facts = self._facts_of_refusal({**self.settings, name: ["Zx81-quoted"]})
            require(
                "Zx81-quoted" not in facts,
                expected=f"an error about {name!r} whose errors() and json() hold no input; derive "
                "the settings from paygate.driver.Settings",
                got=facts,
                why="frameworks and error trackers store both, and with them the credential",
            )

    def _facts_of_refusal(self, settings: dict[str, Any]) -> str:
        """Return what a program can read from the error about *settings*; empty if accepted."""
        from pydantic import ValidationError

        try:
            self.driver.settings_model.model_validate(settings)
        except ValidationError as error:
            return f"{error.errors(include_url=False)} {error.json(include_url=False)}"
        return ""

    def _refused(self, settings: dict[str, Any]) -> str:
        """Return the message that an operator sees about *settings*; empty if accepted."""
        try:
            registry.make(cast("registry.Driver", self.driver), self.name, settings)
        except PaygateError as error:
            return error.message
        return ""

    def test_settings_make_a_form(self) -> None:
        """A portal can render a form from the settings: each one has a description."""
        schema: dict[str, Any] = self.driver.settings_model.model_json_schema()
        fields = cast("dict[str, Any]", schema.get("properties", {}))
        undescribed = [name for name, field in fields.items() if not field.get("description")]
        require(
            bool(json.dumps(schema)) and not undescribed,
            expected="a JSON schema in which each setting has a description",
            got=f"none for {', '.join(undescribed)}",
            why="without descriptions, the portal's form asks the merchant for 'key2'",
        )

    def test_credentials_are_secrets(self) -> None:
        """Settings that are credentials have the type `Secret`."""
        telling = ("secret", "password", "private", "signing", "api_key", "token", "credential")
        model = self.driver.settings_model.model_validate(dict(self.settings))
        fields: dict[str, object] = {
            str(name): getattr(model, name) for name in self.driver.settings_model.model_fields
        }
        bare = [
            name
            for name, value in fields.items()
            if any(word in name for word in telling) and isinstance(value, (str, bytes)) and value
        ]
        require(
            not bare,
            expected="Secret[str] for settings that are credentials",
            got=f"plain text: {', '.join(bare)}",
            why="a plain string is printed in tracebacks and pickled into queues",
            read=PROTOCOL,
        )

    def test_no_credential_is_shown_by_the_gateway(self) -> None:
        """No credential appears in the gateway's repr or pickle, or in those of its settings."""
        gateway = self.gateway()
        model = self.driver.settings_model.model_validate(dict(self.settings))
        texts = {"gateway": shown(gateway), "settings": shown(model), "traits": repr(self.traits)}
        try:
            texts["settings as JSON"] = model.model_dump_json()
        except Exception:  # noqa: BLE001  (what does not serialize shows nothing)
            texts["settings as JSON"] = ""
        for name, secret in self.secrets().items():
            where = [each for each, text in texts.items() if secret in text]
            require(
                not where,
                expected=f"{name} is not shown",
                got=f"it is shown by the {', '.join(where)}",
                why="the first traceback in a log or ticket would reveal the account's credentials",
                read=PROTOCOL,
            )

    def test_nothing_secret_is_written_down(self) -> None:
        """No transcript and no cassette contains a credential or a card number."""
        folders = [each for each in (self.transcripts, self.cassettes) if each is not None]
        for path in sorted(path for each in folders for path in each.rglob("*") if path.is_file()):
            text = path.read_bytes().decode("utf-8", "replace")
            for name, secret in self.secrets().items():
                require(
                    secret not in text,
                    expected=f"{path.name} without {name}",
                    got="it is in the file",
                    why="the file is committed, copied and published with the tests, and anybody "
                    "who has the credential can take money. Remove it, and change the credential",
                    read=CASSETTES,
                )

    # --- Traits -------------------------------------------------------------------------

    def test_traits_stay_the_same(self) -> None:
        """The same settings always give the same traits."""
        gateway = self.gateway()
        require(
            gateway.traits == gateway.traits and gateway.traits == self.gateway().traits,
            expected="equal traits each time, for the same settings",
            got="traits that differ",
            why="the portal would show a payment button by one answer, and the core refuse the "
            "payment by the next",
            read=PROTOCOL,
        )

    def test_test_settings_are_not_live(self) -> None:
        """The settings in the tests belong to an account without real money."""
        require(
            self.traits.live is False,
            expected="live=False for the settings in the tests",
            got=self.traits.live,
            why="if `live` does not follow from the credentials, test money can pay real invoices",
            read=PROTOCOL,
        )

    def test_what_the_traits_offer_can_be_done(self) -> None:
        """The driver has a method for each operation that a rail offers."""
        gateway = self.gateway()
        lacking = [
            f"{operation} ({kind})"
            for kind, rail in self.traits.rails.items()
            for operation in sorted(rail.operations)
            if not isinstance(gateway, CAPABILITIES[operation])
        ]
        require(
            not lacking,
            expected="a method for each operation that a rail offers",
            got=f"none for {', '.join(lacking)}",
            why="the portal would show the button, and the clerk's click would end in an error",
            read=PROTOCOL,
        )

    def test_what_can_be_done_is_offered(self) -> None:
        """Some rail offers each operation that the driver has a method for."""
        gateway = self.gateway()
        offered = {each for rail in self.traits.rails.values() for each in rail.operations}
        idle = [
            str(operation)
            for operation, capability in CAPABILITIES.items()
            if isinstance(gateway, capability) and operation not in offered
        ]
        applies(
            not self._serves_part(),
            "the settings choose one of several kinds, and what is offered depends on it",
        )
        require(
            not idle,
            expected="each operation that the driver has a method for, in some rail",
            got=f"in no rail: {', '.join(idle)}",
            why="an operation that no rail offers is never called: clerks would make the refund "
            "at the processor by hand, and it would be missing from the ledger",
            read=PROTOCOL,
        )

    def _serves_part(self) -> bool:
        """Return whether the settings choose a kind, so that other accounts offer the rest."""
        return "kind" in self.driver.settings_model.model_fields

    def test_inquiry_is_as_the_traits_say(self) -> None:
        """The driver has `look_up` exactly if its traits declare an inquiry."""
        gateway, by = self.gateway(), self.traits.inquiry
        require(
            isinstance(gateway, LooksUp) is (by is not InquiryBy.NONE),
            expected=f"{'no look_up' if by is InquiryBy.NONE else 'look_up'}, as inquiry={by} says",
            got=gateway,
            why="without an inquiry, an unknown outcome is flagged for manual review; with one, "
            "the core finds the outcome itself",
            read=PROTOCOL,
        )

    def test_callbacks_are_as_the_traits_say(self) -> None:
        """A gateway that receives callbacks can verify them."""
        gateway, style = self.gateway(), self.traits.callbacks
        require(
            style is CallbackStyle.NONE or isinstance(gateway, Verifies | Asks),
            expected=f"verify and reply, or question and reply_to, as callbacks={style} says",
            got=gateway,
            why="the host gives the processor a callback address, and nothing that arrives there "
            "can be verified",
            read=PROTOCOL,
        )

    def test_holds_can_be_taken_and_let_go(self) -> None:
        """A rail that offers authorize also offers capture and void."""
        stuck = [
            str(kind)
            for kind, rail in self.traits.rails.items()
            if Operation.AUTHORIZE in rail.operations
            and not {Operation.CAPTURE, Operation.VOID} <= rail.operations
        ]
        require(
            not stuck,
            expected="capture and void on each rail that offers authorize",
            got=f"not for {', '.join(stuck)}",
            why="the payer's credit limit stays blocked, and the money can be neither captured nor "
            "released",
            read=PROTOCOL,
        )

    def test_currencies_and_limits_are_real(self) -> None:
        """Currencies are ISO 4217 codes or BTC, and no minimum is above its maximum."""
        wrong: list[str] = []
        for kind, rail in self.traits.rails.items():
            codes = set(rail.currencies or ()) | set(rail.limits)
            wrong += [f"{kind}: {code}" for code in sorted(codes) if code not in SCALES]
            for code, limit in rail.limits.items():
                low, high = limit.minimum_minor, limit.maximum_minor
                if (low is not None and low < 0) or (
                    low is not None and high is not None and low > high
                ):
                    wrong.append(f"{kind}: {limit} for {code}")
        require(
            not wrong,
            expected="currencies of ISO 4217 or BTC, and limits with minimum <= maximum",
            got=", ".join(wrong),
            why="if the currency is not known, neither is the number of its decimal places",
            read=PROTOCOL,
        )

    def test_waiting_is_not_shorter_than_the_wire(self) -> None:
        """The traits leave time for a request in flight before 'not found' is believed."""
        traits = self.traits
        final = traits.not_found_is_final_after
        require(
            traits.max_in_flight.total_seconds() > 0
            and (final is None or final.total_seconds() > 0),
            expected="max_in_flight and not_found_is_final_after above zero",
            got=(traits.max_in_flight, final),
            why="an inquiry that overtakes the request finds nothing; believed at once, the "
            "payment would be made again",
            read=PROTOCOL,
        )

    # --- The tests themselves -----------------------------------------------------------

    def test_every_capability_is_held_to_its_cases(self) -> None:
        """The author's module has a test class for each capability of the driver."""
        from paygate.testing.conformance import CLASSES, OPERATIONS, LookUpConformance

        gateway = self.gateway()
        family = list(_family(self._root()))
        held = {
            (each.kind, capability)
            for each in family
            for capability in CLASSES
            if issubclass(each, capability)
        }
        lacking = [
            f"{OPERATIONS[operation].__name__} for {kind}"
            for kind, rail in self.traits.rails.items()
            for operation in sorted(rail.operations)
            if isinstance(gateway, CAPABILITIES[operation])
            and (kind, OPERATIONS[operation]) not in held
        ]
        names = {capability.__name__ for _, capability in held}
        looked_for = {each.operation for each in family if issubclass(each, LookUpConformance)}
        # Forgetting is simply repeated, so there is no need to inquire about it.
        lacking += [
            f"LookUpConformance with operation = Operation.{operation.name}"
            for operation, capability in CAPABILITIES.items()
            if isinstance(gateway, LooksUp)
            and isinstance(gateway, capability)
            and operation not in looked_for | {Operation.FORGET}
        ]
        more = {
            "CallbackConformance": isinstance(gateway, Verifies)
            and self.traits.callbacks is not CallbackStyle.NONE,
            "QuestionConformance": isinstance(gateway, Asks)
            and self.traits.callbacks is not CallbackStyle.NONE,
            "FeedConformance": isinstance(gateway, Feeds),
            "SignInConformance": isinstance(gateway, SignsIn),
            "CheckConformance": isinstance(gateway, CanCheck),
        }
        lacking += [name for name, has in more.items() if has and name not in names]
        require(
            not lacking,
            expected="a test class for each capability, all in this module: "
            "class TestRefund(YourSubject, RefundConformance): pass",
            got=f"none for {', '.join(lacking)}",
            why="a capability that is not tested will handle somebody's money wrongly in some "
            "case. Inquiries need a class for each operation; for refunds: "
            "class TestFoundRefund(YourSubject, LookUpConformance): operation = Operation.REFUND",
            read=KIT,
        )

    def _root(self) -> type[Subject]:
        """Return the author's class that names the driver."""
        roots = [
            each
            for each in type(self).__mro__
            if issubclass(each, Subject) and "driver" in vars(each)
        ]
        return roots[-1] if roots else type(self)

    def test_it_is_a_gateway(self) -> None:
        """The driver has what every gateway has, and can be instantiated more than once."""
        gateway = self.gateway()
        require(
            isinstance(cast("object", gateway), Gateway) and self.gateway() is not gateway,
            expected="an object with `name` and `traits`, a new one for each account",
            got=gateway,
            why="two merchants that share one object would be paid into one account",
            read=PROTOCOL,
        )


def _family(root: type[Subject]) -> Iterator[type[Subject]]:
    """Yield *root* and every class derived from it."""
    yield root
    for child in root.__subclasses__():
        yield from _family(child)
