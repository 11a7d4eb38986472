"""The MobileNets, from timm and with its keys, so that timm's weights files fit unchanged."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from segbench import Backbone, InputConvention, hookimpl
from segbench.inference.downloads import Download

if TYPE_CHECKING:
    from torch import Tensor, nn


def build(architecture: str, convention: InputConvention) -> "nn.Module":
    """timm's feature extractor at strides 4, 8, 16 and 32."""
    import timm

    pad_type = "same" if convention.padding == "same" else ""
    encoder: Any = timm.create_model(
        architecture, features_only=True, out_indices=(1, 2, 3, 4), pad_type=pad_type
    )
    encoder.channels = tuple(encoder.feature_info.channels())
    fix_padding(encoder)
    return cast("nn.Module", encoder)


def fix_padding(encoder: "nn.Module") -> None:
    """Replace 'same' padding of strided layers by a constant, valid for multiples of 32.

    timm computes it at every call, which prevents exporting a graph of dynamic size.
    """
    from timm.layers import Conv2dSame
    from torch import nn
    from torch.nn import functional

    class PaddedConv2d(nn.Conv2d):
        def forward(self, features: "Tensor") -> "Tensor":
            total = self.kernel_size[0] - self.stride[0]
            before, after = total // 2, total - total // 2
            return super().forward(functional.pad(features, (before, after, before, after)))

    for parent in list(encoder.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, Conv2dSame):
                channels = layer.in_channels, layer.out_channels
                kernel, stride, bias = layer.kernel_size[0], layer.stride[0], layer.bias is not None
                padded = PaddedConv2d(*channels, kernel, stride, groups=layer.groups, bias=bias)
                padded.load_state_dict(layer.state_dict())
                setattr(parent, name, padded)


def imagenet(architecture: str) -> "Mapping[str, Tensor]":
    """timm's ImageNet weights."""
    import timm

    state: Mapping[str, Tensor] = timm.create_model(architecture, pretrained=True).state_dict()
    return state


@hookimpl
def segbench_backbones() -> Iterable[Backbone]:
    """``mobilenet`` (version 2), ``mobilenetv1`` and version 3."""
    usual, halves = InputConvention(), InputConvention((127.5,) * 3, (127.5,) * 3)
    for name, architecture, convention, title, size in (
        ("mobilenet", "mobilenetv2_100", usual, "MobileNetV2", "1.0 (2 M parameters)"),
        ("mobilenetv1", "mobilenetv1_100", halves, "MobileNetV1", "1.0 (3 M parameters)"),
        (
            "mobilenetv3",
            "mobilenetv3_large_100",
            usual,
            "MobileNetV3",
            "large 1.0 (3 M parameters)",
        ),
    ):
        yield Backbone(
            name=name,
            title=title,
            summary=f"{title} {size}",
            build=partial(build, architecture),
            convention=convention,
            imagenet=Download(
                partial(imagenet, architecture),
                "Hugging Face",
                f"models--timm--{architecture}.*/snapshots/*/*model.*",
            ),
            default=name == "mobilenet",
            requires=("torch", "timm"),
        )
