"""VGG16's large kernels train as matrix products and mean the same convolutions."""

from typing import Any

import pytest
import torch

from segbench.types import InputConvention
from segbench_plugins.backbones.vgg16 import build


@pytest.fixture(scope="module")
def encoder() -> Any:
    with torch.device("meta"):
        return build(InputConvention())


@pytest.mark.parametrize("name", ["fc6", "fc7"])
def test_training_and_inference_are_one_convolution(encoder: Any, name: str) -> None:
    """Shown on a layer with a thirty-second of the channels."""
    layer = getattr(encoder, name)
    torch.manual_seed(0)
    channels = layer.in_channels // 32, layer.out_channels // 32
    convolution = type(layer)(*channels, layer.kernel_size, padding=layer.padding)
    images = torch.rand(2, channels[0], 3, 5)
    results = []
    for mode in (True, False):
        convolution.train(mode)
        inputs = images.clone().requires_grad_()
        outputs = convolution(inputs)
        outputs.square().mean().backward()
        results.append((outputs.detach(), inputs.grad, convolution.weight.grad))
        convolution.zero_grad()
    for trained, inferred in zip(*results, strict=True):
        torch.testing.assert_close(trained, inferred, rtol=1e-4, atol=1e-5)
