"""Engines in segbench's own cache, and nowhere else: an engine is code.

A file is a line of JSON that names its key, its checksum and the convolutions' types, then the
engine. One that does not fit is built again.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from segbench.files import cache_dir, draft_of

from .build import OPTIONS, Engine, build_engine
from .target import Target


@dataclass(frozen=True)
class Cached:
    """An engine and where it lies; ``kernels`` is the file for what is compiled on loading it."""

    engine: Engine
    path: Path
    was_there: bool

    @property
    def kernels(self) -> Path:
        """The runtime cache of TensorRT for RTX, beside the engine."""
        return self.path.with_suffix(".kernels")


def cached_engine(target: Target, onnx: bytes) -> Cached:
    """The engine of ``onnx`` on this machine's card, built unless the cache has it."""
    key = engine_key(target, onnx)
    folder = cache_dir("engines")
    path = folder / f"{key}.engine"
    if (engine := _read(path, key)) is not None:
        return Cached(engine, path, was_there=True)
    timing = folder / f"{_digest(_machine(target))}.timing"
    engine = build_engine(target, onnx, timing.read_bytes() if timing.exists() else b"")
    _write(path, key, engine)
    if engine.timing:
        with draft_of(timing) as draft:
            draft.write_bytes(engine.timing)
    return Cached(engine, path, was_there=False)


def engine_key(target: Target, onnx: bytes) -> str:
    """A digest of all that an engine follows from: graph, TensorRT, card and build options."""
    return _digest([hashlib.sha256(onnx).hexdigest(), *_machine(target)])


def _machine(target: Target) -> list[str]:
    name, release = target.trt.__name__, target.trt.__version__
    return [name, release, str(target.card), target.capability, OPTIONS]


def _digest(values: list[str]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def _write(path: Path, key: str, engine: Engine) -> None:
    head = {"key": key, "sha256": hashlib.sha256(engine.plan).hexdigest(), "types": engine.types}
    with draft_of(path) as draft:
        draft.write_bytes(json.dumps(head).encode() + b"\n" + engine.plan)


def _read(path: Path, key: str) -> Engine | None:
    """The engine of that key, or None where there is none or it is not whole."""
    if not path.exists():
        return None
    head, _, plan = path.read_bytes().partition(b"\n")
    try:
        held = json.loads(head)
        fits = (held["key"], held["sha256"]) == (key, hashlib.sha256(plan).hexdigest())
        return Engine(plan, held["types"]) if fits else None
    except (ValueError, KeyError, TypeError):
        return None
