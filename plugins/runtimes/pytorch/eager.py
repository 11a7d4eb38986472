"""Eager PyTorch in FP32 and 16 bits; ``eager`` is the reference for all other runtimes."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from segbench.hookspecs import hookimpl
from segbench.types import Arithmetic, Peak, Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel


def open_session(dtype: str, model: "SegmentationModel", setup: Setup) -> Session:
    """A session in torch's ``dtype`` ("float32", "float16", "bfloat16")."""
    import torch

    from .session import TorchSession

    return TorchSession(model, setup, getattr(torch, dtype))


def peak(dtype: str, setup: Setup) -> Peak:
    """PyTorch's peak in ``dtype``."""
    from .peak import torch_peak

    return torch_peak(dtype, setup)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``eager`` and its 16-bit variants."""
    precisions: tuple[tuple[str, str, Arithmetic], ...] = (
        ("eager", "float32", "fp32"),
        ("eager-fp16", "float16", "fp16"),
        ("eager-bf16", "bfloat16", "bf16"),
    )
    for name, dtype, precision in precisions:
        yield Runtime(
            name=name,
            summary=f"PyTorch eager, {precision.upper()}, CUDA or CPU",
            open=partial(open_session, dtype),
            requires=("torch",),
            peak=partial(peak, dtype),
            precision=precision,
        )
