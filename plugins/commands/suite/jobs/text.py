"""What a summary says of records."""

from collections.abc import Mapping

from segbench.analysis.rank import score_name
from segbench.records.record import Record


def score_text(record: Record) -> str:
    """Such as "mIoU 0.6541"."""
    score = record.metrics["score"]
    return f"{score_name(record.metrics)} {'-' if score is None else f'{score:.4f}'}"


def medians_text(records: Mapping[str, Record]) -> str:
    """Such as "p50 in ms: eager 20.1, onnx 8.0 (INVALID)"."""
    figures = [
        f"{name} {record.metrics['p50_ms']:.2f}"
        + (" (INVALID)" if record.metrics["verdict"] == "INVALID" else "")
        for name, record in records.items()
    ]
    return f"p50 in ms: {', '.join(figures)}"
