"""What the check of the books does not notice, and why."""

from __future__ import annotations

from typing import Final

_ERASED: Final = "A fact about a person: it can be erased, and a checksum of it would stay."
_READ_NEXT: Final = "When a feed is read next. What is read twice is booked once."
_DELIVERY: Final = (
    "How far a sink has come with one event. Only the sink knows what it took, and it may be told "
    "again."
)
_SINK: Final = (
    "How far a sink has read. Only the sink knows what it took, and it may be told again."
)
_ACCOUNT: Final = "What a process knows of an account; the next one writes it anew."
_REFUSED: Final = "How often callbacks were refused. Nothing is made of them."
_NOT_USED: Final = "Nothing is written to this table yet."

UNNOTICED: Final[dict[str, str]] = {
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
        "It is encrypted and names its attempt: what was changed does not open, and the page is "
        "shown without it."
    ),
    "paygate_attempt.request_id": "The processor's name of a request, for its support alone.",
    "paygate_attempt.sent_mark": "A reading of the machine's own clock, of no use after a restart.",
    "paygate_attempt.version": "It counts the changes, so that one of two writers begins again.",
    "paygate_attempt_request.body": (
        "Facts about a person are in it, which can be erased. What cannot be sent again is "
        "inquired about."
    ),
    "paygate_attempt_request.DELETE": (
        "It is deleted when its attempt has ended. What cannot be sent again is inquired about."
    ),
    "paygate_attempt_try.reference": "A declined try moved no money; it may be told once more.",
    "paygate_attempt_try.raw_code": "A declined try moved no money; it may be told once more.",
    "paygate_contact.facts": _ERASED,
    "paygate_contact.DELETE": "That is how contact facts are erased.",
    "paygate_customer_reference.DELETE": (
        "Without it the processor is asked to make the customer once more."
    ),
    "paygate_delivery.tenant": _DELIVERY,
    "paygate_delivery.tries": _DELIVERY,
    "paygate_delivery.silences": _DELIVERY,
    "paygate_delivery.since": _DELIVERY,
    "paygate_delivery.next_try_at": _DELIVERY,
    "paygate_delivery.dead": _DELIVERY,
    "paygate_delivery.error": _DELIVERY,
    "paygate_delivery.DELETE": "It is deleted when the sink has taken the event.",
    "paygate_feed.version": "It counts the changes, so that one of two readers begins again.",
    "paygate_feed_memory.DELETE": (
        "A driver deletes what it need not remember any more, so nothing shows that a row is "
        "missing."
    ),
    "paygate_feed.lease_until": _READ_NEXT,
    "paygate_feed.read_at": _READ_NEXT,
    "paygate_feed.complete_since": (
        "Since when a feed is complete. It is asked for after sending was stopped, when each feed "
        "is read again."
    ),
    "paygate_feed.alerted_at": "When that was told; it may be told once more.",
    "paygate_feed.fault": "The words of the last failure; the next reading writes it anew.",
    "paygate_feed.failing_since": "When that began; the next reading writes it anew.",
    "paygate_inbox.raw_encrypted": (
        "It is encrypted and names its callback: what was changed does not open. What is applied "
        "stands beside it and has a checksum."
    ),
    "paygate_method.token_encrypted": (
        "It is encrypted and names its method: what was changed does not open, and nothing is "
        "charged."
    ),
    "paygate_method.holder": _ERASED,
    "paygate_address_count.told_reached": "Whether that was told; it may be told once more.",
    "paygate_address_count.told_limit": "Whether that was told; it may be told once more.",
    "paygate_address_count.reached": (
        "Only the wallet knows which addresses were paid to. An address is never given away twice "
        "whatever it says."
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
    "paygate_sink.position": _SINK,
    "paygate_sink.fault": "The words of the last failure; the next try writes it anew.",
    "paygate_sink.unreached_since": "When that began; the next try writes it anew.",
    "paygate_sink.silences": "How often in a row it was not reached; the next try writes it anew.",
    "paygate_sink.pause_until": "When a sink is tried next.",
    "paygate_sink.lease": "Who reads for a sink just now.",
    "paygate_sink.lease_until": "Who reads for a sink just now.",
}
"""For each column in which a change may stay unnoticed, and each table whose rows may go, why."""
