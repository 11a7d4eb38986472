"""The least time a query can take on this machine in FP32, by the roofline model.

Source: Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009: work takes at least its
operations over the machine's rate, and at least its bytes over the memory's.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segbench.types import Size

if TYPE_CHECKING:
    import torch
    from torch import nn

MATRIX = {"cpu": 1024, "cuda": 8192}
CHANNELS = 256
PIXELS = 64
COPIED_BYTES = 2**28
REPEATS = 5


@dataclass(frozen=True)
class Work:
    """What one query asks for: operations (a multiply-add is two) and bytes moved."""

    flop: float
    moved: float


@dataclass(frozen=True)
class Rates:
    """What the machine gives a second: FP32 operations, and bytes copied."""

    flop: float
    moved: float


@dataclass(frozen=True)
class Roofline:
    """A query's work and the machine's rates."""

    work: Work
    rates: Rates

    @property
    def bound_s(self) -> float:
        """The lower bound in seconds."""
        return max(self.work.flop / self.rates.flop, self.work.moved / self.rates.moved)

    def metrics(self, p50_ms: float) -> dict[str, float]:
        """The figures under the record's names, beside a measured latency."""
        return {
            "gflop": self.work.flop / 1e9,
            "gbyte": self.work.moved / 1e9,
            "gflop_per_s": self.rates.flop / 1e9,
            "gbyte_per_s": self.rates.moved / 1e9,
            "bound_ms": 1e3 * self.bound_s,
            "roofline_multiple": p50_ms / (1e3 * self.bound_s),
        }


def work_of(model: "nn.Module", size: Size, batch_size: int) -> Work:
    """Count one forward pass without doing it.

    Operations are those of convolutions and matrix products. Of the bytes, each such layer reads
    its input and its weights and writes its output once, in FP32; all other layers count as fused
    into these.
    """
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    moved = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal moved
        moved += sum(t.nbytes for t in (*layer.parameters(), *inputs, output))

    with torch.device("meta"):
        images = torch.empty(batch_size, 3, *size)
    weightless = deepcopy(model).to("meta").eval()
    for layer in weightless.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        weightless(images)
    return Work(counter.get_total_flops(), moved)


def measured_rates(device: "torch.device") -> Rates:
    """The best of five FP32 matrix products and of five copies; a copy reads and writes.

    On CPUs a 3x3 convolution counts where it is faster: on AMD's, torch multiplies matrices with
    MKL, which reaches half of what oneDNN's convolutions do.
    """
    import torch

    side = MATRIX[device.type]
    left, right = torch.rand(2, side, side, device=device)
    product = torch.empty_like(left)
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    rate = 2 * side**3 / _best(lambda: torch.mm(left, right, out=product), device)
    if device.type == "cpu":
        rate = max(rate, _convolution_rate(device))
    return Rates(rate, 2 * COPIED_BYTES / _best(lambda: target.copy_(source), device))


def _convolution_rate(device: "torch.device") -> float:
    import torch

    images = torch.rand(1, CHANNELS, PIXELS, PIXELS, device=device)
    weight = torch.rand(CHANNELS, CHANNELS, 3, 3, device=device)
    flop = 2 * PIXELS**2 * weight.numel()
    with torch.inference_mode():
        return flop / _best(lambda: torch.conv2d(images, weight, padding=1), device)


def _best(work: Callable[[], object], device: "torch.device") -> float:
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    times = []
    for _ in range(1 + REPEATS):
        wait()
        started = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - started)
    return min(times[1:])
