"""The latency of a network on runtimes, measured in turns and recorded.

The scope is MLPerf's single-stream query of the model: from an input on the device to logits on
the device, synchronised. ``segbench.timing`` has the protocol.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segbench.plugins import Registry
from segbench.provenance import provenance, source_state
from segbench.records import Record, write_record
from segbench.timing import Query, measure, statistics
from segbench.types import Runtime, Session, Setup, Size

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s

FRESH_BACKBONE = "vgg16"
FRESH_CLASSES = 19
FRESH_SIZE: Size = (256, 512)


@dataclass(frozen=True)
class Network:
    """The network to time and what the record says of it."""

    model: "FCN8s"
    size: Size
    config: dict[str, Any]
    parameters: int


@dataclass(frozen=True)
class LatencyOptions:
    """What ``segbench latency`` was asked for, beside the network."""

    batch_size: int = 1
    device: str = "auto"
    min_seconds: float = 10.0
    results: Path = Path("results")
    argv: Sequence[str] = ()


def trained_network(checkpoint: Path, size: Size | None, registry: Registry) -> Network:
    """A checkpoint's network, at the size it was trained at unless told another."""
    from segbench.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint, registry)
    keys = ("dataset", "backbone", "decoder", "weights", "recipe", "seed")
    config = {key: loaded.config.get(key) for key in keys} | {"checkpoint_sha256": loaded.sha256}
    size = size or (loaded.config["height"], loaded.config["width"])
    return Network(loaded.model, size, config, loaded.parameters)


def fresh_network(
    registry: Registry,
    backbone: str | None = None,
    decoder: str | None = None,
    dataset: str | None = None,
    size: Size | None = None,
) -> Network:
    """Seeded fresh weights, as fast as trained ones: VGG16 and 19 classes unless told others."""
    import torch

    from segbench.checkpoint import count_parameters
    from segbench.fcn8s import FCN8s

    chosen = registry.backbone(backbone or FRESH_BACKBONE)
    decoder = decoder or "bilinear"
    classes = len(registry.dataset(dataset).classes) if dataset else FRESH_CLASSES
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = chosen.build(chosen.convention)
        model = FCN8s(encoder, classes, chosen.convention, decoder).eval()
    config = {
        "dataset": dataset,
        "backbone": chosen.name,
        "decoder": decoder,
        "weights": "none",
        "recipe": None,
        "seed": 0,
        "checkpoint_sha256": None,
    }
    return Network(model, size or FRESH_SIZE, config, count_parameters(model))


def latency(
    network: Network, runtimes: Sequence[Runtime], registry: Registry, options: LatencyOptions
) -> dict[Path, Record]:
    """Time the network on each runtime, in turns; one record for each, by its path."""
    import torch

    from segbench.device import resolve_device

    source_state()
    started = datetime.now(UTC)
    sessions: dict[str, Session] = {}
    build_s: dict[str, float] = {}
    for runtime in runtimes:
        before = time.perf_counter()
        sessions[runtime.name] = runtime.open(
            network.model, Setup(network.size, options.batch_size, options.device)
        )
        build_s[runtime.name] = time.perf_counter() - before
    queries = {name: _query(session, network.size, options) for name, session in sessions.items()}
    timings = measure(queries, options.min_seconds)
    shared = network.config | {
        "height": network.size[0],
        "width": network.size[1],
        "batch_size": options.batch_size,
        "device": resolve_device(options.device).type,
        "scope": "model",
        "scenario": "single-stream",
        "threads": torch.get_num_threads(),
        "session": uuid.uuid4().hex[:12],
    }
    records = {}
    for runtime in runtimes:
        name = runtime.name
        record = Record(
            kind="latency",
            config=shared | {"runtime": name},
            metrics=statistics(timings[name], options.batch_size)
            | {"build_s": build_s[name], "parameters": network.parameters},
            provenance=provenance(
                started,
                options.argv,
                registry,
                plugins=[registry.backbone(network.config["backbone"]), runtime],
                engine=sessions[name].engine,
            ),
        )
        records[write_record(record, options.results, timings[name].arrays())] = record
    return records


def _query(session: Session, size: Size, options: LatencyOptions) -> Query:
    shape = (options.batch_size, *size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    inputs = session.prepare(images)
    session.synchronize()

    def query() -> None:
        session.run(inputs)
        session.synchronize()

    return query
