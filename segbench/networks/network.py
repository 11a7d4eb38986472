"""Networks as plugins offer them: what ``SegmentationModel`` is built of.

``segbench.types`` has them too, with the nouns that stand on a model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class InputConvention:
    """How a backbone's weights want to be fed: (RGB in 0..255 - mean) / std, and the padding."""

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    padding: Literal["symmetric", "same"] = "symmetric"


class Encoder(Protocol):
    """A torch module: (N, 3, H, W) normalised -> features at strides 8, 16 and 32.

    ``channels`` are the depths of the three features. H and W are multiples of 32.
    """

    channels: tuple[int, int, int]

    def __call__(self, images: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
        """The features at strides 8, 16 and 32."""


@dataclass(frozen=True)
class Backbone:
    """A network for FCN8s to stand on.

    ``build`` makes the encoder (a torch module that is an ``Encoder``) with fresh weights and the
    padding its input convention names. ``imagenet`` downloads a state dict that fits it, or is
    None where there is none. Keys of the encoder that start with one of ``may_start_fresh`` may
    be missing from a weights file; ``adapt`` translates a foreign state dict's keys first.
    ``modern_lr_scale`` multiplies the rate at which the encoder learns in the modern recipe, which
    suits networks with batch normalisation. ``title`` is the published name ("VGG16"), as tables
    show it; "" is ``name``. ``default`` marks the one to take where none is named.
    """

    name: str
    summary: str
    build: "Callable[[InputConvention], nn.Module]"
    title: str = ""
    convention: InputConvention = InputConvention()
    imagenet: "Callable[[], Mapping[str, Tensor]] | None" = None
    adapt: "Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None" = None
    may_start_fresh: tuple[str, ...] = ()
    modern_lr_scale: float = 1.0
    default: bool = False
    requires: tuple[str, ...] = ("torch",)


@dataclass(frozen=True)
class BackboneFamily:
    """Backbones that are too many to list: those whose names start with ``prefix``.

    ``find`` takes the rest of a name and gives the backbone, or raises PluginError. ``names``
    gives the rests that there are.
    """

    name: str
    summary: str
    prefix: str
    find: Callable[[str], Backbone]
    names: Callable[[], Sequence[str]]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that makes class logits of images.

    ``build`` takes the number of classes and the input convention and makes a torch module with
    random weights. The module takes images (N, 3, H, W), normalised by the convention, H and W
    multiples of ``stride``, and gives logits (N, classes, H / ``output_stride``,
    W / ``output_stride``). Normalising, padding, resizing and cropping are segbench's.

    ``weights`` downloads state dicts by name ("imagenet"); they, and a file of weights, fill the
    submodule ``pretrained_part`` ("backbone"; "" is the whole). That part learns at the recipe's
    ``encoder_lr_scale``, times ``modern_lr_scale`` in the modern recipe, unless it is the whole.
    ``adapt`` translates a foreign state dict for so many classes. Keys that start with one of
    ``may_start_random`` may be missing from a file; those of ``score_layers``, which depend on
    the number of classes, also start from random numbers where their shape differs. ``modern``
    are changes to a dataset's modern recipe. ``title`` is the published name ("ENet"), as tables
    show it; "" is ``name``.
    """

    name: str
    summary: str
    build: "Callable[[int, InputConvention], nn.Module]"
    title: str = ""
    convention: InputConvention = InputConvention()
    stride: int = 1
    output_stride: int = 1
    weights: "Mapping[str, Callable[[], Mapping[str, Tensor]]]" = field(default_factory=dict)
    pretrained_part: str = ""
    adapt: "Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]] | None" = None
    may_start_random: tuple[str, ...] = ()
    score_layers: tuple[str, ...] = ()
    modern: Mapping[str, Any] = field(default_factory=dict)
    modern_lr_scale: float = 1.0
    requires: tuple[str, ...] = ("torch",)

    @property
    def config(self) -> dict[str, str]:
        """What tells it from other networks, for checkpoints and records."""
        return {"network": self.name}

    @property
    def plugin(self) -> "Network | Backbone":
        """The item of a plugin that it comes from."""
        return self
