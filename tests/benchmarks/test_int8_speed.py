"""How much faster INT8 and ONNX are than eager on the CPU, as ratios within one run.

``make bench`` runs these; the default test run skips them.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch

from segbench.networks.model import SegmentationModel
from segbench.types import Calibration, InputConvention, Runtime, Session, Setup
from segbench_plugins.backbones import mobilenet, vgg16
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.pytorch import eager
from tests.tiny import fcn8s_over

SIZE = (256, 512)
BACKBONES = {
    backbone.name: backbone
    for plugin in (mobilenet, vgg16)
    for backbone in plugin.segbench_backbones()
}
RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime for plugin in (eager, onnx) for runtime in plugin.segbench_runtimes()
}


def random_network(name: str) -> SegmentationModel:
    """Fresh weights, with score layers that are not zero."""
    torch.manual_seed(0)
    convention = InputConvention()
    model = fcn8s_over(BACKBONES[name].build(convention), 19, convention)
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return model.eval()


def sessions(name: str, *runtimes: str) -> list[Session]:
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    setup = Setup(SIZE, device="cpu", calibration=Calibration("noise", ("0", "1"), images))
    model = random_network(name)
    return [RUNTIMES[runtime].open(model, setup) for runtime in runtimes]


def query(session: Session) -> Callable[[], Any]:
    images = np.random.default_rng(1).integers(0, 256, (1, *SIZE, 3), np.uint8)
    inputs = session.prepare(images)
    return lambda: session.run(inputs)


def in_turns(benchmark: Any, measured: Session, reference: Session, rounds: int) -> float:
    """Median of reference time over measured time, both timed in every round."""
    ratios = []
    one, other = query(measured), query(reference)

    def both() -> None:
        started = perf_counter()
        other()
        between = perf_counter()
        one()
        ratios.append((between - started) / (perf_counter() - between))

    benchmark.pedantic(both, rounds=rounds, warmup_rounds=3)
    ratio = float(np.median(ratios[3:]))
    benchmark.extra_info["ratio"] = ratio
    return ratio


@pytest.mark.parametrize(
    ("name", "runtime", "least", "rounds"),
    [
        ("mobilenet", "onnx", 2.0, 60),
        ("mobilenet", "onnx-int8", 2.6, 60),
        ("vgg16", "onnx-int8", 4.0, 15),
    ],
)
def test_onnx_is_faster_than_eager(
    benchmark: Any, name: str, runtime: str, least: float, rounds: int
) -> None:
    """One image at a time on the CPU."""
    reference, measured = sessions(name, "eager", runtime)
    assert in_turns(benchmark, measured, reference, rounds) >= least


def test_int8_files_of_vgg16_are_a_quarter(benchmark: Any) -> None:
    """At most 27% of the FP32 file."""
    exact, coarse = sessions("vgg16", "onnx", "onnx-int8")
    share = coarse.details["file_mb"] / exact.details["file_mb"]
    benchmark.extra_info["share"] = share
    benchmark.pedantic(lambda: None, rounds=1)
    assert share <= 0.27
