"""PyTorch as it comes, in FP32: the reference every other runtime is compared with."""

from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING

from segbench.hookspecs import hookimpl
from segbench.types import Runtime, Session, Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from segbench.fcn8s import FCN8s


class EagerSession:
    """FCN8s on a torch device, without the TF32 that cuDNN would put in the place of FP32."""

    def __init__(self, model: "FCN8s", device: str) -> None:
        from segbench.device import describe, resolve_device

        self.device = resolve_device(device)
        self.model = deepcopy(model).eval().to(self.device)
        self.engine = f"PyTorch eager FP32 on {describe(self.device)}"

    def prepare(self, images: "NDArray[np.uint8]") -> "Tensor":
        """Images (N, H, W, 3) as a float tensor (N, 3, H, W) on the device."""
        import torch

        return torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float()

    def run(self, inputs: "Tensor") -> "Tensor":
        """Logits (N, classes, H, W) on the device."""
        import torch

        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            logits: Tensor = self.model(inputs)
        return logits

    def fetch(self, outputs: "Tensor") -> "NDArray[np.float32]":
        """Logits on the host."""
        return outputs.float().cpu().numpy()

    def synchronize(self) -> None:
        """Wait until the device has done all it was given."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def open_session(model: "FCN8s", size: Size, batch_size: int, device: str) -> Session:
    """Eager takes any size and batch, so neither is fixed here."""
    return EagerSession(model, device)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """One runtime, ``eager``."""
    yield Runtime(name="eager", summary="PyTorch eager, FP32, CUDA or CPU", open=open_session)
