"""What one query is: the scope that is timed, as calls on a session."""

import time
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segbench.latency.timing import Clock, Query
from segbench.types import Session

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
"""Offline, so many queries as take about this long are issued before one wait."""


def session_output(scope: Scope) -> Literal["logits", "labels"]:
    """What a session gives for ``scope``: the argmax is in the graph in all but ``model``."""
    return "logits" if scope == "model" else "labels"


def query_of(
    session: Session,
    images: NDArray[np.uint8],
    scope: Scope,
    scenario: Scenario,
    clock: Clock = time.perf_counter,
) -> Query:
    """The query of ``images``, uint8 (N, H, W, 3).

    End-to-end the phases are waited for one by one and timed; offline they may overlap, so that
    there are none.
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
