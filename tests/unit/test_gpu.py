"""What only a CUDA GPU can show: training in 16 bits there, and a session on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from segbench.data.frames import cached_split, labelled_frames
from segbench.errors import SegbenchError
from segbench.progress import Reporter
from segbench.testing import check_runtime, tiny_network
from segbench.training.fit import fit
from segbench.training.state import Job
from segbench.training.validation import Validator
from segbench.types import Calibration, InputConvention, Runtime, Setup
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.pytorch import compile, eager
from segbench_plugins.runtimes.tensorrt import plugin as tensorrt
from segbench_plugins.runtimes.tensorrt.target import target_to_run
from tests.tiny import CLASSES, MODERN, SIZE, TinyEncoder, fcn8s_over, tiny_dataset, write_tiny

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
QUIET = Reporter(quiet=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "auto"])
def test_training_learns_on_the_card(tmp_path: Path, precision: str) -> None:
    dataset, cuda = tiny_dataset(), torch.device("cuda")
    folder = dataset.locate(write_tiny(tmp_path))
    frames = {split: labelled_frames(dataset, folder, split) for split in ("train", "val")}
    splits = {name: cached_split(dataset, f, SIZE, name, QUIET) for name, f in frames.items()}
    recipe = replace(MODERN, epochs=25, precision=precision)
    job = Job(recipe, 0, cuda, tmp_path, {"backbone": "tiny", "dataset": "tiny"})
    validate = Validator(dataset, frames["val"], splits["val"].images, cuda, precision, QUIET)
    torch.manual_seed(0)
    model = fcn8s_over(TinyEncoder(), len(CLASSES), InputConvention())
    curve = fit(model, splits["train"], validate, job, QUIET)
    assert curve[-1].val_miou > 0.5


@pytest.mark.parametrize("runtime", [*eager.segbench_runtimes()], ids=lambda runtime: runtime.name)
def test_eager_on_the_card_agrees_with_the_cpu(runtime: Runtime) -> None:
    tolerance = {"eager": 1e-4, "eager-fp16": 1e-2, "eager-bf16": 5e-2}[runtime.name]
    check_runtime(runtime, tolerance, device="cuda")


@pytest.mark.parametrize("runtime", [*compile.segbench_runtimes()], ids=lambda r: r.name)
def test_compile_on_the_card_agrees_with_eager(runtime: Runtime) -> None:
    check_runtime(runtime, 1e-4, device="cuda")


@pytest.mark.parametrize("runtime", [*onnx.segbench_runtimes()], ids=lambda r: r.name)
def test_onnx_on_the_card_agrees_with_eager(runtime: Runtime) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime-gpu")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("needs onnxruntime-gpu")
    tolerance = {"onnx": 1e-4, "onnx-fp16": 1e-2}.get(runtime.name, 0.2)
    check_runtime(runtime, tolerance, device="cuda")
    assert "on the CPU" not in _engine(runtime)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runtime", [*tensorrt.segbench_runtimes()], ids=lambda r: r.name)
def test_tensorrt_on_the_card_agrees_with_eager(runtime: Runtime) -> None:
    """Twice: the second time with the engines that the first one cached."""
    try:
        target_to_run(Setup(SIZE, device="cuda"))
    except SegbenchError as error:
        pytest.skip(error.message)
    tolerance = {"trt-fp32": 1e-4, "trt-fp16": 1e-2, "trt-int8": 0.2}[runtime.name]
    for _ in range(2):
        check_runtime(runtime, tolerance, device="cuda")
    assert _engine(runtime).endswith(", CUDA graph")


def _engine(runtime: Runtime) -> str:
    """What runs a tiny network."""
    images = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    calibration = Calibration("noise", ("0",), images) if runtime.calibrates else None
    return runtime.open(tiny_network(), Setup(SIZE, device="cuda", calibration=calibration)).engine
