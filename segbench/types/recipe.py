"""Training recipes, and the two from which datasets derive their own."""

from dataclasses import dataclass, field
from typing import Literal

from segbench.types.basic import Size


@dataclass(frozen=True)
class Augmentation:
    """Random changes to a training batch; the defaults change nothing.

    ``scale`` is the range of the zoom, followed by a random crop to the training size (or by
    padding with ignored pixels). ``brightness`` is added in levels of 0..255, ``contrast``
    multiplies about 128, ``saturation`` mixes with grey; each is a (low, high) range.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    brightness: tuple[float, float] = (0.0, 0.0)
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Recipe:
    """How to train: all settings of a run other than the network and the data.

    The network is validated and scored at ``size``. It is trained on random crops of size ``crop``
    unless that is None: a fraction of the work at full resolution.

    ``class_weights`` weights class c by 1 / ln(``class_weight_offset`` + its share of the pixels).
    ``lovasz`` is the weight of the Lovász softmax loss added to the cross-entropy. ``ema`` is the
    decay per step of the moving average of the weights that is validated and saved; None uses the
    weights themselves. ``accumulate`` processes as many images of a batch at once as fit in memory,
    and accumulates gradients. ``source`` says where the settings come from, for ``segbench
    recipes``.
    """

    name: str
    size: Size
    epochs: int
    batch_size: int
    lr: float
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    schedule: Literal["constant", "plateau", "one-cycle", "poly"] = "one-cycle"
    weight_decay: float = 0.0
    encoder_lr_scale: float = 1.0
    patience: int | None = None
    class_weights: bool = False
    class_weight_offset: float = 1.02
    lovasz: float = 0.0
    ema: float | None = None
    precision: Literal["fp32", "fp16", "bf16", "auto"] = "fp32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    crop: Size | None = None
    accumulate: bool = False
    source: str = ""


MODERN = Recipe(
    name="modern",
    size=(512, 1024),
    epochs=60,
    batch_size=8,
    lr=2e-3,
    optimizer="adamw",
    schedule="one-cycle",
    weight_decay=1e-2,
    encoder_lr_scale=0.5,
    lovasz=1.0,
    precision="auto",
    augmentation=Augmentation(
        scale=(0.5, 2.0),
        flip=True,
        brightness=(-32.0, 32.0),
        contrast=(0.7, 1.3),
        saturation=(0.6, 1.4),
    ),
    source="segbench's own, following current practice",
)
"""A recipe by current practice."""

ORIGINAL = Recipe(
    name="original",
    size=(256, 512),
    epochs=100,
    batch_size=4,
    lr=5e-4,
    optimizer="adam",
    schedule="plateau",
    patience=3,
    source="the original project's training",
)
"""The original project's training; early stop ends it long before 100 epochs."""
