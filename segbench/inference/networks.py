"""The network that a command is about: a checkpoint's, or one with seeded fresh weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.plugins import Registry
from segbench.types import Size

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s

FRESH_BACKBONE = "vgg16"
FRESH_CLASSES = 19
FRESH_SIZE: Size = (256, 512)
FRESH_DATASET = "streets"
"""Calibrates and checks fresh weights, where no other data set is named."""


@dataclass(frozen=True)
class Network:
    """A network, the size of its input, and what a record's ``config`` says of it."""

    model: "FCN8s"
    size: Size
    config: dict[str, Any]
    parameters: int

    @property
    def trained(self) -> bool:
        """Whether its weights come from a checkpoint."""
        return self.config["checkpoint_sha256"] is not None


def trained_network(checkpoint: Path, size: Size | None, registry: Registry) -> Network:
    """A checkpoint's network, at the size it was trained at unless told another."""
    from segbench.inference.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint, registry)
    keys = ("dataset", "backbone", "decoder", "weights", "recipe", "seed")
    config = {key: loaded.config.get(key) for key in keys} | {"checkpoint_sha256": loaded.sha256}
    size = size or (loaded.config["height"], loaded.config["width"])
    return Network(loaded.model, size, config, loaded.parameters)


def fresh_network(
    registry: Registry,
    backbone: str | None = None,
    decoder: str | None = None,
    dataset: str | None = None,
    size: Size | None = None,
) -> Network:
    """Seeded fresh weights, as fast as trained ones: VGG16 and 19 classes unless told others.

    The score layers are drawn too: they start a training at zero, and logits that are all zero
    can neither be quantised nor compared.
    """
    import torch
    from torch import nn

    from segbench.fcn8s import FCN8s
    from segbench.inference.checkpoint import count_parameters

    chosen = registry.backbone(backbone or FRESH_BACKBONE)
    decoder = decoder or "bilinear"
    classes = len(registry.dataset(dataset).classes) if dataset else FRESH_CLASSES
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = chosen.build(chosen.convention)
        model = FCN8s(encoder, classes, chosen.convention, decoder).eval()
        for layer in (model.score8, model.score16, model.score32):
            nn.init.kaiming_normal_(layer.weight)
    config = {
        "dataset": dataset,
        "backbone": chosen.name,
        "decoder": decoder,
        "weights": "none",
        "recipe": None,
        "seed": 0,
        "checkpoint_sha256": None,
    }
    return Network(model, size or FRESH_SIZE, config, count_parameters(model))
