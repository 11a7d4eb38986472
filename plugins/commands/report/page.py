"""A report on one record as a page: facts, then sections of figures and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from segbench.records.record import Record

from ..pages import render
from .sections import Section

SHORT = 12


def report_page(record: Record, sections: Sequence[Section]) -> str:
    """A whole HTML document."""
    return render(
        "report.html",
        title=title(record),
        facts=facts(record),
        doubts=doubts(record),
        sections=sections,
    )


def title(record: Record) -> str:
    """The network and what it was measured on."""
    config = record.config
    where = " ".join(str(config[name]) for name in ("dataset", "split") if config.get(name))
    what = "latency of " if record.kind == "latency" else ""
    return f"{what}{record.network_name}" + (f" on {where}" if where else "")


def facts(record: Record) -> dict[str, str]:
    """Facts on the record, the result first; missing ones are left out."""
    config, origin = record.config, record.provenance
    scale = config.get("label_scale") or 1
    result = _latency(record) if record.kind == "latency" else _score(record.metrics)
    said = {
        **result,
        "runtime": config["runtime"],
        "input": f"{config['height']} x {config['width']}" if "height" in config else "",
        "network": record.network_name,
        "recipe": config.get("recipe"),
        "epochs": config.get("epochs"),
        "trained on": config.get("train_splits"),
        "crop": config.get("crop"),
        "seed": config.get("seed"),
        "limit": config.get("limit"),
        "labels scored": f"every {scale}th pixel each way" if scale > 1 else "",
        "kept in float": ", ".join(record.kept_float),
        "parameters": _form("{:.2f} M", record.metrics.get("parameters"), 1e-6),
        "engine": origin.get("engine"),
        "measured on": record.device_name,
        "measured at": str(origin.get("started_at") or "").replace("T", " "),
        "checkpoint": str(config.get("checkpoint_sha256") or "")[:SHORT],
        "commit": str(origin.get("commit") or "")[:SHORT]
        + (" dirty" if origin.get("dirty") else ""),
        "record": record.name,
    }
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def doubts(record: Record) -> list[str]:
    """Why the figures may not be valid."""
    if record.metrics.get("verdict") != "INVALID":
        return []
    return [f"INVALID: {reason}." for reason in record.metrics.get("reasons") or ["no reason"]]


def _score(metrics: Mapping[str, Any]) -> dict[str, str | None]:
    low, high = metrics.get("miou_low"), metrics.get("miou_high")
    between = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
    if metrics.get("frames") == 1:
        between = " (no interval: one frame)"
    own = metrics.get("score_name")
    miou = _form("{:.4f}", metrics.get("miou"))
    return {
        **({} if own in (None, "miou") else {own: _form("{:.4f}", metrics.get("score"))}),
        "mIoU (95% interval)": miou and miou + between,
        "pixel accuracy": _form("{:.4f}", metrics.get("pixel_accuracy")),
        "frames": _form("{}", metrics.get("frames")),
    }


def _latency(record: Record) -> dict[str, str | None]:
    metrics, config = record.metrics, record.config
    asked = (config.get("scope"), config.get("scenario"))
    baseline = metrics.get("baseline")
    return {
        "p50": _form("{:.2f} ms", metrics.get("p50_ms")),
        "p90": _form("{:.2f} ms", metrics.get("p90_ms")),
        "p99": _form("{:.2f} ms", metrics.get("p99_ms")),
        "throughput": _form("{:.1f} images/s", metrics.get("fps")),
        f"speed-up over {baseline}": _form("{:.2f}", metrics.get("speedup")),
        "timed": ", ".join(str(part) for part in asked if part),
        "batch": _form("{}", config.get("batch_size")),
        "threads": _form("{}", config.get("threads")),
        "verdict": metrics.get("verdict"),
    }


def _form(form: str, value: float | None, factor: float = 1) -> str | None:
    return None if value is None else form.format(value * factor)
