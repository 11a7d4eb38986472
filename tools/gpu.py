"""What only a machine with a GPU can show, in one go: ``make gpu``.

Tests, latencies of every runtime that runs there, training throughput, one CamVid training at full
length. Records, logs and a summary are left in one folder. ``--quick`` walks the same steps in a
minute, on a CPU too.
"""

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

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
    speed: tuple[str, ...]
    training: tuple[str, ...]


FULL = Scale(
    backbones=("vgg16", "mobilenet"),
    runtimes="all",
    sizes="256x512,512x1024",
    batches="8,32",
    seconds="2",
    speed=("--frames", "2975", "--size", "256x512"),
    training=("--dataset", "camvid", "--backbone", "mobilenet"),
)
QUICK = Scale(
    backbones=("mobilenet",),
    runtimes="eager",
    sizes="64x64",
    batches="2",
    seconds="0.05",
    speed=("--frames", "8", "--size", "64x64"),
    training=(
        *("--dataset", "streets", "--backbone", "mobilenet", "--limit", "8"),
        *("--epochs", "1", "--size", "64x128"),
    ),
)


def steps(device: str, scale: Scale, weights: str, folder: Path) -> dict[str, list[str]]:
    """The commands by name, in order."""
    python = [sys.executable, "-m"]
    results = ["--results", str(folder / "results")]
    timed = [*python, "segbench", "latency", "--device", device, "--size", scale.sizes]
    timed += ["--min-seconds", scale.seconds, "--attempts", "3", *results]
    found = {"tests": [*python, "pytest", "-m", "gpu", "-q", "tests/unit/test_gpu.py"]}
    for backbone in scale.backbones:
        asked = ["--backbone", backbone]
        found[f"latency-{backbone}"] = [*timed, *asked, "--runtime", scale.runtimes]
        batches = ["--runtime", BATCHED, "--batch-size", scale.batches]
        found[f"batches-{backbone}"] = [*timed, *asked, *batches]
        written = ["--output", str(folder / f"speed-{backbone}.json")]
        speed = [*python, "tools.training_speed", "--device", device, *scale.speed]
        found[f"speed-{backbone}"] = [*speed, *asked, *written]
    trained = [*python, "segbench", "run", *scale.training, "--device", device]
    trained += ["--weights", weights, "--output", str(folder / "run"), *results]
    return found | {
        "training": trained,
        "leaderboard": [*python, "segbench", "leaderboard", *results],
    }


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--quick", is_flag=True, help="Tiny sizes, to try the script itself.")
@click.option("--weights", default="none", show_default=True, help="Initial weights.")
@click.option("--step", "only", multiple=True, help="Only this; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("gpu"), show_default=True)
def main(device: str, quick: bool, weights: str, only: tuple[str, ...], output: Path) -> None:
    """Run every step, even if others fail, and print the outcome of each."""
    output.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, command in steps(device, QUICK if quick else FULL, weights, output).items():
        if only and name not in only:
            continue
        started = time.perf_counter()
        click.echo(f"{name}: {shlex.join(command)}")
        with (output / f"{name}.log").open("w") as log:
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        outcome = "ok" if done.returncode == 0 else f"failed ({done.returncode})"
        lines.append(f"{name:<20} {outcome:<12} {time.perf_counter() - started:6.1f} s")
        click.echo(lines[-1])
    (output / "summary.txt").write_text("\n".join(lines) + "\n")
    if any("failed" in line for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
