"""The commands that come with segbench as plugins; they are not imported here."""

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from segbench import Command, hookimpl

if TYPE_CHECKING:
    import click


def _load(module: str, name: str) -> "click.Command":
    """A command that loads the click command from a module beside this one."""
    command: click.Command = getattr(import_module(f"{__package__}.{module}"), name)
    return command


def _command(name: str, module: str, summary: str, **needs: Any) -> Command:
    return Command(name, summary, partial(_load, module, name), **needs)


@hookimpl
def segbench_commands() -> Iterable[Command]:
    """Commands to train, score, time and visualise networks, and to rank and explain records."""
    yield _command(
        "compare",
        "compare.command",
        "Show what differs between A and B, and which differences are within noise.",
    )
    yield _command("data", "data.command", "Check datasets.")
    yield _command(
        "evaluate", "evaluate", "Score a trained network on a labelled split and write a record."
    )
    yield _command(
        "export",
        "export",
        "Write a trained network for an engine: takes RGB in 0..255, normalises inside.",
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
    yield _command("predict", "predict", "Draw the predicted classes of pictures.")
    yield _command("recipes", "recipes", "Show the settings of each recipe for each dataset.")
    yield _command(
        "report",
        "report.command",
        "Draw a record or a checkpoint as one HTML page that works offline.",
    )
    yield _command(
        "run",
        "run",
        "Train a network, score it, write overlays and a record; for each combination.",
    )
    yield _command(
        "score",
        "score",
        "Score a folder of prediction PNGs from any system with the official measure.",
    )
    yield _command("submit", "submit", "Predict the test split and write the files to upload.")
    yield _command(
        "suite",
        "suite.command",
        "Train, score, export, time and rank everything in a TOML FILE (default: suite.toml).",
    )
    yield _command(
        "video",
        "video.command",
        "Draw the predicted classes over a video or a folder of numbered frames.",
        requires=("av",),
        extra="video",
    )
