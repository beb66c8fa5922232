"""Signing in: a short-lived token for the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import AccessToken, BadResponse
from paygate.testing.conformance.conversation import Conversation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import followed_by_silence, hold

if TYPE_CHECKING:
    from paygate.driver import Dialogue


class SignInConformance(Conversation):
    """
    The cases for a gateway with `sign_in`.

    ``sign_in.txt``: approve (facts `token`, `expires_in_s`), refuse.
    """

    about: ClassVar[str] = "sign_in"

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Start to sign in."""
        del given
        dialogue: Dialogue[Any] = gateway.sign_in()
        return dialogue

    @override
    def secrets(self) -> dict[str, str]:
        """Return the secrets of the subject, and the token."""
        return {**super().secrets(), "the access token": self.good().fact("token")}

    def test_the_token_has_its_lifetime(self) -> None:
        """The token is returned with its lifetime, for which the core caches it."""
        case = self.good()
        token = self.outcome(case)
        require(
            isinstance(token, AccessToken)
            and token.value.reveal() == case.fact("token")
            and token.expires_in_s == int(case.fact("expires_in_s")),
            expected=f"sign_in: a token for {case.fact('expires_in_s')} seconds",
            got=token,
            why="if the lifetime is too long, payments are refused at random; if it is too short, "
            "each payment signs in again",
            read=PROTOCOL,
        )

    def test_signing_in_needs_no_token(self) -> None:
        """The request for a token does not itself require one."""
        for request in self.held(self.good()).requests:
            require(
                not request.sign_in and not request.moves_money,
                expected=f"sign_in, step {request.step!r}: neither sign_in nor moves_money",
                got=request,
                why="the core would need a token in order to get a token",
                read=PROTOCOL,
            )

    def test_refused_credentials_are_reported(self) -> None:
        """A sign-in with wrong credentials fails."""
        case = self.case("refuse", "the credentials are wrong")
        replies = case.responses(self.values(case))
        held = hold(self.opened, followed_by_silence(replies))
        require(
            isinstance(held.raised, BadResponse),
            expected="sign_in, case 'refuse': BadResponse",
            got=held.raised or held.outcome,
            why="with a made-up token, the processor refuses each payment, and nobody can see why",
            read=PROTOCOL,
        )
