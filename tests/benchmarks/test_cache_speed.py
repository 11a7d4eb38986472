"""What checking decoded frames costs of the time that they save: decoding them, once an epoch."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from segbench.data.frames import cached_split, labelled_frames
from segbench.plugins import Registry
from segbench.progress import Reporter

SIZE = (360, 480)


@pytest.fixture
def opened(data_root: Path) -> Callable[[str], object]:
    """Opens CamVid's 101 validation frames under a key; a new one is decoded."""
    dataset, quiet = Registry.load().dataset("camvid"), Reporter(quiet=True)
    frames = labelled_frames(dataset, dataset.locate(data_root), "val")
    return lambda key: cached_split(dataset, frames, SIZE, key, quiet)


def test_decode(benchmark: BenchmarkFixture, opened: Callable[[str], object]) -> None:
    keys = iter("abcdefgh")
    benchmark.pedantic(lambda: opened(next(keys)), rounds=3)


def test_check(benchmark: BenchmarkFixture, opened: Callable[[str], object]) -> None:
    opened("a")
    benchmark.pedantic(opened, ("a",), rounds=20)
