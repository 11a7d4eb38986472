"""What the measuring protocol adds to a query, beside a bare loop on the same session.

Run with ``pytest tests/benchmarks --benchmark-only`` on an idle machine. Harness and loop take
turns of half a second, so that both meet the same machine.
"""

import time

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from segbench.inference.networks import fcn8s_on, random_network
from segbench.latency.statistics import percentile
from segbench.latency.timing import BLOCK_SECONDS, measure_in_turns, query_of, warm_up
from segbench.plugins import Registry
from segbench.types import Setup

TURNS = 20
LARGEST_OVERHEAD = 0.01


def test_overhead(benchmark: BenchmarkFixture) -> None:
    registry = Registry.load()
    size = (64, 128)
    network = random_network(fcn8s_on(registry.backbone("mobilenet")), registry, size=size)
    session = registry.runtime("eager").open(network.model, Setup(size, device="cpu", threads=1))
    images = np.zeros((1, *size, 3), np.uint8)
    inputs = session.prepare(images)
    query = query_of(session, images, "model", "single-stream")
    warm = {"eager": warm_up(query, 5)}

    bare, measured = list[float](), list[float]()

    def loop() -> None:
        started = time.perf_counter()
        while time.perf_counter() - started < BLOCK_SECONDS:
            before = time.perf_counter()
            session.run(inputs)
            session.synchronize()
            bare.append(time.perf_counter() - before)

    def harness() -> None:
        timings = measure_in_turns({"eager": query}, warm, BLOCK_SECONDS / 6)
        measured.extend(timings["eager"].seconds)

    benchmark.pedantic(harness, setup=loop, rounds=TURNS, warmup_rounds=1)
    ratio = percentile(np.array(measured), 50) / percentile(np.array(bare), 50)
    benchmark.extra_info["harness / bare loop, p50"] = round(ratio, 4)
    assert ratio <= 1 + LARGEST_OVERHEAD
