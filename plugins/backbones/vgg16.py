"""VGG16 with its first two classifier layers as convolutions, as in the FCN8s paper."""

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING

from segbench import Backbone, InputConvention, hookimpl
from segbench.inference.downloads import Download

if TYPE_CHECKING:
    from torch import Tensor, nn

DROPOUT = 0.2
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the 3x3 convolutions before each pooling."""


def build(convention: InputConvention) -> "nn.Module":
    """The 13 convolutions, fc6 (7x7) and fc7 (1x1); padding is symmetric for all weights."""
    from torch import nn
    from torch.nn import functional

    def layers() -> Iterator[nn.Module]:
        depth = 3
        for width, count in STAGES:
            for _ in range(count):
                yield nn.Conv2d(depth, width, 3, padding=1)
                yield nn.ReLU(inplace=True)
                depth = width
            yield nn.MaxPool2d(2)

    class FullyConnected(nn.Conv2d):
        """A convolution that is trained on CPUs as one matrix product over patches.

        oneDNN reorders fc6's 103 M weights in each of three passes, and in bfloat16 that takes
        longer than the products. Otherwise, and in exports, it is a plain convolution.
        """

        def forward(self, images: "Tensor") -> "Tensor":
            if not self.training or images.device.type != "cpu":
                return super().forward(images)
            patches = functional.unfold(images, self.kernel_size, padding=self.kernel_size[0] // 2)
            rows = functional.linear(patches.mT, self.weight.flatten(1), self.bias)
            return rows.mT.unflatten(2, images.shape[-2:])

    class VGG16(nn.Module):
        channels = (128, 256, 512, 4096)

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers())
            self.fc6 = FullyConnected(512, 4096, 7, padding=3)
            self.fc7 = FullyConnected(4096, 4096, 1)
            self.relu = nn.ReLU(inplace=True)
            self.dropout = nn.Dropout(DROPOUT)
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)

        def forward(self, images: "Tensor") -> "tuple[Tensor, ...]":
            pool2 = self.features[:10](images)
            pool3 = self.features[10:17](pool2)
            pool4 = self.features[17:24](pool3)
            pool5 = self.features[24:](pool4)
            fc6 = self.dropout(self.relu(self.fc6(pool5)))
            fc7 = self.dropout(self.relu(self.fc7(fc6)))
            return pool2, pool3, pool4, fc7

    return VGG16()


def imagenet() -> "Mapping[str, Tensor]":
    """torchvision's ImageNet weights."""
    from torchvision.models import VGG16_Weights

    state: Mapping[str, Tensor] = VGG16_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
    return state


def adapt(state: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
    """Rename the classifier of torchvision (linear) or timm (convolutions) to fc6 and fc7."""
    names = {
        "classifier.0": "fc6",
        "classifier.3": "fc7",
        "pre_logits.fc1": "fc6",
        "pre_logits.fc2": "fc7",
    }
    kernels = {"fc6.weight": (4096, 512, 7, 7), "fc7.weight": (4096, 4096, 1, 1)}
    adapted = {}
    for key, tensor in state.items():
        layer, _, parameter = key.rpartition(".")
        name = f"{names.get(layer, layer)}.{parameter}"
        is_linear = tensor.ndim == 2 and tensor.numel() == prod(kernels.get(name, (0,)))
        adapted[name] = tensor.reshape(kernels[name]) if is_linear else tensor
    return adapted


@hookimpl
def segbench_backbones() -> Iterable[Backbone]:
    """One backbone, ``vgg16``."""
    yield Backbone(
        name="vgg16",
        title="VGG16",
        summary="VGG16 with fc6 and fc7 as convolutions (134 M parameters)",
        build=build,
        imagenet=Download(imagenet, "PyTorch", "vgg16-*.pth"),
        adapt=adapt,
        may_start_fresh=("fc6.", "fc7."),
        modern_lr_scale=0.05,
        requires=("torch", "torchvision"),
    )
