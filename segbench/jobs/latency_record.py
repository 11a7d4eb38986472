"""The record of one latency: its configuration, figures, and reasons for doubt."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.inference.networks import LoadedNetwork
from segbench.latency.group import Measured
from segbench.latency.protocol import Protocol
from segbench.latency.statistics import block_medians, figures, percentile, speedup, timing_doubts
from segbench.records.arrays import latency_samples
from segbench.records.provenance import ARITHMETIC, session_details
from segbench.records.record import Record, read_record

KEPT = ("dataset", "network", "backbone", "decoder", "weights", "recipe", "train_splits", "seed")
"""The training fields of a latency's configuration."""


@dataclass(frozen=True)
class Baseline:
    """The baseline of a speed-up; ``paired`` if both were measured in turns."""

    runtime: str
    medians: NDArray[np.float64]
    valid: bool
    paired: bool

    @classmethod
    def of(cls, measured: Measured, network: LoadedNetwork) -> "Baseline":
        """A baseline measured in turns with the others."""
        medians = block_medians(measured.timings.arrays())
        return cls(measured.warm.runtime.name, medians, not doubts(measured, network), paired=True)

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """A baseline from the record of another process."""
        record = read_record(path)
        samples = latency_samples(record)
        medians = block_medians({"seconds": samples.seconds, "block": samples.block})
        valid = record.metrics["verdict"] == "VALID"
        return cls(record.config["runtime"], medians, valid, paired=False)

    def speedup(self, measured: Measured) -> dict[str, Any]:
        """The speed-up of ``measured``, with its interval."""
        mine = block_medians(measured.timings.arrays())
        return {"baseline": self.runtime, **speedup(self.medians, mine, paired=self.paired)}


def latency_record(
    measured: Measured,
    baseline: Baseline | None,
    network: LoadedNetwork,
    protocol: Protocol,
    occasion: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Record:
    """The record of ``measured``; ``occasion`` are further fields of its configuration."""
    from segbench.device import resolve_device

    runtime, session, check = measured.warm.runtime, measured.warm.session, measured.check
    timed = figures(measured.timings, protocol.batch_size)
    reasons = doubts(measured, network)
    if baseline and not baseline.valid:
        reasons.append(f"its baseline {baseline.runtime} is INVALID")
    config = {
        **{key: network.config.get(key) for key in KEPT},
        "checkpoint_sha256": network.sha256,
        "height": network.size[0],
        "width": network.size[1],
        "batch_size": protocol.batch_size,
        "device": resolve_device(protocol.device).type,
        "scope": protocol.scope,
        "scenario": protocol.scenario,
        "threads": protocol.threads,
        **occasion,
        "runtime": runtime.name,
    }
    if protocol.keep_float is not None and runtime.calibrates:
        config["keep_float"] = sorted(protocol.keep_float)
    metrics = {
        **timed,
        **(baseline.speedup(measured) if baseline else {}),
        "build_s": measured.warm.build_s,
        "parameters": network.model.count_parameters(),
        "file_mb": session.details.get("file_mb"),
        "peak_memory_mb": measured.peak_memory_mb,
        "device_memory_mb": measured.device_memory_mb,
        "other_cpu": measured.watch.other_cpu,
        "attempts": measured.attempts,
        **session_details(session, ARITHMETIC),
        **(check.agreement.metrics() if check.agreement else {}),
        "compared_on": check.compared_on,
        **(check.roofline.metrics(timed["p50_ms"]) if check.roofline else {}),
        "verdict": "INVALID" if reasons else "VALID",
        "reasons": reasons,
    }
    return Record("latency", config, metrics, {**provenance, **session_details(session)})


def doubts(measured: Measured, network: LoadedNetwork) -> list[str]:
    """Reasons to doubt the runtime's own figures."""
    check = measured.check
    p50_ms = 1e3 * percentile(measured.timings.seconds, 50)
    return [
        *timing_doubts(measured.timings),
        *measured.watch.doubts(),
        *(check.agreement.doubts(network.trained) if check.agreement else ()),
        *(check.roofline.doubts(p50_ms) if check.roofline else ()),
        *measured.warm.session.details.get("doubts", ()),
        *check.doubts,
    ]
