"""The MobileNets are timm's to the bit."""

from typing import Any

import pytest
import timm
import torch

from segbench.types import InputConvention
from segbench_plugins.backbones.mobilenet import build


@pytest.mark.parametrize("architecture", ["mobilenetv2_100", "mobilenetv3_large_100"])
def test_same_padding_on_multiples_of_32_is_timms(architecture: str) -> None:
    ours: Any = build(architecture, InputConvention(padding="same")).eval()
    options = {"features_only": True, "out_indices": (2, 3, 4), "pad_type": "same"}
    theirs: Any = timm.create_model(architecture, **options).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for found, expected in zip(ours(images), theirs(images), strict=True):
            assert torch.equal(found, expected)
