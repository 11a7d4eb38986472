"""torchvision's segmentation networks with a common input and output."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.nn import functional

Architecture = Literal["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"]


class TorchvisionNetwork(nn.Module):
    """Images (N, 3, H, W) of any size to logits (N, classes, H, W).

    Layers have torchvision's names, so its weights fit. Initial weights are random.
    """

    def __init__(self, architecture: Architecture, classes: int) -> None:
        from torchvision.models import get_model

        super().__init__()
        model: Any = get_model(
            architecture, num_classes=classes, weights=None, weights_backbone=None, aux_loss=False
        )
        self.backbone: nn.Module = model.backbone
        self.classifier: nn.Module = model.classifier
        self.takes_all_features = architecture == "lraspp_mobilenet_v3_large"

    def forward(self, images: Tensor) -> Tensor:
        """Logits at the size of the images, interpolated from stride 8 or 16."""
        features = self.backbone(images)
        logits = self.classifier(features if self.takes_all_features else features["out"])
        return functional.interpolate(logits, images.shape[-2:], mode="bilinear")


def imagenet(architecture: Architecture) -> Mapping[str, Tensor]:
    """Download torchvision's ImageNet weights for the backbone."""
    from torchvision.models import get_model

    model: Any = get_model(architecture, weights=None, weights_backbone="DEFAULT")
    return cast(Mapping[str, Tensor], model.backbone.state_dict())


def pretrained(architecture: Architecture) -> Mapping[str, Tensor]:
    """Download torchvision's weights, trained on COCO: 20 classes of Pascal VOC and background."""
    from torchvision.models import get_model_weights

    weights: Any = next(iter(get_model_weights(architecture)))
    return cast(Mapping[str, Tensor], weights.get_state_dict(check_hash=True))
