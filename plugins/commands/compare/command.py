"""``segbench compare``: two records, or two leaderboards, side by side."""

from pathlib import Path

import click

from segbench.errors import SegbenchError
from segbench.records.record import Record, read_record, read_records
from segbench.text import printable

from .leaderboards import Leaderboard, leaderboard_of, read_leaderboard
from .print_leaderboards import print_leaderboards
from .print_records import print_records

INPUT = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("a", type=INPUT)
@click.argument("b", type=INPUT)
def compare(a: Path, b: Path) -> None:
    """Show what differs between A and B, and which differences are within noise.

    A and B are two records of a results folder (JSON files), or two leaderboards: results
    folders, or files that `segbench leaderboard --format csv` or json wrote.

    Two scores are compared on the frames in both, class by class, with 95% bootstrap intervals over
    these frames; two latencies by their ratio, with a 95% interval over timing rounds. A difference
    is within noise if its interval contains zero, or one for a ratio. Intervals do not cover
    variation between training seeds.

    Two leaderboards are matched row by row. Rows of two results folders are compared by their
    records; classes are listed if a difference is more than noise. CSV and JSON files have no
    samples, so their differences have no interval.
    """
    if _is_leaderboard(a) != _is_leaderboard(b):
        raise SegbenchError(
            f"{a} and {b} are a record and a leaderboard: give two records or two leaderboards."
        )
    if _is_leaderboard(a):
        print_leaderboards(_leaderboard(a), _leaderboard(b))
    else:
        print_records(_record(a), _record(b))


def _record(path: Path) -> Record:
    if path.suffix != ".json":
        raise SegbenchError(
            f"{path} is not a record, which is a .json file, nor a leaderboard, which is a results "
            "folder or a .csv or .json file."
        )
    return read_record(path)


def _is_leaderboard(path: Path) -> bool:
    """Whether it is a folder, a CSV file, or a JSON file with a list."""
    if path.is_dir() or path.suffix == ".csv":
        return True
    if not path.is_file():
        raise SegbenchError(f"{path} is neither a file nor a folder; name a record.")
    with path.open("rb") as file:
        return file.read(64).lstrip().startswith(b"[")


def _leaderboard(path: Path) -> Leaderboard:
    if path.is_file():
        return Leaderboard(read_leaderboard(path))
    records, problems = read_records(path)
    for problem in problems:
        click.echo(f"Warning: {printable(problem)}", err=True)
    if not records:
        raise SegbenchError(f"There is no record in {path}: name a results folder.")
    return leaderboard_of(records)
