"""Engines are cached only in segbench's own cache, since an engine is code.

A file is a line of JSON with the convolutions' types, then the engine.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from segbench.cache import cached, keep, kept, private_dir

from .build import OPTIONS, Engine, build_engine
from .target import Target


@dataclass(frozen=True)
class Cached:
    """An engine and its path; ``kernels`` is the file for kernels compiled when loading it."""

    engine: Engine
    path: Path
    was_there: bool

    @property
    def kernels(self) -> Path:
        """The runtime cache of TensorRT for RTX, beside the engine."""
        return self.path.with_suffix(".kernels")


def cached_engine(target: Target, onnx: bytes) -> Cached:
    """The engine of ``onnx`` on this machine's GPU, built unless the cache has it."""
    folder = private_dir("engines")
    timing = folder / f"{_digest(_machine(target))}.timing"
    built = False

    def build(draft: Path) -> None:
        nonlocal built
        engine = build_engine(target, onnx, kept(timing))
        draft.write_bytes(json.dumps(engine.types).encode() + b"\n" + engine.plan)
        if engine.timing:
            keep(timing, engine.timing)
        built = True

    path = cached(folder / f"{engine_key(target, onnx)}.engine", build)
    types, _, plan = path.read_bytes().partition(b"\n")
    return Cached(Engine(plan, json.loads(types)), path, was_there=not built)


def engine_key(target: Target, onnx: bytes) -> str:
    """A digest of everything that determines an engine: graph, TensorRT, GPU and build options."""
    return _digest([hashlib.sha256(onnx).hexdigest(), *_machine(target)])


def _machine(target: Target) -> list[str]:
    name, release = target.trt.__name__, target.trt.__version__
    return [name, release, str(target.gpu), target.capability, OPTIONS]


def _digest(values: list[str]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]
