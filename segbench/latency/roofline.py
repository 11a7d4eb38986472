"""A lower bound on latency for this machine and engine, by the roofline model.

Source: Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009: time is at least operations
/ peak rate, and at least bytes / memory bandwidth.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError
from segbench.latency.peaks import best_seconds
from segbench.types import CountsWork, Peak, Size

if TYPE_CHECKING:
    import torch
    from torch import nn

COPIED_BYTES = (2**21, 2**28)
"""The smaller copy stays in the caches, like the activations of a small network."""


@dataclass(frozen=True)
class Work:
    """The work of one query: operations (a multiply-add is two) and values moved."""

    flop: float
    values: float


@dataclass(frozen=True)
class Roofline:
    """A query's work, the engine's peak, and the memory bandwidth in bytes per second."""

    work: Work
    peak: Peak
    bytes_per_s: float

    @property
    def moved(self) -> float:
        """Bytes that the query moves in the engine's precision."""
        return self.work.values * self.peak.value_bytes

    @property
    def bound_s(self) -> float:
        """The lower bound in seconds."""
        return max(self.work.flop / self.peak.flop_per_s, self.moved / self.bytes_per_s)

    def metrics(self, p50_ms: float) -> dict[str, str | float]:
        """The figures under the record's names, beside a measured latency."""
        return {
            "gflop": self.work.flop / 1e9,
            "gbyte": self.moved / 1e9,
            "gflop_per_s": self.peak.flop_per_s / 1e9,
            "gbyte_per_s": self.bytes_per_s / 1e9,
            "bound_ms": 1e3 * self.bound_s,
            "bound_precision": self.peak.precision,
            "roofline_multiple": self._multiple(p50_ms),
        }

    def doubts(self, p50_ms: float) -> list[str]:
        """Why either is wrong, if the latency is below the bound."""
        if (multiple := self._multiple(p50_ms)) >= 1:
            return []
        return [
            f"p50 is {multiple:.2f} times its roofline of {1e3 * self.bound_s:.3g} ms, which is "
            "impossible: other work slowed the machine while the roofline was measured, "
            "or the engine skipped work"
        ]

    def _multiple(self, p50_ms: float) -> float:
        return p50_ms / (1e3 * self.bound_s)


def work_of(model: "nn.Module", size: Size, batch_size: int) -> Work:
    """Count the work of one forward pass without running it.

    Counts convolutions and matrix products. Each such layer reads its input and weights and writes
    its output once; all other layers count as fused into these. SegbenchError if there is none.
    """
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    if isinstance(net := getattr(model, "net", None), CountsWork):
        return Work(*net.count_work(batch_size, size))

    values = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal values
        values += sum(t.numel() for t in (*layer.parameters(), *inputs, output))

    with torch.device("meta"):
        images = torch.empty(batch_size, 3, *size)
    weightless = deepcopy(model).to("meta").eval()
    for layer in weightless.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        weightless(images)
    if not values:
        raise SegbenchError("The network has no convolution or linear layer.")
    return Work(counter.get_total_flops(), values)


def copy_rate(device: "torch.device") -> float:
    """Bytes per second of a copy, reads plus writes: in memory or in the caches."""
    return max(_copy_rate(size, device) for size in COPIED_BYTES)


def _copy_rate(size: int, device: "torch.device") -> float:
    import torch

    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)

    def copy() -> None:
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return 2 * size / best_seconds(copy)
