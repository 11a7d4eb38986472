"""The built-in networks; each one's layers are in their own file, loaded when it is built."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from segbench import InputConvention, Network, hookimpl
from segbench.inference.downloads import Download

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .torchvision import Architecture

UNIT = InputConvention(mean=(0.0,) * 3, std=(255.0,) * 3)
"""RGB in 0..1, as in ENet's and ERFNet's papers."""
ENET_CLASSIFIER = "transposed_conv.weight"
FROM_SCRATCH = {
    "epochs": 150,
    "batch_size": 8,
    "lr": 5e-4,
    "optimizer": "adam",
    "schedule": "poly",
    "class_weights": True,
    "lovasz": 0.0,
}
"""Settings common to both papers and their re-implementations, without ImageNet weights.

On CamVid, Efficient-Segmentation-Networks trains both so for 1000 epochs, PyTorch-ENet for 300.
"""
ENET_RECIPE = FROM_SCRATCH | {
    "weight_decay": 2e-4,
    "source": "ENet's paper (Paszke et al. 2016), with ERFNet's learning rate schedule",
}
ERFNET_RECIPE = FROM_SCRATCH | {
    "weight_decay": 1e-4,
    "source": "the code of ERFNet's paper (Romera et al. 2018), with ENet's class weights",
}
MOBILENET = "mobilenet_v3_large"
TORCHVISION: "tuple[tuple[Architecture, str, str, str], ...]" = (
    ("lraspp_mobilenet_v3_large", MOBILENET, "LR-ASPP MobileNetV3", "large (3 M parameters)"),
    ("deeplabv3_mobilenet_v3_large", MOBILENET, "DeepLabV3 MobileNetV3", "large (11 M parameters)"),
    ("fcn_resnet50", "resnet50", "FCN ResNet-50", "dilated (33 M parameters)"),
)
"""Architecture, torchvision's name of its backbone, title and size."""


def build_enet(classes: int, convention: InputConvention) -> "nn.Module":
    """Padding is symmetric for all weights."""
    from .enet import ENet

    return ENet(classes)


def without_void(state: "Mapping[str, Tensor]", classes: int) -> "Mapping[str, Tensor]":
    """Drop the last output of published weights, which is for ignored pixels."""
    classifier = state.get(ENET_CLASSIFIER)
    if classifier is None or classifier.ndim != 4 or classifier.shape[1] != classes + 1:
        return state
    return {**state, ENET_CLASSIFIER: classifier[:, :classes]}


def build_erfnet(classes: int, convention: InputConvention) -> "nn.Module":
    """Padding is symmetric for all weights."""
    from .erfnet import ERFNet

    return ERFNet(classes)


def build_torchvision(
    architecture: "Architecture", classes: int, convention: InputConvention
) -> "nn.Module":
    """torchvision's network with random weights."""
    from .torchvision import TorchvisionNetwork

    return TorchvisionNetwork(architecture, classes)


def imagenet(architecture: "Architecture") -> "Mapping[str, Tensor]":
    """torchvision's ImageNet weights of the network's backbone."""
    from .torchvision import imagenet

    return imagenet(architecture)


def coco(architecture: "Architecture") -> "Mapping[str, Tensor]":
    """torchvision's weights for COCO, of which the backbone is used."""
    from .torchvision import pretrained

    return pretrained(architecture)


@hookimpl
def segbench_networks() -> Iterable[Network]:
    """``enet``, ``erfnet`` and three of torchvision's."""
    yield Network(
        name="enet",
        title="ENet",
        summary="ENet (0.35 M parameters)",
        build=build_enet,
        convention=UNIT,
        stride=8,
        adapt=without_void,
        score_layers=("transposed_conv.",),
        modern=ENET_RECIPE,
    )
    yield Network(
        name="erfnet",
        title="ERFNet",
        summary="ERFNet (2 M parameters)",
        build=build_erfnet,
        convention=UNIT,
        stride=8,
        score_layers=("decoder.output_conv.",),
        modern=ERFNET_RECIPE,
    )
    for architecture, backbone, title, size in TORCHVISION:
        yield Network(
            name=architecture,
            title=title,
            summary=f"{title} {size}",
            build=partial(build_torchvision, architecture),
            weights={
                "imagenet": Download(partial(imagenet, architecture), "PyTorch", f"{backbone}-*"),
                "coco": Download(partial(coco, architecture), "PyTorch", f"{architecture}*"),
            },
            pretrained_part="backbone",
            score_layers=("classifier.",),
            requires=("torch", "torchvision"),
        )
