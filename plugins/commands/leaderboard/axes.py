"""The axes of a plot, and their ticks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

# Margin beside the outermost latencies, as a factor; even a single value gets a tick.
MARGIN = 1.6
MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """An axis: values from ``low`` to ``high`` drawn from ``start`` to ``end``, and its ticks.

    The axis is linear in ``scale`` of the value.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]
    scale: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """The position of a value."""
        low, high, place = map(self.scale, (self.low, self.high, value))
        return self.start + (place - low) / (high - low) * (self.end - self.start)


def linear_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis from ``start`` to ``end`` with a margin of a tenth of the values' span, or 0.01."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(values), max(values)
    margin = max((high - low) / 10, 0.01)
    low, high = low - margin, high + margin
    marked = [float(v) for v in MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)]
    decimals = max(0, -floor(log10(marked[1] - marked[0]) + 1e-9))
    ticks = [(value, f"{value:.{decimals}f}") for value in marked if low <= value <= high]
    return Axis(low, high, start, end, ticks)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis for positive values, with ticks at 1, 2 and 5 of each decade if they fit.

    Too short a range has equidistant ticks.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values) / MARGIN, max(values) * MARGIN
    marked: list[float] = []
    for locator in (
        LogLocator(subs=(1, 2, 5), numticks=3 * MOST_TICKS),
        LogLocator(numticks=MOST_TICKS),
        MaxNLocator(MOST_TICKS),
    ):
        marked = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
        if 0 < len(marked) <= MOST_TICKS:
            break
    return Axis(low, high, start, end, [(value, f"{value:g}") for value in marked], log10)
