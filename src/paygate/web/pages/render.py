"""The renderer: turns a view into the HTML of a page, in one language and theme."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import MissingExtra
from paygate.web.pages.icons import ICONS
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Fact, Link, PageView, Post
from paygate.web.pages.wording import TEXTS, Tone, label_of
from paygate.web.settings import logo_source
from paygate.web.texts import Text, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment
    from markupsafe import Markup

    from paygate.web.languages import Language
    from paygate.web.pages.views import ReceiptView, Target
    from paygate.web.pages.wording import Sentence
    from paygate.web.settings import WebSettings
    from paygate.web.texts import Value

_TEMPLATES: Final[Mapping[PageState, str]] = {
    PageState.BITCOIN: "pay_to.html",
    PageState.CODE: "pay_to.html",
    PageState.SLIP: "slip.html",
    PageState.SCRIPT: "script.html",
}
"""The templates of states that `page.html` does not suit."""

_WIDTHS: Final[Mapping[PageState, str]] = {
    PageState.CHOOSE: "wide",
    PageState.BITCOIN: "wide",
    PageState.CODE: "wide",
    PageState.SLIP: "paper",
}


STYLES: Final = ("style.css", "pay.css")
"""The style sheets of the payment pages."""


class Scheme(StrEnum):
    """The color scheme of pages; readers get the one that their device prefers."""

    BOTH = ""
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class PageScript:
    """A script of a page, and the digest that the browser compares it with, if it is known."""

    url: str
    integrity: str = ""


@dataclass(frozen=True, slots=True)
class _Site:
    """What every page shows of the merchant."""

    payee: str
    phone: str
    email: str
    logo: str
    legal: Sequence[str]
    embed: str


@dataclass(frozen=True, slots=True)
class _Said:
    """The sentences of a page: the news itself, what must not be overlooked, and the rest."""

    lead: Markup | None
    call: Markup | None
    rest: Markup | None


@dataclass(frozen=True, slots=True)
class _Button:
    """A button that has a target."""

    does: Does
    label: Markup
    target: Target

    @property
    def link(self) -> Link | None:
        return self.target if isinstance(self.target, Link) else None

    @property
    def post(self) -> Post | None:
        return self.target if isinstance(self.target, Post) else None


class Renderer:
    """Renders the pages of one merchant. Raises `MissingExtra` without Jinja2.

    *scheme* fixes the color scheme, for those who look at samples. *styles* are the style sheets
    of the pages, which each page has inline.
    """

    def __init__(
        self,
        web: WebSettings,
        *,
        scripts: Sequence[PageScript] = (),
        scheme: Scheme = Scheme.BOTH,
        styles: Sequence[str] = STYLES,
    ) -> None:
        self._environment = _environment()
        self._scripts = tuple(scripts)
        self._site = _Site(
            payee=web.payee,
            phone=web.support_phone,
            email=web.support_email,
            logo=logo_source(web.logo),
            legal=tuple(web.legal_lines),
            embed=" ".join(web.embed_origins),
        )
        self.style = _in_scheme(
            minified(web.theme.variables() + "".join(map(_source, styles))), scheme
        )

    @property
    def style_digest(self) -> str:
        """The digest by which a content security policy allows the style of the pages."""
        digest = hashlib.sha256(self.style.encode()).digest()
        return f"sha256-{base64.b64encode(digest).decode('ascii')}"

    def page(self, view: PageView, language: Language) -> str:
        """Return the page of *view*."""
        texts = TEXTS[view.state]
        values = {"payee": self._site.payee, **view.values}
        title = Text(texts.title, values)
        wrong = bool(view.form and view.form.problems)
        return self._rendered(
            _TEMPLATES.get(view.state, "page.html"),
            language,
            title=self._title(title, language, wrong=wrong),
            h1=language.html(title),
            width=_WIDTHS.get(view.state, "narrow"),
            tone=str(texts.tone),
            said=_said(texts.sentences, texts.tone, values, language),
            facts=self._facts(view),
            buttons=_buttons(view, values, language),
            summary=view.state is PageState.CHOOSE,
            view=view,
        )

    def receipt(self, view: ReceiptView, language: Language) -> str:
        """Return the payment receipt of *view*, to print."""
        title = text("Receipt {number}", number=view.number)
        values = {"payee": self._site.payee}
        order = (Does.PRINT, Does.SAVE, Does.BACK)
        return self._rendered(
            "receipt.html",
            language,
            title=self._title(title, language, wrong=False),
            h1=language.html(title),
            width="paper",
            tone="",
            facts=view.facts,
            buttons=_targets(PageState.PAID, order, view.targets, values, language),
            receipt=view,
            view=None,
        )

    def shown(self, view: PageView | ReceiptView, language: Language) -> str:
        """Return the page or payment receipt of *view*."""
        if isinstance(view, PageView):
            return self.page(view, language)
        return self.receipt(view, language)

    def listing(
        self, links: Mapping[str, Mapping[str, Mapping[str, str]]], language: Language
    ) -> str:
        """Return the list of samples: the address of each by name, language and scheme."""
        title = "Samples of the payment pages"
        codes = next(iter(links.values()))
        return self._rendered(
            "listing.html", language, title=title, width="wide", codes=codes, links=links, view=None
        )

    def document(
        self, template: str, language: Language, *, title: Text, wrong: bool = False, **context: Any
    ) -> str:
        """Return a page of another application by its *template*; *wrong* marks its title."""
        return self._rendered(
            template,
            language,
            title=self._title(title, language, wrong=wrong),
            h1=language.html(title),
            **context,
        )

    def _rendered(self, template: str, language: Language, **context: Any) -> str:
        from markupsafe import Markup

        def say(message: str, **values: Value) -> Markup:
            return language.html(Text(message, values))

        def shown(value: Value) -> Markup:
            return language.html(Text("{value}", {"value": value}))

        return self._environment.get_template(template).render(
            context,
            _=say,
            say=language.html,
            plain=language.plain,
            value=shown,
            language=language,
            site=self._site,
            style=Markup(self.style),  # noqa: S704  (it is ours; the theme was checked)
            scripts=self._scripts_of(context.get("view")),
            icons=ICONS,
        )

    def _scripts_of(self, view: PageView | None) -> tuple[PageScript, ...]:
        """Return the scripts of a page: ours, and on a `ScriptStep` that of the processor."""
        step = None if view is None else view.script
        # Its processor changes it, so its digest cannot be known.
        return (
            self._scripts
            if step is None or not step.url
            else (*self._scripts, PageScript(step.url))
        )

    def _title(self, title: Text, language: Language, *, wrong: bool) -> str:
        written = language.plain(title)
        if wrong:
            written = language.plain(text("Error: {title}", title=title))
        return written if self._site.payee in written else f"{written} - {self._site.payee}"

    @staticmethod
    def _facts(view: PageView) -> tuple[Fact, ...]:
        """Return the facts of the page; each page has the amount and the reference."""
        texts = TEXTS[view.state]
        shown = "{amount}" in texts.title or any(each.lead for each in texts.sentences)
        shown = shown or view.slip is not None
        facts = view.facts
        if view.amount is not None and not shown:
            facts = (Fact(text("Amount"), view.amount), *facts)
        if view.reference:
            facts = (*facts, Fact(text("Reference"), view.reference))
        return facts


def _said(
    sentences: Iterable[Sentence], tone: Tone, values: Mapping[str, Value], language: Language
) -> _Said:
    """Return the sentences in their places: on a page of doubt the first two stand out."""
    from markupsafe import Markup

    def written(each: Sentence) -> Markup:
        said = language.html(Text(each.message, values))
        return Markup("<strong>{}</strong>").format(said) if each.strong else said

    lead = [written(each) for each in sentences if each.lead]
    others = [written(each) for each in sentences if not each.lead]
    standing_out = 2 if tone is Tone.DOUBT else 0
    space = Markup(" ")
    return _Said(
        lead=lead[0] if lead else None,
        call=space.join(others[:standing_out]) or None,
        rest=space.join(others[standing_out:]) or None,
    )


def _buttons(
    view: PageView, values: Mapping[str, Value], language: Language
) -> tuple[_Button, ...]:
    order = [
        each
        for each in TEXTS[view.state].buttons
        if not (view.form and each is Does.CONTINUE)  # the form has this button itself
    ]
    return _targets(view.state, order, view.targets, values, language)


def _targets(
    state: PageState,
    order: Iterable[Does],
    targets: Mapping[Does, Target],
    values: Mapping[str, Value],
    language: Language,
) -> tuple[_Button, ...]:
    return tuple(
        _Button(does, language.html(Text(label_of(state, does), values)), targets[does])
        for does in order
        if does in targets
    )


def _in_scheme(css: str, scheme: Scheme) -> str:
    """Return *css* with one color scheme, whatever the device prefers."""
    if scheme is Scheme.BOTH:
        return css
    applies = "all" if scheme is Scheme.DARK else "not all"
    css = re.sub(r"@media ?\(prefers-color-scheme: ?dark\)", f"@media {applies}", css)
    return css.replace("color-scheme:light dark", f"color-scheme:{scheme}")


def minified(css: str) -> str:
    """Return *css* without comments and without spaces that mean nothing."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r" ?([{};,>]) ?", r"\1", css)
    return re.sub(r"(?<=[\w-]): (?=[^{}]*[;}])", ":", css).replace(";}", "}").strip()


def _source(name: str) -> str:
    return (resources.files("paygate.web.pages") / "templates" / name).read_text("utf-8")


def _template(name: str) -> str:
    """Return a template without the indentation that would be sent with every page."""
    return re.sub(r"(?m)^[ \t]+", "", _source(name))


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtra(
            "the payment pages need Jinja2; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["telephone"] = _dialed
    return environment


def _dialed(number: str) -> str:
    """Return a telephone number as a link dials it."""
    return re.sub(r"[^+\d]", "", number)
