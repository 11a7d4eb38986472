"""What a record says of itself, as tables and pages name it."""

import re
from collections.abc import Mapping
from typing import Any

from segbench.device import bf16_is_emulated
from segbench.records.record import Record

UNKNOWN = "unknown extensions"

FORMER_TITLES = {
    "vgg16": "VGG16",
    "mobilenet": "MobileNetV2",
    "mobilenetv1": "MobileNetV1",
    "mobilenetv3": "MobileNetV3",
}
"""What records from before ``provenance.title`` do not say."""


def network_name(record: Record) -> str:
    """The network as it was published: "ENet", "FCN8s VGG16"."""
    return titled(record.config, record.provenance.get("title"))


def titled(config: Mapping[str, Any], title: str | None = None) -> str:
    """The same from a configuration; where it names no network, it is of FCN8s."""
    whole = config.get("network")
    name = whole or config.get("backbone") or "unknown"
    title = title or FORMER_TITLES.get(name, name)
    return title if whole else f"FCN8s {title}"


def device_name(record: Record) -> str:
    """The hardware that decides a figure: "AMD EPYC Zen 3, AVX2, 2 cores".

    A GPU is named with its driver and its power limit.
    """
    origin = record.provenance
    parts = [device_kind(record) or f"{origin.get('cpu') or 'cpu'}, {UNKNOWN}"]
    device = record.config.get("device") or "cpu"
    if device.startswith("cpu") and (cores := origin.get("cores")):
        parts.append(f"{cores} core{'' if cores == 1 else 's'}")
    if device.startswith("cuda"):
        driver, watts = origin.get("driver"), origin.get("power_limit_w")
        parts += [f"driver {driver}"] if driver else []
        parts += [f"{watts:g} W"] if watts else []
    return ", ".join(parts)


def device_kind(record: Record) -> str | None:
    """The hardware that decides what is computed, though not how fast: "AMD EPYC Zen 3, AVX2".

    None where an older record does not say which vector extensions its CPU has.
    """
    origin = record.provenance
    device = record.config.get("device") or "cpu"
    if device.startswith("cuda"):
        return origin.get("gpu") or device
    if not device.startswith("cpu"):
        return device
    extensions = origin.get("extensions")
    if extensions is None:
        return None
    # A CPU with AVX-512 has AVX2 too.
    shown = [str(name) for name in extensions if name != "AVX2" or "AVX-512" not in extensions]
    cpu = " ".join(filter(None, (origin.get("cpu") or "cpu", origin.get("microarchitecture"))))
    return ", ".join((cpu, *shown))


def arithmetic(record: Record) -> str:
    """What the runtime computes in; of an older record its runtime's name tells."""
    told: str | None = record.provenance.get("arithmetic")
    named = None if told else re.search(r"fp16|bf16|int8", record.config["runtime"])
    return told or (named[0] if named else "fp32")


def note(record: Record) -> str | None:
    """What a reader of the record's latency must know; None where there is nothing."""
    device = record.config.get("device") or "cpu"
    extensions = record.provenance.get("extensions") or ()
    emulated = arithmetic(record) == "bf16" and bf16_is_emulated(device, extensions)
    return "BF16 is emulated: the CPU has no instructions for it" if emulated else None


def record_name(record: Record) -> str | None:
    """The record's file below the results folder, as everything that shows it names it."""
    return "/".join(record.path.parts[-2:]) if record.path else None


def kept_float(record: Record) -> tuple[str, ...]:
    """The encoder's layers that INT8 left in float, as asked for or by its own choice."""
    told = record.provenance.get("quantization") or {}
    return tuple(sorted(told.get("kept_float") or record.config.get("keep_float") or ()))
