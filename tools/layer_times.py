"""Where INT8's time goes: each kind of operator in ONNX Runtime's CPU kernels, FP32 beside INT8.

``python -m tools.layer_times fp32.onnx int8.onnx``, with the files of ``segbench export``.
"""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import onnxruntime
from rich.table import Table

from segbench.cli.options import COUNT
from segbench.cli.terminal import Console, echo
from segbench.device import cpu_threads, int8_saturates
from segbench_plugins.runtimes.onnx.session import DISABLED_OPTIMIZERS

WARM_UP = 3


@click.command()
@click.argument("fp32", type=click.Path(exists=True, path_type=Path))
@click.argument("int8", type=click.Path(exists=True, path_type=Path))
@click.option("--runs", type=COUNT, default=20, show_default=True)
def main(fp32: Path, int8: Path, runs: int) -> None:
    """Print the mean milliseconds of each kind of operator in two ONNX files."""
    before, after = milliseconds(fp32, runs), milliseconds(int8, runs)
    table = Table("operator", box=None, padding=(0, 2, 0, 0))
    for name in ("FP32 ms", "INT8 ms"):
        table.add_column(name, justify="right")
    for kind, _ in (before + after).most_common():
        table.add_row(kind, f"{before[kind]:.2f}", f"{after[kind]:.2f}")
    table.add_row("all", f"{before.total():.2f}", f"{after.total():.2f}", style="bold")
    Console().print(table)
    quantised = sum(spent for kind, spent in after.items() if kind.startswith("QLinear"))
    echo(
        f"INT8 is {before.total() / after.total():.2f} times as fast; with QLinear operators that "
        f"take no time it would be {before.total() / (after.total() - quantised):.2f} times."
    )


def milliseconds(path: Path, runs: int) -> Counter[str]:
    """The mean time of each kind of operator in a run, by ONNX Runtime's profiler."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    if int8_saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.enable_profiling = True
    with TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            path,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=DISABLED_OPTIMIZERS,
        )
        (taken,) = session.get_inputs()
        shape = [size if isinstance(size, int) else 1 for size in taken.shape]
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        for _ in range(WARM_UP + runs):
            session.run(None, {taken.name: image})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return mean_of(events, runs)


def mean_of(events: list[dict[str, Any]], runs: int) -> Counter[str]:
    """Milliseconds by kind of operator in the last ``runs`` of a profile."""
    ended = [number for number, event in enumerate(events) if event["name"] == "model_run"]
    spent: Counter[str] = Counter()
    for event in events[ended[-runs - 1] + 1 :]:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"] / 1000 / runs
    return spent


if __name__ == "__main__":
    main()
