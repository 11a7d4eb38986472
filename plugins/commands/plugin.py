"""The commands that come with segbench as plugins; nothing of them is imported here."""

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from segbench import Command, hookimpl

if TYPE_CHECKING:
    import click


def _load(module: str, name: str) -> "click.Command":
    """The click command of that name in a module beside this one."""
    command: click.Command = getattr(import_module(f"{__package__}.{module}"), name)
    return command


def _command(name: str, module: str, summary: str, **needs: Any) -> Command:
    return Command(name, summary, partial(_load, module, name), **needs)


@hookimpl
def segbench_commands() -> Iterable[Command]:
    """Train, score and time networks, look at what they see, and rank and explain records."""
    yield _command(
        "compare",
        "compare.command",
        "Show what differs between A and B, and what of it is within noise.",
    )
    yield _command("data", "data.command", "Check datasets.")
    yield _command(
        "evaluate", "evaluate", "Score a trained network on a labelled split and write a record."
    )
    yield _command(
        "export",
        "export",
        "Write a trained network for an engine: RGB in 0..255 goes in, normalisation is inside.",
    )
    yield _command(
        "latency",
        "latency",
        "Measure the latency of networks on runtimes in turns, and write a record for each.",
    )
    yield _command(
        "leaderboard",
        "leaderboard.command",
        "Rank the records of a results folder, best score first for each dataset.",
    )
    yield _command("predict", "predict", "Draw the classes that a checkpoint sees in pictures.")
    yield _command("recipes", "recipes", "Show what each recipe sets for each dataset.")
    yield _command(
        "report",
        "report.command",
        "Draw a record or a checkpoint as one HTML page that needs no network.",
    )
    yield _command(
        "run",
        "run",
        "Train a network, score it, write overlays and a record; once for each combination.",
    )
    yield _command(
        "score",
        "score",
        "Score a folder of prediction PNGs, from any system, as the benchmark itself does.",
    )
    yield _command("submit", "submit", "Predict the test split and write the files to upload.")
    yield _command(
        "suite",
        "suite.command",
        "Train, score, export, time and rank what a TOML FILE (default: suite.toml) names.",
    )
    yield _command(
        "video",
        "video.command",
        "Draw the classes that a checkpoint sees over a video or a folder of numbered frames.",
        requires=("av",),
        extra="video",
    )
