"""An engine on a GPU: tensors bound in place, one stream, replayed as a CUDA graph."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segbench.device import describe
from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.inference.tensors import to_device
from segbench.types import Setup

from ..onnx.graph import INPUT
from .build import logger, reason
from .cache import Cached
from .target import Target

OUTPUT_DTYPES = {"logits": torch.float32, "labels": torch.uint8}


class TrtSession:
    """An engine of TensorRT at the fixed size and batch of ``setup``.

    The output's memory is reused in every run. Raises SegbenchError if TensorRT cannot load or run
    the engine, or the GPU has too little memory.
    """

    def __init__(
        self, cached: Cached, target: Target, setup: Setup, precision: str, about: Mapping[str, Any]
    ) -> None:
        assert target.device is not None
        self.device, self.setup = target.device, setup
        self.log = logger(target.trt)
        self.log.errors.clear()
        try:
            self._load(cached, target)
            self.graph = self._capture()
        except torch.OutOfMemoryError as error:
            raise SegbenchError(
                f"{describe(self.device)} has too little free memory for the engine at "
                f"{_asked(setup)}; make one of them smaller."
            ) from error
        graph = "CUDA graph" if self.graph else "no CUDA graph"
        self.engine = f"{target.title} {precision.upper()} on {describe(self.device)}, {graph}"
        self.details: Mapping[str, Any] = {
            **cached.engine.details(),
            "engine_was_cached": cached.was_there,
            **about,
        }

    def prepare(self, images: NDArray[np.uint8]) -> Tensor:
        """Images (N, H, W, 3) as float32 (N, 3, H, W) on the device."""
        expected = (self.setup.batch_size, *self.setup.size, 3)
        if images.shape != expected:
            raise SegbenchError(
                f"The TensorRT engine was built for images of {expected}, not {images.shape}; "
                "open the runtime for that --size and --batch-size."
            )
        with torch.cuda.stream(self.stream):
            return to_device(images, self.device, torch.float32)

    def run(self, inputs: Tensor) -> Tensor:
        """Logits (N, classes, H, W) or class maps (N, H, W) on the device, until the next run."""
        with torch.cuda.stream(self.stream):
            if self.graph is None:
                self._execute(inputs)
            else:
                self.images.copy_(inputs)
                self.graph.replay()
        return self.outputs

    def fetch(self, outputs: Tensor) -> NDArray[Any]:
        """The output on the host."""
        with torch.cuda.stream(self.stream):
            host: NDArray[Any] = outputs.cpu().numpy()
        return host

    def synchronize(self) -> None:
        """Wait until the device has finished all work."""
        torch.cuda.synchronize(self.device)

    def _load(self, cached: Cached, target: Target) -> None:
        """Load the engine, bind its tensors and run it once."""
        self.runtime = target.trt.Runtime(self.log)
        engine = self.runtime.deserialize_cuda_engine(cached.engine.plan)
        if engine is None:
            raise SegbenchError(
                f"{target.title} cannot load the engine ({reason(self.log)}); delete "
                f"{cached.path} to have it built again."
            )
        self._make_context(engine, target, cached.kernels)
        self.stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(self.stream):
            batch, (height, width) = self.setup.batch_size, self.setup.size
            self.images = torch.zeros(batch, 3, height, width, device=self.device)
            shape = tuple(engine.get_tensor_shape(self.setup.output))
            dtype = OUTPUT_DTYPES[self.setup.output]
            self.outputs = torch.empty(shape, dtype=dtype, device=self.device)
            self.context.set_tensor_address(self.setup.output, self.outputs.data_ptr())
            self._execute(self.images)
        self.synchronize()
        if self.compiled is not None and (kernels := self.compiled.serialize()) is not None:
            with draft_of(cached.kernels) as draft:
                draft.write_bytes(bytes(kernels))

    def _make_context(self, engine: Any, target: Target, kernels: Path) -> None:
        """Set ``context``, and ``compiled`` to TensorRT for RTX's runtime cache, which it reads."""
        self.compiled = None
        if target.is_rtx:
            config = engine.create_runtime_config()
            self.compiled = config.create_runtime_cache()
            if kernels.exists():
                self.compiled.deserialize(kernels.read_bytes())
            config.set_runtime_cache(self.compiled)
            self.context = engine.create_execution_context(config)
        else:
            self.context = engine.create_execution_context()
        if self.context is None:
            raise SegbenchError(
                f"{target.title} cannot start the engine ({reason(self.log)}); if memory is "
                f"short, make one of {_asked(self.setup)} smaller."
            )

    def _execute(self, inputs: Tensor) -> None:
        self.context.set_tensor_address(INPUT, inputs.data_ptr())
        if not self.context.execute_async_v3(self.stream.cuda_stream):
            raise SegbenchError(f"TensorRT could not run the engine ({reason(self.log)}).")

    def _capture(self) -> "torch.cuda.CUDAGraph | None":
        """One run as a CUDA graph, or None if the engine cannot be captured."""
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.current_stream(self.device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the graph of a refused run is empty
                with torch.cuda.graph(graph, stream=self.stream):
                    self._execute(self.images)
        except (RuntimeError, SegbenchError):
            torch.cuda.set_stream(before)  # torch leaves its own if a capture fails in the end
            return None
        return graph


def _asked(setup: Setup) -> str:
    height, width = setup.size
    return f"--batch-size {setup.batch_size} and --size {height}x{width}"
