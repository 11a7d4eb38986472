"""Which layout the weights of a training have."""

import pytest
import torch
from torch import nn

from segbench.inference.tensors import weight_format

DENSE = nn.Sequential(nn.Conv2d(4, 4, 3))
DEPTHWISE = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize(
    ("model", "dtype", "device", "expected"),
    [
        (DEPTHWISE, torch.bfloat16, "cpu", LAST),
        (DEPTHWISE, torch.float32, "cpu", LAST),
        (DEPTHWISE, torch.float32, "cuda", CONTIGUOUS),
        (DENSE, torch.bfloat16, "cpu", CONTIGUOUS),
        (DENSE, torch.float16, "cuda", LAST),
        (DENSE, torch.float32, "cuda", CONTIGUOUS),
    ],
)
def test_channels_last_is_used_where_it_helps(
    model: nn.Module, dtype: torch.dtype, device: str, expected: torch.memory_format
) -> None:
    assert weight_format(model, dtype, torch.device(device)) == expected
