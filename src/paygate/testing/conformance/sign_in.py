"""Signing in: a short-lived token for the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import AccessToken, BadResponse
from paygate.testing.conformance.conversation import Conversation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import hold, then_silence

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class SignInConformance(Conversation):
    """
    What a gateway must do that has `sign_in`.

    ``sign_in.txt``: approve (facts `token`, `expires_in_s`), refuse.
    """

    about: ClassVar[str] = "sign_in"

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to sign in."""
        del given
        dialogue: Dialogue[Any] = gateway.sign_in()
        return dialogue

    @override
    def secrets(self) -> dict[str, str]:
        """Name the token as well."""
        return {**super().secrets(), "the access token": self.good().fact("token")}

    def test_the_token_is_told_with_its_time(self) -> None:
        """The core keeps it until it expires."""
        case = self.good()
        token = self.outcome(case)
        require(
            isinstance(token, AccessToken)
            and token.value.reveal() == case.fact("token")
            and token.expires_in_s == int(case.fact("expires_in_s")),
            expected=f"sign_in: a token for {case.fact('expires_in_s')} seconds",
            got=token,
            why="kept too long, payments are refused at random; too short, each one signs in",
            read=PROTOCOL,
        )

    def test_signing_in_needs_no_token(self) -> None:
        """The request for a token can't ask for one."""
        for request in self.held(self.good()).requests:
            require(
                not request.sign_in and not request.moves_money,
                expected=f"sign_in, step {request.step!r}: neither sign_in nor moves_money",
                got=request,
                why="to get a token the core would have to get a token first",
                read=PROTOCOL,
            )

    def test_who_is_not_let_in_is_told(self) -> None:
        """Bad credentials are no token."""
        case = self.case("refuse", "the credentials are wrong")
        replies = case.responses(self.values(case))
        held = hold(self.opened, then_silence(replies))
        require(
            isinstance(held.raised, BadResponse),
            expected="sign_in, case 'refuse': BadResponse",
            got=held.raised or held.outcome,
            why="a token of thin air turns each payment into a refusal that nobody can explain",
            read=PROTOCOL,
        )
