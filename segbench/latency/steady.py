"""Measuring in turns, and again while the machine is not steady."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segbench.latency.machine import Watch
from segbench.latency.statistics import unsteadiness
from segbench.latency.timing import Query, Timings, WarmUp, expected_rounds, measure_in_turns
from segbench.progress import Reporter

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Attempt:
    """The timings of queries measured in turns, or their errors, and the machine meanwhile."""

    timings: Mapping[str, Timings | Exception]
    watch: Watch

    @property
    def timed(self) -> dict[str, Timings]:
        """The timings that are not errors."""
        return {name: each for name, each in self.timings.items() if isinstance(each, Timings)}

    @property
    def complete(self) -> bool:
        """Whether the user let it end."""
        return all(each.complete for each in self.timed.values())

    def doubts(self) -> list[str]:
        """What was not steady."""
        of_queries = [
            f"{name}: {doubt}" for name, each in self.timed.items() for doubt in unsteadiness(each)
        ]
        return self.watch.doubts() + of_queries

    def interrupted(self) -> "Attempt":
        """The same, with timings that say that the user stopped the measurement."""
        stopped = {name: replace(each, complete=False) for name, each in self.timed.items()}
        return replace(self, timings={**self.timings, **stopped})


def measure_until_steady(
    queries: Mapping[str, Query],
    warm: Mapping[str, WarmUp],
    device: "torch.device",
    min_seconds: float,
    group_seconds: float,
    attempts: int,
    reporter: Reporter,
) -> tuple[Attempt, int]:
    """Measure warm queries in turns; up to ``attempts`` times, until the machine was steady.

    Returns the first steady attempt, else the one with the fewest doubts, and how many were made.
    The times themselves do not matter for the choice. If a later attempt is interrupted, or a query
    raises in it, the best one before is returned.
    """

    def measure(queries: Mapping[str, Query], warm: Mapping[str, WarmUp]) -> Attempt:
        watch = Watch(device)
        rounds, what = expected_rounds(warm, min_seconds), f"measure {', '.join(queries)}"
        with reporter.steps(rounds, what, idle=True) as step, watch:
            timings = measure_in_turns(
                queries, warm, min_seconds, group_seconds, step=lambda: step("")
            )
        return Attempt(timings, watch)

    best = latest = measure(queries, warm)
    made = 1
    while made < attempts and best.timed and best.complete and best.doubts():
        reporter.say(f"Attempt {made} of {attempts} was not steady ({latest.doubts()[0]}).")
        made += 1
        again = {name: queries[name] for name in best.timed}
        warmed = {name: replace(warm[name], steady=True) for name in again}  # by the one before
        try:
            latest = measure(again, warmed)
        except KeyboardInterrupt:
            return best.interrupted(), made
        if not latest.complete:
            return best.interrupted(), made
        if len(latest.timed) < len(best.timed):
            break
        if len(latest.doubts()) <= len(best.doubts()):
            best = replace(latest, timings={**best.timings, **latest.timings})
    return best, made
