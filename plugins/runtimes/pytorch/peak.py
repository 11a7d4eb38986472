"""PyTorch's peak operations per second, in convolutions and matrix products."""

from collections.abc import Callable
from functools import partial

import torch

from segbench.device import resolve_device, set_threads
from segbench.inference.tensors import exact_cudnn
from segbench.latency.peaks import Convolution, best_rate, best_seconds
from segbench.types import Peak, Setup

TITLES = {"float32": "FP32", "float16": "FP16", "bfloat16": "BF16"}
MATRIX = {"cpu": 1024, "cuda": 8192}


def torch_peak(dtype: str, setup: Setup) -> Peak:
    """PyTorch's peak in ``dtype`` ("float32", "float16", "bfloat16") or in FP32, without TF32.

    A CPU without 16-bit kernels stores 16 bits and computes in FP32, slowly.
    """
    set_threads(setup.threads)
    device, wanted = resolve_device(setup.device), getattr(torch, dtype)
    dtypes = {wanted, torch.float32} if _has(device, dtype) else {torch.float32}
    rate = max(_torch_rate(each, device) for each in dtypes)
    return Peak(TITLES[dtype], wanted.itemsize, rate)


def _has(device: "torch.device", dtype: str) -> bool:
    """Whether oneDNN, or a GPU, has kernels for a 16-bit type; torch has no public name for it."""
    if device.type != "cpu" or dtype == "float32":
        return True
    kernels = torch.ops.mkldnn
    if dtype == "bfloat16":
        return bool(kernels._is_mkldnn_bf16_supported())
    return bool(kernels._is_mkldnn_fp16_supported())


def _torch_rate(dtype: "torch.dtype", device: "torch.device") -> float:
    """The peak of convolutions in both memory layouts, and of a matrix product."""
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
