"""Leaderboard pages of invented records, so that no test depends on the committed ones."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from segbench.cli import main
from segbench.records.record import Record, write_record

ODD = "<script>document.title = 'broken'</script>"
ORIGIN: dict[str, Any] = {
    "started_at": "2026-01-02T03:04:05+00:00",
    "argv": ["segbench", "run", ODD],
    "commit": "0123456789",
    "dirty": True,
    "cpu": "A Processor",
    "cores": 2,
    "versions": {"torch": "2.11.0"},
}
CLASSES = ("Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car")
RUNTIMES = ("eager", "compile", "onnx", "onnx-int8", "openvino", "openvino-int8")
REASON = "the median drifted -5% from the first third to the last"
SCORED_ONLY = "timm/network_11"
TRAINED: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "weights": "timm.imagenet.safetensors@0123456789ab",
        "precision": "bf16",
        "crop": "240x320",
        "epochs": 60,
        "decoder": "wide",
    },
    {"weights": "none", "precision": "fp32", "epochs": 50, "decoder": "bilinear"},
)
"""What configurations tell of two ways of training."""
FILLED: dict[str, Any] = {
    "p90_ms": 1100.0,
    "p99_ms": 1200.0,
    "baseline": "eager",
    "speedup": 2.5,
    "speedup_low": 2.4,
    "speedup_high": 2.6,
    "parameters": 134_317_975,
    "file_mb": 537.3,
    "peak_memory_mb": 1234.5,
}
"""What a latency tells beside its median."""


def network(name: str, **others: Any) -> dict[str, Any]:
    """The configuration of a backbone trained on CamVid, with ``others`` instead or besides."""
    return {
        "dataset": "camvid",
        "split": "test",
        "backbone": name,
        "runtime": "eager",
        "height": 352,
        "width": 480,
        "checkpoint_sha256": sha256(name.encode()).hexdigest(),
        **others,
    }


def write_score(
    results: Path, config: dict[str, Any], score: float, iou: dict[str, float | None]
) -> None:
    """A record of ``segbench evaluate``."""
    metrics = {"score": score, "score_name": "miou", "frames": 233}
    write_record(Record("evaluate", config, metrics, ORIGIN, {"iou": iou}), results)


def write_latency(
    results: Path, config: dict[str, Any], p50_ms: float, reason: str = "", **others: Any
) -> None:
    """A record of ``segbench latency``, INVALID for a ``reason``."""
    metrics = {
        "p50_ms": p50_ms,
        "fps": 1000 / p50_ms,
        "verdict": "INVALID" if reason else "VALID",
        "reasons": [reason] if reason else [],
        **others,
    }
    write_record(Record("latency", config | {"device": "cpu"}, metrics, ORIGIN), results)


def write_crowd(results: Path) -> None:
    """Twelve networks on two datasets and six runtimes; the last network is not timed."""
    for dataset in ("camvid", "cityscapes"):
        for number in range(12):
            score, training = 0.7 - number / 50, TRAINED[number % 2]
            for step, runtime in enumerate(RUNTIMES, 1):
                config = network(
                    f"timm/network_{number}", dataset=dataset, runtime=runtime, **training
                )
                write_score(results, config, score, dict.fromkeys(CLASSES, score))
                if config["backbone"] != SCORED_ONLY:
                    reason = "" if step % 2 else REASON
                    write_latency(results, config, 900 / (number + 1) / step, reason, **FILLED)


def write_page(results: Path, output: Path) -> Path:
    """``segbench leaderboard`` of these records as a page."""
    asked = ["--format", "html", "--results", str(results), "--output", str(output)]
    done = CliRunner().invoke(main, ["leaderboard", *asked])
    assert done.exit_code == 0, done.output
    return output
