"""The two recipes that data sets start from, each replacing what fits its own frames."""

from segbench.types import Augmentation, Recipe

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
    class_weights=True,
    precision="auto",
    augmentation=Augmentation(
        scale=(0.5, 2.0),
        flip=True,
        brightness=(-32.0, 32.0),
        contrast=(0.7, 1.3),
        saturation=(0.6, 1.4),
    ),
    source="segbench's own, as networks of the field are trained today",
)
"""What a user of the field would train with today."""

SEED = Recipe(
    name="seed",
    size=(256, 512),
    epochs=100,
    batch_size=4,
    lr=5e-4,
    optimizer="adam",
    schedule="plateau",
    patience=3,
    source="the original project's training on Cityscapes",
)
"""The original project's training on Cityscapes; early stop ends it long before 100 epochs."""
