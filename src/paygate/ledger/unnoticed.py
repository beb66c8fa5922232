"""The columns and deletions that the consistency check does not cover, and why."""

from __future__ import annotations

from typing import Final

_ERASED: Final = "Personal data, which can be erased; a checksum of it would remain."
_READ_NEXT: Final = "When a feed is read next. A movement that is read twice is booked once."
_DELIVERY: Final = (
    "The progress of a sink with one event. Only the sink knows which events it took; it may get "
    "an event twice."
)
_SINK: Final = (
    "The position of a sink. Only the sink knows which events it took; it may get an event twice."
)
_ACCOUNT: Final = "The known facts of an account, which the next process stores again."
_REFUSED: Final = "Counts of refused callbacks, which have no effect on payments."
_JOB: Final = (
    "Who does a job, and until when. A job may be done twice, late, or by another process."
)
_RUN: Final = (
    "How far a run of automatic payment is, and who works on it. A charge is made once, however "
    "often the run begins again."
)
_SWEEP: Final = (
    "How far a sweep is, and who works on it. What it does for a customer is done once, however "
    "often the sweep begins again."
)
_NOT_USED: Final = "No row is written to this table yet."

UNNOTICED: Final[dict[str, str]] = {
    **{
        f"paygate_autopay_run.{name}": _RUN
        for name in (
            "status",
            "after_customer",
            "passes",
            "customers",
            "skips",
            "wait_until",
            "next_at",
            "lease",
            "lease_until",
            "finished_at",
        )
    },
    **{
        f"paygate_overdue_run.{name}": _SWEEP
        for name in (
            "status",
            "place",
            "customers",
            "counts",
            "wait_until",
            "next_at",
            "lease",
            "lease_until",
            "finished_at",
        )
    },
    **{
        f"paygate_account.{name}": _ACCOUNT
        for name in (
            "tenant",
            "name",
            "driver",
            "has_feed",
            "first_seen_at",
            "last_seen_at",
            "rejected_since",
            "rejected_at",
            "rejected_for",
            "DELETE",
        )
    },
    **{
        f"paygate_refused_callback.{name}": _REFUSED
        for name in (
            "tenant",
            "account",
            "why",
            "times",
            "first_at",
            "last_at",
            "type",
            "event_id",
            "DELETE",
        )
    },
    "paygate_attempt.action_secret_encrypted": (
        "It is encrypted together with the id of its attempt, so a changed one cannot be "
        "decrypted, and the page is shown without it."
    ),
    "paygate_attempt.request_id": "The processor's id of a request, used only for its support.",
    "paygate_attempt.sent_mark": "A reading of the machine's stopwatch, useless after a restart.",
    "paygate_attempt.version": "It counts the changes, so that one of two writers starts over.",
    "paygate_attempt_request.body": (
        "It contains personal data, which can be erased. A request that cannot be sent again is "
        "inquired about."
    ),
    "paygate_attempt_request.DELETE": (
        "It is deleted when its attempt has ended. A request that cannot be sent again is "
        "inquired about."
    ),
    "paygate_attempt_try.reference": "A declined try moved no money; it may be reported twice.",
    "paygate_attempt_try.raw_code": "A declined try moved no money; it may be reported twice.",
    "paygate_contact.facts": _ERASED,
    "paygate_contact.DELETE": "Deleting the row is how contact facts are erased.",
    "paygate_customer_reference.DELETE": (
        "Without it, the processor is asked to create the customer again."
    ),
    "paygate_delivery.tenant": _DELIVERY,
    "paygate_delivery.tries": _DELIVERY,
    "paygate_delivery.silences": _DELIVERY,
    "paygate_delivery.since": _DELIVERY,
    "paygate_delivery.next_try_at": _DELIVERY,
    "paygate_delivery.dead": _DELIVERY,
    "paygate_delivery.error": _DELIVERY,
    **{
        f"paygate_delivery_try.{name}": "The delivery log is for people; nothing depends on it."
        for name in (
            "tenant",
            "sink",
            "position",
            "id",
            "at",
            "took_ms",
            "outcome",
            "status",
            "error",
            "DELETE",
        )
    },
    "paygate_delivery.DELETE": "It is deleted once the sink has taken the event.",
    **{
        f"paygate_bank_payer.{name}": "It only proposes; a clerk decides."
        for name in ("tenant", "digest", "customer", "DELETE")
    },
    **{
        f"paygate_bank_line.{name}": "The bank's or the payer's words, which may be erased."
        for name in ("party", "party_account", "text")
    },
    "paygate_feed.version": "It counts the changes, so that one of two readers starts over.",
    "paygate_feed_memory.DELETE": (
        "A driver deletes names that it no longer needs, so a missing row cannot be detected."
    ),
    "paygate_feed.lease_until": _READ_NEXT,
    "paygate_feed.read_at": _READ_NEXT,
    "paygate_feed.complete_since": (
        "The time since which a feed is complete. It is needed only after sending was stopped, "
        "when each feed is read again."
    ),
    "paygate_feed.alerted_at": "When an alert was emitted; it may be emitted twice.",
    "paygate_feed.fault": "The message of the last failure; the next reading replaces it.",
    "paygate_feed.failing_since": "When the failures began; the next reading replaces it.",
    **{
        f"paygate_job.{name}": _JOB
        for name in ("tenant", "kind", "subject", "lease", "lease_until", "DELETE")
    },
    "paygate_file.content": "A file is named by its digest, which is compared when it is read.",
    "paygate_file.size": "Shown with the file, whose digest is compared when it is read.",
    "paygate_item.status": (
        "That a draft was voided is only in its event. Each other change of a status is noticed."
    ),
    "paygate_receipt.number": (
        "The database gives it, after the checksum is made. No two receipts have the same, and the "
        "event of the money has it."
    ),
    "paygate_inbox.raw_encrypted": (
        "It is encrypted together with its event id, so a changed one cannot be decrypted. The "
        "notice that is applied has a checksum."
    ),
    "paygate_method.token_encrypted": (
        "It is encrypted together with the id of its method, so a changed one cannot be "
        "decrypted, and nothing is charged."
    ),
    "paygate_method.holder": _ERASED,
    "paygate_address_count.told_reached": "Whether an alert was emitted; it may be emitted twice.",
    "paygate_address_count.told_limit": "Whether an alert was emitted; it may be emitted twice.",
    "paygate_address_count.reached": (
        "Only the wallet knows which addresses were paid to. Whatever the value, an address is "
        "never issued twice."
    ),
    **{
        f"paygate_report_line.{name}": _NOT_USED
        for name in (
            "tenant",
            "account",
            "report",
            "line",
            "facts",
            "class",
            "receipt",
            "imported_at",
            "DELETE",
        )
    },
    "paygate_api_key.last_used_at": "When a key was used last; each use replaces it.",
    "paygate_sink.position": _SINK,
    "paygate_sink.fault": "The message of the last failure; the next try replaces it.",
    "paygate_sink.unreached_since": "When the failures began; the next try replaces it.",
    "paygate_sink.silences": "The number of failures in a row; the next try replaces it.",
    "paygate_sink.pause_until": "When a sink is tried next.",
    "paygate_sink.forgotten_at": "When a sink was given up; a process that publishes registers it.",
    "paygate_sink.lease": "The current reader of a sink.",
    "paygate_sink.lease_until": "The current reader of a sink.",
}
"""The reason for each column whose changes, and each table whose deletions, are not detected."""
