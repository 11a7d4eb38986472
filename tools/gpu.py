"""What only a machine with a GPU can show, in one go: ``make gpu``.

Tests, latencies of every runtime that runs there, training throughput, one CamVid training at full
length. Records, logs and a summary are left in one folder. ``--quick`` walks the same steps in a
minute, on a CPU too.
"""

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

LIMIT, LEAST = 23 * 60, 30
"""Seconds for all steps, and for the leaderboard after them."""
BATCHED = "eager,eager-fp16,eager-bf16"
"""Engines that are open at once: a compiler takes half a minute for each batch."""


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    backbones: tuple[str, ...]
    runtimes: str
    sizes: str
    batches: str
    seconds: str
    batch_seconds: str
    speed: tuple[str, ...]
    training: tuple[str, ...]


FULL = Scale(
    backbones=("vgg16", "mobilenet"),
    runtimes="all",
    sizes="256x512,512x1024",
    batches="8,32",
    seconds="2",
    batch_seconds="5",
    speed=("--frames", "2975", "--size", "256x512"),
    training=("--dataset", "camvid", "--backbone", "mobilenet"),
)
QUICK = Scale(
    backbones=("mobilenet",),
    runtimes="eager",
    sizes="64x64",
    batches="2",
    seconds="0.05",
    batch_seconds="0.05",
    speed=("--frames", "8", "--size", "64x64"),
    training=(
        *("--dataset", "streets", "--backbone", "mobilenet", "--limit", "8"),
        *("--epochs", "1", "--size", "64x128"),
    ),
)


def steps(device: str, scale: Scale, weights: str, folder: Path) -> dict[str, list[str]]:
    """The commands by name, in order: what takes longest is last but for the leaderboard."""
    python = [sys.executable, "-m"]
    results = ["--results", str(folder / "results")]
    tests = ["tests/unit/test_gpu.py", "tests/cli/test_torchrun.py"]
    found = {"tests": [*python, "pytest", "-m", "gpu", "-q", "-rs", *tests]}
    for backbone in scale.backbones:
        written = ["--output", str(folder / f"speed-{backbone}.json")]
        speed = [*python, "tools.training_speed", "--device", device, *scale.speed]
        found[f"speed-{backbone}"] = [*speed, "--backbone", backbone, *written]
    trained = [*python, "segbench", "run", *scale.training, "--device", device, "--resume"]
    trained += ["--weights", weights, "--output", str(folder / "run")]
    found["training"] = [*trained, *results]
    timed = [*python, "segbench", "latency", "--device", device, "--size", scale.sizes]
    timed += ["--attempts", "3", *results]
    for backbone in scale.backbones:
        seconds = ["--backbone", backbone, "--min-seconds", scale.seconds]
        found[f"latency-{backbone}"] = [*timed, *seconds, "--runtime", scale.runtimes]
        # A large batch of VGG16 takes a third of a second, of which 64 samples are needed.
        seconds = ["--backbone", backbone, "--min-seconds", scale.batch_seconds]
        batches = ["--runtime", BATCHED, "--batch-size", scale.batches]
        found[f"batches-{backbone}"] = [*timed, *seconds, *batches]
    return found | {"leaderboard": [*python, "segbench", "leaderboard", *results]}


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--quick", is_flag=True, help="Tiny sizes, to try the script itself.")
@click.option("--weights", default="none", show_default=True, help="Initial weights.")
@click.option("--step", "only", multiple=True, help="Only this; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("gpu"), show_default=True)
def main(device: str, quick: bool, weights: str, only: tuple[str, ...], output: Path) -> None:
    """Run every step, even if others fail, for at most 25 minutes, and print each outcome."""
    output.mkdir(parents=True, exist_ok=True)
    lines = []
    begun = time.perf_counter()
    for name, command in steps(device, QUICK if quick else FULL, weights, output).items():
        if only and name not in only:
            continue
        started = time.perf_counter()
        click.echo(f"{name}: {shlex.join(command)}")
        left = LIMIT - (started - begun)
        if name == "leaderboard":
            left = max(left, LEAST)
        outcome = run(command, output / f"{name}.log", left) if left > 0 else "no time"
        lines.append(f"{name:<20} {outcome:<12} {time.perf_counter() - started:6.1f} s")
        click.echo(lines[-1])
        (output / "summary.txt").write_text("\n".join(lines) + "\n")
    if any(" ok " not in line for line in lines):
        raise SystemExit(1)


def run(command: Sequence[str], log: Path, seconds: float) -> str:
    """How the command ended; it is interrupted, so that it keeps its records, after ``seconds``."""
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(LEAST)
            process.kill()
            return "stopped"
    return "ok" if code == 0 else f"failed ({code})"


if __name__ == "__main__":
    main()
