"""How well reading, network and what follows overlap in each command, as a ratio within one run.

``make bench`` runs this; the default test run skips it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from segbench.device.cpu import usable_cores
from segbench.inference.evaluate import evaluate
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import Opened
from segbench.progress import Reporter
from segbench.types import Dataset, Frame, InputConvention, Setup
from segbench.workers.threads import Threads
from segbench_plugins.backbones.mobilenet import segbench_backbones
from segbench_plugins.commands.predict import draw_pictures
from segbench_plugins.commands.submit import write_files
from segbench_plugins.commands.video.read import open_footage
from segbench_plugins.commands.video.stages import side_by_side, stages
from segbench_plugins.commands.video.write import VideoWriter
from segbench_plugins.datasets.cityscapes.plugin import segbench_datasets
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import fcn8s_over
from tests.videos import write_video

QUIET = Reporter(quiet=True)
PICTURE, FRAMES = (1024, 2048), 12
VIDEO, VIDEO_FRAMES = (360, 480), 60

Command = Callable[[], object]


class Alone(Threads):
    """Does each work where its result is asked for, and counts how long each takes."""

    seconds: dict[Callable[[Any], Any], float]

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            started = perf_counter()
            result = work(item)
            spent = perf_counter() - started
            self.seconds[work] = self.seconds.get(work, 0.0) + spent
            yield result


def opened(size: tuple[int, int]) -> Opened:
    torch.manual_seed(0)
    backbone = next(b for b in segbench_backbones() if b.name == "mobilenet")
    (dataset,) = segbench_datasets()
    convention = InputConvention()
    model = fcn8s_over(backbone.build(convention), len(dataset.classes), convention).eval()
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight, std=0.1)
    runtime = next(r for r in segbench_runtimes() if r.name == "eager")
    session = runtime.open(model, Setup(size, device="cpu"))
    return Opened(session, LoadedNetwork(model, size, {}), dataset)


def write_frames(folder: Path, dataset: Dataset) -> Sequence[Frame]:
    """Smooth pictures with some noise, and labels in large areas of all classes."""
    rng = np.random.default_rng(0)
    ids = np.array(dataset.benchmark.ids, np.uint8)
    frames = []
    for number in range(FRAMES):
        image, label = folder / f"{number}.png", folder / f"{number}_label.png"
        small = rng.integers(0, 256, (8, 16, 3), np.uint8)
        smooth = PIL.Image.fromarray(small).resize(PICTURE[::-1], PIL.Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth) // 2 + rng.integers(0, 8, (*PICTURE, 3), np.uint8)
        PIL.Image.fromarray(noisy).save(image)
        areas = PIL.Image.fromarray(ids[rng.integers(0, len(ids), (16, 32))])
        areas.resize(PICTURE[::-1], PIL.Image.Resampling.NEAREST).save(label)
        frames.append(Frame(f"frame_{number}", image, label))
    return frames


@pytest.fixture(params=["evaluate", "predict", "submit", "video"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> Command:
    """What the command does once its network is open."""
    if request.param == "video":
        video = write_video(tmp_path / "in.mp4", VIDEO_FRAMES, VIDEO)
        network = opened(VIDEO)
        return lambda: make_video(network, video, tmp_path / "out.mp4")
    network = opened((512, 1024))
    frames = write_frames(tmp_path, network.dataset)
    images = [frame.image for frame in frames]
    return {
        "evaluate": lambda: evaluate(network.session, network.dataset, frames, network.size),
        "predict": lambda: draw_pictures(network, images, {"overlay": tmp_path}, 0.5, QUIET),
        "submit": lambda: write_files(network, frames, tmp_path, QUIET),
    }[request.param]


def make_video(network: Opened, video: Path, output: Path) -> None:
    footage = open_footage(video)
    with VideoWriter(output, footage) as writer:
        works = stages(network, footage.orientation, writer, 0.5, "eager")
        for _ in side_by_side(footage, works, {}):
            pass


@contextmanager
def one_after_the_other() -> Iterator[dict[Callable[[Any], Any], float]]:
    """Nothing runs in threads; gives how long each work that would takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segbench.inference.evaluate.Threads", Alone)
        patch.setattr("segbench_plugins.commands.video.stages.Threads", Alone)
        Alone.seconds = {}
        yield Alone.seconds


def test_the_stages_run_side_by_side(benchmark: Any, command: Command) -> None:
    """At least 85% of the pace of the slowest stage, or of all cores busy with nothing else."""
    ratios = []

    def both() -> None:
        started, cpu = perf_counter(), process_time()
        with one_after_the_other() as seconds:
            command()
        alone = perf_counter() - started
        cpu = (process_time() - cpu) / usable_cores()
        network = alone - sum(seconds.values())
        started = perf_counter()
        command()
        spent = perf_counter() - started
        ratios.append(max(network, cpu, *seconds.values()) / spent)
        benchmark.extra_info["alone"] = alone
        benchmark.extra_info["spent"] = spent

    benchmark.pedantic(both, rounds=3, warmup_rounds=1)
    ratio = float(np.median(ratios[1:]))
    benchmark.extra_info["ratio"] = ratio
    assert ratio >= 0.85
