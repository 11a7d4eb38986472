"""Scoring beside the official Cityscapes tool, on the same real frames and in one run.

Run with ``pytest tests/benchmarks --benchmark-only`` on an idle machine: the ratio of two workers
needs two free cores.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from segbench.data import png
from segbench.data.layouts import read_picture
from segbench.plugins import Registry
from segbench.scoring.bootstrap import bootstrap_miou
from segbench.scoring.predictions import read_prediction
from segbench.scoring.score import score_predictions
from segbench.types import Frame
from segbench_plugins.datasets.cityscapes import score as cityscapes
from segbench_plugins.datasets.cityscapes.frames import cityscapes_frames
from tests.official_cityscapes import official_score

OFFICIAL_MS, ARITHMETIC_MS = 53, 10
"""A frame's share of the official tool's time that the arithmetic alone may take."""

Work = Callable[[], object]


@pytest.fixture(scope="module")
def frames(data_root: Path) -> tuple[Frame, ...]:
    return cityscapes_frames(data_root / "cityscapes_labels", "val")


@pytest.fixture(scope="module")
def predictions(frames: tuple[Frame, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels shifted by some pixels, with a little noise."""
    folder = tmp_path_factory.mktemp("predictions")
    rng = np.random.default_rng(0)
    for frame in frames:
        labels = np.roll(np.asarray(read_picture(Path(str(frame.label)))), 7, axis=1)
        labels[::9, ::9] = rng.integers(0, 34, labels[::9, ::9].shape)
        Image.fromarray(labels).save(folder / f"{frame.id}.png")
    return folder


def score(frames: tuple[Frame, ...], predictions: Path, workers: int) -> Work:
    dataset = Registry.load().dataset("cityscapes")
    return lambda: score_predictions(dataset, frames, predictions, workers=workers)


def official(frames: tuple[Frame, ...], predictions: Path) -> Work:
    labels = [Path(str(frame.label)) for frame in frames]
    return lambda: official_score([predictions / f"{f.id}.png" for f in frames], labels)


def speed_up(benchmark: BenchmarkFixture, ours: Work, theirs: Work, rounds: int = 3) -> float:
    """How many times as fast as ``theirs`` is ``ours``, in turns, best against best."""
    seconds = []

    def before() -> None:
        started = time.perf_counter()
        theirs()
        seconds.append(time.perf_counter() - started)

    benchmark.pedantic(ours, setup=before, rounds=rounds, warmup_rounds=1)
    ratio = min(seconds) / benchmark.stats.stats.min
    benchmark.extra_info["times as fast as the official tool"] = round(ratio, 2)
    return ratio


@pytest.mark.parametrize(("workers", "least"), [(1, 1.6), (2, 2.8)])
def test_frames_a_second(
    benchmark: BenchmarkFixture,
    frames: tuple[Frame, ...],
    predictions: Path,
    workers: int,
    least: float,
) -> None:
    ours, theirs = score(frames, predictions, workers), official(frames, predictions)
    assert speed_up(benchmark, ours, theirs) >= least


def test_verifying_pngs_costs_at_most_5_percent(
    benchmark: BenchmarkFixture,
    frames: tuple[Frame, ...],
    predictions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In turns, frame by frame, by the time of this thread: the best of each."""

    def unverified(data: bytes) -> np.ndarray:
        return np.asarray(Image.open(BytesIO(data)))

    readers = {"verified": png.pixels, "unverified": unverified}
    best = dict.fromkeys(readers, 0.0)

    def measure() -> None:
        for frame in frames:
            seconds: dict[str, list[float]] = {name: [] for name in readers}
            for name, pixels in list(readers.items()) * 10:
                monkeypatch.setattr(png, "pixels", pixels)
                started = time.thread_time()
                prediction = read_prediction(predictions / f"{frame.id}.png", palette=True)
                cityscapes.Cityscapes().count(frame, prediction)
                seconds[name].append(time.thread_time() - started)
            for name in readers:
                best[name] += min(seconds[name])

    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info["of the time without"] = round(best["verified"] / best["unverified"], 3)
    assert best["verified"] <= 1.05 * best["unverified"]


def test_arithmetic(
    benchmark: BenchmarkFixture,
    frames: tuple[Frame, ...],
    predictions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded = {f.instances: np.asarray(read_picture(Path(str(f.instances)))) for f in frames}
    predicted = {f.id: np.asarray(read_picture(predictions / f"{f.id}.png")) for f in frames}
    monkeypatch.setattr(cityscapes, "_read", decoded.__getitem__)

    def count() -> None:
        for frame in frames:
            cityscapes.Cityscapes().count(frame, predicted[frame.id])

    ratio = speed_up(benchmark, count, official(frames, predictions))
    benchmark.extra_info["ms a frame"] = round(1e3 * benchmark.stats.stats.min / len(frames), 2)
    assert ratio >= OFFICIAL_MS / ARITHMETIC_MS


def test_memory_is_flat_over_500_frames(
    benchmark: BenchmarkFixture, frames: tuple[Frame, ...], predictions: Path, tmp_path: Path
) -> None:
    many = []
    for number in range(500):
        frame = frames[number % len(frames)]
        many.append(replace(frame, id=f"frame_{number:06d}"))
        (tmp_path / f"frame_{number:06d}.png").symlink_to(predictions / f"{frame.id}.png")
    few = tmp_path / "few"
    few.mkdir()
    for frame in many[:40]:
        (tmp_path / f"{frame.id}.png").rename(few / f"{frame.id}.png")
    score(tuple(many[:40]), few, workers=2)()
    before = peak_mb()
    benchmark.pedantic(score(tuple(many), tmp_path, workers=2), rounds=1)
    benchmark.extra_info["growth in MB"] = round(peak_mb() - before, 1)
    assert peak_mb() - before < 32


def test_bootstrap(benchmark: BenchmarkFixture) -> None:
    matrices = np.random.default_rng(0).integers(0, 100_000, (500, 19, 20))
    low, high = benchmark(bootstrap_miou, matrices)
    assert low < high


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
