"""Timing queries: warm-up and turns, over any callables and any clock.

Terms are MLPerf's. In *single-stream* a query starts when the previous one has ended. In *offline*
a group of queries is issued and waited for once.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segbench.errors import kept
from segbench.types import Session

Clock = Callable[[], float]

SAMPLES_FOR_P90 = 64
SAMPLES_FOR_P99 = 662
BLOCK_SECONDS = 0.5
LONGEST = 6  # times min_seconds, when the samples are still too few
WARM_UP_WINDOW = 5
STEADY = 0.05


@dataclass(frozen=True)
class Query:
    """``issue`` starts the work; ``wait`` returns when all of it is done.

    If ``phases`` names parts, ``issue`` waits for each and returns their seconds.
    """

    issue: Callable[[], Sequence[float] | None]
    wait: Callable[[], object]
    phases: tuple[str, ...] = ()


@dataclass(frozen=True)
class WarmUp:
    """Seconds of the first call and of a typical one, and whether a steady state was reached."""

    first_call: float
    typical: float
    steady: bool


@dataclass(frozen=True)
class Timings:
    """Raw times of one query; ``blocks`` are its turns, in order.

    A block is (samples, 1 + phases) in seconds: the whole, then each of ``phases``. A sample is
    the mean of ``group`` queries. ``complete`` is False when the user stopped the measurement.
    """

    warm_up: WarmUp
    blocks: tuple[NDArray[np.float64], ...]
    phases: tuple[str, ...] = ()
    group: int = 1
    complete: bool = True

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Every sample in order."""
        return np.concatenate(self.blocks)[:, 0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``seconds``, their ``block`` and their phases, for the file beside the record."""
        lengths = [len(block) for block in self.blocks]
        parts = np.concatenate(self.blocks)[:, 1:].T
        return {
            "seconds": self.seconds,
            "block": np.repeat(np.arange(len(lengths)), lengths),
            **dict(zip(self.phases, parts, strict=True)),
        }


def warm_up(query: Query, limit: float, clock: Clock = time.perf_counter) -> WarmUp:
    """Query until the medians of two consecutive windows of five agree within 5%, or ``limit``.

    The first call does not count to ``limit``: it may search for the fastest kernels for long.
    """
    with _collector_off():
        first_call = typical = _sample(query, 1, clock)[0]
        previous, started = math.inf, clock()
        while clock() - started < limit:
            window = [_sample(query, 1, clock)[0] for _ in range(WARM_UP_WINDOW)]
            typical = float(np.median(window))
            if abs(typical - previous) <= STEADY * typical:
                return WarmUp(first_call, typical, steady=True)
            previous = typical
    return WarmUp(first_call, typical, steady=False)


def measure_in_turns(
    queries: Mapping[str, Query],
    warm: Mapping[str, WarmUp],
    min_seconds: float = 10.0,
    group_seconds: float = 0.0,
    step: Callable[[], object] = lambda: None,
    clock: Clock = time.perf_counter,
) -> dict[str, Timings | Exception]:
    """Time warm queries in turns, block by block, so that machine drift affects all equally.

    Each is measured for at least ``min_seconds`` and 64 samples, but at most six times
    ``min_seconds``. A sample is one query; with ``group_seconds`` it is the mean of a group that
    takes about that long, waited for together. ``step`` is called after each round of turns. A
    KeyboardInterrupt ends the measurement, once every query has had a turn. If a query raises, its
    error is returned; the others go on.
    """
    queries = dict(queries)
    group = {name: max(1, round(group_seconds / warm[name].typical)) for name in queries}
    blocks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in queries}
    errors: dict[str, Exception] = {}
    complete = True
    with _collector_off():
        try:
            while not all(_enough(blocks[name], group[name], min_seconds) for name in queries):
                for name, query in list(queries.items()):
                    if _spent(blocks[name], group[name]) >= LONGEST * min_seconds:
                        continue
                    try:
                        if len(queries) > 1:  # warm the caches again after the others
                            _sample(query, 1, clock)
                        blocks[name].append(_block(query, group[name], clock))
                    except Exception as error:
                        errors[name] = kept(error)
                        del queries[name], blocks[name]
                step()
        except KeyboardInterrupt:
            if not all(blocks.values()):
                raise
            complete = False
    return errors | {
        name: Timings(warm[name], tuple(blocks[name]), query.phases, group[name], complete)
        for name, query in queries.items()
    }


def expected_rounds(warm: Mapping[str, WarmUp], min_seconds: float) -> int:
    """The approximate number of rounds in ``measure_in_turns``, for a progress bar."""
    times = [max(each.typical, 1e-9) for each in warm.values()]
    needed = [
        min(max(min_seconds, SAMPLES_FOR_P90 * time), LONGEST * min_seconds) for time in times
    ]
    block = [time * math.ceil(BLOCK_SECONDS / time) for time in times]
    return max(math.ceil(n / b) for n, b in zip(needed, block, strict=True))


def _enough(blocks: Sequence[NDArray[np.float64]], group: int, min_seconds: float) -> bool:
    samples = sum(len(block) for block in blocks)
    enough = min_seconds if samples >= SAMPLES_FOR_P90 else LONGEST * min_seconds
    return _spent(blocks, group) >= enough


def _spent(blocks: Sequence[NDArray[np.float64]], group: int) -> float:
    """Seconds in samples."""
    return sum(float(block[:, 0].sum()) * group for block in blocks)


def _block(query: Query, group: int, clock: Clock) -> NDArray[np.float64]:
    started = clock()
    samples: list[tuple[float, ...]] = []
    while not samples or clock() - started < BLOCK_SECONDS:
        samples.append(_sample(query, group, clock))
    return np.array(samples)


def _sample(query: Query, group: int, clock: Clock) -> tuple[float, ...]:
    """Seconds per query, averaged over ``group``; then those of its phases."""
    phases: Sequence[float] | None = None
    started = clock()
    for _ in range(group):
        phases = query.issue()
    query.wait()
    return (clock() - started) / group, *(phases or ())


@contextmanager
def _collector_off() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


Scope = Literal["model", "labels", "end-to-end"]
Scenario = Literal["single-stream", "offline"]

SCOPES = {
    "model": "input on the device to logits there",
    "labels": "input on the device to class maps there",
    "end-to-end": "decoded images on the host to class maps on the host",
}
SCENARIOS = ("single-stream", "offline")
PHASES = ("prepare", "compute", "fetch")
GROUP_SECONDS = {"single-stream": 0.0, "offline": 0.1}
"""Offline, a group of queries takes about this long between waits."""


def session_output(scope: Scope) -> Literal["logits", "labels"]:
    """A session's output for ``scope``: all but ``model`` have the argmax in the graph."""
    return "logits" if scope == "model" else "labels"


def query_of(
    session: Session,
    images: NDArray[np.uint8],
    scope: Scope,
    scenario: Scenario,
    clock: Clock = time.perf_counter,
) -> Query:
    """The query of ``images``, uint8 (N, H, W, 3).

    End-to-end, each phase is waited for and timed; offline there are no phases, since they may
    overlap.
    """
    if scope != "end-to-end":
        inputs = session.prepare(images)
        session.synchronize()

        def run() -> None:
            session.run(inputs)

        return Query(run, session.synchronize)

    def whole() -> None:
        session.fetch(session.run(session.prepare(images)))

    def in_phases() -> tuple[float, float, float]:
        started = clock()
        inputs = session.prepare(images)
        session.synchronize()
        prepared = clock()
        outputs = session.run(inputs)
        session.synchronize()
        computed = clock()
        session.fetch(outputs)
        session.synchronize()
        fetched = clock()
        return prepared - started, computed - prepared, fetched - computed

    if scenario == "offline":
        return Query(whole, session.synchronize)
    return Query(in_phases, session.synchronize, PHASES)
