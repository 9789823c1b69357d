"""Forward decay: totals that sort by themselves, exact to a fixed grid. Must not know: items, stores, HTTP.

Exponential decay with half-life H gives an event of weight w at time t the worth ``w * 2^(-(now - t) / H)``. Forward
decay (Cormode, Shkapenyuk, Srivastava, Xu: "Forward Decay: A Practical Time Decay Model for Streaming Systems", ICDE
2009) measures from a fixed landmark L before t instead: the event adds ``w * 2^((t - L) / H)`` to a stored number, and
the decayed total is that number divided by ``2^((now - L) / H)``, one constant for all items. Stored numbers therefore
sort like decayed totals, at every later moment, and an event is one atomic addition.

The stored numbers
    A DynamoDB number has 38 significant digits. They are used as fixed point: 20 digits before the point, 12 after it
    for the total (`GRID`) and 6 below that for a tie-break which is constant for an item. Each event is rounded once,
    to the grid; sums on a grid are exact and do not depend on the order of the additions.
The landmark's roll-over
    Time is cut into epochs of `EPOCH_HALF_LIVES` half-lives; the landmark of epoch e is its beginning. A number belongs
    to an epoch. When an item gets its first event in a later epoch its number is carried over: divided by a power of
    two, since an epoch is a whole number of half-lives, and rounded up to the grid. Numbers left behind in an earlier
    epoch are compared with newer ones exactly, in integers (`rank_key`).
    Within an epoch 2^32 takes 10 of the 20 digits: an item may gather a weight of 10^10 at the epoch's end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH_HALF_LIVES: Final = 32
GRID: Final = Decimal("1e-12")
"""What a total is a multiple of; a view at the landmark is 1."""
TIE_GRID: Final = Decimal("1e-18")
"""What a stored number is a multiple of; the digits below `GRID` are the item's tie-break."""
DIGITS: Final = 38
"""Significant digits of a DynamoDB number.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""
_EXACT: Final = Context(prec=80)
_POWER: Final = Context(prec=50)
"""For powers of two: an increment has at most 24 digits before it is rounded to the grid."""
MAX_NUMBER: Final = _EXACT.subtract(Decimal(10) ** (DIGITS + TIE_GRID.adjusted()), TIE_GRID)
"""Largest stored number: all 38 digits in use."""

_TIES: Final = int(GRID / TIE_GRID)
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A ranking's memory: how long until an event counts half.

    Parameters
    ----------
    name : str
        As in the API and in the store's keys.
    half_life : timedelta
        Whole microseconds, above zero.
    """

    name: str
    half_life: timedelta

    def __post_init__(self) -> None:
        if self.half_life < _MICROSECOND:
            message = f"window {self.name}: a half-life of {self.half_life} is not above zero"
            raise ValueError(message)

    @property
    def half_life_us(self) -> int:
        """The half-life in microseconds."""
        return self.half_life // _MICROSECOND

    def epoch(self, at: datetime) -> int:
        """Give the number of the epoch that holds a moment."""
        return _us(at) // (EPOCH_HALF_LIVES * self.half_life_us)

    def landmark(self, epoch: int) -> datetime:
        """Give the beginning of an epoch."""
        return _UNIX + epoch * EPOCH_HALF_LIVES * self.half_life


DAY: Final = Window("day", timedelta(days=1))
WEEK: Final = Window("week", timedelta(days=7))
WINDOWS: Final[Mapping[str, Window]] = MappingProxyType({window.name: window for window in (DAY, WEEK)})


def _us(at: datetime) -> int:
    return (at - _UNIX) // _MICROSECOND


def _growth(window: Window, epoch: int, at: datetime) -> Decimal:
    """Give ``2^((at - landmark) / half-life)`` to 50 digits."""
    since = _us(at) - epoch * EPOCH_HALF_LIVES * window.half_life_us
    whole, rest = divmod(since, window.half_life_us)
    fraction = _POWER.power(Decimal(2), _POWER.divide(Decimal(rest), Decimal(window.half_life_us)))
    return _POWER.multiply(fraction, _POWER.power(Decimal(2), Decimal(whole)))


def increment(window: Window, epoch: int, weight: Decimal, at: datetime) -> Decimal:
    """Give what an event adds to a number of an epoch: a multiple of `GRID`.

    The event may lie before the epoch's landmark (it counts less than its weight) or in it.

    Raises
    ------
    ValueError
        If the event lies after the epoch: its number would have to be carried over first.
    """
    if window.epoch(at) > epoch:
        message = f"the event at {at.isoformat()} lies after epoch {epoch} of window {window.name}"
        raise ValueError(message)
    exact = _EXACT.multiply(weight, _growth(window, epoch, at))
    return exact.quantize(GRID, rounding=ROUND_HALF_EVEN, context=_EXACT)


def add(*numbers: Decimal) -> Decimal:
    """Add numbers without rounding; 0 for none."""
    result = Decimal(0)
    for number in numbers:
        result = _EXACT.add(result, number)
    return result


def tie_break(item_id: str) -> Decimal:
    """Give the constant below the grid that orders items of equal totals: the number that an item starts with."""
    digest = hashlib.sha256(item_id.encode()).digest()
    return _EXACT.multiply(Decimal(int.from_bytes(digest[:8]) % _TIES), TIE_GRID)


def total(number: Decimal) -> Decimal:
    """Give a stored number without its tie-break."""
    return number.quantize(GRID, rounding=ROUND_FLOOR, context=_EXACT)


def carry_over(number: Decimal, *, epochs: int) -> Decimal:
    """Give the number that stands for the same decayed total, so many epochs later.

    Rounded up to the grid: carrying over never moves an item down.
    """
    if epochs < 0:
        message = f"a number is carried over to a later epoch, not {-epochs} back"
        raise ValueError(message)
    before = total(number)
    exact = _EXACT.divide(before, Decimal(2 ** (EPOCH_HALF_LIVES * epochs)))
    return _EXACT.add(
        exact.quantize(GRID, rounding=ROUND_CEILING, context=_EXACT), _EXACT.subtract(number, before)
    )


def decayed(window: Window, epoch: int, number: Decimal, now: datetime) -> float:
    """Give the decayed total that a stored number stands for at a moment."""
    return float(_EXACT.divide(total(number), _growth(window, epoch, now)))


def rank_key(number: Decimal, epoch: int, *, base: int) -> int:
    """Give an integer by which stored numbers of different epochs sort exactly like their decayed totals.

    Parameters
    ----------
    base : int
        An epoch that is not later than any of those compared.
    """
    units = int(_EXACT.divide(number, TIE_GRID))
    return units << (EPOCH_HALF_LIVES * (epoch - base))


def bound(number: Decimal, epoch: int, *, target: int) -> Decimal:
    """Give the smallest number of epoch `target` that stands for no less than `number` does in `epoch`.

    Capped at `MAX_NUMBER`, which no stored number exceeds.
    """
    factor = Decimal(2 ** (EPOCH_HALF_LIVES * abs(epoch - target)))
    exact = _EXACT.multiply(number, factor) if epoch >= target else _EXACT.divide(number, factor)
    if exact >= MAX_NUMBER:
        return MAX_NUMBER
    return exact.quantize(TIE_GRID, rounding=ROUND_CEILING, context=_EXACT)
