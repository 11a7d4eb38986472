"""The commands that come with segbench as plugins; nothing of them is imported here."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from segbench import Command, hookimpl

if TYPE_CHECKING:
    import click


def compare() -> "click.Command":
    """``segbench compare``."""
    from .compare.command import compare

    return compare


def predict() -> "click.Command":
    """``segbench predict``."""
    from .predict import predict

    return predict


def report() -> "click.Command":
    """``segbench report``."""
    from .report.command import report

    return report


def submit() -> "click.Command":
    """``segbench submit``."""
    from .submit import submit

    return submit


def suite() -> "click.Command":
    """``segbench suite``."""
    from .suite.command import suite

    return suite


def video() -> "click.Command":
    """``segbench video``."""
    from .video.command import video

    return video


@hookimpl
def segbench_commands() -> Iterable[Command]:
    """Look at what a network sees, hand it in, and compare and explain records."""
    yield Command(
        "compare", "Show what differs between A and B, and what of it is within noise.", compare
    )
    yield Command("predict", "Draw the classes that a checkpoint sees in pictures.", predict)
    yield Command(
        "report", "Draw a record or a checkpoint as one HTML page that needs no network.", report
    )
    yield Command("submit", "Predict the test split and write the files to upload.", submit)
    yield Command(
        "suite",
        "Train, score, export, time and rank what a TOML FILE (default: suite.toml) names.",
        suite,
    )
    yield Command(
        "video",
        "Draw the classes that a checkpoint sees over a video or a folder of numbered frames.",
        video,
        requires=("av",),
        extra="video",
    )
