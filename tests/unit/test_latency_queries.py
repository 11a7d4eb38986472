"""What is timed in each scope, on a session that writes down what it is asked."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segbench.latency.timing import query_of, session_output

IMAGES = np.zeros((1, 4, 4, 3), np.uint8)
TIMES = {"prepare": 1.0, "run": 7.0, "fetch": 2.0}


class Recorder:
    engine, details = "none", dict[str, Any]()

    def __init__(self) -> None:
        self.now, self.log = 0.0, list[str]()

    def clock(self) -> float:
        return self.now

    def prepare(self, images: NDArray[np.uint8]) -> str:
        return self._does("prepare", "input")

    def run(self, inputs: str) -> str:
        assert inputs == "input"
        return self._does("run", "output")

    def fetch(self, outputs: str) -> NDArray[np.uint8]:
        assert outputs == "output"
        self._does("fetch", "")
        return IMAGES

    def synchronize(self) -> None:
        self.log.append("wait")

    def _does(self, step: str, result: str) -> str:
        self.log.append(step)
        self.now += TIMES[step]
        return result


@pytest.mark.parametrize("scope", ["model", "labels"])
def test_the_input_is_on_the_device_before_the_first_query(scope: Any) -> None:
    session = Recorder()
    query = query_of(session, IMAGES, scope, "single-stream")
    assert session.log == ["prepare", "wait"]
    assert query.issue() is None
    assert session.log[2:] == ["run"]
    assert not query.phases


def test_end_to_end_waits_for_each_phase_and_gives_its_seconds() -> None:
    session = Recorder()
    query = query_of(session, IMAGES, "end-to-end", "single-stream", session.clock)
    assert query.phases == ("prepare", "compute", "fetch")
    assert query.issue() == (1, 7, 2)
    assert session.log == ["prepare", "wait", "run", "wait", "fetch", "wait"]


def test_offline_the_phases_may_overlap() -> None:
    session = Recorder()
    query = query_of(session, IMAGES, "end-to-end", "offline")
    assert not query.phases
    assert query.issue() is None
    assert session.log == ["prepare", "run", "fetch"]


def test_the_argmax_is_in_the_graph_of_all_but_the_model() -> None:
    outputs = [session_output(scope) for scope in ("model", "labels", "end-to-end")]
    assert outputs == ["logits", "labels", "labels"]
