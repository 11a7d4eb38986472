"""What several checks share."""

import re

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from segbench.types import Size

SIZES: tuple[Size, Size] = ((64, 96), (96, 64))
ODD_SIZE: Size = (50, 70)


def check_name(name: str, summary: str) -> None:
    """Check the name and the summary that every item has."""
    assert re.fullmatch("[a-z0-9._/-]+", name), f"{name!r}: a name may have a-z, 0-9 and . _ - /"
    assert re.fullmatch(".+", summary), f"{name!r}: a summary must be one line"


def check_twins(module: nn.Module, twin: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Check that both have the same outputs: ``twin`` has loaded the module's state dict.

    Returns the outputs of ``module``.
    """
    with torch.no_grad():
        ours, theirs = (_outputs(each, images) for each in (module, twin))
    assert_close(theirs, ours, msg="the state dict does not determine the output")
    return ours


def check_gradients(module: nn.Module, images: Tensor) -> None:
    """Check that every weight gets a finite gradient."""
    outputs = _outputs(module.train(), images)
    torch.stack([output.square().mean() for output in outputs]).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name!r} gets no gradient: nothing uses it"
        assert parameter.grad.isfinite().all(), f"the gradient of {name!r} is not finite"


def _outputs(module: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    found = module(images)
    return (found,) if isinstance(found, Tensor) else tuple(found)
