"""Notifications, which Remita posts to the URL that is registered in the merchant's profile.

They are not signed, so they prove nothing: each names payments, which the core then inquires about.
The token in the registered URL is our own measure against questions that strangers make us ask.
"""

from __future__ import annotations

import re
from typing import Final

from paygate import driver
from paygate.driver import BadResponse, Fields, NotAuthentic, Notice
from paygate.drivers.remita.codes import AMOUNTS, RRR
from paygate.drivers.remita.settings import RemitaSettings

MEMBERS_MAX: Final = 100
_ORDER: Final = re.compile(r"[\x21-\x7e]{1,100}")


def read(settings: RemitaSettings, callback: driver.Callback) -> list[Notice]:
    """Return a notice for each payment that *callback* names, or raise `NotAuthentic`."""
    try:
        token = driver.read_form(callback.query, AMOUNTS.by).text("token", "")
        ours = [driver.alike(each.reveal(), token) for each in settings.callback_tokens]
        if not any(ours):
            raise NotAuthentic("the notification lacks the token of our URL", why="signature")
        body = driver.read_json_value(callback.body, AMOUNTS.by)
        members = [body] if isinstance(body.value(), dict) else body.entries()
    except BadResponse:
        raise NotAuthentic("the notification is not JSON of Remita's", why="unsigned") from None
    if len(members) > MEMBERS_MAX:
        raise NotAuthentic(f"the notification has over {MEMBERS_MAX} members", why="unsigned")
    return [notice for each in members if (notice := _notice(each)) is not None]


def _notice(member: Fields) -> Notice | None:
    rrr = member.id("rrr", "", pattern=RRR)
    order = member.id("orderId", "", pattern=_ORDER) or member.id("orderRef", "", pattern=_ORDER)
    if not (rrr or order):
        return None
    # Nothing proves that the order and the reference belong together, so only one is taken.
    return Notice(
        event_id=order or rrr,
        type=member.text("channel", "payment", longest=50),
        our_ref=order,
        reference="" if order else rrr,
        foreign=True,
    )
