"""How much of the machine the training loop uses, as ratios within one run.

``make bench`` runs these; the default test run skips them.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from segbench.data.frames import Split
from segbench.device import cpu_has_bfloat16
from segbench.inference.tensors import to_device, weight_format
from segbench.progress import Reporter
from segbench.training.fit import train_epoch
from segbench.training.loss import Loss
from segbench.training.optimizer import make_optimizer
from segbench.training.state import Job, Learner
from segbench.types import IGNORED, MODERN, InputConvention, Recipe
from segbench_plugins.backbones import mobilenet, vgg16
from segbench_plugins.commands.run import HUGE_PAGES
from tests.tiny import fcn8s_over

CPU = torch.device("cpu")
Epoch = tuple[Callable[[str, str], Any], str]
"""What makes a function that trains an epoch, and the precision to give it."""
BACKBONES = {
    backbone.name: backbone
    for plugin in (mobilenet, vgg16)
    for backbone in plugin.segbench_backbones()
}
CASES = {"mobilenet": ((352, 480), 8, 3), "vgg16": ((352, 480), 1, 2)}
needs_bfloat16 = pytest.mark.skipif(not cpu_has_bfloat16(), reason="this CPU has no bfloat16")


def recipe_for(name: str, precision: str) -> tuple[Recipe, int]:
    size, batch_size, steps = CASES[name]
    return replace(MODERN, size=size, batch_size=batch_size, precision=precision), steps


def learner_for(name: str, recipe: Recipe) -> Learner:
    torch.manual_seed(0)
    convention = InputConvention()
    model = fcn8s_over(BACKBONES[name].build(convention), 11, convention)
    dtype = torch.float32 if recipe.precision == "fp32" else torch.bfloat16
    model.to(memory_format=weight_format(model, dtype, CPU))
    return Learner(
        model, make_optimizer(model, recipe), torch.amp.GradScaler("cpu", enabled=False), None
    )


def random_split(recipe: Recipe, steps: int) -> Split:
    rng = np.random.default_rng(0)
    count = recipe.batch_size * steps
    images = rng.integers(0, 256, (count, *recipe.size, 3), dtype=np.uint8)
    return Split(images, rng.integers(0, 11, (count, *recipe.size), dtype=np.uint8))


def whole_epoch(name: str, precision: str) -> Any:
    """The loop as ``segbench run`` uses it, on a split in memory; gives a function."""
    recipe, steps = recipe_for(name, precision)
    learner, split = learner_for(name, recipe), random_split(recipe, steps)
    job = Job(recipe, 0, CPU, Path(), {})
    return lambda: train_epoch(
        learner, split, Loss(torch.ones(11)), job, 0, [], Reporter(quiet=True)
    )


def bare_epoch(name: str, precision: str) -> Any:
    """Forward, backward and step on tensors that are there already; gives a function."""
    recipe, steps = recipe_for(name, precision)
    learner, split = learner_for(name, recipe), random_split(recipe, 1)
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    images = to_device(split.images, CPU, dtype)
    labels = torch.from_numpy(split.labels).long()

    def epoch() -> None:
        learner.model.train()
        for _ in range(steps):
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                logits = learner.model(images)
            loss = functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED)
            learner.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            learner.optimizer.step()

    return epoch


def in_turns(name: str, measured: Epoch, reference: Epoch, rounds: int = 10) -> float:
    """Reference time over measured time: the best of each, both timed in every round."""
    epochs = [train(name, precision) for train, precision in (measured, reference)]
    times = np.zeros((rounds, 2))
    for round_ in times:
        for turn, epoch in enumerate(epochs):
            started = perf_counter()
            epoch()
            round_[turn] = perf_counter() - started
    best, best_reference = times.min(axis=0)
    return float(best_reference / best)


@pytest.fixture
def ratio(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``in_turns`` in a process of its own, set up as ``segbench run`` sets up its own."""

    def measure(name: str, measured: Epoch, reference: Epoch) -> float:
        monkeypatch.setenv(HUGE_PAGES, "1")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            job = process.submit(in_turns, name, measured, reference)
            found: float = benchmark.pedantic(job.result, rounds=1)
        benchmark.extra_info["ratio"] = found
        return found

    return measure


@needs_bfloat16
def test_the_loop_keeps_the_device_busy(ratio: Any) -> None:
    """At least 90% of the images a second of the bare steps on the same sizes."""
    assert ratio("mobilenet", (whole_epoch, "bf16"), (bare_epoch, "bf16")) >= 0.9


@needs_bfloat16
@pytest.mark.parametrize(("name", "least"), [("mobilenet", 2.0), ("vgg16", 1.6)])
def test_modern_training_beats_plain_fp32(ratio: Any, name: str, least: float) -> None:
    """The modern recipe's loop against the bare FP32 one."""
    assert ratio(name, (whole_epoch, "bf16"), (bare_epoch, "fp32")) >= least
