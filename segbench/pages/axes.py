"""The axes of a plot: where a value stands, and which values are marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

# With 1.6 on both sides, even a lone value has a mark beside it.
MARGIN = 1.6
MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """``at`` gives a value's place; ``ticks`` are values with their labels, lowest first."""

    at: Callable[[float], float]
    ticks: list[tuple[float, str]]


def linear_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis from ``start`` to ``end`` with a tenth of the values' span, or 0.01, to spare."""
    low, high = min(values), max(values)
    margin = max((high - low) / 10, 0.01)
    low, high = low - margin, high + margin
    step = _step((high - low) / MOST_TICKS)
    decimals = max(0, -floor(log10(step)))
    marked = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    return Axis(
        lambda value: start + (value - low) / (high - low) * (end - start),
        [(value, f"{value:.{decimals}f}") for value in marked],
    )


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis for positive values; it marks 1, 2 and 5 of each decade while they fit."""
    low, high = log10(min(values) / MARGIN), log10(max(values) * MARGIN)
    marked = _marks(low, high, (1, 2, 5))
    if len(marked) > MOST_TICKS:
        marked = _marks(low, high, (1,))
    return Axis(
        lambda value: start + (log10(value) - low) / (high - low) * (end - start),
        [(value, f"{value:g}") for value in marked],
    )


def _marks(low: float, high: float, factors: Sequence[int]) -> list[float]:
    """The factors times powers of ten whose logarithms lie from ``low`` to ``high``."""
    decades = range(floor(low), ceil(high) + 1)
    marks = [factor * 10.0**decade for decade in decades for factor in factors]
    return [mark for mark in marks if low <= log10(mark) <= high]


def _step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
