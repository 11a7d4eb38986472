"""The most operations a second that an engine reaches, as the roofline wants it.

Engines differ in the shapes that suit them, so a rate is the best over several convolutions, and
each is timed often enough that other work on the machine cannot spoil all runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from segbench.device import resolve_device, set_threads
from segbench.types import Peak, Setup, Size

if TYPE_CHECKING:
    import torch

SECONDS = 0.2
LEAST_RUNS = 3
TITLES = {"float32": "FP32", "float16": "FP16", "bfloat16": "BF16"}


@dataclass(frozen=True)
class Convolution:
    """Two convolutions in a row with square kernels, from ``channels`` to as many, padded."""

    channels: int
    kernel: int
    size: Size

    @property
    def flop(self) -> int:
        """Operations of both, a multiply-add counting twice."""
        height, width = self.size
        return 4 * self.channels**2 * self.kernel**2 * height * width


CONVOLUTIONS = {
    "cpu": (
        Convolution(64, 3, (32, 64)),
        Convolution(128, 3, (32, 32)),
        Convolution(256, 3, (16, 32)),
        Convolution(512, 1, (32, 32)),
        Convolution(1024, 1, (16, 16)),
        Convolution(256, 3, (32, 64)),
    ),
    "cuda": (
        Convolution(256, 3, (256, 256)),
        Convolution(512, 3, (128, 128)),
        Convolution(1024, 1, (256, 256)),
    ),
}
"""The small ones end between two interruptions; the large one employs many cores."""
MATRIX = {"cpu": 1024, "cuda": 8192}


def best_rate(device: str, prepared: Callable[[Convolution], Callable[[], object]]) -> float:
    """Operations a second in the shape that suits best.

    ``prepared`` makes a call that does the convolutions and waits for their end. ``device`` is
    "cpu" or "cuda".
    """
    return max(each.flop / best_seconds(prepared(each)) for each in CONVOLUTIONS[device])


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of all runs in 0.2 s, and of at least three."""
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    while len(times) < LEAST_RUNS or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def torch_peak(dtype: str, setup: Setup) -> Peak:
    """PyTorch's best in ``dtype`` ("float32", "float16", "bfloat16") or in FP32, without TF32.

    A CPU without that type computes in FP32, slowly, what is kept in 16 bits.
    """
    import torch

    set_threads(setup.threads)
    device, wanted = resolve_device(setup.device), getattr(torch, dtype)
    dtypes = {wanted, torch.float32} if _has(device, dtype) else {torch.float32}
    rate = max(_torch_rate(each, device) for each in dtypes)
    return Peak(TITLES[dtype], wanted.itemsize, rate)


def _has(device: "torch.device", dtype: str) -> bool:
    """Whether oneDNN, or a GPU, has kernels for a 16-bit type; torch has no public name for it."""
    import torch

    if device.type != "cpu" or dtype == "float32":
        return True
    kernels = torch.ops.mkldnn
    if dtype == "bfloat16":
        return bool(kernels._is_mkldnn_bf16_supported())
    return bool(kernels._is_mkldnn_fp16_supported())


def _torch_rate(dtype: "torch.dtype", device: "torch.device") -> float:
    """Of convolutions in both memory layouts, and of a matrix product."""
    import torch

    from segbench.inference.tensors import exact_cudnn

    layouts = (torch.contiguous_format, torch.channels_last)

    def waited(work: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            with torch.inference_mode(), exact_cudnn():
                work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return run

    def prepared(each: Convolution, layout: torch.memory_format) -> Callable[[], object]:
        def values(*shape: int) -> torch.Tensor:
            return torch.rand(shape, device=device).to(dtype, memory_format=layout)

        images = values(1, each.channels, *each.size)
        weight = values(each.channels, each.channels, each.kernel, each.kernel)
        convolve = partial(torch.conv2d, weight=weight, padding=each.kernel // 2)
        return waited(lambda: convolve(convolve(images)))

    side = MATRIX[device.type]
    left, right = torch.rand(2, side, side, device=device).to(dtype)
    return max(
        2 * side**3 / best_seconds(waited(lambda: torch.mm(left, right))),
        *(best_rate(device.type, partial(prepared, layout=layout)) for layout in layouts),
    )
