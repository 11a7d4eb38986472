"""What a record says of itself, as tables and pages name it."""

from segbench.records.record import Record


def device_name(record: Record) -> str:
    """The hardware that a latency belongs to: the card, or the CPU with its usable cores."""
    device = record.config.get("device") or "cpu"
    origin = record.provenance
    if device.startswith("cuda"):
        return origin.get("gpu") or device
    if device.startswith("cpu"):
        cores = origin.get("cores")
        return (origin.get("cpu") or device) + (f", {cores} cores" if cores else "")
    return device


def record_name(record: Record) -> str | None:
    """The record's file below the results folder, as everything that shows it names it."""
    return "/".join(record.path.parts[-2:]) if record.path else None


def kept_float(record: Record) -> tuple[str, ...]:
    """The encoder's layers that INT8 left in float, as asked for or by its own choice."""
    told = record.provenance.get("quantization") or {}
    return tuple(sorted(told.get("kept_float") or record.config.get("keep_float") or ()))
