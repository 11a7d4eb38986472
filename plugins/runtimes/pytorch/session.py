"""A network in PyTorch as a session: the base of all PyTorch runtimes."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segbench.device import describe, resolve_device, set_threads
from segbench.inference.tensors import exact_cudnn, memory_format, to_device
from segbench.networks.model import SegmentationModel
from segbench.types import Setup

TITLES = {torch.float32: "FP32", torch.float16: "FP16", torch.bfloat16: "BF16"}


class TorchSession:
    """A network on a torch device, with weights and activations of ``dtype``.

    In FP32 it does not use TF32, which is cuDNN's default. In 16 bits it is channels last,
    normalisation stays in FP32, and on CUDA it is replayed as one graph.
    """

    def __init__(self, model: SegmentationModel, setup: Setup, dtype: torch.dtype) -> None:
        self.device = resolve_device(setup.device)
        set_threads(setup.threads)
        self.dtype, self.output = dtype, setup.output
        self.model = deepcopy(model).eval().cast_weights(dtype).to(self.device)
        self.model.to(memory_format=memory_format(dtype))
        self.forward: Callable[[Tensor], Tensor] = self._forward
        graphed = self.device.type == "cuda" and dtype != torch.float32
        if graphed:
            self.forward = self._capture((setup.batch_size, 3, *setup.size))
        graph = ", CUDA graph" if graphed else ""
        self.engine = f"PyTorch eager {TITLES[dtype]} on {describe(self.device)}{graph}"
        self.details: Mapping[str, Any] = {}

    def prepare(self, images: NDArray[np.uint8]) -> Tensor:
        """Images (N, H, W, 3) as a float tensor (N, 3, H, W) on the device."""
        return to_device(images, self.device, self.dtype)

    def run(self, inputs: Tensor) -> Tensor:
        """Logits (N, classes, H, W) or class maps (N, H, W) on the device."""
        with torch.inference_mode(), exact_cudnn():
            return self.forward(inputs)

    def fetch(self, outputs: Tensor) -> NDArray[Any]:
        """The output on the host."""
        host: NDArray[Any] = outputs.cpu().numpy()
        return host

    def synchronize(self) -> None:
        """Wait until the device has finished all work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs)
        return logits.argmax(1).to(torch.uint8) if self.output == "labels" else logits.float()

    def _capture(self, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        """Record the kernels of one forward pass; replaying them avoids their launches."""
        images = torch.zeros(shape, device=self.device)
        images = images.contiguous(memory_format=memory_format(self.dtype))
        with torch.inference_mode(), exact_cudnn():
            side = torch.cuda.Stream(self.device)
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._forward(images)
            torch.cuda.synchronize(self.device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side):
                outputs = self._forward(images)

        def replay(inputs: Tensor) -> Tensor:
            images.copy_(inputs)
            graph.replay()
            return outputs

        return replay
