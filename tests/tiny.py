"""A dataset and a backbone small enough to train in a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn

from segbench.errors import DataError
from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.types import (
    IGNORED,
    Augmentation,
    Backbone,
    ClassMap,
    Dataset,
    Frame,
    InputConvention,
    Recipe,
)
from segbench_plugins.datasets.camvid.score import CamVid

CLASSES = tuple(f"class {n}" for n in range(11))
PALETTE = tuple((20 * n, 255 - 20 * n, 40 + 10 * n) for n in range(11))
SIZE = (32, 64)
COUNTS = {"train": 6, "val": 2, "test": 2}


class TinyEncoder(nn.Module):
    """Three strided convolutions with a batch norm each, and dropout on the last."""

    channels: tuple[int, ...] = (8, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.to8 = nn.Sequential(nn.Conv2d(3, 8, 9, 8, 4), nn.BatchNorm2d(8), nn.ReLU())
        self.to16 = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.to32 = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Dropout(0.2))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        tap8 = self.to8(images)
        tap16 = self.to16(tap8)
        return tap8, tap16, self.to32(tap16)


class FineEncoder(TinyEncoder):
    """The same, with features at stride 4 before the others."""

    channels = (6, 8, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.to4 = nn.Sequential(nn.Conv2d(3, 6, 5, 4, 2), nn.BatchNorm2d(6), nn.ReLU())

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.to4(images), *super().forward(images)


def build(convention: InputConvention) -> nn.Module:
    return TinyEncoder()


def tiny_backbone() -> Backbone:
    return Backbone(name="tiny", summary="three convolutions", build=build)


def fcn8s_over(
    encoder: nn.Module,
    classes: int,
    convention: InputConvention | None = None,
    decoder: str = "bilinear",
    name: str = "tiny",
) -> SegmentationModel:
    """FCN8s on a module that is an encoder, of the backbone ``name``."""
    backbone = Backbone(name=name, summary="an encoder", build=lambda convention: encoder)
    return SegmentationModel(fcn8s_on(backbone, decoder), classes, convention)


@dataclass(frozen=True)
class Scene:
    """What one frame shows: a class in each half, and a border that no score counts."""

    image: np.ndarray
    label: np.ndarray


def draw(seed: int, noise: float = 8) -> Scene:
    rng = np.random.default_rng(seed)
    label = np.zeros(SIZE, np.uint8)
    label[:, 32:] = 1 + seed % 3
    label[:16] = 4 + seed % 2
    image = np.array(PALETTE, np.uint8)[label]
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
    label[-2:] = 11
    return Scene(image, label)


def write_tiny(root: Path, noise: float = 8) -> Path:
    """PNG pairs under ``root/tiny/<split>/``; gives ``root``."""
    for number, (split, count) in enumerate(COUNTS.items()):
        folder = root / "tiny" / split
        folder.mkdir(parents=True)
        for index in range(count):
            scene = draw(100 * number + index, noise)
            PIL.Image.fromarray(scene.image).save(folder / f"{index:03d}.png")
            PIL.Image.fromarray(scene.label).save(folder / f"{index:03d}.label.png")
    return root


def locate(root: Path) -> Path:
    if not (root / "tiny").is_dir():
        raise DataError(f"No tiny data in {root}; write it with write_tiny.")
    return root / "tiny"


def frames(folder: Path, split: str) -> Sequence[Frame]:
    images = sorted(p for p in (folder / split).glob("*.png") if ".label" not in p.name)
    return tuple(Frame(p.stem, p, p.with_suffix(".label.png")) for p in images)


def read_label(frame: Frame) -> ClassMap:
    label = np.array(PIL.Image.open(str(frame.label)))
    label[label == 11] = IGNORED
    return label


MODERN = Recipe(
    name="modern",
    size=SIZE,
    epochs=3,
    batch_size=2,
    lr=1e-2,
    weight_decay=1e-2,
    encoder_lr_scale=0.5,
    class_weights=True,
    augmentation=Augmentation(
        scale=(0.75, 1.5), flip=True, brightness=(-10, 10), contrast=(0.9, 1.1)
    ),
)
ORIGINAL = Recipe(name="original", size=SIZE, epochs=3, batch_size=1, lr=1e-3, schedule="plateau")


def tiny_dataset() -> Dataset:
    return Dataset(
        name="tiny",
        summary="coloured halves",
        classes=CLASSES,
        palette=PALETTE,
        recipes={"modern": MODERN, "original": ORIGINAL},
        locate=locate,
        frames=frames,
        read_label=read_label,
        benchmark=CamVid(),
        score_split="test",
    )


def one_thread() -> None:
    """Small tensors gain nothing from threads."""
    torch.set_num_threads(1)
