"""Fragments: pages of the portal without their frame, for a template of the host.

A fragment is one element of the class ``paygate``, and its style sheet styles nothing outside of
that element. It has no script: each page works without one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SCOPE: Final = ".paygate"

_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
_GROUP: Final = re.compile(r"(@media[^{]+)\{((?:[^{}]+\{[^{}]*\})*)\}")
_ROOTS: Final = (":root", "body", "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """
    A page of the portal for a template of the host.

    *html* is one element. *title* is for ``<title>``, and *stylesheet* the address of the style
    sheet. *origins* are those to which a form of the page leads: a content security policy of the
    host's needs them in ``form-action``. *status* is that of the response.
    """

    title: str
    html: str
    stylesheet: str
    language: str
    status: int = 200
    origins: tuple[str, ...] = ()


def scoped(css: str) -> str:
    """Return minified *css* so that it styles only what is inside an element of the class."""
    groups: list[str] = []

    def keep(found: re.Match[str]) -> str:
        groups.append(f"{found[1]}{{{_rules(found[2])}}}")
        return f"@{len(groups) - 1};"

    outside = _GROUP.sub(keep, css)
    parts = re.split(r"@(\d+);", outside)
    return "".join(
        groups[int(part)] if place % 2 else _rules(part) for place, part in enumerate(parts)
    )


def _rules(css: str) -> str:
    return _RULE.sub(lambda found: f"{_selectors(found[1])}{{{found[2]}}}", css)


def _selectors(text: str) -> str:
    return ",".join(_scoped(each.strip()) for each in text.split(","))


def _scoped(selector: str) -> str:
    for root in _ROOTS:
        if selector == root:
            return SCOPE
        if selector.startswith((f"{root}.", f"{root} ")):
            return f"{SCOPE}{selector.removeprefix(root)}"
    return f"{SCOPE} {selector}"
