"""Due work as jobs: who does one, when, and how often changes nothing in the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier, Job, JobKind, JobResult, PaymentStatus, Timing
from paygate.dialogue import Dialogue
from paygate.domain.callback import InboxState
from paygate.domain.outcome import Finding, NotFound
from paygate.errors import InvalidValue, NoResponse
from paygate.gateway import Inquiry
from paygate.ledger import jobs
from paygate.service.flow import Exchange, Step
from paygate.testing import FakeClock, FakeGateway
from tests.reading import every_event
from tests.service.world import PAYER, assert_sound, usd

HOUR: Final = timedelta(hours=1)
LEASE: Final = timedelta(minutes=5)


class Processor(FakeGateway):
    """A processor that counts inquiries, and may be away or know nothing."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.asked: list[str] = []
        self.away = self.forgetful = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked.append(inquiry.our_ref)
        if self.away:
            raise NoResponse("nothing within 30 s")
        if self.forgetful:
            yield from super().look_up(inquiry)
            return NotFound()
        return (yield from super().look_up(inquiry))


class Held(Cashier):
    """A process that something overtakes while it waits for its first response."""

    meanwhile: Callable[[], object] | None = None

    def _do(self, step: Step) -> Any:
        if isinstance(step, Exchange) and self.meanwhile is not None:
            overtaking, self.meanwhile = self.meanwhile, None
            done = super()._do(step)
            overtaking()
            return done
        return super()._do(step)


class Office:
    """One ledger, and processes that have some of its accounts."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'office.db'}"
        self.clock = FakeClock()
        self.accounts = {
            name: Processor(clock=self.clock, not_found_is_final_after=timedelta(minutes=1))
            for name in ("sick", "well")
        }
        self.running: list[Cashier] = []

    def process(self, *names: str, face: type[Cashier] = Cashier, **more: Any) -> Cashier:
        gateways = {name: self.accounts[name] for name in names}
        more.setdefault("clock", self.clock)
        more.setdefault("timing", Timing(feed_pause=None))
        self.running.append(face.open(self.url, gateways=gateways, **more))
        return self.running[-1]

    def doubtful(self, number: str, via: str = "well", method: str = "tok_unknown_executed") -> Job:
        """Let the response to a charge be lost; return the job to ask about it."""
        with Cashier.open(
            self.url, gateways={via: self.accounts[via]}, clock=self.clock
        ) as cashier:
            cashier.issue(number=number, customer=PAYER, total=usd("23.00"), due="2026-02-01")
            payment = cashier.collect(number, via=via, method=method, key=number, payer=PAYER)
            [attempt] = cashier.attempts(payment)
        return Job(kind=JobKind.INQUIRE, tenant="main", account=via, subject=attempt.id)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    for process in office.running:
        assert_sound(process)
        process.close()


def books(cashier: Cashier) -> tuple[Any, ...]:
    """What must not depend on how often a job is done."""
    payments = cashier.payments(limit=100)
    return (
        [(each.number, each.open, each.status) for each in cashier.invoices(limit=100)],
        [replace(each, unanswered="") for each in payments],
        [
            (each.state, each.checks, each.next_check_at, each.needs_review)
            for payment in payments
            for each in cashier.attempts(payment)
        ],
        [receipt for payment in payments for receipt in cashier.receipts(payment)],
        [(each.state, each.tries, each.error) for each in cashier.callbacks()],
        [(event.type, event.aggregate, event.seq) for event in every_event(cashier)],
    )


def told(office: Office, cashier: Cashier) -> None:
    """Let the processor report a payment by a callback."""
    cashier.issue(number="INV-C", customer=PAYER, total=usd("5.00"), due="2026-02-01")
    cashier.collect("INV-C", via="well", method="tok_visa", key="c")
    for callback in office.accounts["well"].callbacks():
        cashier.receive("well", callback)


# --- What is due ------------------------------------------------------------------------------


def test_each_kind_of_due_work_is_a_job(office: Office) -> None:
    cashier = office.process("well", timing=Timing(feed_pause=LEASE))
    cashier.subscribe("crm", lambda _: None)
    doubtful = office.doubtful("INV-1")
    told(office, cashier)
    office.clock.advance(HOUR)

    due = cashier.due()

    assert {each.kind for each in due} == {
        JobKind.INQUIRE,
        JobKind.READ_FEED,
        JobKind.APPLY,
        JobKind.PUBLISH,
    }
    assert doubtful in [replace(each, due_at=doubtful.due_at) for each in due]
    assert all(each.due_at <= office.clock.now() and each.tenant == "main" for each in due)


def test_work_due_does_all_of_it_and_then_nothing_is_due(office: Office) -> None:
    events: list[str] = []
    cashier = office.process("well", timing=Timing(feed_pause=LEASE))
    cashier.subscribe("crm", lambda event: events.append(event.id))
    office.doubtful("INV-1")
    told(office, cashier)
    office.clock.advance(HOUR)

    results = cashier.work_due()

    assert {each.job.kind for each in results} == {
        JobKind.INQUIRE,
        JobKind.READ_FEED,
        JobKind.APPLY,
        JobKind.PUBLISH,
    }
    assert cashier.invoice("INV-1").open == usd("0")
    assert {each.state for each in cashier.callbacks()} == {InboxState.APPLIED}
    assert events == [event.id for event in every_event(cashier)]
    assert (cashier.due(), cashier.work_due()) == ([], [])


def test_jobs_of_accounts_alternate(office: Office) -> None:
    for number in range(3):
        office.doubtful(f"S-{number}", "sick")
        office.doubtful(f"W-{number}", "well")
    office.clock.advance(HOUR)

    due = office.process("sick", "well").due(limit=4)

    assert [each.account for each in due] == ["sick", "well", "sick", "well"]


def test_a_process_sees_no_job_of_an_account_that_it_lacks_and_takes_none(office: Office) -> None:
    job = office.doubtful("INV-1", "sick")
    owner, other = office.process("sick"), office.process("well")
    office.clock.advance(HOUR)
    before = books(owner)

    assert (other.due(), other.take_due(), other.work_due()) == ([], [], [])
    result = other.work(job)

    assert result == JobResult(job=job, left="the account 'sick' is not configured here")
    assert books(owner) == before
    assert [each.subject for each in owner.take_due()] == [job.subject]


def test_a_job_of_another_tenant_is_left_alone(office: Office) -> None:
    job = replace(office.doubtful("INV-1"), tenant="nobody")
    cashier = office.process("well")
    office.clock.advance(HOUR)

    assert cashier.work(job).left == "the tenant 'nobody' is not served here"
    assert office.accounts["well"].asked == []


# --- Leases -----------------------------------------------------------------------------------


def test_a_job_that_is_taken_is_not_taken_by_another_process_until_its_lease_ends(
    office: Office,
) -> None:
    office.doubtful("INV-1")
    one, two = office.process("well"), office.process("well")
    office.clock.advance(HOUR)

    [taken] = one.take_due(lease=LEASE)

    assert taken.lease
    assert two.take_due() == []
    assert [each.subject for each in two.due()] == [taken.subject]
    office.clock.advance(LEASE)
    assert [each.subject for each in two.take_due()] == [taken.subject]


def test_a_lease_of_a_process_whose_clock_is_far_ahead_holds_up_nobody(office: Office) -> None:
    office.doubtful("INV-1")
    ahead = FakeClock()
    ahead.advance(timedelta(days=400))
    office.clock.advance(HOUR)
    jobs = office.process("well", clock=ahead).take_due()
    [taken] = [each for each in jobs if each.kind is JobKind.INQUIRE]

    assert [each.subject for each in office.process("well").take_due()] == [taken.subject]


def test_a_job_that_fails_stays_taken_until_its_lease_ends(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.doubtful("INV-1")
    cashier = office.process("well")
    office.clock.advance(HOUR)
    [taken] = cashier.take_due()

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("paygate.service.inquire.inquire_safely", broken)
        with pytest.raises(RuntimeError):
            cashier.work(taken)

    assert cashier.take_due() == []
    office.clock.advance(LEASE)
    cashier.work_due()
    assert cashier.invoice("INV-1").open == usd("0")


def test_a_job_that_is_still_due_after_it_was_done_rests(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.doubtful("INV-1")
    cashier = office.process("well")
    office.clock.advance(HOUR)

    def idle(*_: Any) -> Any:
        yield from ()

    monkeypatch.setattr("paygate.service.inquire.inquire_safely", idle)
    [taken] = cashier.take_due()
    cashier.work(taken)

    assert cashier.take_due() == []
    office.clock.advance(jobs.REST)
    assert len(cashier.take_due()) == 1


def test_a_job_that_is_left_alone_is_free_again(office: Office) -> None:
    office.doubtful("INV-1", "sick")
    owner = office.process("sick")
    office.clock.advance(HOUR)
    [taken] = owner.take_due()

    assert office.process("well").work(taken).left

    assert len(owner.take_due()) == 1


def test_an_account_that_does_not_respond_is_asked_once_and_delays_no_other(
    office: Office,
) -> None:
    for number in range(3):
        office.doubtful(f"S-{number}", "sick")
        office.doubtful(f"W-{number}", "well")
    office.accounts["sick"].away = True
    cashier = office.process("sick", "well")
    office.clock.advance(HOUR)

    results = cashier.work_due()

    assert len(office.accounts["sick"].asked) == 1
    assert [cashier.invoice(f"W-{number}").open for number in range(3)] == [usd("0")] * 3
    unanswered = [each.job.account for each in results if each.unanswered]
    assert unanswered == ["sick"] * 3


def test_jobs_that_are_given_back_and_accounts_that_are_left_out(office: Office) -> None:
    office.doubtful("INV-1", "sick")
    office.doubtful("INV-2", "well")
    cashier = office.process("sick", "well")
    office.clock.advance(HOUR)

    taken = cashier.take_due(without=["sick"])

    assert [each.account for each in taken] == ["well"]
    cashier.give_back([taken[0].id])
    assert {each.account for each in cashier.take_due()} == {"sick", "well"}


def test_nobody_gives_back_what_another_process_has_taken_since(office: Office) -> None:
    office.doubtful("INV-1")
    one, two = office.process("well"), office.process("well")
    office.clock.advance(HOUR)
    taken = one.take_due()
    office.clock.advance(LEASE)
    assert two.take_due()

    one.give_back(taken)

    assert one.take_due() == []


def test_the_tenants_with_due_work_are_those_that_have_some(office: Office) -> None:
    heard: list[str] = []
    cashier = office.process("well", timing=Timing(feed_pause=LEASE))
    other = office.process("well", tenant="other", timing=Timing(feed_pause=LEASE))
    assert set(cashier.tenants_due()) == {"main", "other"}  # their feeds were never read
    cashier.work_due()
    other.work_due()
    assert cashier.tenants_due() == []

    office.doubtful("INV-1")
    assert cashier.tenants_due() == []
    office.clock.advance(timedelta(minutes=2))
    assert cashier.tenants_due() == ["main"]
    cashier.work_due()
    assert cashier.tenants_due() == []

    cashier.subscribe("crm", lambda event: heard.append(event.id))
    assert cashier.tenants_due() == ["main"]
    cashier.work_due()
    assert (cashier.tenants_due(), bool(heard)) == ([], True)


def test_the_jobs_that_wait_are_counted_by_account_until_somebody_takes_them(
    office: Office,
) -> None:
    cashier = office.process("well", timing=Timing(feed_pause=None))
    assert cashier.waiting_jobs() == []
    office.doubtful("INV-1")
    office.doubtful("INV-2")
    office.clock.advance(timedelta(minutes=2))
    elsewhere = office.process(timing=Timing(feed_pause=None))  # it has no account

    [waiting] = elsewhere.waiting_jobs()
    assert (waiting.tenant, waiting.account, waiting.jobs) == ("main", "well", 2)
    assert office.process("well", tenant="other").waiting_jobs() == []

    taken = cashier.take_due(limit=1)
    assert [each.jobs for each in elsewhere.waiting_jobs()] == [1]
    cashier.give_back(taken)
    assert [each.jobs for each in elsewhere.waiting_jobs()] == [2]
    cashier.work_due()
    assert elsewhere.waiting_jobs() == []


# --- Twice, late, at the same time ---------------------------------------------------------------


OUTCOMES: Final = ("tok_unknown_executed", "tok_unknown_lost", "tok_timeout_late")


@pytest.mark.parametrize("method", OUTCOMES)
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_job_that_is_done_twice_or_late_changes_nothing(
    office: Office, method: str, forgetful: bool
) -> None:
    job = office.doubtful("INV-1", method=method)
    office.accounts["well"].forgetful = forgetful
    one, two = office.process("well"), office.process("well")
    office.clock.advance(timedelta(seconds=91))
    one.work(job)
    before, asked = books(one), len(office.accounts["well"].asked)

    results = [two.work(job), two.work(job.id), one.work(replace(job, lease="lease_old"))]

    assert {each.left for each in results} == {"it is no longer due"}
    assert books(two) == before
    assert len(office.accounts["well"].asked) == asked


@pytest.mark.parametrize("method", OUTCOMES)
@pytest.mark.parametrize("sleeps", [timedelta(0), LEASE + timedelta(seconds=1), 3 * HOUR])
def test_two_processes_that_do_a_job_at_the_same_time_leave_the_books_of_one(
    tmp_path: Path, method: str, sleeps: timedelta
) -> None:
    def run(folder: str, *, twice: bool) -> tuple[Any, ...]:
        (tmp_path / folder).mkdir()
        office = Office(tmp_path / folder)
        office.doubtful("INV-1", method=method)
        one, two = office.process("well", face=Held), office.process("well")
        office.clock.advance(HOUR)
        [job] = one.take_due(lease=LEASE)

        def overtake() -> None:
            office.clock.advance(sleeps)
            if twice:
                # Its lease has ended, or another engine does the job without asking for one.
                for each in two.take_due() or [replace(job, lease="")]:
                    two.work(each)

        assert isinstance(one, Held)
        one.meanwhile = overtake
        one.work(job)
        for pause in (*Timing().plan, *Timing().plan):
            office.clock.advance(pause)
            two.work_due()
        found = two.payments()
        assert_sound(two)
        moved = [entry.amount for entry in office.accounts["well"].processor.journal]
        for process in (one, two):
            process.close()
        return ([(p.status, p.received, p.needs_review) for p in found], moved)

    assert run("twice", twice=True) == run("once", twice=False)


def test_a_callback_that_two_processes_apply_at_the_same_time_is_booked_once(
    office: Office,
) -> None:
    one, two = office.process("well", face=Held), office.process("well")
    office.doubtful("INV-1")
    for callback in office.accounts["well"].callbacks():
        one.receive("well", callback)
    jobs_ = [each for each in one.due() if each.kind is JobKind.APPLY]
    assert isinstance(one, Held)
    one.meanwhile = lambda: [two.work(each) for each in jobs_]

    for each in jobs_:
        one.work(each)

    [payment] = one.payments()
    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("23.00"))
    assert [each.left for each in map(two.work, jobs_)] == ["it is no longer due"] * len(jobs_)


def test_events_that_two_processes_publish_at_the_same_time_are_delivered_once(
    office: Office,
) -> None:
    heard: list[str] = []
    one, two = office.process("well"), office.process("well")
    office.doubtful("INV-1")

    def overtaken(event: Any) -> None:
        heard.append(event.id)
        two.work_due()

    two.subscribe("crm", lambda event: heard.append(event.id))
    one.subscribe("crm", overtaken)
    [job] = [each for each in one.due() if each.kind is JobKind.PUBLISH]

    one.work(job)

    assert heard == [event.id for event in every_event(one)]


# --- The text of a job ------------------------------------------------------------------------


@given(
    st.sampled_from(JobKind),
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    st.text(max_size=20).filter(lambda text: text.isprintable()),
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
)
def test_a_job_is_the_same_after_it_was_a_text(
    kind: JobKind, tenant: str, account: str, subject: str
) -> None:
    job = Job(kind=kind, tenant=tenant, account=account, subject=subject, lease="lease_1")

    assert Job.read(job.id) == job
    assert job.id.isascii()


@pytest.mark.parametrize(
    "text",
    ["", "inquire", "inquire/main/card/att_1", "dance/main/card/x/", "inquire//card/x/", "/" * 9],
)
def test_what_is_no_job_is_refused_by_its_argument(office: Office, text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        office.process("well").work(text)

    assert refused.value.facts["argument"] == "job"


@pytest.mark.parametrize(
    "text",
    [
        "read-feed/main/well/nope/l",
        "apply/main/well/x/l",
        "apply/main/well/99999999999999999999999/l",
        "apply/main/well/%D9%A1/l",
    ],
)
def test_a_job_that_was_changed_in_a_queue_is_left_alone(office: Office, text: str) -> None:
    done = office.process("well").work(text)

    assert "is not the" in done.left
    assert done.payment is None


def test_a_job_whose_subject_does_not_exist_does_nothing(office: Office) -> None:
    cashier = office.process("well")
    for kind in (JobKind.INQUIRE, JobKind.CHECK_SETTLEMENT, JobKind.APPLY):
        subject = "12345" if kind is JobKind.APPLY else "nobody's"
        job = Job(kind=kind, tenant="main", account="well", subject=subject)
        assert cashier.work(job).left == "it is no longer due"
