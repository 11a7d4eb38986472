"""Networks as plugins define them, from which ``SegmentationModel`` is built.

Also exported by ``segbench.types``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


DECODERS = ("bilinear", "transposed", "wide", "wide4")
"""Of FCN8s: the paper's, the 2017 project's, and two that fuse features instead of scores, the
second also at stride 4."""


@dataclass(frozen=True)
class InputConvention:
    """The input that weights expect: (RGB in 0..255 - mean) / std, and the padding."""

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    padding: Literal["symmetric", "same"] = "symmetric"


class Encoder(Protocol):
    """A torch module: (N, 3, H, W) normalised -> features at strides 8, 16 and 32.

    Features at stride 4 may come before them; the decoder "wide4" needs those. ``channels`` are the
    channel counts of the features. H and W are multiples of 32.
    """

    channels: tuple[int, ...]

    def __call__(self, images: "Tensor") -> "tuple[Tensor, ...]":
        """The features, the finest first."""


@dataclass(frozen=True)
class Backbone:
    """An encoder for FCN8s.

    ``build`` creates the encoder (a torch module that is an ``Encoder``) with random weights and
    the padding of the input convention. ``imagenet`` downloads a state dict that fits it, or is
    None if there is none. Keys of the encoder that start with one of ``may_start_fresh`` may be
    missing from a weights file; ``adapt`` first translates the keys of other libraries.
    ``modern_lr_scale`` multiplies the encoder's learning rate in the modern recipe, which suits
    networks with batch normalisation. ``title`` is the published name ("VGG16"), shown in tables;
    "" means ``name``. ``default`` marks the backbone used if none is named.
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
    """A family of too many backbones to list, with names that start with ``prefix``.

    ``find`` returns the backbone for the rest of a name, or raises PluginError. ``names`` lists the
    valid rests.
    """

    name: str
    summary: str
    prefix: str
    find: Callable[[str], Backbone]
    names: Callable[[], Sequence[str]]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network from images to class logits.

    ``build`` takes the number of classes and the input convention and returns a torch module with
    random weights. The module takes images (N, 3, H, W), normalised by the convention, H and W
    multiples of ``stride``, and returns logits (N, classes, H / ``output_stride``, W /
    ``output_stride``). segbench normalises, pads, resizes and crops.

    ``weights`` downloads state dicts by name ("imagenet"); they, and a file of weights, fill the
    submodule ``pretrained_part`` ("backbone"; "" is the whole network). That part learns at the
    recipe's ``encoder_lr_scale``, times ``modern_lr_scale`` in the modern recipe, unless it is the
    whole. ``adapt`` translates another library's state dict for a number of classes. Keys that
    start with one of ``may_start_random`` may be missing from a file; those of ``score_layers``,
    which depend on the number of classes, also start random if their shape differs. ``modern`` are
    changes to a dataset's modern recipe. ``title`` is the published name ("ENet"), shown in tables;
    "" means ``name``.
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
        """Its identity in checkpoints and records."""
        return {"network": self.name}

    @property
    def plugin(self) -> "Network | Backbone":
        """The item of a plugin that it comes from."""
        return self
