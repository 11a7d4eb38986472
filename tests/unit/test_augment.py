"""Augmentation keeps image and label together."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from segbench.training.augment import augment
from segbench.types import IGNORED, Augmentation


def batch(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of 8-pixel blocks whose class can be read from the image: 20 x class."""
    generator = torch.Generator().manual_seed(3)
    blocks = torch.randint(0, 10, (count, 1, 4, 6), generator=generator).float()
    labels = torch.nn.functional.interpolate(blocks, scale_factor=8)
    images = (labels * 20).expand(-1, 3, -1, -1).contiguous()
    return images, labels[:, 0].to(torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_augmentation_changes_nothing() -> None:
    images, labels = batch()
    same_images, same_labels = augment(images, labels, Augmentation(), generator())
    assert torch.equal(same_images, images)
    assert torch.equal(same_labels, labels)


@given(st.integers(0, 10_000), st.sampled_from([(0.5, 0.9), (1.0, 2.0), (0.5, 2.0)]))
def test_labels_follow_images_through_zoom_crop_and_flip(seed: int, scale: tuple) -> None:
    images, labels = batch()
    changed, moved = augment(images, labels, Augmentation(scale, flip=True), generator(seed))
    known = moved != IGNORED
    agree = (changed[:, 0] / 20 - moved).abs() < 0.5
    assert moved.dtype == torch.uint8
    assert set(moved.unique().tolist()) <= {*range(10), IGNORED}
    assert agree[known].float().mean() > 0.8  # block edges blend in the image


def test_a_flip_alone_mirrors() -> None:
    images, labels = batch(64)
    _, moved = augment(images, labels, Augmentation(flip=True), generator())
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(moved, labels, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(moved, labels, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48


def test_shrinking_pads_with_ignored_and_enlarging_does_not() -> None:
    images, labels = batch()
    _, small = augment(images, labels, Augmentation(scale=(0.5, 0.5)), generator())
    _, large = augment(images, labels, Augmentation(scale=(2.0, 2.0)), generator())
    assert abs((small == IGNORED).float().mean().item() - 0.75) < 0.02
    assert not (large == IGNORED).any()


def test_jitter_of_the_original_project() -> None:
    images = torch.full((1, 3, 2, 2), 228.0)
    how = Augmentation(brightness=(40, 40), contrast=(0.8, 0.8))
    changed, _ = augment(images, torch.zeros(1, 2, 2, dtype=torch.uint8), how, generator())
    assert changed.unique().tolist() == [248.0]
    how = Augmentation(brightness=(40, 40), contrast=(1.2, 1.2))
    changed, _ = augment(images, torch.zeros(1, 2, 2, dtype=torch.uint8), how, generator())
    assert changed.unique().tolist() == [255.0]


def test_the_same_generator_gives_the_same_batch() -> None:
    how = Augmentation((0.5, 2.0), True, (-9, 9), (0.5, 1.5), (0.5, 1.5))
    first, second = (augment(*batch(), how, generator(5))[0] for _ in range(2))
    assert torch.equal(first, second)


@given(st.integers(0, 10_000), st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
def test_a_crop_is_a_window_of_image_and_label(seed: int, scale: tuple) -> None:
    images, labels = batch()
    cut, moved = augment(images, labels, Augmentation(scale), generator(seed), crop=(16, 32))
    assert cut.shape == (4, 3, 16, 32)
    assert moved.shape == (4, 16, 32)
    known = moved != IGNORED
    agree = (cut[:, 0] / 20 - moved).abs() < 0.5
    assert agree[known].float().mean() > 0.7
    if scale == (1.0, 1.0):
        assert known.all()
