"""Where INT8's time goes: each kind of operator in ONNX Runtime's CPU kernels, FP32 beside INT8.

``python -m tools.layer_times fp32.onnx int8.onnx``, with the files of ``segbench export``.
"""

import json
from collections import Counter
from collections.abc import Sequence
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
    before, after = milliseconds((fp32, int8), runs)
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


def milliseconds(paths: Sequence[Path], runs: int) -> list[Counter[str]]:
    """The mean time of each kind of operator in the files, by ONNX Runtime's profiler.

    The files take turns, so that a change in the machine's speed meets all of them.
    """
    with TemporaryDirectory() as folder:
        sessions = [profiled(path, Path(folder, f"{n}")) for n, path in enumerate(paths)]
        images = [noise(session) for session in sessions]
        for _ in range(WARM_UP + runs):
            for session, image in zip(sessions, images, strict=True):
                session.run(None, image)
        profiles = [Path(session.end_profiling()) for session in sessions]
        return [mean_of(json.loads(path.read_text(encoding="utf-8")), runs) for path in profiles]


def profiled(path: Path, prefix: Path) -> onnxruntime.InferenceSession:
    """A session as the runtimes open it, whose profile is written to a file at ``prefix``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    if int8_saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    return onnxruntime.InferenceSession(
        path,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=DISABLED_OPTIMIZERS,
    )


def noise(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    """A random image for the session's input."""
    (taken,) = session.get_inputs()
    if not all(isinstance(size, int) for size in taken.shape):
        raise click.UsageError(f"The input is {taken.shape}; export without --dynamic.")
    return {taken.name: np.random.default_rng(0).integers(0, 256, taken.shape).astype(np.float32)}


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
