"""Conversion between images on the host and tensors on a device."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from segbench.types import IGNORED, ClassMap


def memory_format(dtype: torch.dtype) -> torch.memory_format:
    """Channels last for 16 bits: the two together are faster on CPUs and GPUs."""
    return torch.contiguous_format if dtype == torch.float32 else torch.channels_last


def weight_format(
    model: nn.Module, dtype: torch.dtype, device: torch.device
) -> torch.memory_format:
    """The layout of weights in training.

    On CPUs depthwise convolutions are faster in channels last, in any precision. Dense ones only
    need their inputs so, and AdamW's step is four times as slow on such weights.
    """
    if device.type != "cpu":
        return memory_format(dtype)
    depthwise = any(isinstance(layer, nn.Conv2d) and layer.groups > 1 for layer in model.modules())
    return torch.channels_last if depthwise else torch.contiguous_format


def to_device(images: NDArray[np.uint8], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Images (N, H, W, 3) as float32 (N, 3, H, W) in the layout that suits ``dtype``."""
    tensor = sent(images, device).permute(0, 3, 1, 2).float()
    return tensor.contiguous(memory_format=memory_format(dtype))


def sent(array: NDArray[np.uint8], device: torch.device) -> Tensor:
    """A copy of the array on the device; to a GPU without waiting for its earlier work."""
    host = torch.from_numpy(np.array(array))
    if device.type == "cuda":
        host = host.pin_memory()
    return host.to(device, non_blocking=True)


@contextmanager
def exact_cudnn() -> Iterator[None]:
    """cuDNN with the fastest kernels for the current shapes, and FP32 without TF32."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
        yield


def resize_logits(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Bilinear, (N, classes, h, w) to (N, classes, H, W)."""
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(logits, size, mode="bilinear", align_corners=False)


def class_map(logits: Tensor) -> ClassMap:
    """The argmax of every pixel, (classes, H, W) to uint8 (H, W)."""
    return logits.argmax(0).to(torch.uint8).cpu().numpy()


def class_map_at(logits: Tensor, size: tuple[int, ...]) -> ClassMap:
    """``class_map`` of ``logits`` (classes, h, w) resized to ``size``, class by class.

    Memory is 10 bytes a pixel, whatever the number of classes. NumPy compares several times as fast
    as torch, and without its threads, which an engine needs at the same time.
    """
    resized = (resize_logits(each[None, None], size)[0, 0].cpu().numpy() for each in logits)
    best = next(resized).copy()
    classes = np.zeros(best.shape, np.uint8)
    for number, each in enumerate(resized, 1):
        np.copyto(classes, np.uint8(number), where=each > best)
        np.maximum(best, each, out=best)
    return classes


def confusion_on_device(logits: Tensor, labels: Tensor) -> Tensor:
    """The confusion matrix, truth in rows, int64 (classes, classes).

    For logits (N, classes, H, W) and labels (N, H, W); does not synchronize the device.
    """
    classes = logits.shape[1]
    pairs = torch.where(labels == IGNORED, classes**2, labels * classes + logits.argmax(1))
    counts = torch.zeros(classes**2 + 1, dtype=torch.int64, device=labels.device)
    counts.scatter_add_(0, pairs.flatten(), torch.ones_like(pairs).flatten())
    return counts[:-1].view(classes, classes)
