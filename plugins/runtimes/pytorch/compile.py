"""torch.compile in FP32; the compilation is done when the session is opened."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import numpy as np

from segbench.cache import is_private, private_dir
from segbench.device import nvidia_driver_is_here
from segbench.errors import SegbenchError, first_line, out_of_memory
from segbench.hookspecs import hookimpl
from segbench.types import Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel


UNLIMITED = sys.maxsize
"""By default torch compiles a function at most eight times, and all sessions run the same one."""
KERNELS = "TORCHINDUCTOR_CACHE_DIR"
NO_COMPILER = (
    "The runtime 'compile' needs a C++ compiler on the CPU: install g++, or name another with CXX."
)


def compiler_is_here() -> bool:
    """Whether the C++ compiler that torch uses is on the path."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX", usual)) is not None


def lacking() -> str | None:
    """A message if no device of this machine can run it."""
    return None if compiler_is_here() or nvidia_driver_is_here() else NO_COMPILER


def open_session(model: "SegmentationModel", setup: Setup) -> Session:
    """Compile for the setup's shape.

    Raises SegbenchError if the compiler for the CPU is missing, or torch would run a part in eager.
    """
    import torch
    from torch._dynamo import config
    from torch._dynamo.exc import BackendCompilerFailed, Unsupported

    from .session import TorchSession

    keep_kernels_private()
    session = TorchSession(model, setup, torch.float32)
    if session.device.type == "cpu" and not compiler_is_here():
        raise SegbenchError(NO_COMPILER)
    session.forward = torch.compile(session.forward, fullgraph=True, dynamic=False)
    session.engine = session.engine.replace("eager", "torch.compile (inductor)")
    images = session.prepare(np.zeros((setup.batch_size, *setup.size, 3), np.uint8))
    try:
        with config.patch(recompile_limit=UNLIMITED, accumulated_recompile_limit=UNLIMITED):
            session.run(images)
    except (BackendCompilerFailed, Unsupported) as error:
        if out_of_memory(error):
            raise
        reason = first_line(getattr(error, "inner_exception", error))
        raise SegbenchError(
            f"torch.compile cannot compile the whole network ({reason}); use eager."
        ) from error
    return session


def keep_kernels_private() -> None:
    """Kernels are code, and torch's default cache is where others could have planted some.

    It always keeps precompiled headers there, so they are used only if nobody could.
    """
    chosen = os.environ.get(KERNELS)
    if chosen is None or Path(chosen).parent == Path(gettempdir()):
        os.environ[KERNELS] = str(private_dir("inductor"))
    from torch._inductor import config
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    headers = Path(default_cache_dir())
    headers.mkdir(mode=0o700, exist_ok=True)
    config.cpp_cache_precompile_headers = is_private(headers)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """One runtime, ``compile``."""
    yield Runtime(
        name="compile",
        summary="torch.compile, FP32, CUDA or CPU",
        open=open_session,
        requires=("torch",),
        lacking=lacking,
    )
