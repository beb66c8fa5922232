"""A person looks at a callback that cannot be applied, and says that nothing is to be done."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import Cashier, InboxState, StoredCallback
from paygate.dialogue import Dialogue, at_once
from paygate.domain.movement import Movement
from paygate.errors import InvalidValue, NothingToDismiss, RecordNotFound
from paygate.gateway import Callback, Notice
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import assert_sound, usd

CAME = (Movement(movement_id="mv-9", amount=usd("5")),)
ORPHAN = Notice(event_id="evt-1", type="charge", reference="nobody's", movements=CAME)
FAILED = Notice(event_id="evt-2", type="charge", unreadable="an amount without a currency")


class Desk:
    """A clerk, and a processor that reports what the test says."""

    def __init__(self) -> None:
        desk = self

        class Speaker(FakeGateway):
            def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
                del callback
                return at_once([desk.notice])

        self.notice = FAILED
        self.clock = FakeClock()
        self.cashier = Cashier.in_memory(
            gateways={"card": Speaker(clock=self.clock)}, clock=self.clock
        )
        self.clerk = self.cashier.acting_as("anna")

    def hear(self, notice: Notice) -> StoredCallback:
        self.notice = notice
        at = self.clock.now()
        callback = Callback(method="POST", path="/", headers={}, body=b"", received_at=at)
        self.cashier.receive("card", callback)
        for _ in range(8):
            self.cashier.apply_callbacks()
            self.clock.advance(timedelta(days=1))
        return self.cashier.callbacks()[0]

    def concerns(self) -> list[str]:
        named = [each.name for each in self.cashier.status().concerns]
        return [name for name in named if name.startswith("callbacks")]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    assert_sound(desk.cashier)
    desk.cashier.close()


@pytest.mark.parametrize(
    ("notice", "state"), [(ORPHAN, InboxState.ORPHAN), (FAILED, InboxState.FAILED)]
)
def test_what_is_dismissed_needs_nobody_any_more(
    desk: Desk, notice: Notice, state: InboxState
) -> None:
    stuck = desk.hear(notice)
    assert (stuck.state, desk.concerns()) == (state, ["callbacks-stuck"])

    done = desk.clerk.dismiss_callback(stuck, reason="of the old shop, refunded there")

    assert (done.state, done.dismissed_by) == (InboxState.DISMISSED, "anna")
    assert (done.dismissed_for, done.error) == ("of the old shop, refunded there", stuck.error)
    assert desk.concerns() == []
    assert desk.cashier.callbacks(state="dismissed") == [done]
    assert desk.cashier.orphans() == []


def test_what_contradicts_is_dismissed_as_well(desk: Desk) -> None:
    desk.hear(FAILED)
    other = desk.hear(Notice(event_id="evt-2", type="charge", unreadable="another reason"))
    assert other.state is InboxState.CONFLICTED

    assert desk.clerk.dismiss_callback(other.id, reason="seen").state is InboxState.DISMISSED


def test_who_dismissed_it_and_why_stays_in_an_event(desk: Desk) -> None:
    stuck = desk.hear(ORPHAN)

    desk.clerk.dismiss_callback(stuck, reason="of the old shop")
    desk.clerk.dismiss_callback(stuck, reason="of the old shop")

    [event] = [each for each in desk.cashier.events() if each.type == "callback.dismissed"]
    assert event.actor == "anna"
    assert event.data["reason"] == "of the old shop"
    assert (event.data["callback"], event.data["was"]) == (stuck.id, "orphan")
    assert event.data["movements"] == ["mv-9"], "money that is in no books is named"


def test_a_dismissal_is_taken_back_by_a_replay(desk: Desk) -> None:
    stuck = desk.clerk.dismiss_callback(desk.hear(FAILED), reason="too hasty")

    again = desk.cashier.replay_callback(stuck)

    assert (again.state, again.dismissed_by, again.dismissed_for) == (InboxState.FAILED, "", "")


def test_the_same_told_again_stays_dismissed(desk: Desk) -> None:
    stuck = desk.clerk.dismiss_callback(desk.hear(FAILED), reason="seen")

    assert desk.hear(FAILED) == stuck


def test_only_what_is_stuck_is_dismissed(desk: Desk) -> None:
    ignored = desk.hear(Notice(event_id="evt-3", type="nothing"))
    for wrong in (ignored, ignored.id):
        with pytest.raises(NothingToDismiss) as refused:
            desk.clerk.dismiss_callback(wrong, reason="x")
        assert (refused.value.callback, refused.value.state) == (ignored.id, "ignored")
    with pytest.raises(RecordNotFound):
        desk.clerk.dismiss_callback(99, reason="x")
    with pytest.raises(InvalidValue, match="reason"):
        desk.clerk.dismiss_callback(desk.hear(FAILED), reason=" ")
