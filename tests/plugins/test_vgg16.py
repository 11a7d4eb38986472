"""VGG16's large kernels train as matrix products and mean the same convolutions."""

from typing import Any

import pytest
import torch

from segbench.types import InputConvention
from segbench_plugins.backbones.vgg16 import build


@pytest.fixture(scope="module")
def encoder() -> Any:
    torch.manual_seed(0)
    return build(InputConvention())


@pytest.mark.parametrize(("layer", "channels"), [("fc6", 512), ("fc7", 4096)])
def test_training_and_inference_are_one_convolution(
    encoder: Any, layer: str, channels: int
) -> None:
    convolution = getattr(encoder, layer)
    images = torch.rand(2, channels, 3, 5, generator=torch.Generator().manual_seed(0))
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
