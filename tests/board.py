"""Records of networks that were scored and timed, and their rows."""

from typing import Any

from segbench.analysis.fields import Row
from segbench.records.record import Record

CPU = {"cpu": "A Processor", "extensions": ["AVX2"], "cores": 2}
ON_CPU = "latency on A Processor, AVX2, 2 cores"
CAMVID = "camvid test: mIoU at full label size, 233 frames"


def scored(score: float | None, checkpoint: str, kind: str = "run", **config: Any) -> Record:
    asked = {
        "dataset": "camvid",
        "split": "test",
        "backbone": "mobilenet",
        "decoder": "bilinear",
        "weights": "imagenet",
        "runtime": "eager",
        "height": 352,
        "width": 480,
        "label_scale": 1,
        "limit": None,
        "seed": 0,
        "device": "cpu",
        "checkpoint_sha256": checkpoint,
    }
    metrics: dict[str, Any] = {"score": score, "score_name": "miou", "frames": 233}
    if kind == "run":
        metrics["parameters"] = 2_500_000
    return Record(kind, asked | config, metrics, CPU | {"commit": "0123456789", "dirty": False})


def timed(p50_ms: float, checkpoint: str | None, **config: Any) -> Record:
    record = scored(None, "", **config)
    asked = record.config | {"split": None, "label_scale": None, "checkpoint_sha256": checkpoint}
    query = {"scope": "model", "scenario": "single-stream", "batch_size": 1, "threads": 2}
    metrics = {"p50_ms": p50_ms, "fps": 1000 / p50_ms, "verdict": "VALID", "reasons": []}
    gpu = {"gpu": "A Card"} if asked["device"] == "cuda" else {}
    return Record("latency", query | asked, metrics, record.provenance | gpu)


def column(rows: list[Row], *names: str) -> list[Any]:
    return [row[names[0]] if len(names) == 1 else tuple(row[n] for n in names) for row in rows]


def external(name: str, score: float, **metrics: Any) -> Record:
    config = {"dataset": "camvid", "split": "test", "network": name, "runtime": "external"}
    metrics = {"score": score, "score_name": "miou", "frames": 233} | metrics
    return Record("external", config, metrics, CPU)
