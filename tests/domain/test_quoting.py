"""The laws of quotes: parts add up, a coin keeps its worth, and a good quote stays good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from paygate.domain.money import Money
from paygate.domain.quoting import (
    Counted,
    Late,
    LateRule,
    Offer,
    Price,
    Rank,
    Valuation,
    choose,
    judge,
    together,
    worth,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ASKED = st.integers(1, 10**7)
COST = st.integers(1, 10**9)
COINS = st.lists(st.integers(1, 10**9), min_size=1, max_size=12)


class Books:
    """What came of one payment, and as what it was booked."""

    def __init__(self, asked: int, quoted: int, enough: int) -> None:
        self.asked, self.quoted, self.enough = asked, quoted, enough
        self.rows: list[Counted] = []

    def come(self, quantity: int, cost: int | None = None) -> int:
        cost = cost or self.quoted
        booked = worth(
            quantity,
            cost,
            asked=self.asked,
            quoted=self.quoted,
            enough=self.enough,
            counted=self.counted(),
        )
        self.rows.append(Counted(cost, quantity, booked))
        return booked

    def go(self, row: Counted) -> None:
        self.rows.append(Counted(row.cost, -row.quantity, -row.booked))

    def counted(self) -> list[Counted]:
        by_cost: dict[int, Counted] = {}
        for row in self.rows:
            before = by_cost.get(row.cost, Counted(row.cost, 0, 0))
            by_cost[row.cost] = Counted(
                row.cost, before.quantity + row.quantity, before.booked + row.booked
            )
        return list(by_cost.values())

    @property
    def booked(self) -> int:
        return sum(row.booked for row in self.rows)


@given(ASKED, COST, st.data())
def test_whoever_pays_a_quote_in_parts_has_paid_it_to_the_last_minor_unit(
    asked: int, quoted: int, data: st.DataObject
) -> None:
    enough = data.draw(st.integers(1, quoted))
    total = data.draw(st.integers(enough, quoted))
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=8)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True) if b > a]
    books = Books(asked, quoted, enough)

    for part in parts:
        books.come(part)

    assert books.booked == asked


@given(ASKED, COST, COINS, st.permutations(range(12)))
def test_the_order_of_parts_and_how_small_they_are_changes_no_total(
    asked: int, quoted: int, coins: list[int], order: list[int]
) -> None:
    one, other, whole = (Books(asked, quoted, quoted) for _ in range(3))
    for coin in coins:
        assert one.come(coin) >= 0
    for place in order:
        if place < len(coins):
            other.come(coins[place])

    assert one.booked == other.booked == whole.come(sum(coins))
    assert one.booked == sum(coins) * asked // quoted


@given(ASKED, COST, COINS, st.data())
def test_money_that_went_and_came_back_is_as_if_it_had_stayed(
    asked: int, quoted: int, coins: list[int], data: st.DataObject
) -> None:
    enough = data.draw(st.integers(1, quoted))
    books = Books(asked, quoted, enough)
    for coin in coins:
        books.come(coin)
    before, gone = books.booked, data.draw(st.sets(st.sampled_from(range(len(coins)))))
    rows = list(books.rows)

    for place in gone:
        books.go(rows[place])
    left = sum(row.quantity for place, row in enumerate(rows) if place not in gone)
    assert books.booked == sum(row.booked for place, row in enumerate(rows) if place not in gone)
    books.rows += [rows[place] for place in gone]  # they are worth what they were worth

    assert books.booked == before
    assert sum(row.quantity for row in books.rows) == sum(coins) >= left


@given(ASKED, COST, COST, COINS)
def test_late_money_is_worth_its_share_at_the_price_of_then(
    asked: int, quoted: int, later: int, coins: list[int]
) -> None:
    books = Books(asked, quoted, quoted)
    first = books.come(coins[0])
    for coin in coins[1:]:
        books.come(coin, cost=later)

    exact = coins[0] * asked * later + sum(coins[1:]) * asked * quoted
    assert books.booked == exact // (quoted * later) if later != quoted else True
    assert first == coins[0] * asked // quoted


def offer(name: str, minor: int, **more: object) -> Offer:
    facts = Offer(
        attempt=name,
        serial=0,
        minor=minor,
        enough=minor,
        come=0,
        made_at=NOW,
        good_until=NOW + timedelta(minutes=15),
        rank=Rank.WAITING,
    )
    return replace(facts, **more)  # type: ignore[arg-type]


OFFERS = st.lists(
    st.builds(
        lambda number, minor, less, come, age, rank: offer(
            f"a{number}",
            minor,
            serial=number,
            enough=max(1, minor - less),
            come=come,
            made_at=NOW - timedelta(minutes=age),
            good_until=NOW - timedelta(minutes=age - 15),
            rank=rank,
        ),
        st.integers(0, 9),
        st.integers(1, 50),
        st.integers(0, 5),
        st.integers(0, 30),
        st.integers(0, 40),
        st.sampled_from(Rank),
    ),
    max_size=6,
)


@given(OFFERS, st.integers(1, 60))
def test_an_amount_that_a_good_quote_still_asks_for_is_never_for_another(
    offers: list[Offer], quantity: int
) -> None:
    good = [each for each in offers if each.good_until >= NOW]
    exact = [each for each in good if each.enough <= each.come + quantity <= each.minor]
    exact = [each for each in exact if each.come < each.enough]

    chosen = choose(offers, quantity, NOW)

    if exact:
        assert chosen in exact
        assert chosen is not None
        assert all(chosen.rank <= each.rank for each in exact)
    if chosen is not None:
        assert chosen in good
        assert chosen.come + quantity >= chosen.enough


@given(COST, COST, st.sampled_from(Late), st.integers(0, 100), st.integers(-60, 60))
def test_a_quote_is_a_promise_until_it_expires_and_then_the_rule_decides(
    quoted: int, later: int, late: Late, drift: int, minutes: int
) -> None:
    price, then = (Price(cost=Money("BTC", each)) for each in (quoted, later))
    rule = LateRule(late, Decimal(drift))
    valued = judge(price, NOW, NOW + timedelta(minutes=minutes), rule, then)

    if valued is None:
        # A price that is ten times as high or as low is not believed.
        assert minutes > 0
        assert late is not Late.ACCEPT
        assert max(quoted, later) > 10 * min(quoted, later)
    elif minutes <= 0:
        assert (valued.price, valued.late, valued.to_credit) == (price, False, False)
    elif late is Late.REPRICE:
        assert max(quoted, later) <= 10 * min(quoted, later)
        near = abs(later - quoted) * 100 <= drift * quoted
        assert valued.price == (price if near else then)
    else:
        assert valued.price == (price if late is Late.ACCEPT else then)
        assert valued.to_credit == (late is Late.CREDIT)


@given(COST, COST, st.integers(1, 10**9), st.integers(1, 10**9))
def test_what_is_counted_together_is_worth_what_its_parts_are(
    quoted: int, later: int, kept: int, more: int
) -> None:
    before = Valuation(price=Price(cost=Money("BTC", quoted)))
    now = Valuation(price=Price(cost=Money("BTC", later)), late=True)

    cost = together(kept, before, more, now, is_paid=False).price.cost.minor

    parts = Fraction(kept, quoted) + Fraction(more, later)
    assert Fraction(kept + more, cost) >= parts > Fraction(kept + more, cost + 1)
