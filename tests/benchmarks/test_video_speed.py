"""How well the stages of ``segbench video`` overlap, as a ratio within one run.

``make bench`` runs this; the default test run skips it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import Opened
from segbench.types import InputConvention, Setup
from segbench.video.pipeline import Pipeline
from segbench.video.read import Footage, open_footage
from segbench.video.stages import SOURCE, stages
from segbench.video.write import VideoWriter
from segbench_plugins.backbones.mobilenet import segbench_backbones
from segbench_plugins.datasets.camvid.plugin import segbench_datasets
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import fcn8s_over
from tests.videos import write_video

SIZE = (360, 480)
FRAMES = 60


def predictor() -> Opened:
    torch.manual_seed(0)
    backbone = next(b for b in segbench_backbones() if b.name == "mobilenet")
    (dataset,) = segbench_datasets()
    convention = InputConvention()
    model = fcn8s_over(backbone.build(convention), len(dataset.classes), convention).eval()
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight, std=0.1)
    runtime = next(r for r in segbench_runtimes() if r.name == "eager")
    session = runtime.open(model, Setup(SIZE, device="cpu"))
    return Opened(session, LoadedNetwork(model, SIZE, {}), dataset)


def one_by_one(predictor: Opened, footage: Footage, output: Path) -> tuple[float, float]:
    """Seconds a frame of the slowest stage alone, and CPU seconds a frame of all stages."""
    cpu, marks = process_time(), [perf_counter()]
    with VideoWriter(output, footage) as writer:
        results: Iterable[Any] = list(footage.stills)
        marks.append(perf_counter())
        for work in stages(predictor, footage.orientation, writer, 0.5, "eager").values():
            results = [work(item) for item in results]
            marks.append(perf_counter())
    marks[-1] = perf_counter()  # the encoder holds frames back until it is closed
    return max(np.diff(marks)) / FRAMES, (process_time() - cpu) / FRAMES


def side_by_side(predictor: Opened, footage: Footage, output: Path) -> float:
    """Seconds a frame."""
    started = perf_counter()
    with VideoWriter(output, footage) as writer:
        works = stages(predictor, footage.orientation, writer, 0.5, "eager")
        for _ in Pipeline(SOURCE, footage.stills, works):
            pass
    return (perf_counter() - started) / FRAMES


def test_the_stages_run_side_by_side(benchmark: Any, tmp_path: Path) -> None:
    """At least 85% of the pace of the slowest stage, or of all cores busy with nothing else."""
    video = write_video(tmp_path / "in.mp4", FRAMES, SIZE)
    network, output, ratios = predictor(), tmp_path / "out.mp4", []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    def both() -> None:
        slowest, cpu = one_by_one(network, open_footage(video), output)
        spent = side_by_side(network, open_footage(video), output)
        ratios.append(max(slowest, cpu / (cores or 1)) / spent)

    benchmark.pedantic(both, rounds=5, warmup_rounds=1)
    ratio = float(np.median(ratios[1:]))
    benchmark.extra_info["ratio"] = ratio
    assert ratio >= 0.85
