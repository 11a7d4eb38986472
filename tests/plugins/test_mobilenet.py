"""The MobileNets are timm's to the bit."""

from typing import Any

import pytest
import timm
import torch

from segbench.types import InputConvention
from segbench_plugins.backbones.mobilenet import build, segbench_backbones


@pytest.mark.parametrize("architecture", ["mobilenetv2_100", "mobilenetv3_large_100"])
def test_same_padding_on_multiples_of_32_is_timms(architecture: str) -> None:
    ours: Any = build(architecture, InputConvention(padding="same")).eval()
    options = {"features_only": True, "out_indices": (1, 2, 3, 4), "pad_type": "same"}
    theirs: Any = timm.create_model(architecture, **options).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for found, expected in zip(ours(images), theirs(images), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("mobilenet", "mobilenetv2_100"),
        ("mobilenetv1", "mobilenetv1_100"),
        ("mobilenetv3", "mobilenetv3_large_100"),
    ],
)
def test_images_are_fed_as_timms_imagenet_weights_want_them(name: str, architecture: str) -> None:
    (backbone,) = (backbone for backbone in segbench_backbones() if backbone.name == name)
    config: Any = timm.get_pretrained_cfg(architecture)
    assert backbone.convention.mean == pytest.approx([255 * level for level in config.mean])
    assert backbone.convention.std == pytest.approx([255 * level for level in config.std])
