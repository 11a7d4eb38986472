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
    """Look at what a network sees, hand it in, and rank, compare and explain records."""
    yield _command(
        "compare",
        "compare.command",
        "Show what differs between A and B, and what of it is within noise.",
    )
    yield _command(
        "leaderboard",
        "leaderboard.command",
        "Rank the records of a results folder, best score first for each dataset.",
    )
    yield _command("predict", "predict", "Draw the classes that a checkpoint sees in pictures.")
    yield _command(
        "report",
        "report.command",
        "Draw a record or a checkpoint as one HTML page that needs no network.",
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
