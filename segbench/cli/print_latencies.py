"""Latencies as people read them: one column a runtime, tables as wide as the terminal."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table

from segbench.cli.terminal import Console, echo
from segbench.latency.timing import PHASES, SCOPES
from segbench.records.facts import network_name
from segbench.records.record import Record

Metrics = Mapping[str, Any]

HEADING_WIDTH, COLUMN_WIDTH = 22, 21
"""In characters; runtimes that do not fit abreast get a table below."""


def print_latencies(records: Sequence[Record]) -> None:
    """Print the records, those measured in turns side by side, then bounds and doubts."""
    for _, group in groupby(records, _measured_together):
        _print_network(list(group))


def _measured_together(record: Record) -> tuple[str, str]:
    return network_name(record), record.config["session"]


def _print_network(records: Sequence[Record]) -> None:
    config = records[0].config
    console = Console(markup=False, highlight=False)
    console.print(
        f"{network_name(records[0])} at {config['height']}x{config['width']}, batch "
        f"{config['batch_size']}, {config['scenario']} on {config['device']}: "
        f"{SCOPES[config['scope']]}",
        soft_wrap=True,
    )
    abreast = max(1, (console.width - HEADING_WIDTH) // COLUMN_WIDTH)
    for start in range(0, len(records), abreast):
        console.print(_table(records[start : start + abreast]))
    for record in records:
        if line := _roofline(record.metrics):
            echo(f"roofline of {record.config['runtime']}: {line}")
    for record in records:
        for reason in record.metrics["reasons"]:
            echo(f"{record.config['runtime']}: {reason}")


def _table(records: Sequence[Record]) -> Table:
    table = Table("one query")
    for record in records:
        table.add_column(record.config["runtime"], justify="right")
    for heading, text in ROWS.items():
        cells = [text(record.metrics) for record in records]
        if any(cells):
            table.add_row(heading, *(cell or "-" for cell in cells))
    return table


def _number(name: str, form: str) -> Callable[[Metrics], str]:
    return lambda metrics: "" if metrics.get(name) is None else form.format(metrics[name])


def _phase(name: str) -> Callable[[Metrics], str]:
    return lambda metrics: f"{metrics['phases'][name]:.1%}" if metrics.get("phases") else ""


def _speedup(metrics: Metrics) -> str:
    if metrics.get("speedup") is None:
        return ""
    if metrics["speedup_low"] is None:
        return f"{metrics['speedup']:.2f}x"
    return (
        f"{metrics['speedup']:.2f}x [{metrics['speedup_low']:.2f}, {metrics['speedup_high']:.2f}]"
    )


def _roofline(metrics: Metrics) -> str:
    if metrics.get("bound_ms") is None:
        return ""
    return (
        f"{metrics['gflop']:.4g} GFLOP at {metrics['gflop_per_s']:.4g} GFLOP/s, "
        f"{metrics['gbyte']:.3g} GB at {metrics['gbyte_per_s']:.3g} GB/s: "
        f"{metrics['bound_precision']} takes at least {metrics['bound_ms']:.2f} ms"
    )


ROWS: dict[str, Callable[[Metrics], str]] = {
    "p50, ms": _number("p50_ms", "{:.2f}"),
    "p90, ms": _number("p90_ms", "{:.2f}"),
    "p99, ms": _number("p99_ms", "{:.2f}"),
    "mean, ms": _number("mean_ms", "{:.2f}"),
    "least, ms": _number("min_ms", "{:.2f}"),
    "speed-up [95%]": _speedup,
    "images/s": _number("fps", "{:.2f}"),
    "samples": _number("samples", "{}"),
    **{f"  {name}": _phase(name) for name in PHASES},
    "first call, ms": _number("first_call_ms", "{:.2f}"),
    "build, s": _number("build_s", "{:.2f}"),
    "times the roofline": _number("roofline_multiple", "{:.2f}"),
    "peak memory, MB": _number("peak_memory_mb", "{:.0f}"),
    "on the device, MB": _number("device_memory_mb", "{:.0f}"),
    "file, MB": _number("file_mb", "{:.1f}"),
    "same class": _number("agreement", "{:.2%}"),
    "logit error": _number("logit_error", "{:.2g}"),
    "INT8 arithmetic error": _number("arithmetic_error", "{:.2%}"),
    "compared on": _number("compared_on", "{}"),
    "verdict": _number("verdict", "{}"),
}
