"""Networks by name, including FCN8s on a backbone, and networks with weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError, unknown_name
from segbench.plugins import Registry
from segbench.types import (
    DECODERS,
    Backbone,
    FileNetwork,
    InputConvention,
    ModelFormat,
    Network,
    Size,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from segbench.networks.model import SegmentationModel

FCN8S = "fcn8s"
FCN8S_STRIDE = 32
SCORE_LAYERS = {
    "bilinear": ("score8.", "score16.", "score32.", "up32.", "up16."),
    "transposed": ("score8.", "score16.", "score32.", "up32.", "up16.", "up8."),
    "wide": ("score.",),
    "wide4": ("score.", "score4."),
}
"""Those of each decoder of FCN8s."""
RANDOM_CLASSES = 19
RANDOM_SIZE: Size = (256, 512)


@dataclass(frozen=True, kw_only=True)
class FCN8sNetwork(Network):
    """FCN8s: a backbone under a decoder."""

    backbone: Backbone
    decoder: str

    @property
    def config(self) -> dict[str, str]:
        """The backbone and the decoder; records without a network name are FCN8s."""
        return {"backbone": self.backbone.name, "decoder": self.decoder}

    @property
    def plugin(self) -> Backbone:
        """The backbone."""
        return self.backbone


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its weights, trained or random, and the size of its input.

    ``config`` is its training configuration. ``sha256`` is that of its weights file, None if the
    weights are random. ``format`` is that of a model file, None for a plugin's network.
    """

    model: "SegmentationModel"
    size: Size
    config: dict[str, Any]
    sha256: str | None = None
    format: ModelFormat | None = None

    @property
    def trained(self) -> bool:
        """Whether its weights come from a file."""
        return self.sha256 is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on how it was loaded."""
        network = self.model.network
        notes = network.notes if isinstance(network, FileNetwork) else ()
        return tuple(f"{network.name}: {note}" for note in notes)

    @property
    def plugin(self) -> Network | Backbone | ModelFormat:
        """The item of a plugin that it comes from."""
        return self.format or self.model.network.plugin


def fcn8s_on(backbone: Backbone, decoder: str = "bilinear") -> FCN8sNetwork:
    """FCN8s over ``backbone``; SegbenchError unless ``decoder`` is one of the ``DECODERS``."""
    if decoder not in DECODERS:
        raise SegbenchError(unknown_name("decoder", decoder, DECODERS))
    return FCN8sNetwork(
        name=FCN8S,
        summary=f"FCN8s on {backbone.summary}",
        build=partial(_build_fcn8s, backbone, decoder),
        convention=backbone.convention,
        stride=FCN8S_STRIDE,
        weights={"imagenet": backbone.imagenet} if backbone.imagenet else {},
        pretrained_part="encoder",
        adapt=partial(_adapt_to, backbone),
        may_start_random=backbone.may_start_fresh,
        score_layers=SCORE_LAYERS[decoder],
        modern_lr_scale=backbone.modern_lr_scale,
        requires=backbone.requires,
        backbone=backbone,
        decoder=decoder,
    )


def chosen_network(
    registry: Registry,
    network: str | None = None,
    backbone: str | None = None,
    decoder: str | None = None,
) -> Network:
    """The network of that name, or FCN8s on a backbone; SegbenchError for both."""
    if network in (None, FCN8S):
        if backbone is None:
            raise SegbenchError("FCN8s needs an encoder: give --backbone.")
        return fcn8s_on(registry.backbone(backbone), decoder or "bilinear")
    if backbone or decoder:
        raise SegbenchError(
            f"The network {network!r} is a whole one; leave --backbone and --decoder out."
        )
    return registry.network(network)


def random_network(
    network: Network,
    registry: Registry,
    dataset: str | None = None,
    size: Size | None = None,
) -> LoadedNetwork:
    """Seeded random weights, for timing; 19 classes unless a dataset is named.

    Zero-initialised layers are random too: all-zero logits cannot be quantised or compared.
    """
    import torch
    from torch import nn

    from segbench.networks.model import SegmentationModel

    classes = len(registry.dataset(dataset).classes) if dataset else RANDOM_CLASSES
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SegmentationModel(network, classes).eval()
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.any():
                nn.init.kaiming_normal_(layer.weight)
    config = {
        "dataset": dataset,
        **network.config,
        "weights": "none",
        "recipe": None,
        "seed": 0,
    }
    return LoadedNetwork(model, size or RANDOM_SIZE, config)


def _build_fcn8s(
    backbone: Backbone, decoder: str, classes: int, convention: InputConvention
) -> "nn.Module":
    from segbench.networks.fcn8s import FCN8s
    from segbench.networks.fcn8s_wide import WideFCN4s, WideFCN8s

    encoder = backbone.build(convention)
    if decoder in ("wide", "wide4"):
        return (WideFCN4s if decoder == "wide4" else WideFCN8s)(encoder, classes)
    return FCN8s(encoder, classes, decoder)


def _adapt_to(
    backbone: Backbone, state: "Mapping[str, Tensor]", classes: int
) -> "Mapping[str, Tensor]":
    return state if backbone.adapt is None else backbone.adapt(state)
