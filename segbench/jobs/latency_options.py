"""The options of ``segbench latency``: built, checked, and taken apart into single measurements."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from segbench.device import cpu_threads
from segbench.errors import OptionError, SegbenchError, unknown_name
from segbench.inference.sources import Source, check_options, chosen_source, default_runtime
from segbench.jobs.runtimes import check_keep_float, named_runtimes, with_fp16
from segbench.latency.protocol import Protocol
from segbench.latency.timing import SCENARIOS, SCOPES
from segbench.plugins import Registry
from segbench.text import by
from segbench.types import DECODERS, ModelOptions, Size

PROTOCOL = {each.name for each in fields(Protocol)}


@dataclass(frozen=True)
class LatencyOptions:
    """The options of ``segbench latency``, by name, so that they can be sent to another process.

    Networks are a ``checkpoint``, a network with ``weights`` or a file ``model`` (with its
    ``model_options``) for a dataset, or ``networks`` and FCN8s on ``backbones`` with random
    weights. ``runtimes`` default to eager, or to that of the model file's format. Each network is
    measured at each of ``sizes`` (None is its own) and ``batch_sizes``. With ``isolate`` each
    runtime has its own process; there ``baseline`` is the record of the first. ``title`` tells
    one network, size and batch size from others of the call.
    """

    runtimes: tuple[str, ...]
    networks: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    decoder: str | None = None
    dataset: str | None = None
    checkpoint: Path | None = None
    weights: Path | None = None
    model: Path | None = None
    model_options: ModelOptions = field(default_factory=ModelOptions)
    sizes: tuple[Size | None, ...] = (None,)
    batch_sizes: tuple[int, ...] = (1,)
    protocol: Protocol = field(default_factory=Protocol)
    results: Path = Path("results")
    argv: Sequence[str] = ()
    isolate: bool = False
    baseline: Path | None = None
    session: str = ""
    title: str = ""

    @property
    def shape(self) -> str:
        """The batch and size of a single measurement, for messages."""
        (size,) = self.sizes
        return (
            f"--batch-size {self.protocol.batch_size} at --size {by(size) if size else 'its own'}"
        )

    def one_by_one(self) -> "list[LatencyOptions]":
        """Options for each single network, size and batch size."""
        networks = [replace(self, networks=(name,), backbones=()) for name in self.networks]
        networks += [replace(self, networks=(), backbones=(name,)) for name in self.backbones]
        single = [
            replace(
                network,
                sizes=(size,),
                batch_sizes=(batch_size,),
                protocol=replace(self.protocol, batch_size=batch_size),
                session=uuid.uuid4().hex[:12],
            )
            for size in self.sizes
            for batch_size in self.batch_sizes
            for network in networks or [self]
        ]
        if len(single) == 1:
            return single
        return [replace(each, title=f" ({each._words})") for each in single]

    @property
    def _words(self) -> str:
        return " ".join([*self.networks, *self.backbones, self.shape])


def latency_options(runtimes: Sequence[str], **given: Any) -> LatencyOptions:
    """Build the options from names; some of them belong to the protocol.

    SegbenchError for an unknown scope or scenario, and for numbers that must be larger.
    """
    for name, known in (("scope", SCOPES), ("scenario", SCENARIOS)):
        if name in given and given[name] not in known:
            raise OptionError(unknown_name(name, given[name], known))
    if min(given["batch_sizes"], default=0) < 1:
        raise OptionError("batch_sizes are one or more numbers of at least 1.")
    if not 0 < given.get("min_seconds", 1) < math.inf:
        raise OptionError("min_seconds must be a number larger than 0.")
    if given.get("attempts", 1) < 1:
        raise OptionError("attempts must be at least 1.")
    given["threads"] = cpu_threads(given.get("threads"))
    given["batch_size"] = given["batch_sizes"][0]
    protocol = Protocol(**{each: given.pop(each) for each in PROTOCOL & given.keys()})
    return LatencyOptions(tuple(runtimes), protocol=protocol, **given)


def resolved(options: LatencyOptions, registry: Registry) -> LatencyOptions:
    """The options with the names of all runtimes and networks; SegbenchError if invalid."""
    others = (options.backbones, options.networks, options.weights, options.decoder)
    check_options(options.model, options.model_options)
    if options.model and (options.checkpoint or any(others)):
        raise OptionError("--model is a network of its own; do not name another.")
    if options.checkpoint and (any(others) or options.dataset):
        raise OptionError(
            "A checkpoint has its own network and classes; "
            "leave --backbone, --network, --weights, --decoder and --dataset out."
        )
    if options.weights and not (
        len(options.networks) == 1 and options.dataset and not options.backbones
    ):
        raise OptionError("--weights needs exactly one --network, and --dataset.")
    if options.decoder and options.networks and not options.backbones:
        raise OptionError("--decoder is for FCN8s on a --backbone; leave it out.")
    if options.decoder and options.decoder not in DECODERS:
        raise OptionError(unknown_name("decoder", options.decoder, DECODERS))
    source_of(options, registry)
    if not (options.checkpoint or options.model or options.networks or options.backbones):
        options = replace(options, backbones=(registry.default_backbone().name,))
    for name in options.networks:
        registry.network(name)
    for name in options.backbones:
        registry.backbone(name)
    device, keep_float = options.protocol.device, options.protocol.keep_float
    wanted = options.runtimes or (default_runtime(registry, options.model),)
    model_format = registry.model_format(options.model) if options.model else None
    named = named_runtimes(wanted, device, registry, model_format)
    names = with_fp16(named, device, registry)
    if not names:
        raise SegbenchError(
            f"No runtime runs this network here on --device {device}; `segbench plugins` says why."
        )
    check_keep_float(names, keep_float, registry)
    return replace(options, runtimes=names)


def source_of(options: LatencyOptions, registry: Registry) -> Source | None:
    """The network with trained weights; None if they are random."""
    if not (options.checkpoint or options.weights or options.model):
        return None
    return chosen_source(
        registry,
        options.dataset,
        options.checkpoint,
        options.networks[0] if options.networks else None,
        options.weights,
        options.model,
        options.model_options,
    )
