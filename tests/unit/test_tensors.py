"""Which layout the weights of a training have, and class maps of large pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segbench.inference.tensors import class_map, class_map_at, resize_logits, weight_format

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


@settings(max_examples=30)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.integers(0, 99),
)
def test_a_class_at_a_time_is_the_same_bit_for_bit(
    shape: tuple[int, int, int], size: tuple[int, int], seed: int
) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    whole = class_map(resize_logits(logits[None], size)[0])
    assert np.array_equal(class_map_at(logits, size), whole)
